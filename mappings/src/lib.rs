//! From a quantized layer to what a machine executes: the command [`Program`] and the operand beats. This is the only
//! place that orders operands into beats and bytes; simulator, netlist and Verilog all run what is made here.

mod array;
mod assembly;
mod axi;
mod check;
mod command;
mod error;
pub mod field;
mod format;
mod latency;
mod lower;
mod operands;
mod program;
mod stream;
mod timing_key;
mod unit;

pub use array::{
    Accesses, ArrayProgram, ArraySchedule, Dataflow, Events, MAPPINGS, Mapping, MappingSpace, OutputRegion, Tiling,
    Traffic, lower_array, read_outputs, schedule_array,
};
pub use axi::{Accelerator, AxiInputs, AxiOutputs, BEAT_WORDS, Beat, Burst, ReadBeat, Reader, Start, WriteBeat};
pub use command::{COMMAND_BYTES, Command, Halves, LoadActivations, LoadWeights, Matmul, Part, Store, Tokens, opcode};
pub use error::MappingError;
pub use format::{BeatField, BeatFormat, aligner_beats, tile_beats};
pub use latency::{Latency, output_delay};
pub use lower::{GroupReads, Lowered, OutputPlace, TileWalk, lower, matmul_command};
pub use operands::{AlignedGroup, aligned_activations, aligner_stimulus, tile_stimulus};
pub use program::Program;
pub use stream::{BeatStream, Gate, Lfsr, read_bits, sign_extend};
pub use timing_key::TimingKey;
pub use unit::{
    OutputBeat, PortInputs, Signals, Stalls, Unit, UnitStimulus, UnitTrace, Watchdog, ports, run_unit,
    run_unit_observed,
};
