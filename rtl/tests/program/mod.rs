//! A program for the tile of `mosaic-tiny`.

use bitmosaic_arch::Machine;
use bitmosaic_mappings::{Stalls, UnitStimulus, aligner_stimulus, lower, run_unit, tile_stimulus};
use bitmosaic_numerics::{f16, quantize_matrix::quantize_matrix, weight_type};
use bitmosaic_rtl::hardware::build;
use bitmosaic_rtl::unit::NetlistUnit;

/// Without stalls, with starved operands, with a blocked output.
pub const STALLS: [Stalls; 3] = [
    Stalls::NONE,
    Stalls { seed: 3, input_threshold: 150, output_threshold: 0 },
    Stalls { seed: 4, input_threshold: 100, output_threshold: 200 },
];

/// A ragged product of 3 tokens, 5 output channels and 3 groups.
pub fn stimulus(machine: &Machine, stalls: Stalls) -> UnitStimulus {
    let [tokens, channels, k, group] = [3usize, 5, 40, 16];
    let value = |i: usize| f16::from_f32(((i * 7919 % 1009) as f32 - 504.0) / 128.0);
    let weights: Vec<f16> = (0..channels * k).map(value).collect();
    let executed = weight_type("bitmod-fp4").unwrap();
    let weights = quantize_matrix(&weights, [channels, k], group, &executed).unwrap();
    let activations: Vec<f16> = (0..tokens * k).map(|i| value(3 * i + 1)).collect();
    let lowered = lower(machine, &[(&weights, &activations)]).unwrap();
    let aligner = build(machine).unwrap().aligner.unwrap();
    let aligner_stimulus = aligner_stimulus(machine, &lowered, Stalls::NONE).unwrap();
    let mut unit = NetlistUnit::new(&aligner, &aligner_stimulus, 1).unwrap();
    let aligned = run_unit(&mut unit, &aligner_stimulus, 5000).unwrap();
    tile_stimulus(machine, &lowered, &aligned.outputs, stalls).unwrap()
}
