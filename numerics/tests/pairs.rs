//! Outlier-victim pairs against a plain model in binary64, and their properties.

use bitmosaic_numerics::exact::power_of_two;
use bitmosaic_numerics::packing::{pack, unpack};
use bitmosaic_numerics::quantize_group::{codebooks, round_group};
use bitmosaic_numerics::term::Digits;
use bitmosaic_numerics::{
    DigitSet, QuantizedMatrix, ScaleKind, TermTable, WeightType, error_statistics, f16, quantize_group,
    quantize_matrix, quantize_matrix_with_scales, registry, weight_type,
};
use proptest::prelude::*;

const OUTLIERS: [f64; 7] = [12., 16., 24., 32., 48., 64., 96.];

/// Near normal weights times 2^exponent; one in `rarity` is up to 40 times larger, some are zero.
fn generated(count: usize, rarity: u64, exponent: i32, seed: u64) -> Vec<f16> {
    // SplitMix64.
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB) >> 32
    };
    let one = |_| {
        let normal = (0..6).map(|_| next() as f64 / f64::from(u32::MAX)).sum::<f64>() - 3.0;
        let size = if next() % rarity == 0 { 1.0 + (next() % 40) as f64 } else { 1.0 };
        let zero = next() % 32 == 0;
        f16::from_f32(if zero { 0.0 } else { (normal * size * power_of_two(exponent)) as f32 })
    };
    (0..count).map(one).collect()
}

fn olive4() -> WeightType {
    weight_type("olive4").unwrap()
}

fn scaled(weights: &[f16], scale: f16) -> Vec<f64> {
    weights.iter().map(|w| f16::from_f32((w.to_f64() / scale.to_f64()) as f32).to_f64()).collect()
}

/// A scaled weight as an outlier, if it is one: nearer to 12 than to 7, or as near.
fn outlier(x: f64) -> Option<f64> {
    let distance = |v: &f64| (v - x.abs()).abs();
    let nearest = |a: f64, b: &f64| {
        let (new, old) = (distance(b), distance(&a));
        if new < old || (new == old && x > 0.0) { *b } else { a }
    };
    (distance(&12.0) <= distance(&7.0) || x.abs() > 12.0).then(|| OUTLIERS.iter().fold(12.0, nearest).copysign(x))
}

/// Values of a group under a scale.
fn plain(weights: &[f16], scale: f16) -> Vec<f64> {
    let normal = |x: f64| x.round_ties_even().clamp(-7.0, 7.0);
    let pair = |x: &[f64]| match *x {
        [a, b] => match (outlier(a), outlier(b)) {
            (Some(_), Some(v)) if b.abs() > a.abs() => vec![0.0, v],
            (Some(v), _) => vec![v, 0.0],
            (None, Some(v)) => vec![0.0, v],
            (None, None) => vec![normal(a), normal(b)],
        },
        _ => vec![normal(x[0])],
    };
    scaled(weights, scale).chunks(2).flat_map(pair).map(|v| v + 0.0).collect()
}

fn squared_error(weights: &[f16], scale: f16) -> f64 {
    let values = plain(weights, scale);
    values.iter().zip(weights).map(|(v, w)| v * scale.to_f64() - w.to_f64()).map(|d| d * d).sum()
}

/// The scales that the published search tries, and that of the largest weight.
fn candidates(weights: &[f16]) -> Vec<f16> {
    let wide: Vec<f64> = weights.iter().map(|w| w.to_f64()).collect();
    let n = wide.len() as f64;
    let mean = wide.iter().sum::<f64>() / n;
    let deviation = (wide.iter().map(|w| (w - mean) * (w - mean)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt();
    let reach = (mean + 3.0 * deviation).abs().max((mean - 3.0 * deviation).abs());
    let largest = wide.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
    let searched = (0..88).map(|i| reach * f64::from(75 + 2 * i) / 100.0);
    std::iter::once(largest).chain(searched).map(|r| f16::from_f32(r as f32 / 7.0)).collect()
}

/// Values of a matrix' group.
fn values(matrix: &QuantizedMatrix, row: usize, columns: std::ops::Range<usize>) -> Vec<f64> {
    columns.map(|k| matrix.value(row, k) as f64).collect()
}

fn fp16_scales(weights: &[f16], shape: [usize; 2], group: usize, weight_type: &WeightType) -> QuantizedMatrix {
    quantize_matrix_with_scales(weights, shape, group, weight_type, ScaleKind::Fp16).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn groups_equal_the_plain_model(
        seed in any::<u64>(), columns in 1usize..150, group in 1usize..70, rarity in 2u64..60, exponent in -7i32..5
    ) {
        let weights = generated(columns, rarity, exponent, seed);
        let matrix = fp16_scales(&weights, [1, columns], group, &olive4());
        for (g, weights) in weights.chunks(group).enumerate() {
            let scale = f16::from_bits(matrix.scales[g]);
            let range = g * group..g * group + weights.len();
            prop_assert_eq!(values(&matrix, 0, range), plain(weights, scale));
            // Under every scale of the search, and under an eighth of it, which puts two outliers into many pairs.
            let scales = candidates(weights).into_iter().flat_map(|s| [s, f16::from_f32(s.to_f32() / 8.0)]);
            for scale in scales.filter(|s| *s > f16::ZERO) {
                let found = round_group(weights, &codebooks(&olive4()).unwrap()[0], scale).values;
                let found: Vec<f64> = found.iter().map(|v| f64::from(*v) + 0.0).collect();
                prop_assert_eq!(found, plain(weights, scale));
            }
            let least = candidates(weights).into_iter().map(|s| squared_error(weights, s)).fold(f64::INFINITY, f64::min);
            if scale > f16::from_f32(1e-4) { // beyond the first level's clamp
                prop_assert!(squared_error(weights, scale) <= least * (1.0 + 1e-9));
            }
            let first = quantize_group(weights, &olive4()).unwrap();
            for ((d, v), code) in first.dequantized.iter().zip(plain(weights, scale)).zip(&first.codes) {
                prop_assert_eq!(d.to_f64(), f16::from_f32((v * scale.to_f64()) as f32).to_f64());
                prop_assert!(*code < 16);
            }
        }
    }

    #[test]
    fn victims_are_zero_beside_the_larger_weight_and_codes_pack(
        seed in any::<u64>(), rows in 1usize..4, columns in 1usize..150, group in 1usize..70, rarity in 2u64..20
    ) {
        let (weights, olive4) = (generated(rows * columns, rarity, -5, seed), olive4());
        let matrix = quantize_matrix(&weights, [rows, columns], group, &olive4).unwrap();
        for (row, weights) in weights.chunks(columns).enumerate() {
            for (g, weights) in weights.chunks(group).enumerate() {
                let first = g * group;
                let code = |i: usize| matrix.codes[row * columns + first + i];
                for (i, w) in weights.iter().enumerate() {
                    let value = matrix.value(row, first + i);
                    let other = i ^ 1;
                    if olive4.is_victim(code(i)) {
                        prop_assert!(value == 0 && w.to_f64().abs() <= weights[other].to_f64().abs());
                        prop_assert!(OUTLIERS.contains(&(matrix.value(row, first + other).abs() as f64)));
                    } else if value.abs() > 7 {
                        prop_assert!(olive4.is_victim(code(other)) && value.signum() as f64 == w.to_f64().signum());
                    }
                }
            }
        }
        let packed = pack(&matrix.codes, rows, columns, 4).unwrap();
        prop_assert_eq!(unpack(&packed, rows, columns, 4).unwrap(), &matrix.codes[..]);
        prop_assert!(matrix.check().is_ok());
    }

    /// Under FP16 group scales, whatever the weights.
    #[test]
    fn pairs_are_never_worse_than_their_normal_values_alone(
        seed in any::<u64>(), columns in 1usize..300, group in 1usize..140, rarity in 2u64..100
    ) {
        let weights = generated(2 * columns, rarity, -3, seed);
        let error = |t: &WeightType| {
            error_statistics(&weights, &fp16_scales(&weights, [2, columns], group, t)).unwrap().squared_error
        };
        prop_assert!(error(&olive4()) <= error(&weight_type("int4").unwrap()) * (1.0 + 1e-9));
    }
}

/// With 8-bit scale codes and one outlier in a hundred weights: far ahead of integers, at every usual group.
#[test]
fn outliers_cost_less_than_with_integers() {
    for (seed, group) in [(1, 32), (2, 64), (3, 128), (4, 256)] {
        let weights = generated(16 * 1024, 100, -5, seed);
        let error = |name: &str| {
            let matrix = quantize_matrix(&weights, [16, 1024], group, &weight_type(name).unwrap()).unwrap();
            error_statistics(&weights, &matrix).unwrap().relative_mse()
        };
        let (olive4, int4) = (error("olive4"), error("int4"));
        println!("group {group}: olive4 {olive4:.5}, int4 {int4:.5}");
        assert!(olive4 < 0.6 * int4, "group {group}: olive4 {olive4}, int4 {int4}");
    }
}

#[test]
fn pairs_by_hand() {
    // Under scale 1 all of these are exact; 9.5 is as near to 7 as to 12, 14 as near to 12 as to 16, a last weight has no pair.
    let check = |weights: &[f32], expected: &[f64]| {
        let weights: Vec<f16> = weights.iter().map(|w| f16::from_f32(*w)).collect();
        assert_eq!(plain(&weights, f16::ONE), expected);
        let book = &codebooks(&olive4()).unwrap()[0];
        let found = round_group(&weights, book, f16::ONE).values;
        assert_eq!(found.iter().map(|v| f64::from(*v)).collect::<Vec<_>>(), expected);
    };
    check(&[9.5, 3.0, -9.5, 1.0], &[12.0, 0.0, -12.0, 0.0]);
    check(&[14.0, 0.0, -14.0, 0.0, 9.4, 2.5], &[16.0, 0.0, -12.0, 0.0, 7.0, 2.0]);
    check(&[20.0, -33.0, 48.0, -48.0, 1000.0, 0.0], &[0.0, -32.0, 48.0, 0.0, 96.0, 0.0]);
    check(&[1.0, -3.0, 50.0], &[1.0, -3.0, 7.0]);
}

#[test]
fn victims_without_an_outlier_are_refused_with_their_place() {
    let good = quantize_matrix(&generated(2 * 15, 5, -4, 3), [2, 15], 5, &olive4()).unwrap();
    let refused = |change: fn(&mut [u16]), texts: [&str; 2]| {
        let mut matrix = good.clone();
        matrix.codes.fill(0);
        matrix.check().unwrap();
        change(&mut matrix.codes);
        let error = matrix.check().unwrap_err().to_string();
        assert!(texts.iter().all(|t| error.contains(t)) && error.contains("an outlier in its pair"), "{error}");
    };
    refused(|codes| codes[15 + 6] = 8, ["row 1, column 6", "code 0x0"]);
    refused(|codes| codes[5..7].fill(8), ["row 0, column 5", "code 0x8"]);
    // The last weight of an odd group has no pair, though the row goes on.
    refused(|codes| codes[4..6].copy_from_slice(&[8, 3]), ["row 0, column 4", "found none"]);
    let mut matrix = good.clone();
    matrix.codes.fill(0);
    matrix.codes[2..4].copy_from_slice(&[9, 8]);
    matrix.check().unwrap();
    assert_eq!([matrix.value(0, 2), matrix.value(0, 3), matrix.value(0, 4)], [-12, 0, 0]);
}

/// Pairs are first-class, but only this type has them.
#[test]
fn types_without_pairs_have_no_outliers() {
    for t in registry().into_iter().filter(|t| t.name != "olive4") {
        assert!(t.victim_code().is_none() && t.outliers().is_empty(), "{}", t.name);
    }
}

/// All 256 pairs of codes: the digits that a machine looks up by code and neighbour sum to the value that the matrix looks up, in
/// every digit set; the weight of an odd end has no neighbour.
#[test]
fn digits_of_every_pair_sum_to_the_values_of_the_matrix() {
    let olive4 = olive4();
    for set in DigitSet::ALL {
        let table = TermTable::new(&olive4, set).unwrap();
        for (a, b) in (0..16).flat_map(|a| (0..16).map(move |b| (a, b))) {
            // A pair at the start of a group, at the start of the next, and a code alone at the end.
            let codes = vec![a, b, 1, a, b];
            let matrix = QuantizedMatrix {
                weight_type: olive4.clone(),
                output_channels: 1,
                input_channels: 5,
                group: 3,
                codes: codes.clone(),
                selectors: vec![0; 2],
                zero_points: Vec::new(),
                scale_kind: ScaleKind::Int8,
                scales: vec![1; 2],
                channel_scales: vec![f16::ONE],
                special_values: [0; 4],
            };
            let neighbours = [Some(b), Some(a), None, Some(b), Some(a)];
            for (k, (code, neighbour)) in codes.into_iter().zip(neighbours).enumerate() {
                let digits = table.digits_of(code, neighbour, &Digits::default());
                let planes = digits.iter().enumerate();
                let sum: i64 = planes.map(|(p, d)| i64::from(d.value()) << (set.radix_bits() as usize * p)).sum();
                assert_eq!(sum, matrix.value(0, k), "{set:?}: {code} beside {neighbour:?}");
            }
        }
    }
}
