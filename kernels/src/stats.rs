//! Errors of outputs against the exact result, and against the layer before quantization.

use bitmosaic_numerics::f16;

use crate::operands::map_output_channels;
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
    /// Root of the mean square of the normalised errors.
    pub rms_normalized: f64,
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
    check_length("length of the outputs to compare", outputs.len(), exact.outputs.len())?;
    let mut errors = OutputErrors { outputs: outputs.len() as u64, ..OutputErrors::default() };
    let (mut sum, mut squares, mut finite) = (0.0, 0.0, 0u64);
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
        squares += normalized * normalized;
        finite += 1;
        errors.max_normalized = errors.max_normalized.max(normalized);
        errors.max_ulp = errors.max_ulp.max(position(*output).abs_diff(position(*rounded)));
    }
    if finite > 0 {
        errors.mean_normalized = sum / finite as f64;
        errors.rms_normalized = (squares / finite as f64).sqrt();
    }
    Ok(errors)
}

/// How far outputs of a quantized layer are from those of the layer itself, over the outputs that are finite in both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Cosine of the angle between both, taken as vectors of all outputs.
    pub cosine: f64,
    /// Sum of squared differences / sum of squares of the layer's own outputs.
    pub relative_mse: f64,
}

/// Compares outputs with `reference` ([`unquantized`] gives it), sums in binary64 in this order; `None` where the cosine is
/// not defined: no output that is finite in both, or zeros alone.
///
/// # Errors
/// `Shape` if the lengths differ.
pub fn agreement(reference: &[f64], outputs: &[f16]) -> Result<Option<Agreement>, KernelError> {
    check_length("length of the outputs to compare", outputs.len(), reference.len())?;
    let (mut products, mut own, mut reference_squares, mut differences) = (0.0, 0.0, 0.0, 0.0);
    for (r, o) in reference.iter().zip(outputs).filter(|(r, o)| r.is_finite() && o.is_finite()) {
        let o = o.to_f64();
        products += r * o;
        own += o * o;
        reference_squares += r * r;
        differences += (o - r) * (o - r);
    }
    let defined = own > 0.0 && reference_squares > 0.0;
    let agreement = || Agreement {
        cosine: products / (own.sqrt() * reference_squares.sqrt()),
        relative_mse: differences / reference_squares,
    };
    Ok(defined.then(agreement))
}

/// The layer before quantization: products `[tokens, output_channels]` of activations `[tokens, input_channels]` and weights
/// `[output_channels, input_channels]`, both as the model has them (FP32), products and sums in binary64 over ascending input
/// channels, not rounded.
///
/// # Errors
/// `Shape` for lengths that are no multiple of the input channels.
pub fn unquantized(activations: &[f32], weights: &[f32], input_channels: usize) -> Result<Vec<f64>, KernelError> {
    for (what, length) in [("length of the activations", activations.len()), ("length of the weights", weights.len())] {
        if input_channels == 0 || length == 0 || !length.is_multiple_of(input_channels) {
            let expected = format!("a positive multiple of {input_channels} input channels");
            return Err(KernelError::Shape { what, found: length.to_string(), expected });
        }
    }
    let dot = |a: &[f32], w: &[f32]| a.iter().zip(w).fold(0.0, |sum, (a, w)| sum + f64::from(*a) * f64::from(*w));
    Ok(map_output_channels(activations.len() / input_channels, weights.len() / input_channels, |output_channel| {
        let row = &weights[output_channel * input_channels..(output_channel + 1) * input_channels];
        activations.chunks(input_channels).map(|token| dot(token, row)).collect()
    }))
}

fn check_length(what: &'static str, found: usize, expected: usize) -> Result<(), KernelError> {
    if found == expected {
        return Ok(());
    }
    Err(KernelError::Shape { what, found: found.to_string(), expected: expected.to_string() })
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
        assert_eq!(e.rms_normalized, (0.125 * 0.125 / 3.0f64).sqrt());
    }

    #[test]
    fn agreement_by_hand() {
        // Two tokens of two channels, three output channels.
        let outputs = unquantized(&[1.0, 2.0, -1.0, 0.5], &[1.0, 0.0, 0.0, 1.0, 2.0, -1.0], 2).unwrap();
        assert_eq!(outputs, [1.0, 2.0, 0.0, -1.0, 0.5, -2.5]);
        let half = outputs.iter().map(|v| f16::from_f32(*v as f32 / 2.0)).collect::<Vec<_>>();
        let same = agreement(&outputs, &half).unwrap().unwrap();
        assert!((same.cosine - 1.0).abs() < 1e-15, "{same:?}");
        assert_eq!(same.relative_mse, 0.25);
        let right_angle = agreement(&[3.0, 0.0, f64::NAN], &[0.0, 4.0, 1.0].map(f16::from_f32)).unwrap().unwrap();
        assert_eq!((right_angle.cosine, right_angle.relative_mse), (0.0, 25.0 / 9.0));
        assert_eq!(agreement(&[1.0], &[f16::INFINITY]).unwrap(), None);
        assert_eq!(agreement(&[0.0], &[f16::ONE]).unwrap(), None);
        assert!(agreement(&[1.0], &[]).is_err());
        assert!(unquantized(&[1.0; 3], &[1.0; 2], 2).is_err() && unquantized(&[1.0], &[1.0], 0).is_err());
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
