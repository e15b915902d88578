//! What keeping activations on the chip from one operation to the next could gain at most. The machines have no such way:
//! every operation goes from memory to memory (DEVIATIONS.md, D18). The bound says how much that costs.

use bitmosaic_arch::Machine;
use bitmosaic_workloads::operation::{Function, Operation, Work};

use crate::inference::Timing;
use crate::memory::MemoryTiming;

/// Activations of operations that pass through memory, and what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FusionBound {
    /// Bytes of activations read and written: inputs, as often as they are loaded, and outputs.
    pub activation_bytes: u64,
    /// Those of tensors that fit a half of the activation buffer: all that fusion could keep on the chip.
    pub on_chip_bytes: u64,
    /// Cycles that would be saved if these took no time, and nothing else but steps and the bytes that are left: an upper
    /// bound, since it also counts fill and drain as gone.
    pub cycles: u64,
}

impl FusionBound {
    /// That of an operation in all its layers, timed on `machine`.
    pub fn of(machine: &Machine, operation: &Operation, timing: Timing, memory: MemoryTiming) -> FusionBound {
        let Some(array) = &machine.array else { return Self::default() };
        let held = array.activation_values(machine);
        // Bytes of activations read and written, with the values of their tensor; bytes of all else, read and written; cycles
        // without any.
        let (activations, [read, written], steps) = match (operation.work, timing) {
            (Work::Product(product), Timing::Program(timing)) => {
                let tokens = u64::from(product.tokens);
                let inputs = timing.events.activation_beats * u64::from(array.beat_bytes());
                let tensors = [
                    (inputs, tokens * u64::from(product.input_channels)),
                    (timing.bytes_written, tokens * u64::from(product.output_channels)),
                ];
                (tensors, [timing.bytes_read - inputs, 0], timing.events.steps)
            }
            (Work::Vector(vector), Timing::Vector(timing)) => {
                // What is written to the cache, and what is fetched of the embedding, is no activation in passing.
                let (activations, rest) = match vector.function {
                    Function::QuantizeCache => ([timing.bytes_read, 0], [0, timing.bytes_written]),
                    Function::Embedding => ([0, timing.bytes_written], [timing.bytes_read, 0]),
                    _ => ([timing.bytes_read, timing.bytes_written], [0, 0]),
                };
                (activations.map(|bytes| (bytes, vector.elements)), rest, timing.compute_cycles)
            }
            (Work::Product(_), Timing::Vector(_)) | (Work::Vector(_), Timing::Program(_)) => return Self::default(),
        };
        let fitting = activations.map(|(bytes, values)| if values <= held { bytes } else { 0 });
        let activation_bytes = activations.iter().map(|(bytes, _)| bytes).sum::<u64>();
        let on_chip_bytes = fitting.iter().sum::<u64>();
        // What is left takes the memory's rate, and what of it is read the port's.
        let read_left = read + activations[0].0 - fitting[0];
        let left = read_left + written + activations[1].0 - fitting[1];
        let memory_cycles = left.div_ceil(u64::from(memory.bytes_per_cycle.max(1)));
        let least = steps.max(memory_cycles).max(read_left.div_ceil(u64::from(array.beat_bytes())));
        let saved = if on_chip_bytes == 0 { 0 } else { timing.cycles().saturating_sub(least) };
        let n = operation.layers;
        FusionBound { activation_bytes: n * activation_bytes, on_chip_bytes: n * on_chip_bytes, cycles: n * saved }
    }
}
