use bitmosaic_arch::Machine;
use bitmosaic_mappings::Stalls;

use crate::random::{Activation, LayerShape, Random, layer};
use crate::{Case, CosimError};

/// Stall settings that the standard program runs under: none, starved inputs, blocked outputs, both.
pub const STALL_SETTINGS: [(&str, Stalls); 4] = [
    ("no stalls", Stalls::NONE),
    ("starved inputs", Stalls { seed: 5, input_threshold: 170, output_threshold: 0 }),
    ("blocked outputs", Stalls { seed: 6, input_threshold: 0, output_threshold: 200 }),
    ("both", Stalls { seed: 7, input_threshold: 90, output_threshold: 120 }),
];

/// The program of `bitmosaic cosim` without a trace: every executed type × groups of 16, 32, 64, 128 and 256 (those the machine
/// takes) × every kind of activations (normal, any finite, subnormal, all-maximum, mostly zero, NaN and infinities), with
/// input channels that are no multiple of the group and more tokens and output channels than the tile has.
///
/// # Errors
/// A machine that takes none of the groups.
pub fn standard_case(machine: &Machine, seed: u64, stalls: Stalls) -> Result<Case, CosimError> {
    let mut layers = Vec::new();
    let lanes = machine.pe.lanes as usize;
    for (t, executed) in machine.types.iter().enumerate() {
        let groups = [16, 32, 64, 128, 256].into_iter().filter(|g| g % lanes == 0 && *g <= machine.max_group as usize);
        for group in groups {
            for (a, kind) in Activation::ALL.into_iter().enumerate() {
                let mut random = Random::new(seed.wrapping_mul(1 << 20) + (t * 1000 + group * 8 + a) as u64);
                let shape = LayerShape {
                    tokens: machine.tile.rows as usize + a % 2,
                    output_channels: machine.tile.columns as usize + a % 3,
                    input_channels: group + 21,
                    group,
                };
                layers.push(layer(&mut random, machine, &executed.weight_type, shape, kind));
            }
        }
    }
    Case::new(machine.clone(), layers, stalls, seed)
}
