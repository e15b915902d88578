//! The closed formula of a tile's time, as ARCHITECTURE.md states it.

use bitmosaic_arch::Machine;

use crate::{Matmul, TileWalk};

/// When a product that no stream ever holds back captures its first and last group and gives its last output, counted
/// from the edge that accepts its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// Capture of the first group.
    pub first_capture: u64,
    /// Capture of the last group.
    pub last_capture: u64,
    /// The last output beat is taken.
    pub last_output: u64,
}

impl Latency {
    /// Of a product on the machine's tile: the first group is captured `1 + steps + pipeline_registers` after the command,
    /// each later one `max(steps, slots)` after its predecessor; the last output follows the last capture by
    /// [`output_delay`].
    pub fn new(machine: &Machine, matmul: &Matmul) -> Latency {
        let walk = TileWalk::new(machine, matmul);
        let slots = u64::from(machine.scale_unit.slots);
        let steps: Vec<u64> = walk.group_chunks().map(|chunks| chunks as u64 * u64::from(matmul.terms)).collect();
        let pass: u64 = steps.iter().map(|steps| *steps.max(&slots)).sum();
        let first_capture = 1 + steps[0] + u64::from(machine.pe.pipeline_registers);
        let last_capture = first_capture + walk.pass_count() as u64 * pass - steps[0].max(slots);
        Latency { first_capture, last_capture, last_output: last_capture + output_delay(machine) }
    }

    /// Cycles of the product, the edge of the last output included.
    pub fn cycles(&self) -> u64 {
        self.last_output + 1
    }
}

/// Cycles from the capture of a pass' last group to the last of its outputs.
pub fn output_delay(machine: &Machine) -> u64 {
    let unit = &machine.scale_unit;
    u64::from(unit.dequantize_cycles + unit.pes + unit.output_latency_cycles)
}
