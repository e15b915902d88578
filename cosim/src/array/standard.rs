use bitmosaic_arch::Machine;
use bitmosaic_sim::memory::MemoryTiming;

use super::ArrayCase;
use crate::CosimError;
use crate::random::{Activation, LayerShape, Random, layer};

/// Memories that the standard program runs in. Together they make every unit wait for every other.
pub const MEMORY_SETTINGS: [(&str, MemoryTiming); 4] = [
    ("fast memory", MemoryTiming::FAST),
    ("far memory", MemoryTiming { latency: 150, bytes_per_cycle: 64, outstanding: 4, seed: 5, threshold: 0 }),
    ("narrow memory", MemoryTiming { latency: 20, bytes_per_cycle: 3, outstanding: 8, seed: 6, threshold: 0 }),
    ("gated memory", MemoryTiming { latency: 1, bytes_per_cycle: 64, outstanding: 2, seed: 7, threshold: 150 }),
];

/// The programs of `bitmosaic cosim` on a whole machine without a trace, one a memory of [`MEMORY_SETTINGS`]: together every
/// executed type × groups of 16, 32, 64 and 128 (those the machine takes), each pair in one memory, kinds of activations in
/// turn, with input channels that are no multiple of the group, tokens and output channels that are none of the array's rows
/// and columns, and more of each than the array has.
///
/// # Errors
/// A machine without array, or one that takes none of the groups.
pub fn standard_array_cases(machine: &Machine, seed: u64) -> Result<Vec<(&'static str, ArrayCase)>, CosimError> {
    let (rows, columns) = machine.array.as_ref().map_or((1, 1), |array| (array.rows, array.columns));
    let lanes = machine.pe.lanes as usize;
    let groups: Vec<usize> =
        [16, 32, 64, 128].into_iter().filter(|g| g % lanes == 0 && *g <= machine.max_group as usize).collect();
    let mut layers = MEMORY_SETTINGS.map(|_| Vec::new());
    for (t, executed) in machine.types.iter().enumerate() {
        for (g, group) in groups.iter().enumerate() {
            let number = t * groups.len() + g;
            let mut random = Random::new(seed.wrapping_mul(1 << 20) + number as u64);
            let shape = LayerShape {
                tokens: rows as usize + 1 + number % 3,
                output_channels: columns as usize * (1 + number % 2) + 1 + number % 3,
                input_channels: group + 5 + 2 * number,
                group: *group,
            };
            let kind = Activation::ALL[number % Activation::ALL.len()];
            let memory = (t + g) % layers.len();
            layers[memory].push(layer(&mut random, machine, &executed.weight_type, shape, kind));
        }
    }
    let settings = MEMORY_SETTINGS.into_iter().zip(layers).filter(|(_, layers)| !layers.is_empty());
    settings
        .map(|((name, timing), layers)| Ok((name, ArrayCase::new(machine.clone(), layers, timing, seed)?)))
        .collect()
}
