//! Every level of the float datapath against its scalar form, bit by bit.

use bitmosaic_numerics::{QuantizedMatrix, WeightType, f16, registry, weight_type};
use proptest::prelude::*;
use rayon::ThreadPool;

use super::common::{Activations, Random};
use super::{emulated, output_bits, table_type, types};
use crate::packed_digits::{PackedDigits, Store};
use crate::simd::Level;
use crate::simd::float::{dispatch, scalar};
use crate::{FloatDatapath, KernelError};

fn pools() -> Vec<ThreadPool> {
    [1, 2].map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()).into()
}

/// The registry's types that the machine executes, and others: with special values in bytes, without a zero.
fn executed() -> Vec<WeightType> {
    let machine = FloatDatapath { lanes: 1, guard_bits: 0, accumulator_guard_bits: 0 };
    let mut random = Random::new(0);
    let executes = |t: &WeightType| machine.check(&random.quantized_matrix(t, [1, 16], 16)).is_ok();
    let all: Vec<WeightType> = types().into_iter().filter(executes).collect();
    assert!(all.iter().filter(|t| registry().iter().any(|r| r.name == t.name)).count() >= 18, "{}", all.len());
    all
}

/// Every level, one thread and two, and the AVX-512 source on emulated instructions, against the scalar form. Returns
/// whether there were panels.
fn check(machine: &FloatDatapath, activations: &[f16], matrix: &QuantizedMatrix, place: &str) -> bool {
    let expected = machine.outputs(activations, matrix);
    let packed = match PackedDigits::new(machine, matrix) {
        Ok(packed) => packed,
        Err(error) => {
            assert_eq!(expected, Err(error), "{place}");
            return false;
        }
    };
    let expected = output_bits(&expected.unwrap());
    for level in Level::available() {
        let packed = packed.clone().with_level(level);
        for pool in pools() {
            let outputs = pool.install(|| packed.outputs(activations)).unwrap();
            let threads = pool.current_num_threads();
            assert_eq!(output_bits(&outputs), expected, "{level:?}, {threads} threads, {machine:?}, {place}");
        }
    }
    let Store::Panels(panels) = &packed.store else { return false };
    for token in activations.chunks(matrix.input_channels).filter(|t| t.iter().all(|a| a.is_finite())) {
        let multiples = packed.multiples(token, panels);
        for panel in 0..panels.count() {
            for group in 0..panels.groups() {
                let view = panels.group(panel, group, &multiples);
                // SAFETY: neither level uses an instruction that a host may lack.
                let (found, expected) = unsafe {
                    let found = dispatch::<emulated::float_avx512::Avx512>(machine, view);
                    (found, dispatch::<scalar::Scalar>(machine, view))
                };
                assert_eq!(found, expected, "emulated, {machine:?}, {place}");
            }
        }
    }
    true
}

const LANES: [usize; 5] = [1, 2, 4, 8, 16];

#[test]
fn every_type_and_kind_of_activations() {
    let mut random = Random::new(11);
    for (i, weight_type) in executed().iter().enumerate() {
        for (j, kind) in Activations::FINITE.into_iter().chain([Activations::NonFinite]).enumerate() {
            let group = [128, 32, 256, 64, 48][j % 5];
            let machine = FloatDatapath {
                lanes: LANES[(i + j) % LANES.len()],
                guard_bits: (i + 3 * j) as u32 % 9,
                accumulator_guard_bits: (2 * i + j) as u32 % 4,
            };
            let matrix = random.quantized_matrix(weight_type, [19, 300], group);
            let activations = random.activations(kind, 2, 300);
            let place = format!("{} {kind:?} group {group}", weight_type.name);
            check(&machine, &activations, &matrix, &place);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Three types each.
    #[test]
    fn any_machine_and_layer(
        seed in any::<u64>(), tokens in 1usize..4, output_channels in 1usize..40, input_channels in 1usize..400,
        lanes in 0usize..6, group in 16usize..=256, guard_bits in 0u32..=8, accumulator_guard_bits in 0u32..=8
    ) {
        let lanes = [1, 2, 4, 8, 16, 3][lanes];
        let machine = FloatDatapath { lanes, guard_bits, accumulator_guard_bits };
        let group = (group / lanes * lanes).max(lanes);
        let mut random = Random::new(seed);
        let types = executed();
        for i in 0..3 {
            let weight_type = &types[random.below(types.len() as u32) as usize];
            let matrix = random.any_matrix(weight_type, [output_channels, input_channels], group);
            for kind in [Activations::FINITE[random.below(6) as usize], Activations::AnyFinite, Activations::NonFinite] {
                let activations = random.activations(kind, tokens, input_channels);
                let place = format!("{} {kind:?} group {group} seed {seed} {i}", weight_type.name);
                check(&machine, &activations, &matrix, &place);
            }
        }
    }
}

/// Nothing shifted away, all of one sign, in the widest accumulator that has panels: 31 bits, and 32 that has none.
#[test]
fn the_widest_accumulator_holds_the_largest_sums() {
    let fp4 = weight_type("bitmod-fp4").unwrap();
    for (accumulator_guard_bits, panels) in [(4, true), (5, false)] {
        let machine = FloatDatapath { lanes: 8, guard_bits: 6, accumulator_guard_bits };
        assert_eq!(machine.accumulator_bits(256, 2), if panels { 31 } else { 32 });
        let mut matrix = Random::new(1).any_matrix(&fp4, [2, 256], 256);
        matrix.special_values = [20; 4]; // 4 + 4·4
        matrix.scales.fill(255);
        matrix.codes.fill(fp4.special_code().unwrap());
        for value in [f16::MAX, f16::MIN] {
            assert_eq!(check(&machine, &[value; 256], &matrix, "largest"), panels);
        }
    }
}

/// Products that are all zero in a cycle, whose plane lies above the accumulator's exponent: nothing moves.
#[test]
fn cycles_without_products_leave_small_accumulators() {
    let one_or_four = table_type("four planes", 2, [1, 0, 85, 64]);
    let machine = FloatDatapath { lanes: 4, guard_bits: 3, accumulator_guard_bits: 0 };
    let mut matrix = Random::new(2).any_matrix(&one_or_four, [17, 40], 20);
    for smallest in [f16::from_bits(1), f16::from_bits(0x8003), f16::from_bits(0x0401)] {
        for code in 0..4 {
            matrix.codes.iter_mut().step_by(3).for_each(|c| *c = code);
            let activations: Vec<f16> = (0..40).map(|i| if i % 7 < 3 { smallest } else { f16::ZERO }).collect();
            assert!(check(&machine, &activations, &matrix, "without products"));
        }
    }
}

#[test]
fn operands_that_do_not_fit_are_refused_as_by_the_scalar_form() {
    let machine = FloatDatapath::BITMOD;
    let matrix = Random::new(5).any_matrix(&weight_type("int4").unwrap(), [3, 40], 16);
    let packed = PackedDigits::new(&machine, &matrix).unwrap();
    for length in [0, 39, 41] {
        let activations = vec![f16::ONE; length];
        assert_eq!(packed.outputs(&activations), machine.outputs(&activations, &matrix));
    }
    let refused = |machine: FloatDatapath, matrix: &QuantizedMatrix| {
        let error = PackedDigits::new(&machine, matrix).err();
        assert_eq!(error, machine.outputs(&[f16::ONE; 40], matrix).err());
        error.expect("a refusal")
    };
    for lanes in [0, 32] {
        assert!(matches!(refused(FloatDatapath { lanes, ..machine }, &matrix), KernelError::Shape { .. }));
    }
    let wide = FloatDatapath { guard_bits: 20, accumulator_guard_bits: 20, ..machine };
    assert!(matches!(refused(wide, &matrix), KernelError::TooWide { .. }));
    let asymmetric = Random::new(5).any_matrix(&weight_type("int4-asym").unwrap(), [3, 40], 16);
    assert!(matches!(refused(machine, &asymmetric), KernelError::Shape { .. }));
    let mut broken = matrix;
    broken.scales.pop();
    assert!(matches!(refused(machine, &broken), KernelError::Matrix(_)));
}
