//! Floating-point steps of aligner, scale unit and output stage.

/// Cycles of the floating-point steps, as the hardware has its registers.
#[derive(Clone, Copy)]
pub(crate) struct Steps {
    pub(crate) registers: u32,
    pub(crate) convert_cycles: u32,
    pub(crate) loop_cycles: u32,
    pub(crate) output_cycles: u32,
    /// Registers ahead of the aligner's buffer, and within its lanes.
    pub(crate) aligner: (u32, u32),
}

impl Steps {
    pub(crate) fn new(registers: u32) -> Steps {
        match registers {
            0 => Steps { registers, convert_cycles: 1, loop_cycles: 2, output_cycles: 2, aligner: (0, 0) },
            _ => Steps { registers, convert_cycles: 3, loop_cycles: 5, output_cycles: 5, aligner: (1, 2) },
        }
    }

    /// Registers from a hold register to the output register, a decode stage left out.
    pub(crate) fn output_latency_cycles(&self) -> u32 {
        1 + self.convert_cycles + self.loop_cycles + self.output_cycles
    }
}
