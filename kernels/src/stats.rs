//! Errors of outputs against the exact result.

use bitmosaic_numerics::f16;

use crate::{ExactResult, KernelError};

/// How far outputs are from the exact result. Normalised errors are `|output - exact sum| / Σ |activation · weight|` of the
/// same output (the exact sum before its rounding), over the outputs that are finite in both.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct OutputErrors {
    /// Outputs compared.
    pub outputs: u64,
    /// Outputs whose bits differ from the exact sum rounded to FP16 (+0 and -0 differ).
    pub differing: u64,
    /// Outputs that are finite on one side only, or infinite with another sign, or NaN on one side only.
    pub non_finite_mismatches: u64,
    /// Mean normalised error.
    pub mean_normalized: f64,
    /// Largest normalised error; infinite if an output is not zero though every product is.
    pub max_normalized: f64,
    /// Largest distance from the exact sum rounded to FP16, in steps between neighbouring FP16 numbers.
    pub max_ulp: u32,
}

/// Compares outputs `[tokens, output_channels]` with the exact result.
///
/// # Errors
/// `Shape` if the lengths differ.
pub fn output_errors(exact: &ExactResult, outputs: &[f16]) -> Result<OutputErrors, KernelError> {
    if outputs.len() != exact.outputs.len() {
        return Err(KernelError::Shape {
            what: "length of the outputs to compare",
            found: outputs.len().to_string(),
            expected: exact.outputs.len().to_string(),
        });
    }
    let mut errors = OutputErrors { outputs: outputs.len() as u64, ..OutputErrors::default() };
    let (mut sum, mut finite) = (0.0, 0u64);
    for (i, (output, rounded)) in outputs.iter().zip(&exact.outputs).enumerate() {
        let same = output.to_bits() == rounded.to_bits();
        errors.differing += u64::from(!same);
        if !output.is_finite() || !rounded.is_finite() {
            errors.non_finite_mismatches += u64::from(!same);
            continue;
        }
        let error = (output.to_f64() - exact.values[i]).abs();
        let normalized = if error == 0.0 { 0.0 } else { error / exact.magnitudes[i] };
        sum += normalized;
        finite += 1;
        errors.max_normalized = errors.max_normalized.max(normalized);
        errors.max_ulp = errors.max_ulp.max(position(*output).abs_diff(position(*rounded)));
    }
    errors.mean_normalized = if finite == 0 { 0.0 } else { sum / finite as f64 };
    Ok(errors)
}

/// Position of a finite number on the FP16 number line, both zeros at 0.
fn position(value: f16) -> i32 {
    let magnitude = i32::from(value.to_bits() & 0x7FFF);
    if value.to_bits() >> 15 != 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(values: &[f64], magnitude: f64) -> ExactResult {
        ExactResult {
            tokens: 1,
            output_channels: values.len(),
            outputs: values.iter().map(|v| f16::from_f32(*v as f32)).collect(),
            values: values.to_vec(),
            magnitudes: vec![magnitude; values.len()],
        }
    }

    #[test]
    fn errors_by_hand() {
        let exact = exact(&[1.0, -2.0, 0.0, 1e6], 4.0);
        let outputs = [1.5, -2.0, 0.0, f32::INFINITY].map(f16::from_f32);
        let e = output_errors(&exact, &outputs).unwrap();
        assert_eq!((e.outputs, e.differing, e.non_finite_mismatches), (4, 1, 0));
        assert_eq!((e.max_normalized, e.max_ulp), (0.125, 512));
        assert_eq!(e.mean_normalized, 0.125 / 3.0);
    }

    #[test]
    fn zeros_neighbours_and_infinities() {
        let around_zero = exact(&[f64::from(f16::from_bits(0x8001).to_f32()), 0.0], 0.0);
        let e = output_errors(&around_zero, &[f16::from_bits(1), f16::from_bits(0x8000)]).unwrap();
        assert_eq!((e.max_ulp, e.differing, e.max_normalized), (2, 2, f64::INFINITY));
        let e = output_errors(&exact(&[1e6, 1.0, -1e6], 1.0), &[f16::ONE, f16::NAN, f16::INFINITY]).unwrap();
        assert_eq!((e.non_finite_mismatches, e.mean_normalized, e.max_ulp), (3, 0.0, 0));
        assert!(output_errors(&exact(&[1.0], 1.0), &[]).is_err());
    }
}
