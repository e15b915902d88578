//! The event-driven engine. Timing: it jumps from group end to group end (from chunk to chunk where operand streams stall,
//! from beat to beat where outputs drain), without data. Values: whole groups at once. Accepted only as equal to [`crate::step`].

pub mod array;
mod drain;
mod timing;
mod values;

pub use timing::{TileTiming, tile_timing};
pub use values::tile_values;

use bitmosaic_arch::Machine;
use bitmosaic_mappings::{Command, Matmul, OutputBeat, UnitStimulus, UnitTrace, read_bits};

/// Runs a tile stimulus: its timing and its values.
pub fn run_tile(machine: &Machine, stimulus: &UnitStimulus) -> UnitTrace {
    let commands = matmuls(stimulus);
    let timing = tile_timing(machine, &commands, stimulus);
    let values = tile_values(machine, &commands, stimulus);
    let outputs = timing.outputs.iter().zip(values).map(|(cycle, data)| OutputBeat { cycle: *cycle, data }).collect();
    UnitTrace { outputs, retirements: timing.retirements, status_cycles: timing.status_cycles.to_vec() }
}

/// The products of a stimulus' command stream.
fn matmuls(stimulus: &UnitStimulus) -> Vec<Matmul> {
    let commands = &stimulus.inputs[0].1;
    let decode = |i: usize| {
        let bytes = std::array::from_fn(|b| read_bits(commands.beat(i), b as u32 * 8, 8) as u8);
        match Command::decode(&bytes, i * bitmosaic_mappings::COMMAND_BYTES) {
            Ok(Command::Matmul(m)) => Some(m),
            Ok(_) | Err(_) => None,
        }
    };
    (0..commands.len()).filter_map(decode).collect()
}
