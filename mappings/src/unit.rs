//! What an engine gets and what it must give: the same stimulus and the same trace for simulator, netlist and Verilog.

use crate::{BeatStream, Gate, Lfsr};

/// Names of the ready/valid streams and status bits of the two units. A stream `x` has the ports `x_valid_i`, `x_ready_o`
/// and `x_data_i`; the output stream is `output`; a status bit `y` is the port `y_o`.
pub mod ports {
    /// Input streams of the tile, in port order; machines without aligner have no exponents.
    const TILE_INPUTS: [&str; 6] = ["command", "weight", "activation", "scale", "channel", "exponent"];

    /// Input streams of a machine's tile, in port order.
    pub fn tile_inputs(machine: &bitmosaic_arch::Machine) -> &'static [&'static str] {
        if machine.aligner.is_some() { &TILE_INPUTS } else { &TILE_INPUTS[..5] }
    }

    /// Status bits of the tile; each cycle at most one is set, the rest of a run is fill and drain.
    pub const TILE_STATUS: [&str; 4] = ["compute", "stall_operand", "stall_scale_unit", "stall_output"];
    /// Status bits of a whole machine: those of its first tile, then a command that waits for its operands, for room in the
    /// output buffer, and a load that waits for room in its buffer.
    pub const ARRAY_STATUS: [&str; 7] = [
        "compute",
        "stall_operand",
        "stall_scale_unit",
        "stall_output",
        "wait_load",
        "wait_store",
        "load_wait_compute",
    ];
    /// Input streams of the aligner, in port order.
    pub const ALIGNER_INPUTS: [&str; 2] = ["command", "fp16"];
    /// Status bits of the aligner: none.
    pub const ALIGNER_STATUS: [&str; 0] = [];
}

/// Stimulus of one unit: its input streams by port order, and how they and the output stall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitStimulus {
    /// One stream per input port, commands first.
    pub inputs: Vec<(&'static str, BeatStream, Gate)>,
    /// When the sink of the output stream is ready.
    pub output_gate: Gate,
    /// Width of an output beat.
    pub output_bits: u32,
    /// Status bits that are counted.
    pub status: &'static [&'static str],
}

impl UnitStimulus {
    /// Stimulus with gates derived from one seed: port i has seed `16·seed + i + 1`, the output port comes last.
    pub fn new(
        inputs: Vec<(&'static str, BeatStream)>,
        output_bits: u32,
        status: &'static [&'static str],
        stalls: Stalls,
    ) -> UnitStimulus {
        let seed = |port: usize| stalls.seed.wrapping_mul(16).wrapping_add(port as u32 + 1);
        let output_gate = Gate { seed: seed(inputs.len()), threshold: stalls.output_threshold };
        let gated = |(port, (name, stream)): (usize, (&'static str, BeatStream))| {
            // Commands are never held back: cycle 0 is the edge that accepts the first of them.
            let threshold = if port == 0 { 0 } else { stalls.input_threshold };
            (name, stream, Gate { seed: seed(port), threshold })
        };
        let inputs = inputs.into_iter().enumerate().map(gated).collect();
        UnitStimulus { inputs, output_gate, output_bits, status }
    }
}

/// How much the streams stall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stalls {
    /// Seed of every gate.
    pub seed: u32,
    /// Threshold of the operand streams' gates, see [`Gate`].
    pub input_threshold: u8,
    /// Threshold of the output stream's gate.
    pub output_threshold: u8,
}

impl Stalls {
    /// Operands always there, outputs always taken.
    pub const NONE: Stalls = Stalls { seed: 0, input_threshold: 0, output_threshold: 0 };
}

/// A beat of the output stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputBeat {
    /// Edge that accepts the beat, counted from the edge that accepts the first command.
    pub cycle: u64,
    /// Data, lowest word first.
    pub data: Vec<u64>,
}

/// What a unit did. Two engines agree when their traces are equal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitTrace {
    /// Output beats in order.
    pub outputs: Vec<OutputBeat>,
    /// Edge at which each command retired.
    pub retirements: Vec<u64>,
    /// Cycles in which each status bit was set, in the stimulus' order.
    pub status_cycles: Vec<u64>,
}

impl UnitTrace {
    /// Total cycles: up to and including the edge that accepts the last output beat; 0 without output.
    pub fn cycles(&self) -> u64 {
        self.outputs.last().map_or(0, |beat| beat.cycle + 1)
    }
}

/// Combinational outputs of a unit in one cycle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signals {
    /// Bit i: input port i is ready.
    pub ready: u32,
    /// The output stream offers a beat.
    pub output_valid: bool,
    /// The beat; meaningful while `output_valid`.
    pub output: Vec<u64>,
    /// A command retires.
    pub retire: bool,
    /// Bit i: status bit i.
    pub status: u32,
}

/// Inputs of a unit in one cycle.
#[derive(Debug, Clone)]
pub struct PortInputs<'a> {
    /// Bit i: input port i offers a beat.
    pub valid: u32,
    /// Beat of each port; meaningful while valid.
    pub data: Vec<&'a [u64]>,
    /// The sink takes an output beat.
    pub output_ready: bool,
}

/// A unit that is simulated cycle by cycle: the state machines of the simulator and the netlist simulator.
pub trait Unit {
    /// One clock cycle after reset: gives the outputs of the cycle, then takes the edge.
    fn cycle(&mut self, inputs: &PortInputs<'_>, signals: &mut Signals);
}

/// A run that did not end: which commands and beats it got through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the unit did not finish within {limit} cycles: {retired} of {commands} commands retired, {outputs} output beats, input beats taken {taken}"
)]
pub struct Watchdog {
    /// The bound.
    pub limit: u64,
    /// Commands retired.
    pub retired: usize,
    /// Commands of the program.
    pub commands: usize,
    /// Output beats seen.
    pub outputs: usize,
    /// Beats taken and offered per port, as text.
    pub taken: String,
}

/// A gated source of beats.
struct Source<'a> {
    stream: &'a BeatStream,
    gate: Gate,
    lfsr: Lfsr,
    next: usize,
    held: bool,
}

impl Source<'_> {
    fn valid(&self) -> bool {
        self.next < self.stream.len() && (self.held || self.gate.is_open(self.lfsr))
    }

    fn edge(&mut self, valid: bool, ready: bool) {
        self.held = valid && !ready;
        self.next += usize::from(valid && ready);
        self.lfsr.step();
    }
}

/// Runs a unit until every command has retired.
///
/// # Errors
/// `Watchdog` after `limit` cycles.
pub fn run_unit(unit: &mut dyn Unit, stimulus: &UnitStimulus, limit: u64) -> Result<UnitTrace, Watchdog> {
    run_unit_observed(unit, stimulus, limit, &mut |_, _| true)
}

/// As [`run_unit`], and shows `observe` the unit's outputs of each cycle, numbered from the edge that accepts the first
/// command; the run ends early where it returns false.
///
/// # Errors
/// `Watchdog` after `limit` cycles.
pub fn run_unit_observed(
    unit: &mut dyn Unit,
    stimulus: &UnitStimulus,
    limit: u64,
    observe: &mut dyn FnMut(i64, &Signals) -> bool,
) -> Result<UnitTrace, Watchdog> {
    let mut sources: Vec<Source<'_>> = stimulus
        .inputs
        .iter()
        .map(|(_, stream, gate)| Source { stream, gate: *gate, lfsr: Lfsr::new(gate.seed), next: 0, held: false })
        .collect();
    let blanks: Vec<Vec<u64>> = sources.iter().map(|s| vec![0; s.stream.words_per_beat()]).collect();
    let commands = sources.first().map_or(0, |s| s.stream.len());
    let mut sink = Lfsr::new(stimulus.output_gate.seed);
    let mut trace = UnitTrace { status_cycles: vec![0; stimulus.status.len()], ..UnitTrace::default() };
    let mut signals = Signals::default();
    let mut start = None;
    for edge in 0..limit {
        let mut inputs = PortInputs {
            valid: 0,
            data: Vec::with_capacity(sources.len()),
            output_ready: stimulus.output_gate.is_open(sink),
        };
        for (i, source) in sources.iter().enumerate() {
            let valid = source.valid();
            inputs.valid |= u32::from(valid) << i;
            inputs.data.push(if valid { source.stream.beat(source.next) } else { &blanks[i] });
        }
        unit.cycle(&inputs, &mut signals);
        if start.is_none() && inputs.valid & signals.ready & 1 == 1 {
            start = Some(edge);
        }
        let cycle = edge - start.unwrap_or(edge);
        if !observe(cycle as i64, &signals) {
            return Ok(trace);
        }
        if signals.output_valid && inputs.output_ready {
            trace.outputs.push(OutputBeat { cycle, data: signals.output.clone() });
        }
        for (i, count) in trace.status_cycles.iter_mut().enumerate() {
            *count += u64::from(signals.status >> i & 1);
        }
        if signals.retire {
            trace.retirements.push(cycle);
            if trace.retirements.len() == commands {
                return Ok(trace);
            }
        }
        for (i, source) in sources.iter_mut().enumerate() {
            source.edge(inputs.valid >> i & 1 == 1, signals.ready >> i & 1 == 1);
        }
        sink.step();
    }
    let taken = sources.iter().map(|s| format!("{}/{}", s.next, s.stream.len())).collect::<Vec<_>>().join(", ");
    Err(Watchdog { limit, retired: trace.retirements.len(), commands, outputs: trace.outputs.len(), taken })
}
