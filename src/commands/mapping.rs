use bitmosaic_arch::{DesignSpec, Machine, elaborate, load_spec};
use bitmosaic_mappings::{MAPPINGS, Mapping, MappingSpace, Matmul, Program, Start, Tiling, schedule_array};
use bitmosaic_reports::mapping_text;
use bitmosaic_results::{MappingDocument, MappingLimit, MappingPoint, MappingResult, MappingShape, SCHEMA_VERSION};
use bitmosaic_sim::cycle::array::run_timing;
use bitmosaic_sim::device::Device;
use bitmosaic_sim::memory::MemoryTiming;

use super::simulate::{product, type_or_usual};
use crate::error::CliError;
use crate::{Outcome, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// How a product is cut on a machine, what that loads, what limits it and what binds
    Explain(Explain),
}

#[derive(Debug, clap::Args)]
struct Explain {
    /// Whole machine: a name of `bitmosaic list designs`, or a TOML file
    #[arg(long)]
    design: String,
    /// Matrix product: tokens x input channels x output channels
    #[arg(long, value_name = "MxKxN")]
    matmul: String,
    /// Weight type [default: bitmod-fp4; fp16 on machines of FP16 weights]
    #[arg(long = "type")]
    weight_type: Option<String>,
    /// Input channels per group
    #[arg(long, default_value_t = 128)]
    group: usize,
    /// Mapping: a name of `bitmosaic list mappings`, or a TOML file
    #[arg(long, default_value = "best")]
    mapping: String,
    /// Memory: a name of `bitmosaic list devices`
    #[arg(long, value_name = "DEVICE", default_value = "ddr4-3200")]
    memory: String,
}

pub(crate) fn execute(arguments: &Arguments, json: bool) -> Result<Outcome, CliError> {
    let Action::Explain(arguments) = &arguments.action;
    let (spec, machine) = load_spec(&arguments.design)?;
    let device = Device::named(&arguments.memory)
        .map_err(|found| CliError::option("--memory", found, "`bitmosaic list devices` says what there is"))?;
    let timing = device.timing(machine.clock_mhz);
    let weight_type = type_or_usual(&machine, arguments.weight_type.as_deref(), "bitmod-fp4");
    let matmul = product(&machine, &arguments.matmul, weight_type, arguments.group)?;
    let mapping = Mapping::load(&arguments.mapping)?;
    let op = format!("matmul {} {weight_type} g{}", arguments.matmul, arguments.group);
    let memory = format!("{timing} ({})", device.name);
    let provenance = output::provenance(&machine, op, &mapping.name, "cycle".to_string(), &memory, 0);
    let mut result = explain(&machine, &matmul, &mapping, timing)?;
    let product = |machine: &Machine| product(machine, &arguments.matmul, weight_type, arguments.group);
    result.shapes = shapes(&spec, &arguments.design, |machine| {
        let program = schedule_array(machine, &[product(machine).ok()?], &mapping).ok()?.program;
        Some(times(machine, &program, timing))
    })?;
    let document = MappingDocument { schema_version: SCHEMA_VERSION, provenance, result };
    if json {
        output::print_json(&document)?;
    } else {
        output::print_text(&mapping_text(&document))?;
    }
    Ok(Outcome::Done)
}

fn explain(
    machine: &Machine,
    matmul: &Matmul,
    mapping: &Mapping,
    timing: MemoryTiming,
) -> Result<MappingResult, CliError> {
    let space = MappingSpace::new(machine, matmul)?;
    let (tiling, _) = space.best(mapping)?;
    let by_dataflow = MAPPINGS.iter().skip(1).filter_map(|(name, _)| {
        let dataflow = Mapping::load(name).ok()?;
        space.best(&dataflow).ok().map(|(best, _)| point(&space, machine, best))
    });
    let program = schedule_array(machine, std::slice::from_ref(matmul), mapping)?.program;
    let (events, beat) = (program.events(machine), machine.array.as_ref().map_or(0, |a| u64::from(a.beat_bytes())));
    let [weights, activations] = space.tensor_bytes();
    let chosen = point(&space, machine, tiling);
    let bytes = (events.read_beats + events.written_beats) * beat;
    let [compute_cycles, load_cycles, memory_cycles, cycles] = times(machine, &program, timing)?;
    let times = [(compute_cycles, "compute"), (load_cycles, "load path"), (memory_cycles, "memory")];
    let (_, bound) = times.into_iter().max_by_key(|(cycles, _)| *cycles).unwrap_or_default();
    let macs = u64::from(matmul.tokens) * u64::from(matmul.input_channels) * u64::from(matmul.output_channels);
    let array = machine.array.as_ref().map_or(0, |array| u64::from(array.tiles()));
    let peak = (array * u64::from(machine.pes() * machine.pe.lanes)) as f64 / f64::from(matmul.terms);
    Ok(MappingResult {
        blocks: space.blocks().map(|blocks| blocks as u64),
        compared: space.tilings(mapping).len() as u64,
        by_dataflow: by_dataflow.collect(),
        limits: limits(&space, tiling),
        tensor_bytes: [weights, activations],
        output_bytes: events.written_beats * beat,
        macs,
        compute_cycles,
        load_cycles,
        memory_cycles,
        cycles,
        arithmetic_intensity: macs as f64 / bytes as f64,
        ridge_point: peak / f64::from(timing.bytes_per_cycle),
        shapes: Vec::new(),
        bound: bound.to_string(),
        chosen,
    })
}

/// The product on every arrangement of the design's tiles; buffers keep their bytes, as far as depths are powers of two from
/// the least that a design may have.
fn shapes(
    spec: &DesignSpec,
    file: &str,
    times: impl Fn(&Machine) -> Option<Result<[u64; 4], CliError>>,
) -> Result<Vec<MappingShape>, CliError> {
    let (Some(array), Some(buffers)) = (&spec.array, &spec.buffers) else { return Ok(Vec::new()) };
    let tiles = array.down * array.across;
    let downs = (0..=tiles.ilog2()).map(|bit| 1 << bit).filter(|down| tiles.is_multiple_of(*down));
    downs
        .filter_map(|down| {
            let mut other = spec.clone();
            let (own_array, own) = (other.array.as_mut()?, other.buffers.as_mut()?);
            (own_array.down, own_array.across) = (down, tiles / down);
            own.weight_chunks = buffers.weight_chunks * array.across / own_array.across;
            own.activation_chunks = buffers.activation_chunks * array.down / down;
            let machine = elaborate(&other, file).ok()?;
            let shape = |[compute_cycles, load_cycles, memory_cycles, cycles]: [u64; 4]| MappingShape {
                down,
                across: tiles / down,
                rows: machine.tile.rows * down,
                columns: machine.tile.columns * (tiles / down),
                compute_cycles,
                load_cycles,
                memory_cycles,
                cycles,
            };
            Some(times(&machine)?.map(shape))
        })
        .collect()
}

fn point(space: &MappingSpace, machine: &Machine, tiling: Tiling) -> MappingPoint {
    let traffic = space.traffic(tiling);
    let beat = machine.array.as_ref().map_or(0, |array| u64::from(array.beat_bytes()));
    MappingPoint {
        dataflow: space.dataflow(tiling).name().to_string(),
        row_blocks: tiling.row_blocks as u64,
        column_blocks: tiling.column_blocks as u64,
        groups: tiling.groups as u64,
        changes_last: if tiling.weights_outer { "weights" } else { "activations" }.to_string(),
        commands: traffic.commands,
        weight_bytes: traffic.weight_beats * beat,
        activation_bytes: (traffic.loaded_beats - traffic.weight_beats) * beat,
    }
}

/// What keeps a command from taking one block more each way, or more of the reduction.
fn limits(space: &MappingSpace, tiling: Tiling) -> Vec<MappingLimit> {
    let [rows, columns, groups] = space.blocks();
    let steps = [
        (tiling.row_blocks < rows, "one more row block", Tiling { row_blocks: tiling.row_blocks + 1, ..tiling }),
        (
            tiling.column_blocks < columns,
            "one more column block",
            Tiling { column_blocks: tiling.column_blocks + 1, ..tiling },
        ),
        (tiling.groups < groups, "the whole reduction", Tiling { groups, ..tiling }),
    ];
    let possible = steps.into_iter().filter(|(possible, ..)| *possible);
    possible
        .filter_map(|(_, step, larger)| {
            space.obstacle(larger).map(|field| MappingLimit { step: step.to_string(), field: field.to_string() })
        })
        .collect()
}

/// Cycles of a program: steps of the array, way into the buffers and memory in closed form, and those of the engine.
fn times(machine: &Machine, program: &Program, timing: MemoryTiming) -> Result<[u64; 4], CliError> {
    let events = program.events(machine);
    let beat = machine.array.as_ref().map_or(0, |array| u64::from(array.beat_bytes()));
    let bytes = (events.read_beats + events.written_beats) * beat;
    let memory_cycles = bytes.div_ceil(u64::from(timing.bytes_per_cycle));
    let start = Start { address: 0, commands: program.commands.len() as u32 };
    let limit = program.cycle_limit(machine, timing.latency);
    let run = run_timing(machine, program, start, timing, limit);
    let run = run.ok_or_else(|| CliError::Internal("a machine without array".to_string()))?;
    let trace = run.map_err(|_| CliError::Internal(format!("no end within {limit} cycles")))?;
    Ok([events.steps, program.load_cycles(machine), memory_cycles, trace.cycles])
}
