//! Every level of the host against the scalar references, bit by bit; the float datapath in `float`.

use bitmosaic_numerics::{CodeValue, QuantizedMatrix, Rounding, SpecialValues, WeightType, f16, registry, weight_type};
use proptest::prelude::*;
use rayon::ThreadPool;

use super::driver::{block_dispatch, exact_dispatch};
use super::scalar::Scalar;
use super::{BlockToken, Level, Mode};
use crate::exact::integer;
use crate::limbs::TokenLimbs;
use crate::packed::Store;
use crate::{BlockDatapath, ExactResult, PackedWeights, exact};
use common::{Activations, Random};

#[path = "../../../tests/common/mod.rs"]
mod common;
mod emulated;
mod float;

/// A type whose code `i` stands for `values[i]`.
fn table_type(name: &'static str, code_bits: u32, values: impl IntoIterator<Item = i32>) -> WeightType {
    let mut codes: Vec<CodeValue> = values.into_iter().map(|v| CodeValue::Value(v.into())).collect();
    codes.resize(1 << code_bits, CodeValue::Unused);
    WeightType {
        name,
        summary: "",
        code_bits,
        fraction_bits: code_bits % 3,
        codes,
        special: None,
        rounding: Rounding::TableTieToLower,
        scale_rule: bitmosaic_numerics::ScaleRule::LargestMagnitude,
    }
}

/// The registry, and types for every path: narrow and wide, 4-bit codes and bytes, with and without special values or a
/// zero, and one that does not fit signed bytes.
fn types() -> Vec<WeightType> {
    let mut special_bytes = table_type("special bytes", 5, -15..16);
    special_bytes.codes[31] = CodeValue::Special;
    special_bytes.special = Some(SpecialValues { values: [16, -16, 11, 0] });
    let mut wide_specials = table_type("wide specials", 3, [0, 1, -1, 50, 127, -128, -2]);
    wide_specials.codes[7] = CodeValue::Special;
    wide_specials.special = Some(SpecialValues { values: [-128, 127, 5, -7] });
    let own = [
        table_type("no zero", 1, [-1, 1]),
        special_bytes,
        wide_specials,
        table_type("bytes", 8, (0..256).map(|code| i32::from(code as u8 as i8))),
        table_type("narrow at its limit", 2, [0, 16, -16]),
        table_type("wide at its limit", 2, [0, 17, -17]),
        table_type("too wide", 2, [0, 1, 128, -1]),
    ];
    registry().into_iter().chain(own).collect()
}

fn pools() -> Vec<ThreadPool> {
    [1, 3].map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()).into()
}

/// Outputs, values and magnitudes as bits: NaN equals NaN, -0 is not +0.
fn bits(result: &ExactResult) -> Vec<(u16, u64, u64)> {
    let elements = result.outputs.iter().zip(&result.values).zip(&result.magnitudes);
    elements.map(|((o, v), m)| (o.to_bits(), v.to_bits(), m.to_bits())).collect()
}

fn output_bits(outputs: &[f16]) -> Vec<u16> {
    outputs.iter().map(|o| o.to_bits()).collect()
}

/// Every level, one and several threads, against the scalar references.
fn check(activations: &[f16], matrix: &QuantizedMatrix, significand_bits: u32, pools: &[ThreadPool], place: &str) {
    let machine = BlockDatapath { significand_bits, group: matrix.group };
    let expected = exact(activations, matrix).unwrap();
    let datapath = machine.outputs(activations, matrix).map(|outputs| output_bits(&outputs));
    assert!(datapath.is_ok() || matrix.magnitude_bits() > 20, "{place}");
    for level in Level::available() {
        let packed = PackedWeights::new(matrix).unwrap().with_level(level);
        for pool in pools {
            let place = format!("{level:?}, {} threads, {place}", pool.current_num_threads());
            pool.install(|| {
                let result = packed.exact(activations).unwrap();
                assert_eq!([result.tokens, result.output_channels], [expected.tokens, expected.output_channels]);
                assert_eq!(bits(&result), bits(&expected), "exact, {place}");
                let outputs = packed.outputs(activations).unwrap();
                assert_eq!(output_bits(&outputs), output_bits(&expected.outputs), "outputs, {place}");
                let outputs = packed.block_datapath(&machine, activations).map(|outputs| output_bits(&outputs));
                assert_eq!(outputs, datapath, "datapath W {significand_bits}, {place}");
            });
        }
    }
}

/// `count` types from a random one on.
fn check_types(
    count: usize,
    seed: u64,
    tokens: usize,
    shape: [usize; 2],
    group: usize,
    significand_bits: u32,
    pools: &[ThreadPool],
) {
    let mut random = Random::new(seed);
    let types = types();
    let first = random.below(types.len() as u32) as usize;
    for weight_type in types.into_iter().cycle().skip(first).take(count) {
        let matrix = random.any_matrix(&weight_type, shape, group);
        for kind in Activations::FINITE.into_iter().chain([Activations::NonFinite]) {
            let activations = random.activations(kind, tokens, shape[1]);
            let place = format!("{} {kind:?} {shape:?} group {group} seed {seed}", weight_type.name);
            check(&activations, &matrix, significand_bits, pools, &place);
        }
    }
}

#[test]
fn every_level_of_a_usual_layer() {
    println!("levels of this host: {:?}", Level::available());
    let pools = pools();
    for (seed, group, w) in [(1, 128, 14), (2, 32, 16), (3, 256, 24), (4, 64, 17)] {
        check_types(types().len(), seed, 2, [9, 600], group, w, &pools);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_level_of_any_layer(
        seed in any::<u64>(), tokens in 1usize..4, output_channels in 1usize..14, input_channels in 1usize..400,
        group in 1usize..=256, w in 4u32..=24
    ) {
        check_types(4, seed, tokens, [output_channels, input_channels], group, w, &pools());
    }
}

/// All products at their largest and of one sign, over more chunks than a 32-bit lane holds without being emptied.
#[test]
fn lanes_hold_the_largest_sums() {
    let pools = pools();
    let bytes = types().into_iter().find(|t| t.name == "bytes").unwrap();
    let limit = types().into_iter().find(|t| t.name == "narrow at its limit").unwrap();
    let extremes = [(&limit, 1u16, 2u16), (&bytes, 127, 128)];
    for (weight_type, positive, negative) in extremes {
        for group in [32, 128, 256] {
            let input_channels = 128 * 261 + 40;
            let mut matrix = Random::new(1).any_matrix(weight_type, [3, input_channels], group);
            matrix.scales.fill(255);
            for (row, code) in [positive, negative, negative].into_iter().enumerate() {
                matrix.codes[row * input_channels..(row + 1) * input_channels].fill(code);
            }
            // 65504 fills the upper limbs, -2^-24 the others: its biased form has every bit but one.
            for (first, others) in [(f16::MAX, f16::MAX), (f16::MIN, f16::MIN), (f16::MAX, f16::from_bits(0x8001))] {
                let mut activations = vec![others; input_channels];
                activations[0] = first;
                activations[1] = f16::from_bits(1);
                check(&activations, &matrix, 24, &pools, &format!("{} group {group}", weight_type.name));
                check_emulated(&activations, &matrix, weight_type.name);
            }
        }
    }
}

/// Low limbs at their most, 0xFF or 0x7F everywhere, against the largest values: 16-bit sums at their limits.
#[test]
fn lanes_hold_the_largest_pairs() {
    let pools = pools();
    for (name, codes) in [("narrow at its limit", [1u16, 2]), ("bytes", [127, 128])] {
        let weight_type = types().into_iter().find(|t| t.name == name).unwrap();
        let channels = 128 * 140;
        let mut matrix = Random::new(2).any_matrix(&weight_type, [2, channels], 128);
        matrix.scales.fill(255);
        for (row, code) in matrix.codes.chunks_exact_mut(channels).zip(codes) {
            row.fill(code);
        }
        // In units of the last activation: biased, -1 and 255 have a low limb of ones, as has 2047.
        for value in [-1.0, 127.0, -128.0, 255.0, 2047.0] {
            let mut activations = vec![f16::from_f32(value); channels];
            activations[channels - 1] = f16::ONE;
            check(&activations, &matrix, 12, &pools, &format!("{name} {value}"));
        }
    }
}

#[test]
fn types_take_the_path_they_should() {
    let mode = |weight_type: &WeightType, group| {
        let matrix = Random::new(3).any_matrix(weight_type, [2, 300], group);
        match PackedWeights::new(&matrix).unwrap().store {
            Store::Panels(panels) => Some(panels.mode()),
            Store::Matrix(_) => None,
        }
    };
    let own = |name| types().into_iter().find(|t| t.name == name).unwrap();
    let int4 = weight_type("int4").unwrap();
    assert_eq!([mode(&int4, 128), mode(&int4, 256), mode(&int4, 100)], [Some(Mode::Uniform); 3]);
    assert_eq!([mode(&int4, 32), mode(&int4, 64), mode(&int4, 96)], [Some(Mode::Segmented); 3]);
    assert_eq!(
        [mode(&own("narrow at its limit"), 128), mode(&own("wide at its limit"), 128)],
        [Some(Mode::Uniform), Some(Mode::Wide)]
    );
    assert_eq!([mode(&own("bytes"), 32), mode(&own("too wide"), 32)], [Some(Mode::Wide), None]);
}

#[test]
fn the_panels_of_a_layer_are_little_more_than_its_codes() {
    let matrix = Random::new(4).any_matrix(&weight_type("bitmod-fp4").unwrap(), [64, 4096], 128);
    let codes = 64 * 4096 / 2;
    assert!(PackedWeights::new(&matrix).unwrap().bytes() <= codes + codes / 12);
}

#[test]
fn operands_that_do_not_fit_are_refused_as_by_the_scalar_references() {
    let matrix = Random::new(5).any_matrix(&weight_type("int4").unwrap(), [3, 40], 16);
    let packed = PackedWeights::new(&matrix).unwrap();
    for length in [0, 39, 41] {
        let activations = vec![f16::ONE; length];
        let machine = BlockDatapath { significand_bits: 14, group: 16 };
        assert_eq!(packed.exact(&activations), exact(&activations, &matrix));
        assert_eq!(packed.outputs(&activations).err(), exact(&activations, &matrix).err());
        assert_eq!(packed.block_datapath(&machine, &activations), machine.outputs(&activations, &matrix));
    }
    for (significand_bits, group) in [(3, 16), (25, 16), (14, 8)] {
        let (machine, activations) = (BlockDatapath { significand_bits, group }, [f16::ONE; 40]);
        assert_eq!(packed.block_datapath(&machine, &activations), machine.outputs(&activations, &matrix));
        assert!(machine.outputs(&activations, &matrix).is_err());
    }
    let mut broken = matrix;
    broken.scales.pop();
    assert!(PackedWeights::new(&broken).is_err());
}

/// Every panel of a matrix and token through the source of the AVX-512 level on emulated instructions, as by the scalar level.
fn check_emulated(activations: &[f16], matrix: &QuantizedMatrix, place: &str) {
    let packed = PackedWeights::new(matrix).unwrap();
    let Store::Panels(panels) = &packed.store else { return };
    let (layout, bits) = (panels.layout(matrix.group), panels.mode().limb_bits());
    for token in activations.chunks(matrix.input_channels) {
        let integers: Vec<i64> = token.iter().map(|a| integer(*a)).collect();
        let units = vec![1.0 / 1024.0; matrix.groups()];
        let signed = TokenLimbs::signed(&integers, layout, bits);
        let magnitudes = TokenLimbs::magnitudes(&integers, layout, bits);
        let narrow: Vec<i64> = integers.iter().map(|i| i >> 18).collect();
        let aligned = TokenLimbs::aligned(&narrow, layout, bits, 24);
        let token = BlockToken { limbs: &aligned.limbs, bias: aligned.bias as f64, units: &units };
        for panel in 0..panels.panels() {
            let view = panels.panel(panel);
            // SAFETY: neither level uses an instruction that a host may lack.
            unsafe {
                for (limbs, absolute) in [(&signed, false), (&magnitudes, true)] {
                    let expected = exact_dispatch::<Scalar>(&view, &limbs.limbs, absolute);
                    let found = exact_dispatch::<emulated::avx512::Avx512>(&view, &limbs.limbs, absolute);
                    assert_eq!(found, expected, "{place}");
                }
                let expected = block_dispatch::<Scalar>(&view, token);
                assert_eq!(block_dispatch::<emulated::avx512::Avx512>(&view, token), expected, "{place}");
            }
        }
    }
}

#[test]
fn the_source_of_the_avx512_level_is_right_on_emulated_instructions() {
    let mut random = Random::new(6);
    for weight_type in types() {
        for group in [128, 32, 75] {
            let matrix = random.any_matrix(&weight_type, [5, 300], group);
            for kind in Activations::FINITE {
                let place = format!("{} {kind:?} group {group}", weight_type.name);
                check_emulated(&random.activations(kind, 1, 300), &matrix, &place);
            }
        }
    }
}
