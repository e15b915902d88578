//! The exact reference: integers all the way, one rounding to FP16 at the end.
//!
//! A finite FP16 activation is an integer below 2^40 times 2^-24; the group sums of integer activations and integer
//! weight values are summed times their scales, integers too in units of the smallest, the total is multiplied by the channel scale's significand. Nothing
//! is lost, so the order of operations, threads and vector widths cannot matter. The bound on the number of bits is
//! checked before the first addition.

use bitmosaic_numerics::exact::{power_of_two, round_to_fp16};
use bitmosaic_numerics::fp16::{CANONICAL_NAN, decode};
use bitmosaic_numerics::{QuantizedMatrix, f16};

use crate::KernelError;
use crate::operands::{
    map_output_channels, non_finite_tokens, row_scale_units, row_values, sum_bits, tokens, value_bits,
};

/// Bits of a finite FP16 magnitude in units of 2^-24.
const ACTIVATION_BITS: u32 = 40;
const SIGNIFICAND_BITS: u32 = 11;

/// Exact outputs, all `[tokens, output_channels]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExactResult {
    /// Rows.
    pub tokens: usize,
    /// Columns.
    pub output_channels: usize,
    /// The exact sum rounded once to FP16: ties to even, overflow to infinity, exact zero +0, subnormals exact.
    pub outputs: Vec<f16>,
    /// The binary64 number nearest to the exact sum; NaN for a token that is not finite.
    pub values: Vec<f64>,
    /// The binary64 number nearest to the exact `Σ |activation · weight|`: what errors are measured against.
    pub magnitudes: Vec<f64>,
}

/// Exact product of activations `[tokens, input_channels]` and quantized weights.
///
/// # Errors
/// `Matrix` or `Shape` for operands that do not fit, `TooWide` if 127 bits cannot hold every possible sum.
pub fn exact(activations: &[f16], weights: &QuantizedMatrix) -> Result<ExactResult, KernelError> {
    let tokens = tokens(activations, weights)?;
    check_exact_sum(weights)?;
    let narrow = ACTIVATION_BITS + value_bits(weights) + sum_bits(weights.group) <= 63;
    let non_finite = non_finite_tokens(activations, weights.input_channels);
    let integers: Vec<i64> = activations.iter().map(|a| integer(*a)).collect();
    let elements = map_output_channels(tokens, weights.output_channels, |output_channel| {
        let values = row_values(weights, output_channel);
        let scales = row_scale_units(weights, output_channel);
        let channel = decode(weights.channel_scales[output_channel]);
        let exponent = channel.exponent as i32 - 25 - 24 - weights.weight_type.fraction_bits as i32
            + weights.scale_kind.smallest_exponent();
        let one_token = |(activations, non_finite): (&[i64], &bool)| {
            if *non_finite {
                return (f16::from_bits(CANONICAL_NAN), f64::NAN, f64::NAN);
            }
            let groups = activations.chunks(weights.group).zip(values.chunks(weights.group)).zip(&scales);
            let (mut sum, mut magnitude) = (0i128, 0i128);
            for ((activations, values), scale) in groups {
                let [s, m] = if narrow { narrow_sums(activations, values) } else { wide_sums(activations, values) };
                sum += s * scale;
                magnitude += m * scale;
            }
            sum *= i128::from(channel.significand);
            magnitude *= i128::from(channel.significand.unsigned_abs());
            let unit = power_of_two(exponent);
            (round_to_fp16(sum, exponent), sum as f64 * unit, magnitude as f64 * unit)
        };
        integers.chunks(weights.input_channels).zip(&non_finite).map(one_token).collect()
    });
    Ok(ExactResult {
        tokens,
        output_channels: weights.output_channels,
        outputs: elements.iter().map(|e| e.0).collect(),
        values: elements.iter().map(|e| e.1).collect(),
        magnitudes: elements.iter().map(|e| e.2).collect(),
    })
}

/// Refuses weights whose sums 127 bits might not hold.
pub(crate) fn check_exact_sum(weights: &QuantizedMatrix) -> Result<(), KernelError> {
    let factors = ACTIVATION_BITS + value_bits(weights) + weights.scale_kind.unit_bits() + SIGNIFICAND_BITS;
    let bits = factors + sum_bits(weights.input_channels);
    if bits > 127 {
        return Err(KernelError::TooWide { what: "the exact sum", bits, limit: 127 });
    }
    Ok(())
}

/// A finite FP16 number in units of 2^-24; 0 for NaN and infinities, whose tokens are never summed.
pub(crate) fn integer(activation: f16) -> i64 {
    let decoded = decode(activation);
    if decoded.is_finite() { i64::from(decoded.significand) << (decoded.exponent - 1) } else { 0 }
}

/// `[Σ a·v, Σ |a·v|]` of one group that fits 63 bits.
fn narrow_sums(activations: &[i64], values: &[i64]) -> [i128; 2] {
    let (mut sum, mut magnitude) = (0i64, 0i64);
    for (a, v) in activations.iter().zip(values) {
        let product = a * v;
        sum += product;
        magnitude += product.abs();
    }
    [sum.into(), magnitude.into()]
}

/// [`narrow_sums`] for wide weight types.
fn wide_sums(activations: &[i64], values: &[i64]) -> [i128; 2] {
    let (mut sum, mut magnitude) = (0i128, 0i128);
    for (a, v) in activations.iter().zip(values) {
        let product = i128::from(*a) * i128::from(*v);
        sum += product;
        magnitude += product.abs();
    }
    [sum, magnitude]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_are_integers_in_units_of_the_smallest_subnormal() {
        assert_eq!(integer(f16::from_bits(1)), 1);
        assert_eq!(integer(f16::from_bits(0x8400)), -1024);
        assert_eq!(integer(f16::ONE), 1 << 24);
        assert_eq!(integer(f16::MAX), 65504 << 24);
        assert!(integer(f16::MAX) < 1 << ACTIVATION_BITS);
    }

    #[test]
    fn narrow_and_wide_sums_agree() {
        let activations = [65504i64 << 24, -(3 << 20), 7, 0];
        let values = [16, -12, 1, 9];
        assert_eq!(narrow_sums(&activations, &values), wide_sums(&activations, &values));
        assert_eq!(wide_sums(&[1 << 39, -(1 << 39)], &[1 << 39, 1 << 39])[0], 0);
    }
}
