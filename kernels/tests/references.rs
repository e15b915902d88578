//! Contracts of the references that need no oracle: NaN, zeros, threads, refusals.

mod common;

use bitmosaic_kernels::{BlockDatapath, KernelError, MacDatapath, exact, yardstick};
use bitmosaic_numerics::fp16::CANONICAL_NAN;
use bitmosaic_numerics::{CodeValue, QuantizedMatrix, f16, registry, weight_type};
use common::{Activations, Random};

/// Every reference by name; the datapath is that of the machines that execute the type.
fn all(activations: &[f16], matrix: &QuantizedMatrix) -> Vec<(&'static str, Vec<f16>)> {
    let machine = BlockDatapath { significand_bits: 14, group: matrix.group };
    let datapath = match matrix.weight_type.is_fp16() {
        true => MacDatapath { lanes: 2, guard_bits: 3, accumulator_guard_bits: 2 }.outputs(activations, matrix),
        false => machine.outputs(activations, matrix),
    };
    vec![
        ("exact", exact(activations, matrix).unwrap().outputs),
        ("datapath", datapath.unwrap()),
        ("FP16", yardstick::fp16_outputs(activations, matrix).unwrap()),
        ("FP32", yardstick::fp32_outputs(activations, matrix).unwrap()),
    ]
}

#[test]
fn a_non_finite_activation_makes_its_token_canonical_nan_and_no_other() {
    let mut random = Random::new(5);
    for weight_type in registry() {
        let (tokens, rows, channels) = (12, 5, 70);
        let matrix = random.quantized_matrix(&weight_type, [rows, channels], 32);
        let mut activations = random.activations(Activations::NonFinite, tokens, channels);
        // Token 0: only the last real input channel, against a zero weight or not. Token 1: finite.
        activations[..2 * channels].fill(f16::ONE);
        activations[channels - 1] = f16::NEG_INFINITY;
        let expected: Vec<bool> = activations.chunks(channels).map(|t| t.iter().any(|a| !a.is_finite())).collect();
        assert!(expected[0] && !expected[1]);
        for (name, outputs) in all(&activations, &matrix) {
            for (token, non_finite) in outputs.chunks(rows).zip(&expected) {
                let nan = |o: &f16| o.to_bits() == CANONICAL_NAN;
                // Finite tokens of a floating-point yardstick may still end in infinity - infinity.
                assert!(
                    if *non_finite { token.iter().all(nan) } else { name == "FP16" || !token.iter().any(nan) },
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn an_exact_zero_is_plus_zero() {
    let mut random = Random::new(6);
    for weight_type in registry() {
        let mut matrix = random.any_matrix(&weight_type, [4, 8], 4);
        matrix.channel_scales = [1.0, -1.0, -0.0, 0.0].map(f16::from_f32).to_vec();
        // x and -x against equal weights cancel; all-negative-zero activations are zero.
        for row in matrix.codes.chunks_mut(8) {
            // A row of victims is no row of weights.
            let code = if weight_type.is_victim(row[0]) { weight_type.zero_code() } else { row[0] };
            row.fill(code);
        }
        for row in 0..4 {
            (matrix.selectors[2 * row + 1], matrix.scales[2 * row + 1]) =
                (matrix.selectors[2 * row], matrix.scales[2 * row]);
            if weight_type.has_zero_point() {
                matrix.zero_points[2 * row + 1] = matrix.zero_points[2 * row];
            }
        }
        let x = [1.5, -3.0, 7.0, 0.25, -1.5, 3.0, -7.0, -0.25].map(f16::from_f32);
        let activations: Vec<f16> = x.into_iter().chain([f16::from_f32(-0.0); 8]).collect();
        for (name, outputs) in &all(&activations, &matrix)[..2] {
            assert!(outputs.iter().all(|o| o.to_bits() == 0), "{name}: {outputs:?}");
        }
    }
}

#[test]
fn the_same_bits_at_any_number_of_threads() {
    let mut random = Random::new(7);
    let matrix = random.quantized_matrix(&weight_type("bitmod-fp4").unwrap(), [33, 300], 128);
    let activations = random.activations(Activations::Outliers, 5, 300);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (exact(&activations, &matrix).unwrap(), all(&activations, &matrix)))
    };
    let one = run(1);
    assert!([2, 5].into_iter().all(|threads| run(threads) == one));
}

#[test]
fn operands_that_do_not_fit_are_refused() {
    let mut random = Random::new(8);
    let matrix = random.quantized_matrix(&weight_type("int4").unwrap(), [2, 10], 8);
    let shape = |r: Result<Vec<f16>, KernelError>| assert!(matches!(r, Err(KernelError::Shape { .. })));
    let machine = BlockDatapath { significand_bits: 14, group: 8 };
    for length in [0, 9, 11] {
        let activations = vec![f16::ONE; length];
        shape(exact(&activations, &matrix).map(|r| r.outputs));
        shape(machine.outputs(&activations, &matrix));
        shape(yardstick::fp16_outputs(&activations, &matrix));
        shape(yardstick::fp32_outputs(&activations, &matrix));
    }
    let activations = vec![f16::ONE; 10];
    for (significand_bits, group) in [(3, 8), (25, 8), (14, 16)] {
        shape(BlockDatapath { significand_bits, group }.outputs(&activations, &matrix));
    }
    let mac = MacDatapath { lanes: 4, guard_bits: 3, accumulator_guard_bits: 2 };
    shape(mac.outputs(&activations, &matrix)); // no FP16 weights
    let fp16 = random.quantized_matrix(&weight_type("fp16").unwrap(), [2, 10], 6);
    shape(mac.outputs(&activations, &fp16)); // no multiple of the lanes
    assert!(MacDatapath { lanes: 2, ..mac }.outputs(&activations, &fp16).is_ok());
    let wide = MacDatapath { lanes: 2, guard_bits: 30, ..mac };
    assert!(matches!(wide.outputs(&activations, &fp16), Err(KernelError::TooWide { .. })));
    let mut broken = matrix.clone();
    broken.codes.pop();
    assert!(matches!(exact(&activations, &broken), Err(KernelError::Matrix(_))));
}

#[test]
fn types_too_wide_for_exact_integers_are_refused_or_summed_in_128_bits() {
    let mut wide = weight_type("int4").unwrap();
    wide.codes[1] = CodeValue::Value(i32::MAX.into());
    let mut random = Random::new(9);
    let mut matrix = random.any_matrix(&wide, [1, 64], 64);
    matrix.codes.fill(1);
    matrix.scales.fill(255);
    matrix.channel_scales.fill(f16::from_bits(1));
    let result = exact(&[f16::MAX; 64], &matrix).unwrap();
    let expected = 65504.0 * 64.0 * 255.0 * f64::from(i32::MAX) / 16_777_216.0;
    assert_eq!(result.values, [expected]);
    let machine = BlockDatapath { significand_bits: 24, group: 64 };
    assert!(matches!(machine.outputs(&[f16::MAX; 64], &matrix), Err(KernelError::TooWide { .. })));
    for bits in [40, 63] {
        matrix.weight_type.codes[1] = CodeValue::Value(1 << (bits - 1));
        assert!(exact(&[f16::MAX; 64], &matrix).is_ok() == (bits == 40));
    }
    matrix.weight_type.codes[1] = CodeValue::Value(i64::MIN);
    let error = exact(&[f16::MAX; 64], &matrix).unwrap_err().to_string();
    assert!(error.contains("largest value of `int4`") && error.contains("at most 40 bits"), "{error}");
}
