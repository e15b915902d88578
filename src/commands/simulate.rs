mod array;
mod energy;
mod inference;

use std::ops::Range;
use std::path::PathBuf;

use bitmosaic_arch::{Machine, load};
use bitmosaic_cosim::{Case, Engine, ExternalSettings, run_engine, write_vcd};
use bitmosaic_mappings::{BeatStream, Gate, Matmul, Stalls, TileWalk, UnitStimulus, UnitTrace, matmul_command, ports};
use bitmosaic_numerics::{quantize_matrix::quantize_matrix, weight_type};
use bitmosaic_reports::simulate_text;
use bitmosaic_results::{LayerResult, SCHEMA_VERSION, SimulateDocument, SimulateResult};
use bitmosaic_sim::cycle::tile_timing;
use bitmosaic_sim::device::Device;
use bitmosaic_sim::memory::MemoryTiming;
use bitmosaic_workloads::generate::{LayerParameters, generate};
use bitmosaic_workloads::trace::LayerTrace;

pub(super) use array::array_program;

use crate::error::CliError;
use crate::{Outcome, output};

/// Longest run of an engine that works cycle by cycle, estimated before it starts.
const STEP_CYCLE_CAP: u64 = 20_000_000;

/// Largest waveform, cycles times PEs: about 300 bytes each on the presets, so 1 GB.
const VCD_PE_CYCLES: u64 = 3_000_000;

/// How operands reach a tile: as streams that always offer, unless gates say otherwise.
pub(crate) const STREAMS: &str = "operand streams, no memory";
/// How a tile alone works.
pub(crate) const MAPPING: &str = "output-stationary";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Design: a name of `bitmosaic list designs`, or a TOML file
    #[arg(long)]
    design: String,
    /// Matrix product: tokens x input channels x output channels
    #[arg(long, value_name = "MxKxN", required_unless_present = "model")]
    matmul: Option<String>,
    #[command(flatten)]
    model: inference::ModelArguments,
    /// Weight type [default: bitmod-fp4; fp16 on machines of FP16 weights]
    #[arg(long = "type")]
    weight_type: Option<String>,
    /// Input channels per group
    #[arg(long, default_value_t = 128)]
    group: usize,
    /// Mapping of a whole machine: a name of `bitmosaic list mappings`, or a TOML file
    #[arg(long, default_value = "best")]
    mapping: String,
    /// `cycle` is event-driven and needs no data; `step` and `netlist` run a generated layer cycle by cycle
    #[arg(long, default_value = "cycle")]
    engine: SimulateEngine,
    /// Write the waveform as a value change dump (VCD); needs `--engine netlist`
    #[arg(long, value_name = "FILE")]
    vcd: Option<PathBuf>,
    /// Cycles in the waveform; all of them without it, if there are not too many
    #[arg(long, value_name = "FIRST..END", requires = "vcd", value_parser = parse_cycles)]
    vcd_cycles: Option<Range<u64>>,
    /// Seed of the generated layer and of the stalls
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Starve operand streams: closed in this many of 256 cycles, at random
    #[arg(long, default_value_t = 0)]
    input_stalls: u8,
    /// Block the output stream likewise
    #[arg(long, default_value_t = 0)]
    output_stalls: u8,
    /// Memory of a whole machine: a name of `bitmosaic list devices`
    #[arg(long, value_name = "DEVICE")]
    memory: Option<String>,
    /// Technology that a whole machine's energy is told in: a name of `bitmosaic list technologies`, or a file [default:
    /// hpca25-28nm]
    #[arg(long, value_name = "TECHNOLOGY")]
    technology: Option<String>,
    /// Memory of a whole machine: cycles from an address to its first data [default: 20]
    #[arg(long, value_name = "CYCLES")]
    memory_latency: Option<u32>,
    /// Memory of a whole machine: bytes a cycle, both directions together [default: 1024]
    #[arg(long, value_name = "BYTES")]
    memory_bytes_per_cycle: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SimulateEngine {
    Cycle,
    Step,
    Netlist,
}

impl Arguments {
    fn weight_type(&self, machine: &Machine) -> &str {
        type_or_usual(machine, self.weight_type.as_deref(), "bitmod-fp4")
    }
}

/// The type asked for, or the usual one; machines that multiply by FP16 numbers have but one.
pub(crate) fn type_or_usual<'a>(machine: &Machine, asked: Option<&'a str>, usual: &'static str) -> &'a str {
    let fp16 = machine.types.iter().map(|t| &t.weight_type).find(|t| t.is_fp16());
    asked.unwrap_or(fp16.map_or(usual, |t| t.name))
}

pub(crate) fn execute(arguments: &Arguments, json: bool) -> Result<Outcome, CliError> {
    let machine = load(&arguments.design)?;
    if let Some(model) = &arguments.model.model {
        let memory = memory_timing(&machine, arguments)?;
        let inference::ModelResult { result, workload } = inference::simulate(&machine, model, memory, arguments)?;
        let memory = describe_memory(memory, arguments);
        return print(&machine, workload, arguments, &arguments.mapping, &memory, result, json);
    }
    let shape = arguments.matmul.as_deref().unwrap_or_default();
    let weight_type = arguments.weight_type(&machine);
    let matmul = product(&machine, shape, weight_type, arguments.group)?;
    let stalls = Stalls {
        seed: arguments.seed as u32,
        input_threshold: arguments.input_stalls,
        output_threshold: arguments.output_stalls,
    };
    if arguments.vcd.is_some() && arguments.engine != SimulateEngine::Netlist {
        let found = format!("`--engine {}` has no nets", engine_name(arguments.engine));
        return Err(CliError::option("--vcd", found, "only `--engine netlist` writes a waveform"));
    }
    let op = format!("matmul {shape} {weight_type} g{}", arguments.group);
    if machine.array.is_some() {
        let array::ArrayResult { result, mapping, memory } = array::simulate(&machine, &matmul, &op, arguments)?;
        return print(&machine, op, arguments, &mapping, &memory, result, json);
    }
    let of_memory =
        arguments.memory.is_some() || arguments.memory_latency.is_some() || arguments.memory_bytes_per_cycle.is_some();
    if of_memory || arguments.technology.is_some() {
        let expected =
            "only a whole machine (`array`, `buffers` and `memory` in its design) has a memory and an energy";
        let options = "--memory, --memory-latency, --memory-bytes-per-cycle, --technology";
        return Err(CliError::option(options, &machine.name, expected));
    }
    let trace = match arguments.engine {
        SimulateEngine::Cycle => timing(&machine, &matmul, stalls),
        SimulateEngine::Step => with_data(&machine, &matmul, arguments, stalls, Engine::Step)?,
        SimulateEngine::Netlist => with_data(&machine, &matmul, arguments, stalls, Engine::Netlist)?,
    };
    let result = result(&machine, &[("matmul".to_string(), op.clone(), matmul)], &trace);
    print(&machine, op, arguments, MAPPING, &memory(stalls), result, json)
}

/// The memory device of this name.
fn device(name: &str) -> Result<Device, CliError> {
    Device::named(name)
        .map_err(|found| CliError::option("--memory", found, "`bitmosaic list devices` says what there is"))
}

/// The memory of a whole machine: a device's, or the fast one, with what the options say.
fn memory_timing(machine: &Machine, arguments: &Arguments) -> Result<MemoryTiming, CliError> {
    let base = match &arguments.memory {
        Some(name) => device(name)?.timing(machine.clock_mhz),
        None => MemoryTiming::FAST,
    };
    let timing = MemoryTiming {
        latency: arguments.memory_latency.unwrap_or(base.latency),
        bytes_per_cycle: arguments.memory_bytes_per_cycle.unwrap_or(base.bytes_per_cycle),
        ..base
    };
    timing
        .check()
        .map_err(|reason| CliError::option("--memory-latency, --memory-bytes-per-cycle", reason, "change it"))?;
    Ok(timing)
}

/// The memory as a result names it.
fn describe_memory(timing: MemoryTiming, arguments: &Arguments) -> String {
    arguments.memory.as_ref().map_or(timing.to_string(), |name| format!("{timing} ({name})"))
}

fn print(
    machine: &Machine,
    op: String,
    arguments: &Arguments,
    mapping: &str,
    memory: &str,
    result: SimulateResult,
    json: bool,
) -> Result<Outcome, CliError> {
    let engine = engine_name(arguments.engine);
    let provenance = output::provenance(machine, op, mapping, engine, memory, arguments.seed);
    let document = SimulateDocument { schema_version: SCHEMA_VERSION, provenance, result };
    if json {
        output::print_json(&document)?
    } else {
        output::print_text(&simulate_text(&document))?
    }
    Ok(Outcome::Done)
}

/// The command of a product given as text.
pub(super) fn product(machine: &Machine, shape: &str, name: &str, group: usize) -> Result<Matmul, CliError> {
    let [tokens, input_channels, output_channels] = parse_shape(shape)?;
    let executed = weight_type(name)?;
    let shape = [tokens, output_channels, input_channels];
    let (special, kind) = (executed.special_values(), executed.scale_kind());
    Ok(matmul_command(machine, executed.name, special, kind, group, shape)?)
}

fn engine_name(engine: SimulateEngine) -> String {
    format!("{engine:?}").to_lowercase()
}

fn parse_cycles(text: &str) -> Result<Range<u64>, String> {
    let (first, end) = text.split_once("..").unwrap_or((text, ""));
    match (first.parse(), end.parse()) {
        (Ok(first), Ok(end)) if first < end => Ok(first..end),
        _ => Err("two whole numbers, the first below the second, for example 100..200".to_string()),
    }
}

/// How a result describes its operand supply.
pub(crate) fn memory(stalls: Stalls) -> String {
    if stalls.input_threshold == 0 && stalls.output_threshold == 0 {
        return STREAMS.to_string();
    }
    format!(
        "{STREAMS}; closed at random in {}/256 of the cycles, outputs in {}/256",
        stalls.input_threshold, stalls.output_threshold
    )
}

pub(crate) fn parse_shape(text: &str) -> Result<[usize; 3], CliError> {
    let sizes: Vec<Option<usize>> = text.split('x').map(|s| s.parse().ok()).collect();
    match sizes[..] {
        [Some(m), Some(k), Some(n)] => Ok([m, k, n]),
        _ => Err(CliError::option(
            "--matmul",
            format!("`{text}`"),
            "three whole numbers: tokens x input channels x output channels, for example 16x1024x256",
        )),
    }
}

/// Event-driven timing without data: the streams only lend their gates.
pub(crate) fn timing(machine: &Machine, matmul: &Matmul, stalls: Stalls) -> UnitTrace {
    let streams = ports::tile_inputs(machine).iter().map(|name| (*name, BeatStream::new(1))).collect();
    let stimulus = UnitStimulus::new(streams, machine.tile.output_beat_bits, &ports::TILE_STATUS, stalls);
    debug_assert_eq!(stimulus.inputs[0].2.threshold, Gate::OPEN.threshold);
    let timing = tile_timing(machine, std::slice::from_ref(matmul), &stimulus);
    UnitTrace {
        outputs: timing
            .outputs
            .iter()
            .map(|c| bitmosaic_mappings::OutputBeat { cycle: *c, data: Vec::new() })
            .collect(),
        retirements: timing.retirements,
        status_cycles: timing.status_cycles.to_vec(),
    }
}

fn with_data(
    machine: &Machine,
    matmul: &Matmul,
    arguments: &Arguments,
    stalls: Stalls,
    engine: Engine,
) -> Result<UnitTrace, CliError> {
    let estimate = timing(machine, matmul, stalls).cycles();
    if estimate > STEP_CYCLE_CAP {
        return Err(CliError::option(
            "--engine",
            format!("{} would run {estimate} cycles one by one", engine.name()),
            format!(
                "at most {STEP_CYCLE_CAP}; take a smaller product or `--engine cycle`, which gives the same cycles"
            ),
        ));
    }
    if arguments.vcd.is_some() {
        check_vcd(machine, arguments, estimate)?;
    }
    let case = Case::new(
        machine.clone(),
        vec![generated_layer(matmul, arguments.weight_type(machine), arguments.seed)?],
        stalls,
        arguments.seed,
    )?;
    let Some(path) = &arguments.vcd else {
        return Ok(run_engine(&case, engine, &ExternalSettings::default())?.tile);
    };
    let cycles = arguments.vcd_cycles.clone().unwrap_or(0..estimate);
    Ok(write_vcd(&case, path, cycles)?.tile)
}

/// A generated layer of the product's shape, quantized.
fn generated_layer(matmul: &Matmul, name: &str, seed: u64) -> Result<LayerTrace, CliError> {
    let layer = generate(&LayerParameters {
        tokens: matmul.tokens as usize,
        output_channels: matmul.output_channels as usize,
        input_channels: matmul.input_channels as usize,
        seed,
        ..LayerParameters::default()
    })?;
    let shape = [layer.output_channels, layer.input_channels];
    let weights = quantize_matrix(&layer.weights, shape, matmul.group.into(), &weight_type(name)?)?;
    Ok(LayerTrace { name: "matmul".into(), weights, activations: layer.activations })
}

/// Refuses a waveform that would be too large, or empty.
fn check_vcd(machine: &Machine, arguments: &Arguments, estimate: u64) -> Result<(), CliError> {
    let cycles = arguments.vcd_cycles.clone().unwrap_or(0..estimate);
    let found = format!("cycles {}..{} of a run of {estimate}", cycles.start, cycles.end);
    if cycles.start >= estimate {
        return Err(CliError::option("--vcd-cycles", found, "the waveform would be empty"));
    }
    let tiles = machine.array.as_ref().map_or(1, |array| array.tiles());
    let most = VCD_PE_CYCLES / u64::from(machine.pes() * tiles);
    if cycles.end.min(estimate) - cycles.start > most {
        let expected =
            format!("at most {most} cycles of this design in a waveform; pick some with `--vcd-cycles FIRST..END`");
        return Err(CliError::option("--vcd", found, expected));
    }
    Ok(())
}

/// The result record of products that ran one after the other.
pub(crate) fn result(machine: &Machine, layers: &[(String, String, Matmul)], trace: &UnitTrace) -> SimulateResult {
    let mut result = SimulateResult { cycles: trace.cycles(), ..SimulateResult::default() };
    result.seconds = result.cycles as f64 / (f64::from(machine.clock_mhz) * 1e6);
    // Status bits are counted over the whole program; with one layer, as here, they are the layer's.
    let count = |i: usize| trace.status_cycles.get(i).copied().unwrap_or(0);
    let mut useful = 0u128;
    for (name, op, matmul) in layers {
        let walk = TileWalk::new(machine, matmul);
        let stalls = bitmosaic_results::Stalls {
            operand: count(1),
            scale_unit: count(2),
            output: count(3),
            fill_drain: result.cycles - count(0) - count(1) - count(2) - count(3),
        };
        useful += u128::from(walk.macs()) * u128::from(matmul.terms);
        result.layers.push(LayerResult {
            name: name.clone(),
            op: op.clone(),
            cycles: result.cycles,
            compute_cycles: count(0),
            memory_cycles: 0,
            memory_waits: None,
            stalls,
            bytes_read: walk.operand_bytes(machine),
            bytes_written: walk.output_bytes(),
            energy_pj: None,
        });
    }
    let offered = u128::from(result.cycles) * u128::from(machine.pes()) * u128::from(machine.pe.lanes);
    result.utilization = if offered == 0 { 0.0 } else { useful as f64 / offered as f64 };
    result
}
