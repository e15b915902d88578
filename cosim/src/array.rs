//! Whole machines: one program and its memory on every engine.

mod compare;
mod localize;
mod standard;

pub use compare::{EventDifference, compare_arrays, cosimulate_array, first_difference};
pub use localize::localize_array;
pub use standard::{MEMORY_SETTINGS, standard_array_cases};

use bitmosaic_arch::{Machine, elaborate};
use bitmosaic_mappings::{
    Accelerator, ArrayProgram, Burst, Lfsr, Mapping, Reader, Start, WriteBeat, lower_array, ports,
};
use bitmosaic_numerics::f16;
use bitmosaic_rtl::accelerator::NetlistArray;
use bitmosaic_rtl::emit::array_testbench::{array_testbench, hierarchy};
use bitmosaic_rtl::emit::verilog_files;
use bitmosaic_rtl::emit::wrapper::{WRAPPER, wrapper};
use bitmosaic_rtl::hardware::{Units, build};
use bitmosaic_sim::cycle::array::{run_timing, run_values};
use bitmosaic_sim::memory::{IdealMemory, MemoryTiming};
use bitmosaic_sim::run::{ArrayTrace, run_array};
use bitmosaic_sim::step::ArrayStep;
use bitmosaic_workloads::trace::LayerTrace;

use crate::external::{self, HIERARCHY, Tool, broken_line, parse_hex};
use crate::random::Random;
use crate::random_array::{array_design, array_program, memory_timing};
use crate::shrink::ArrayPlan;
use crate::{CosimError, Engine, ExternalSettings, Outputs, host_outputs};

/// A program on a whole machine, ready for every engine.
#[derive(Debug, Clone)]
pub struct ArrayCase {
    /// The machine.
    pub machine: Machine,
    /// Its hardware; a fault list rewrites it.
    pub units: Units,
    /// The layers.
    pub layers: Vec<LayerTrace>,
    /// Program and memory.
    pub program: ArrayProgram,
    /// The memory's behaviour.
    pub timing: MemoryTiming,
    /// Seed of state that powers up unknown.
    pub state_seed: u64,
}

/// What a machine did, and the memory after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayRun {
    /// Everything at the memory port and in the queues.
    pub trace: ArrayTrace,
    /// Memory at the end.
    pub memory: Vec<u8>,
}

impl ArrayCase {
    /// Lowers the layers for the machine and builds its hardware.
    ///
    /// # Errors
    /// `Mapping` for a design without array or layers the machine cannot run.
    pub fn new(
        machine: Machine,
        layers: Vec<LayerTrace>,
        timing: MemoryTiming,
        state_seed: u64,
    ) -> Result<ArrayCase, CosimError> {
        ArrayCase::mapped(machine, layers, timing, state_seed, &Mapping::best())
    }

    /// As [`ArrayCase::new`], by this mapping.
    ///
    /// # Errors
    /// Likewise.
    pub fn mapped(
        machine: Machine,
        layers: Vec<LayerTrace>,
        timing: MemoryTiming,
        state_seed: u64,
        mapping: &Mapping,
    ) -> Result<ArrayCase, CosimError> {
        let operands: Vec<_> = layers.iter().map(|l| (&l.weights, &l.activations.values[..])).collect();
        let program = lower_array(&machine, &operands, mapping)?;
        let units = build(&machine)?;
        Ok(ArrayCase { machine, units, layers, program, timing, state_seed })
    }

    /// Output values of the program.
    pub fn real_outputs(&self) -> usize {
        self.program.outputs.iter().map(|region| region.tokens * region.output_channels).sum()
    }

    /// Outputs of each layer in a memory.
    pub fn outputs(&self, memory: &[u8]) -> Vec<Outputs> {
        let read = |region| bitmosaic_mappings::read_outputs(memory, region).into_iter().map(f16::from_bits).collect();
        self.program.outputs.iter().map(read).collect()
    }

    /// Upper bound of the cycles: every byte of memory moved many times by the slowest gate, every chunk computed alone. A
    /// run that reaches it hangs.
    pub fn cycle_limit(&self) -> u64 {
        let stretch = 256 / (256 - u64::from(self.timing.threshold)) + 1;
        let latency = u64::from(self.timing.latency) + 100;
        let commands = self.program.program.commands.len() as u64;
        let bytes = self.program.memory.len() as u64 * commands;
        let macs: u64 = self.layers.iter().map(|l| l.weights.codes.len() as u64 * l.activations.tokens as u64).sum();
        (bytes + macs + commands * latency) * stretch * 4 + 10_000
    }

    fn start(&self) -> Start {
        Start { address: 0, commands: self.program.program.commands.len() as u32 }
    }

    fn data_bits(&self) -> u32 {
        self.machine.array.as_ref().map_or(8, |array| array.data_bits)
    }
}

/// A plan of this seed: random machine, program and memory.
///
/// # Errors
/// None on the machines that [`random_array`](crate::random_array) draws: a bug.
pub fn random_plan(seed: u64) -> Result<ArrayPlan, CosimError> {
    let mut random = Random::new(seed);
    let design = array_design(&mut random);
    let layers = array_program(&mut random, &elaborate(&design, "random")?);
    Ok(ArrayPlan { design, layers, timing: memory_timing(&mut random), state_seed: seed })
}

/// The case of [`random_plan`].
///
/// # Errors
/// Likewise none.
pub fn random_case(seed: u64) -> Result<ArrayCase, CosimError> {
    random_plan(seed)?.case()
}

/// Outputs that differ from the host's datapath, over all layers.
///
/// # Errors
/// `Kernel` for operands the host refuses.
pub fn differing_from_host(case: &ArrayCase, run: &ArrayRun) -> Result<usize, CosimError> {
    let mut differing = 0;
    for (layer, own) in case.layers.iter().zip(case.outputs(&run.memory)) {
        let host = host_outputs(&case.machine, layer)?;
        differing += host.iter().zip(&own).filter(|(h, o)| h.to_bits() != o.to_bits()).count();
    }
    Ok(differing)
}

/// Runs the program on an engine.
///
/// # Errors
/// A missing or failing tool, a hang, an X or Z, a broken rule of AXI4; `Field` for an engine that has no whole machine.
pub fn run_array_engine(case: &ArrayCase, engine: Engine, settings: &ExternalSettings) -> Result<ArrayRun, CosimError> {
    let no_array = || no_array(&case.machine);
    let design = case.units.array.as_ref().ok_or_else(no_array)?;
    match engine {
        Engine::Simulator => simulator(case).ok_or_else(no_array)?,
        Engine::Step => {
            let mut step = ArrayStep::new(&case.machine).ok_or_else(no_array)?;
            in_process(case, engine, &mut step)
        }
        Engine::Netlist => in_process(case, engine, &mut NetlistArray::new(design, case.state_seed)?),
        Engine::Verilator => external(case, Tool::Verilator, settings),
        Engine::Icarus => external(case, Tool::Icarus, settings),
    }
}

/// Refusal of a design that is a tile alone.
pub(crate) fn no_array(machine: &Machine) -> CosimError {
    let expected = "a design with `array`, `buffers` and `memory`".into();
    bitmosaic_mappings::MappingError::Field { field: "design".into(), found: machine.name.clone(), expected }.into()
}

/// Timing and values of the event-driven engine, put together.
fn simulator(case: &ArrayCase) -> Option<Result<ArrayRun, CosimError>> {
    let (machine, program) = (&case.machine, &case.program.program);
    let mut trace = match run_timing(machine, program, case.start(), case.timing, case.cycle_limit())? {
        Ok(trace) => trace,
        Err(watchdog) => return Some(Err(CosimError::ArrayWatchdog { engine: Engine::Simulator.name(), watchdog })),
    };
    let (values, memory) = run_values(machine, program, &case.program.memory)?;
    for ((_, beat), value) in trace.beats.iter_mut().zip(values) {
        beat.data = value.data;
    }
    Some(Ok(ArrayRun { trace, memory }))
}

pub(crate) fn in_process(
    case: &ArrayCase,
    engine: Engine,
    machine: &mut dyn Accelerator,
) -> Result<ArrayRun, CosimError> {
    let mut memory = IdealMemory::new(case.timing, case.data_bits(), case.program.memory.clone());
    match run_array(machine, &mut memory, case.start(), case.cycle_limit()) {
        Ok(trace) => Ok(ArrayRun { trace, memory: memory.bytes }),
        Err(watchdog) => Err(CosimError::ArrayWatchdog { engine: engine.name(), watchdog }),
    }
}

/// Memory of the testbench in beats: a power of two, so that programs share builds.
const LEAST_MEMORY_BEATS: u64 = 1 << 14;

fn external(case: &ArrayCase, tool: Tool, settings: &ExternalSettings) -> Result<ArrayRun, CosimError> {
    let (Some(array), Some(design)) = (&case.machine.array, &case.units.array) else {
        return Err(broken_line(tool, "machine", "no array"));
    };
    let beat_bytes = array.beat_bytes() as usize;
    let memory_beats = case.program.memory.len().div_ceil(beat_bytes) as u64;
    let mut files = verilog_files(design);
    files.push((format!("{WRAPPER}.v"), wrapper(design)));
    let room = memory_beats.next_power_of_two().max(LEAST_MEMORY_BEATS);
    files.push(("testbench.v".to_string(), array_testbench(array, room)));
    let text = memory_hex(&case.program.memory, beat_bytes);
    let arguments = plusargs(case);
    if tool == Tool::Verilator {
        files.extend(hierarchy(array, &case.units).map(|blocks| (HIERARCHY.to_string(), blocks)));
    }
    let files = external::Files { sources: &files, inputs: &[("memory.hex".to_string(), text)] };
    let text = external::simulate(tool, "machine", &files, &arguments, case.state_seed, settings)?;
    let trace = parse_trace(tool, &text, array.data_bits)?;
    let memory = written(&case.program.memory, &trace, beat_bytes);
    Ok(ArrayRun { trace, memory })
}

/// A memory for `$readmemh`, a beat a line.
pub(crate) fn memory_hex(memory: &[u8], beat_bytes: usize) -> String {
    let mut text = String::with_capacity(memory.len() * 2 + memory.len() / beat_bytes + 1);
    for beat in memory.chunks(beat_bytes) {
        // Beats are numbers: the highest byte first; the last may be short.
        text.extend(std::iter::repeat_n("00", beat_bytes - beat.len()));
        text.extend(beat.iter().rev().map(|byte| format!("{byte:02x}")));
        text.push('\n');
    }
    text
}

/// Plusargs of the testbench.
pub(crate) fn plusargs(case: &ArrayCase) -> Vec<String> {
    let timing = &case.timing;
    let beat_bytes = case.data_bits() as usize / 8;
    let mut arguments = vec![
        format!("+memory_beats={}", case.program.memory.len().div_ceil(beat_bytes)),
        format!("+commands={}", case.program.program.commands.len()),
        format!("+limit={}", case.cycle_limit()),
        format!("+latency={}", timing.latency),
        format!("+bytes_per_cycle={}", timing.bytes_per_cycle),
        format!("+outstanding={}", timing.outstanding),
        format!("+threshold={}", timing.threshold),
    ];
    for channel in 0..5 {
        arguments.push(format!("+seed_{channel}={}", Lfsr::new(timing.channel_seed(channel)).state()));
    }
    arguments
}

/// Memory after the write beats of a trace.
fn written(before: &[u8], trace: &ArrayTrace, beat_bytes: usize) -> Vec<u8> {
    let mut memory = before.to_vec();
    let addresses = trace
        .writes
        .iter()
        .flat_map(|(_, burst)| (0..burst.beats as usize).map(|beat| burst.address as usize + beat * beat_bytes));
    for (address, (_, beat)) in addresses.zip(&trace.beats) {
        for i in (0..beat_bytes).filter(|i| beat.strobes >> i & 1 == 1) {
            if let Some(byte) = memory.get_mut(address + i) {
                *byte = (beat.data[i / 8] >> (8 * (i % 8))) as u8;
            }
        }
    }
    memory
}

pub(crate) fn parse_trace(tool: Tool, text: &str, data_bits: u32) -> Result<ArrayTrace, CosimError> {
    let mut trace = ArrayTrace::default();
    let mut done = false;
    let unit = "machine";
    for line in text.lines() {
        let broken = || broken_line(tool, unit, line);
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |i: usize| fields.get(i).and_then(|f| f.parse::<u64>().ok()).ok_or_else(broken);
        let hex = |i: usize, bits: u32| fields.get(i).and_then(|f| parse_hex(f, bits)).ok_or_else(broken);
        let burst = |i: usize| Ok::<_, CosimError>(Burst { address: number(i)?, beats: number(i + 1)? as u32 });
        match fields.first().copied() {
            Some("a") => {
                let reader = if number(2)? == 1 { Reader::Load } else { Reader::Fetch };
                trace.reads.push((number(1)?, reader, burst(3)?));
            }
            Some("b") => trace.writes.push((number(1)?, burst(2)?)),
            Some("w") => {
                let mut data = [0; bitmosaic_mappings::BEAT_WORDS];
                data.iter_mut().zip(hex(2, data_bits)?).for_each(|(word, value)| *word = value);
                let strobes = hex(3, data_bits / 8)?[0] as u32;
                trace.beats.push((number(1)?, WriteBeat { data, strobes, last: number(4)? == 1 }));
            }
            Some("r") => {
                let bits = number(2)?;
                for (i, queue) in trace.retirements.iter_mut().enumerate() {
                    if bits >> i & 1 == 1 {
                        queue.push(number(1)?);
                    }
                }
            }
            Some("c") => match number(1)? as usize {
                0 => trace.cycles = number(2)?,
                // Beats read and written: the beats of the trace.
                1 | 2 => {}
                i => *trace.status_cycles.get_mut(i - 3).ok_or_else(broken)? = number(2)?,
            },
            Some("e") => trace.error = (number(1)? >> 4) as u32,
            Some("unknown") => {
                let field = |i: usize| fields.get(i).copied().unwrap_or("?").to_string();
                return Err(CosimError::Unknown { unit, port: field(1), cycle: field(2) });
            }
            Some("protocol") => {
                let field = |i: usize| fields.get(i).copied().unwrap_or("?").to_string();
                return Err(CosimError::Protocol { rule: field(1), cycle: field(2) });
            }
            Some("watchdog") => {
                return Err(CosimError::Tool {
                    what: format!("{} of the {unit}", tool.name()),
                    reason: format!(
                        "did not finish: {:?} commands retired by load, compute and store",
                        trace.retirements.each_ref().map(Vec::len)
                    ),
                });
            }
            Some("done") => done = true,
            _ => return Err(broken()),
        }
    }
    debug_assert_eq!(trace.status_cycles.len(), ports::ARRAY_STATUS.len());
    if done { Ok(trace) } else { Err(broken_line(tool, unit, "the last line should be `done`")) }
}
