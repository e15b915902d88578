//! The quantizer against a deliberately naive re-implementation (numbers as binary64, FP16 rounding by search among all
//! FP16 numbers, nearest value by distance), the authors' edge cases, and properties over the registry.

use bitmosaic_numerics::quantize_group::{
    LARGEST_SCALE, SMALLEST_SCALE, choose, codebooks, mean_squared_error, round_group,
};
use bitmosaic_numerics::second_level::second_level_row;
use bitmosaic_numerics::{
    NumericsError, QuantizedMatrix, Rounding, ScaleKind, ScaleRule, WeightType, error_statistics, f16, quantize_group,
    quantize_matrix, registry, weight_type,
};
use common::first_level;
use proptest::prelude::*;

mod common;

/// The naive model. The tables of a few types, written out.
mod naive {
    use bitmosaic_numerics::f16;

    /// Nearest FP16 number, ties to the even one, by binary search over their (ordered) bits.
    pub fn fp16(x: f64) -> f64 {
        let magnitude = x.abs();
        let value = |bits: u16| if bits == 0x7C00 { 65536.0 } else { f16::from_bits(bits).to_f64() };
        let (mut low, mut high) = (0u16, 0x7C00u16);
        while high - low > 1 {
            let middle = (low + high) / 2;
            if value(middle) <= magnitude { low = middle } else { high = middle }
        }
        let (below, above) = (magnitude - value(low), value(high) - magnitude);
        let bits = if below < above || (below == above && low % 2 == 0) { low } else { high };
        f16::from_bits(bits).to_f64().copysign(x)
    }

    pub const TABLE: [f64; 15] = [-12., -8., -6., -4., -3., -2., -1., 0., 1., 2., 3., 4., 6., 8., 12.];
    pub const SPECIAL: [f64; 4] = [10., -10., 16., -16.];

    /// The values of each candidate, in quantizer units.
    pub fn candidates(name: &str) -> Vec<Vec<f64>> {
        let (table, special): (&[f64], _) = match name {
            "int4" => return vec![(-7..=7).map(f64::from).collect()],
            "int8" => return vec![(-127..=127).map(f64::from).collect()],
            "fp8-e4m3" => return vec![fp8_e4m3()],
            "fp8-e5m2" => return vec![fp8_e5m2()],
            "bitmod-fp3" => (&[-4., -2., -1., 0., 1., 2., 4.], [3., -3., 6., -6.]),
            "bitmod-fp4" => (&TABLE, SPECIAL),
            _ => panic!("{name}"),
        };
        special
            .iter()
            .map(|s| {
                let mut table = table.to_vec();
                table.push(*s);
                table.sort_by(f64::total_cmp);
                table
            })
            .collect()
    }

    /// Binades from 2^-6 with eight steps, below them steps of 2^-9, up to 448.
    fn fp8_e4m3() -> Vec<f64> {
        let mut table: Vec<f64> = (0..8).map(|i| f64::from(i) / 512.0).collect();
        let mut binade = 1.0 / 64.0;
        while binade < 500.0 {
            table.extend((0..8).map(|i| binade * (1.0 + f64::from(i) / 8.0)).filter(|v| *v <= 448.0));
            binade *= 2.0;
        }
        let negative: Vec<f64> = table[1..].iter().map(|v| -v).collect();
        table.extend(negative);
        table.sort_by(f64::total_cmp);
        assert_eq!(table.len(), 253);
        table
    }

    /// The finite upper bytes of FP16 numbers, over 2^7; both zeros.
    fn fp8_e5m2() -> Vec<f64> {
        let halves = (0..=0xFFu16).map(|code| f16::from_bits(code << 8).to_f64() / 128.0);
        let mut table: Vec<f64> = halves.filter(|v| v.is_finite()).collect();
        table.sort_by(f64::total_cmp);
        assert_eq!((table.len(), table[0]), (248, -448.0));
        table
    }

    /// Nearest value; of two equally near the lower one, or for integers the even one.
    pub fn nearest(x: f64, table: &[f64], integer: bool) -> f64 {
        let x = x.clamp(-1e6, 1e6); // a weight over a vanishing scale is infinite
        let mut best = table[0];
        for v in table {
            let (new, old) = ((x - v).abs(), (x - best).abs());
            if new < old || (new == old && integer && v % 2.0 == 0.0) {
                best = *v;
            }
        }
        best
    }

    pub fn largest(table: &[f64]) -> f64 {
        table.iter().fold(0.0, |m, v| v.abs().max(m))
    }

    pub fn error(weights: &[f64], dequantized: &[f64]) -> f64 {
        let mut sum = 0.0;
        for (w, d) in weights.iter().zip(dequantized) {
            let difference = fp16(d - w);
            sum += fp16(difference * difference);
        }
        fp16(f64::from(sum as f32 / weights.len() as f32))
    }

    pub struct Group {
        pub choice: i32,
        pub scale: f64,
        pub values: Vec<f64>,
        pub dequantized: Vec<f64>,
    }

    fn pick(weights: &[f64], mut groups: Vec<Group>) -> Group {
        if groups.len() == 1 {
            return groups.remove(0);
        }
        let zeros = vec![0.0; weights.len()];
        let mut best = Group { choice: -1, scale: 0.0, values: zeros.clone(), dequantized: zeros };
        let mut least = 1e3;
        for group in groups {
            let error = error(weights, &group.dequantized);
            if error < least {
                least = error;
                best = group;
            }
        }
        best
    }

    pub fn first_level(weights: &[f64], name: &str) -> Group {
        let largest_weight = largest(weights);
        let mut groups = Vec::new();
        for (i, table) in candidates(name).iter().enumerate() {
            let scale = fp16(largest_weight / largest(table)).clamp(fp16(1e-5), 1e4);
            let values: Vec<f64> =
                weights.iter().map(|w| nearest(fp16(w / scale), table, name.starts_with("int"))).collect();
            let dequantized = values.iter().map(|v| fp16(v * scale)).collect();
            groups.push(Group { choice: i as i32, scale, values, dequantized });
        }
        pick(weights, groups)
    }

    /// Groups of one row at the published second level.
    pub fn second_level(row: &[f64], group: usize, name: &str) -> Vec<Group> {
        let mut chosen = Vec::new();
        for weights in row.chunks(group) {
            let mut groups = Vec::new();
            for (i, table) in candidates(name).iter().enumerate() {
                let scale_of = |weights: &[f64]| fp16(largest(weights) / largest(table));
                let channel = fp16(row.chunks(group).map(scale_of).fold(0.0, f64::max) / 255.0);
                let scale = scale_of(weights);
                let code = if scale == 0.0 { 0.0 } else { fp16(scale / channel).round_ties_even().min(255.0) };
                let round = |w: &f64| {
                    if scale == 0.0 && *w == 0.0 {
                        0.0
                    } else {
                        nearest(fp16(w / scale), table, name.starts_with("int"))
                    }
                };
                let values: Vec<f64> = weights.iter().map(round).collect();
                let dequantized = values.iter().map(|v| fp16(fp16(v * channel) * code)).collect();
                groups.push(Group { choice: i as i32, scale, values, dequantized });
            }
            chosen.push(pick(weights, groups));
        }
        chosen
    }
}

/// SplitMix64, so that the data need no dependency.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// Uniform in [-1, 1), 24 bits.
    fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / 8_388_608.0 - 1.0
    }
}

/// Heavy-tailed weights: products of uniforms, a spread per row, now and then an outlier, a zero group, a constant group.
fn generated(rows: usize, columns: usize, size: f32, seed: u64) -> Vec<f16> {
    let mut random = Random(seed);
    let mut weights = Vec::new();
    for row in 0..rows {
        let spread = size * (1.0 + row as f32 / rows as f32);
        for column in 0..columns {
            let outlier = if random.next().is_multiple_of(200) { 8.0 } else { 1.0 };
            let w = random.uniform() * random.uniform() * spread * outlier;
            let w = if column / 16 % 7 == 3 && row % 5 == 1 { 0.0 } else { w };
            let w = if column / 16 % 7 == 5 && row % 5 == 2 { spread * 0.25 } else { w };
            weights.push(f16::from_f32(w));
        }
    }
    weights
}

fn wide(weights: &[f16]) -> Vec<f64> {
    weights.iter().map(|w| w.to_f64()).collect()
}

fn bits(values: impl IntoIterator<Item = f64>) -> Vec<u16> {
    // FP16-valued, so this conversion is exact.
    values.into_iter().map(|v| f16::from_f32(v as f32).to_bits()).collect()
}

/// Bits with -0 as +0: the naive model looks values up, so it has no -0.
fn bits_without_negative_zero(values: &[f16]) -> Vec<u16> {
    values.iter().map(|v| if *v == f16::ZERO { 0 } else { v.to_bits() }).collect()
}

/// Values in quantizer units.
fn values(weight_type: &WeightType, codes: &[u16], selector: u8) -> Vec<f64> {
    let special = weight_type.special_values()[usize::from(selector)];
    codes.iter().map(|c| weight_type.value(*c, special).unwrap() as f64 / quantizer_unit(weight_type)).collect()
}

/// A quantizer unit in units of 2^-fraction_bits.
fn quantizer_unit(weight_type: &WeightType) -> f64 {
    f64::from(1u32 << weight_type.quantizer_shift())
}

/// Types without zero points and pairs whose group scales follow the weights freely; the others stand in `blocks.rs` and
/// `pairs.rs`.
fn symmetric(weight_type: &WeightType) -> bool {
    let plain = !weight_type.has_zero_point() && weight_type.victim_code().is_none() && !weight_type.is_fp16();
    plain && weight_type.scale_kind() == ScaleKind::Int8
}

const SHAPES: [(usize, usize, usize, f32); 6] = [
    (24, 256, 128, 0.05),
    (24, 200, 32, 0.02),
    (16, 77, 16, 1.0),
    (8, 64, 256, 3e-4),
    (8, 96, 32, 1e-6),
    (8, 96, 32, 4e3),
];

#[test]
fn first_level_equals_the_naive_model() {
    for name in ["int4", "bitmod-fp4", "int8", "bitmod-fp3", "fp8-e4m3", "fp8-e5m2"] {
        let weight_type = weight_type(name).unwrap();
        let mut unchosen = 0;
        for (i, (rows, columns, group, size)) in SHAPES.into_iter().enumerate() {
            let weights = generated(rows, columns, size, i as u64);
            let groups = first_level(&weights, columns, group, &weight_type);
            let slices = weights.chunks(columns).flat_map(|row| row.chunks(group));
            assert_eq!(groups.len(), rows * columns.div_ceil(group));
            for (found, weights) in groups.iter().zip(slices) {
                let expected = naive::first_level(&wide(weights), name);
                assert_eq!(if found.chosen { i32::from(found.selector) } else { -1 }, expected.choice, "{name} {size}");
                assert_eq!(values(&weight_type, &found.codes, found.selector), expected.values);
                assert_eq!(found.scale.to_f64(), expected.scale);
                assert_eq!(
                    bits_without_negative_zero(&found.dequantized),
                    bits(expected.dequantized.iter().map(|v| v + 0.0))
                );
                unchosen += usize::from(!found.chosen);
            }
        }
        assert_eq!(unchosen > 0, name.starts_with("bitmod"), "the large weights exercise choice -1");
    }
}

#[test]
fn second_level_and_executable_form_equal_the_naive_model() {
    for name in ["int4", "bitmod-fp4", "int8", "bitmod-fp3", "fp8-e4m3", "fp8-e5m2"] {
        let weight_type = weight_type(name).unwrap();
        for (i, (rows, columns, group, size)) in SHAPES.into_iter().enumerate() {
            let weights = generated(rows, columns, size, 100 + i as u64);
            let matrix = quantize_matrix(&weights, [rows, columns], group, &weight_type).unwrap();
            for (r, row) in weights.chunks(columns).enumerate() {
                let found = second_level_row(row, group, &weight_type).unwrap();
                let expected = naive::second_level(&wide(row), group, name);
                // The executable form: one channel scale, the next FP16 up if a code would pass 255.
                let largest = expected.iter().map(|g| g.scale).fold(0.0, f64::max);
                let mut channel = naive::fp16(largest / 255.0);
                if largest > 0.0 && naive::fp16(largest / channel).round_ties_even() > 255.0 {
                    channel = f16::from_bits(f16::from_f32(channel as f32).to_bits() + 1).to_f64();
                }
                let unit = f64::from(1u32 << weight_type.fraction_bits) / quantizer_unit(&weight_type);
                assert_eq!(matrix.channel_scales[r].to_f64(), channel * unit, "{name} {size} row {r}");
                for (g, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    assert_eq!(if found.chosen { i32::from(found.selector) } else { -1 }, expected.choice);
                    assert_eq!(values(&weight_type, &found.codes, found.selector), expected.values);
                    let dequantized = expected.dequantized.iter().map(|v| v + 0.0);
                    assert_eq!(
                        bits_without_negative_zero(&found.dequantized),
                        bits(dequantized),
                        "{name} {size} row {r}"
                    );

                    let index = r * matrix.groups() + g;
                    let code = if expected.scale == 0.0 {
                        0.0
                    } else {
                        naive::fp16(expected.scale / channel).round_ties_even()
                    };
                    assert_eq!(f64::from(matrix.scales[index]), code);
                    let zero = vec![0.0; expected.values.len()];
                    let (choice, values) = if code == 0.0 { (0, &zero) } else { (expected.choice, &expected.values) };
                    assert_eq!(i32::from(matrix.selectors[index]), choice);
                    for (k, value) in values.iter().enumerate() {
                        assert_eq!(matrix.value(r, g * group + k) as f64 / quantizer_unit(&weight_type), *value);
                    }
                }
            }
        }
    }
}

#[test]
fn edge_cases_equal_the_published_results() {
    let (int4, bitmod) = (weight_type("int4").unwrap(), weight_type("bitmod-fp4").unwrap());
    let numbers = |field: &str| -> Vec<f16> {
        field.split(' ').map(|bits| f16::from_bits(u16::from_str_radix(bits, 16).unwrap())).collect()
    };
    let lines: Vec<&str> = include_str!("edge_cases.csv").lines().filter(|l| !l.starts_with('#')).skip(1).collect();
    assert_eq!(lines.len(), 21);
    for line in lines {
        let f: Vec<&str> = line.split(',').collect();
        let weights = numbers(f[1]);
        let to_bits = |values: &[f16]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        let found = quantize_group(&weights, &int4).unwrap();
        assert_eq!(to_bits(&found.dequantized), to_bits(&numbers(f[2])), "int4 {}", f[0]);
        let found = quantize_group(&weights, &bitmod).unwrap();
        assert_eq!(to_bits(&found.dequantized), to_bits(&numbers(f[3])), "bitmod-fp4 {}", f[0]);
        let codes: Vec<f64> = f[4].split(' ').map(|c| c.parse().unwrap()).collect();
        assert_eq!(values(&bitmod, &found.codes, found.selector), codes, "{}", f[0]);
        assert_eq!(if found.chosen { i32::from(found.selector) } else { -1 }, f[5].parse().unwrap(), "{}", f[0]);
        let errors: Vec<f16> = codebooks(&bitmod)
            .unwrap()
            .iter()
            .map(|book| {
                let scale = book.scale(&weights).max(SMALLEST_SCALE).min(LARGEST_SCALE);
                let values = round_group(&weights, book, scale).values;
                let dequantized: Vec<f16> = values.iter().map(|v| f16::from_f32(v * scale.to_f32())).collect();
                mean_squared_error(&weights, &dequantized)
            })
            .collect();
        assert_eq!(to_bits(&errors), to_bits(&numbers(f[6])), "errors of {}", f[0]);
    }
}

/// BitNet b1.58's rule by hand: the mean magnitude 1.0, values rounded to the nearest of -1, 0, 1.
#[test]
fn ternary_and_binary_scale_by_the_mean_magnitude() {
    let weights = [0.25, -0.75, 2.5, -1.5, 0.5, -0.5, 0.75, -1.25].map(f16::from_f32);
    let check = |name: &str, expected: [f64; 8]| {
        let weight_type = weight_type(name).unwrap();
        let found = quantize_group(&weights, &weight_type).unwrap();
        assert_eq!((found.scale, values(&weight_type, &found.codes, 0)), (f16::ONE, expected.to_vec()), "{name}");
    };
    check("ternary", [0., -1., 1., -1., 0., 0., 1., -1.]); // 0.5 to even
    check("binary", [1., -1., 1., -1., 1., -1., 1., -1.]);
}

/// Smallest and largest magnitude of the fractions, as their definitions give them.
#[test]
fn fractions_reach_what_their_definitions_say() {
    for (name, smallest, largest) in [
        ("fp3", 1.0, 4.0),
        ("fp4", 0.5, 6.0),
        ("fp5-e2m2", 0.25, 7.0),
        ("fp5-e3m1", 0.125, 24.0),
        ("fp6-e2m3", 0.125, 7.5),
        ("fp6-e3m2", 0.0625, 28.0),
        ("fp8-e4m3", 1.0 / 512.0, 448.0),
        ("fp8-e5m2", 1.0 / 65536.0 / 128.0, 57344.0 / 128.0),
        ("bitmod-fp3", 1.0, 6.0),
        ("bitmod-fp4", 0.5, 8.0),
        ("razer-fp4", 0.5, 8.0),
        ("nf4", 2608.0 / 32768.0, 1.0),
    ] {
        let weight_type = weight_type(name).unwrap();
        let values = weight_type.all_values();
        let unit = f64::from(1u32 << weight_type.fraction_bits);
        let magnitudes = || values.iter().filter(|v| **v != 0).map(|v| v.abs() as f64 / unit);
        assert_eq!(magnitudes().fold(f64::INFINITY, f64::min), smallest, "{name}");
        assert_eq!(magnitudes().fold(0.0, f64::max), largest, "{name}");
    }
}

#[test]
fn an_all_zero_group_is_selector_0_with_zero_codes() {
    for weight_type in registry().into_iter().filter(|t| t.scale_kind() == ScaleKind::Int8 && !t.is_fp16()) {
        let mut weights = generated(3, 64, 0.1, 7);
        weights[64..].fill(f16::from_bits(0x8000)); // rows 1 and 2: -0
        weights[32..64].fill(f16::ZERO);
        let matrix = quantize_matrix(&weights, [3, 64], 32, &weight_type).unwrap();
        assert_eq!(matrix.scales[1..], [0; 5], "{}", weight_type.name);
        assert_eq!(matrix.selectors[1..], [0; 5]);
        assert!(matrix.codes[32..].iter().all(|c| *c == weight_type.zero_code()));
        assert_eq!(matrix.channel_scales[1..], [f16::ZERO; 2]);
        assert_eq!(error_statistics(&weights, &matrix).unwrap().zeroed_groups, 0);
    }
}

/// Every finite FP16 number is a weight that comes back as it is, the sign of -0 aside.
#[test]
fn fp16_weights_are_not_changed() {
    let fp16 = weight_type("fp16").unwrap();
    let weights: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).filter(|w| w.is_finite()).collect();
    let shape = [weights.len() / 512, 512];
    for group in [7, 128] {
        let matrix = quantize_matrix(&weights, shape, group, &fp16).unwrap();
        matrix.check().unwrap();
        for (i, w) in weights.iter().enumerate() {
            let (row, column) = (i / shape[1], i % shape[1]);
            let scale = matrix.scale_kind.value(matrix.scales[row * matrix.groups() + column / group]);
            let scale = scale * matrix.channel_scales[row].to_f64() / f64::from(1u32 << fp16.fraction_bits);
            assert_eq!(matrix.codes[i], w.to_bits());
            assert_eq!(matrix.value(row, column) as f64 * scale, w.to_f64());
        }
        let statistics = error_statistics(&weights, &matrix).unwrap();
        assert_eq!((statistics.squared_error, statistics.zeroed_groups), (0.0, 0));
    }
    for broken in [f16::NAN, f16::INFINITY] {
        let error = quantize_matrix(&[f16::ONE, broken], [2, 1], 1, &fp16).unwrap_err().to_string();
        assert!(error.contains("row 1, column 0"), "{error}");
    }
    // A group alone has no table to be quantized to.
    assert!(quantize_group(&weights[..8], &fp16).unwrap_err().to_string().contains("taken as they are"));
}

/// A group may be just large enough for code 1 under its own candidate's channel scale, but not under the row's one.
#[test]
fn a_group_whose_scale_vanishes_beside_its_row_becomes_zeros_and_is_counted() {
    let weight_type = weight_type("bitmod-fp4").unwrap();
    let mut random = Random(5);
    let mut cases = 0;
    for _ in 0..2000 {
        // The first group is a table with +10 (er+) to the point; the second about 0.6 codes large.
        let mut row: Vec<f16> = [12, 10, 10, -8, 6, -4, 3, 2].map(|v| f16::from_f32(v as f32 * 8.0)).to_vec();
        let size = 96.0 * (0.5 + 0.15 * random.uniform().abs()) / 255.0;
        row.extend((0..8).map(|i| f16::from_f32(if i == 0 { size } else { size * random.uniform() * 0.3 })));
        let published = second_level_row(&row, 8, &weight_type).unwrap();
        let matrix = quantize_matrix(&row, [1, 16], 8, &weight_type).unwrap();
        assert_eq!((matrix.selectors[0], matrix.scales[0]), (0, 255));
        let kept = published[1].selector != 0 && published[1].scale_code != 0;
        if kept && matrix.scales[1] == 0 {
            cases += 1;
            assert_eq!(matrix.selectors[1], 0);
            assert!(matrix.codes[8..].iter().all(|c| *c == weight_type.zero_code()));
            assert_eq!(error_statistics(&row, &matrix).unwrap().zeroed_groups, 1);
        }
    }
    assert!(cases > 0);
}

#[test]
fn groups_that_the_search_gives_up_on_are_counted() {
    let weight_type = weight_type("bitmod-fp4").unwrap();
    let weights = generated(4, 32, 8e3, 3);
    let matrix = quantize_matrix(&weights, [4, 32], 32, &weight_type).unwrap();
    let statistics = error_statistics(&weights, &matrix).unwrap();
    assert_eq!((statistics.zeroed_groups, statistics.special_values), (4, [0; 4]));
    assert_eq!(statistics.relative_mse(), 1.0);
    let groups = first_level(&weights, 32, 32, &weight_type);
    assert!(groups.iter().all(|g| !g.chosen && g.dequantized.iter().all(|d| *d == f16::ZERO)));
}

#[test]
fn bad_input_is_refused_with_its_place() {
    let weight_type = weight_type("int4").unwrap();
    let mut weights = generated(4, 10, 0.1, 1);
    for (value, text) in [(f16::NAN, "NaN"), (f16::INFINITY, "inf"), (f16::NEG_INFINITY, "-inf")] {
        weights[27] = value;
        let error = quantize_matrix(&weights, [4, 10], 8, &weight_type).unwrap_err();
        assert_eq!(error, NumericsError::NotFinite { what: "weight", row: 2, column: 7, value: text.into() });
        let error = quantize_group(&weights[20..], &weight_type).unwrap_err();
        assert_eq!(error, NumericsError::NotFinite { what: "weight", row: 0, column: 7, value: text.into() });
    }
    weights[27] = f16::ONE;
    for (shape, group) in [([4, 11], 8), ([0, 10], 8), ([4, 0], 8), ([4, 10], 0), ([4, 10], 257), ([usize::MAX, 2], 8)]
    {
        let error = quantize_matrix(&weights, shape, group, &weight_type).unwrap_err();
        assert!(matches!(error, NumericsError::Shape { .. }), "{shape:?} {group}");
    }
    assert!(quantize_group(&[], &weight_type).is_err());
    let mut unusable = weight_type;
    unusable.codes.truncate(4);
    assert!(quantize_matrix(&weights, [4, 10], 8, &unusable).is_err());
}

#[test]
fn the_same_bits_at_any_number_of_threads() {
    let weights = generated(64, 256, 0.05, 11);
    let weight_type = weight_type("bitmod-fp4").unwrap();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let matrix = quantize_matrix(&weights, [64, 256], 32, &weight_type).unwrap();
            let statistics = error_statistics(&weights, &matrix).unwrap();
            (matrix, statistics)
        })
    };
    let one: (QuantizedMatrix, _) = run(1);
    assert!([2, 3, 7].into_iter().all(|threads| run(threads) == one));
}

/// Distance from `w` to the nearest weight that the codes of the type allow under `scale` (per quantizer unit), and the room
/// that the FP16 rounding of `w / scale` gives a neighbour.
fn nearest_distance(weight_type: &WeightType, selector: u8, w: f64, scale: f64) -> f64 {
    let special = weight_type.special.as_ref().map(|s| s.values[usize::from(selector)]);
    let mut book = weight_type.codebook(special);
    if weight_type.rounding == Rounding::SymmetricInteger {
        let largest = book[book.len() - 1].0;
        book.retain(|(v, _)| *v >= -largest);
    }
    let unit = quantizer_unit(weight_type);
    let distance = book.iter().map(|(v, _)| (w - *v as f64 / unit * scale).abs()).fold(f64::INFINITY, f64::min);
    distance + 2.0 * (w.abs() * HALF_ULP + SMALLEST / 2.0 * scale)
}

/// Half a unit in the last place of an FP16 product, relative.
const HALF_ULP: f64 = 1.0 / 2048.0;
/// Smallest FP16 number.
const SMALLEST: f64 = 1.0 / 16_777_216.0;

fn size_of(exponent: i32) -> f32 {
    if exponent < 0 { 1.0 / f32::from(1u16 << -exponent) } else { f32::from(1u16 << exponent) }
}

proptest! {
    #[test]
    fn first_level_gives_the_nearest_value_under_the_scale(seed in any::<u64>(), length in 1usize..140, size in -9i32..9) {
        for weight_type in registry().into_iter().filter(symmetric) {
            let weights = generated(1, length, size_of(size), seed);
            let found = quantize_group(&weights, &weight_type).unwrap();
            if !found.chosen {
                prop_assert!(weight_type.special.is_some() && size > 5); // a mean square error of 1000 and more
                continue;
            }
            let scale = found.scale.to_f64();
            let exact = values(&weight_type, &found.codes, found.selector);
            for ((w, d), v) in weights.iter().zip(&found.dequantized).zip(&exact) {
                let (w, d) = (w.to_f64(), d.to_f64());
                prop_assert!((v * scale - d).abs() <= d.abs() * HALF_ULP + SMALLEST / 2.0);
                let bound = nearest_distance(&weight_type, found.selector, w, scale);
                prop_assert!((w - v * scale).abs() <= bound, "{} {w} {v} {scale} {bound}", weight_type.name);
            }
            // Monotone: no larger weight has a smaller value.
            let mut pairs: Vec<_> = wide(&weights).into_iter().zip(exact).collect();
            pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
            prop_assert!(pairs.is_sorted_by(|a, b| a.1 <= b.1), "{} {pairs:?}", weight_type.name);
        }
    }

    #[test]
    fn values_of_a_codebook_come_back(seed in any::<u64>(), length in 1usize..100) {
        // Weights that are the type's values times a power of two, the largest among them: codes and weights are exact.
        for weight_type in registry().into_iter().filter(|t| symmetric(t) && t.scale_rule == ScaleRule::LargestMagnitude) {
            for (selector, book) in codebooks(&weight_type).unwrap().iter().enumerate() {
                let special = weight_type.special.as_ref().map(|s| s.values[selector]);
                let largest = book.largest();
                let usable: Vec<i64> =
                    weight_type.codebook(special).into_iter().map(|e| e.0).filter(|v| v.abs() <= largest).collect();
                let usable: Vec<i64> = match weight_type.rounding {
                    Rounding::SymmetricInteger => usable.into_iter().filter(|v| v.abs() < 1 << (weight_type.code_bits - 1)).collect(),
                    _ => usable,
                };
                let end = *usable.iter().max_by_key(|v| v.abs()).unwrap();
                let mut random = Random(seed);
                let mut chosen: Vec<i64> = (0..length).map(|_| usable[random.next() as usize % usable.len()]).collect();
                chosen.push(end);
                let unit = quantizer_unit(&weight_type) as f32 * 2.0;
                let weights: Vec<f16> = chosen.iter().map(|v| f16::from_f32(*v as f32 / unit)).collect();
                if weights.iter().zip(&chosen).any(|(w, v)| w.to_f32() * unit != *v as f32) {
                    prop_assert_eq!(weight_type.name, "nf4"); // the only values that FP16 rounds
                    continue;
                }
                let scale = book.scale(&weights);
                let rounded = round_group(&weights, book, scale);
                let back: Vec<i64> =
                    rounded.codes.iter().map(|c| weight_type.value(*c, special.unwrap_or(0)).unwrap()).collect();
                prop_assert_eq!(&back, &chosen, "{} {}", weight_type.name, scale);
            }
        }
    }

    #[test]
    fn executable_weights_are_the_nearest_values_under_scales_that_are_half_a_code_off(
        seed in any::<u64>(), columns in 1usize..140, group in 1usize..64, size in -8i32..5
    ) {
        for weight_type in registry().into_iter().filter(symmetric) {
            let weights = generated(2, columns, size_of(size), seed);
            let books = codebooks(&weight_type).unwrap();
            let matrix = quantize_matrix(&weights, [2, columns], group, &weight_type).unwrap();
            prop_assert_eq!(matrix.groups(), columns.div_ceil(group));
            let unit = quantizer_unit(&weight_type);
            for (index, weights) in weights.chunks(columns).flat_map(|row| row.chunks(group)).enumerate() {
                let row = index / matrix.groups();
                let first = index % matrix.groups() * group;
                // Per quantizer unit, like the scales.
                let channel = matrix.channel_scales[row].to_f64() / f64::from(1u32 << weight_type.fraction_bits) * unit;
                let code = f64::from(matrix.scales[index]);
                // Half a code, plus the FP16 quotient's rounding.
                let room = channel * 0.5 + 2.0 * HALF_ULP * code * channel + SMALLEST / 2.0 * channel;
                if code == 0.0 {
                    let least = books.iter().map(|b| b.scale(weights).to_f64()).fold(f64::INFINITY, f64::min);
                    prop_assert!(least <= room, "{} {least} {channel}", weight_type.name);
                    continue;
                }
                let selector = matrix.selectors[index];
                let scale = books[usize::from(selector)].scale(weights).to_f64();
                prop_assert!((scale - code * channel).abs() <= room, "{} {scale} {code} {channel}", weight_type.name);
                for (k, w) in weights.iter().enumerate() {
                    let value = matrix.value(row, first + k) as f64 / unit;
                    let bound = nearest_distance(&weight_type, selector, w.to_f64(), scale);
                    prop_assert!((w.to_f64() - value * scale).abs() <= bound, "{} {w} {value}", weight_type.name);
                }
            }
        }
    }

    #[test]
    fn the_choice_is_the_first_least_error(seed in any::<u64>(), length in 1usize..140, size in 0u32..12) {
        let weight_type = weight_type("bitmod-fp4").unwrap();
        let weights = generated(1, length, 1e-3 * f32::from(1u16 << size), seed);
        let found = quantize_group(&weights, &weight_type).unwrap();
        prop_assert!(found.chosen);
        let error = |selector: usize| {
            let mut only = weight_type.clone();
            only.special.as_mut().unwrap().values = [weight_type.special_values()[selector]; 4];
            naive::error(&wide(&weights), &wide(&quantize_group(&weights, &only).unwrap().dequantized))
        };
        let chosen = usize::from(found.selector);
        for other in 0..4 {
            let beaten = if other < chosen { error(other) > error(chosen) } else { error(other) >= error(chosen) };
            prop_assert!(beaten);
        }
    }

    #[test]
    fn the_least_error_below_the_limit_wins_and_the_first_of_equals(errors in prop::collection::vec(0u16..0x7E01, 1..6)) {
        let errors: Vec<f16> = errors.into_iter().map(f16::from_bits).collect();
        let candidates = errors.iter().enumerate().filter(|(_, e)| e.to_f32() < 1000.0);
        let expected = candidates.min_by(|a, b| a.1.partial_cmp(b.1).unwrap().then(a.0.cmp(&b.0))).map(|(i, _)| i);
        prop_assert_eq!(choose(&errors), expected);
    }
}
