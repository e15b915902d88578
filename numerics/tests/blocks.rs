//! Quantizers with zero points and of the block formats against a plain model in binary64 and against their definitions.

use bitmosaic_numerics::exact::power_of_two;
use bitmosaic_numerics::{
    ScaleKind, WeightType, error_statistics, f16, quantize_group, quantize_matrix, quantize_matrix_with_scales,
    registry, weight_type,
};
use proptest::prelude::*;

/// FP16 of a number, as a number.
fn fp16(value: f64) -> f64 {
    f16::from_f32(value as f32).to_f64()
}

/// Exponent of a normal number.
fn binade(value: f64) -> i32 {
    (value.to_bits() >> 52 & 0x7FF) as i32 - 1023
}

/// Weights between `low` and `high` times 2^exponent, and a few that are exactly zero.
fn generated(count: usize, low: f64, high: f64, exponent: i32, seed: u64) -> Vec<f16> {
    // SplitMix64.
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB) >> 32
    };
    let scale = power_of_two(exponent);
    let one = |_| {
        let u = next() as f64 / f64::from(u32::MAX);
        if next() % 16 == 0 { f16::ZERO } else { f16::from_f32(((low + u * (high - low)) * scale) as f32) }
    };
    (0..count).map(one).collect()
}

fn asymmetric() -> impl Iterator<Item = WeightType> {
    registry().into_iter().filter(WeightType::has_zero_point)
}

fn blocks() -> impl Iterator<Item = WeightType> {
    registry().into_iter().filter(|t| t.scale_kind() != ScaleKind::Int8)
}

/// Scale, zero point and integers of the published asymmetric quantizer.
fn plain_asymmetric(weights: &[f16], bits: u32) -> (f64, f64, Vec<f64>) {
    let wide: Vec<f64> = weights.iter().map(|w| w.to_f64()).collect();
    let low = wide.iter().copied().fold(f64::INFINITY, f64::min);
    let high = wide.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let most = f64::from((1u32 << bits) - 1);
    let scale = fp16(fp16(high - low) / most).clamp(fp16(1e-5), 1e4);
    let zero = fp16(-low / scale).round_ties_even().clamp(0.0, most);
    let integers = wide.iter().map(|w| (fp16(w / scale).round_ties_even() + zero).clamp(0.0, most)).collect();
    (scale, zero, integers)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn zero_points_equal_the_plain_model(
        seed in any::<u64>(), count in 1usize..140, low in -2f64..1.5, span in 0f64..3.0, exponent in -9i32..9
    ) {
        let weights = generated(count, low, low + span, exponent, seed);
        for t in asymmetric() {
            let found = quantize_group(&weights, &t).unwrap();
            let (scale, zero, integers) = plain_asymmetric(&weights, t.code_bits);
            let half = f64::from(1u32 << (t.code_bits - 1));
            prop_assert_eq!(found.scale.to_f64(), scale, "{}", t.name);
            prop_assert_eq!(f64::from(found.zero_point), zero - half, "{}", t.name);
            for (i, (code, integer)) in found.codes.iter().zip(&integers).enumerate() {
                prop_assert_eq!(t.value(*code, 0).unwrap() as f64, integer - half, "{}", t.name);
                prop_assert_eq!(found.dequantized[i].to_f64(), fp16((integer - zero) * scale), "{}", t.name);
            }
        }
    }

    /// The executable form with FP16 scales is the first level without its last rounding.
    #[test]
    fn fp16_scales_execute_the_first_level(seed in any::<u64>(), columns in 1usize..100, group in 1usize..40) {
        let weights = generated(2 * columns, -1.0, 0.9, -4, seed);
        for t in registry().into_iter().filter(|t| t.scale_kind() == ScaleKind::Int8 && !t.is_fp16()) {
            let matrix = quantize_matrix_with_scales(&weights, [2, columns], group, &t, ScaleKind::Fp16).unwrap();
            let unit = power_of_two(-(t.fraction_bits as i32));
            for (row, weights) in weights.chunks(columns).enumerate() {
                for (g, weights) in weights.chunks(group).enumerate() {
                    let first = quantize_group(weights, &t).unwrap();
                    let code = matrix.scales[row * matrix.groups() + g];
                    let scale = matrix.scale_kind.value(code) * matrix.channel_scales[row].to_f64() * unit;
                    for (i, d) in first.dequantized.iter().enumerate() {
                        let weight = matrix.value(row, g * group + i) as f64 * scale;
                        prop_assert_eq!(fp16(weight), d.to_f64(), "{}", t.name);
                    }
                }
            }
        }
    }

    /// Every weight of a block goes to the value nearest under its scale; none beyond the largest value.
    #[test]
    fn block_weights_are_the_nearest_values(
        seed in any::<u64>(), columns in 1usize..100, group in 1usize..40, exponent in -20i32..13
    ) {
        let weights = generated(2 * columns, -1.0, 1.0, exponent, seed);
        for t in blocks() {
            let matrix = quantize_matrix(&weights, [2, columns], group, &t).unwrap();
            let unit = power_of_two(-(t.fraction_bits as i32));
            let values: Vec<f64> = t.all_values().into_iter().map(|v| v as f64 * unit).collect();
            let largest = values.iter().copied().fold(0.0, f64::max);
            for (row, weights) in weights.chunks(columns).enumerate() {
                let channel = matrix.channel_scales[row].to_f64();
                for (g, weights) in weights.chunks(group).enumerate() {
                    let absmax = weights.iter().map(|w| w.to_f64().abs()).fold(0.0, f64::max);
                    let stored = matrix.scale_kind.value(matrix.scales[row * matrix.groups() + g]) * channel;
                    // What the codes were taken under: MX the scale itself, NVFP4 the scale before it was stored.
                    let scale = if t.scale_kind() == ScaleKind::E8m0 {
                        // In the binade of the largest value, unless scales end there.
                        let ends = stored == power_of_two(-24) || stored == power_of_two(15);
                        prop_assert!(ends || binade(absmax / stored) == binade(largest), "{}", t.name);
                        stored
                    } else {
                        let exact = absmax / largest;
                        // E4M3 has three fraction bits; below its smallest normal number 2^-6 a step is 2^-9.
                        prop_assert!((stored - exact).abs() <= (exact / 16.0).max(channel / 1024.0) * 1.001, "{}", t.name);
                        exact
                    };
                    for (i, w) in weights.iter().enumerate() {
                        let found = matrix.value(row, g * group + i) as f64 * unit;
                        let scaled = if scale == 0.0 { 0.0 } else { w.to_f64() / scale };
                        let nearest = values.iter().map(|v| (v - scaled).abs()).fold(f64::INFINITY, f64::min);
                        prop_assert!((found - scaled).abs() <= nearest + 1e-6 * largest, "{} {found} {scaled}", t.name);
                    }
                }
            }
        }
    }
}

#[test]
fn ties_of_mx_go_away_from_zero_and_large_weights_clip() {
    let weights = [6.0, 0.25, -0.25, 2.5, -2.5, 5.0, 7.5, 0.0].map(f16::from_f32);
    let matrix = quantize_matrix(&weights, [1, 8], 8, &weight_type("mx-fp4").unwrap()).unwrap();
    assert_eq!((matrix.scale_kind, matrix.scales[0]), (ScaleKind::E8m0, 127));
    let values: Vec<i64> = (0..8).map(|k| matrix.value(0, k)).collect();
    assert_eq!(values, [12, 1, -1, 6, -6, 12, 12, 0]); // halves
    let matrix = quantize_matrix(&weights, [1, 8], 8, &weight_type("mx-int8").unwrap()).unwrap();
    assert_eq!((matrix.scales[0], matrix.value(0, 6)), (129, 120)); // 7.5 / 4 in 64ths
}

#[test]
fn zero_groups_have_zero_weights() {
    for t in registry() {
        let mut weights = generated(3 * 64, -1.0, 1.0, -3, 7);
        weights[64..].fill(f16::from_bits(0x8000));
        weights[32..64].fill(f16::ZERO);
        let matrix = quantize_matrix(&weights, [3, 64], 32, &t).unwrap();
        let weight = |row: usize, k: usize| {
            let scale = matrix.scale_kind.value(matrix.scales[row * 2 + k / 32]) * matrix.channel_scales[row].to_f64();
            matrix.value(row, k) as f64 * scale
        };
        assert!((32..64).all(|k| weight(0, k) == 0.0), "{}", t.name);
        assert!((0..64).all(|k| weight(1, k) == 0.0 && weight(2, k) == 0.0), "{}", t.name);
        assert_eq!(error_statistics(&weights, &matrix).unwrap().zeroed_groups, 0);
    }
}

/// All weights of one sign: the published zero point clamps, and the weights come out wrong. Known, reproduced, not repaired.
#[test]
fn a_group_of_one_sign_clamps_its_zero_point() {
    let found = quantize_group(&[f16::from_f32(-0.25); 4], &weight_type("int4-asym").unwrap()).unwrap();
    assert_eq!(found.scale.to_f64(), f64::from(f16::from_f32(1e-5)));
    assert_eq!(i32::from(found.zero_point), 15 - 8);
    assert!(found.dequantized.iter().all(|d| (d.to_f64() + 1.5e-4).abs() < 1e-6));
}

#[test]
fn kinds_of_scale_that_a_type_has_not_are_refused() {
    let weights = generated(32, -1.0, 1.0, 0, 1);
    let refused = |name: &str, kind: ScaleKind| {
        quantize_matrix_with_scales(&weights, [1, 32], 32, &weight_type(name).unwrap(), kind).unwrap_err().to_string()
    };
    assert!(refused("int4", ScaleKind::E8m0).contains("int8 or fp16"));
    assert!(refused("mx-fp4", ScaleKind::Fp16).contains("e8m0"));
    assert!(refused("nvfp4", ScaleKind::Int8).contains("e4m3"));
    assert!(refused("fp16", ScaleKind::Fp16).ends_with("expected int8"));
}
