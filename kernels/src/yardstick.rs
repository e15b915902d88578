//! Yardsticks: what conventional floating-point machines give on the same quantized weights.
//!
//! The weight is one FP16 number, `f16(value · 2^-fraction_bits · group scale code · channel scale)`: the exact product
//! rounded once, which is kinder to the yardstick than rounding the scale first. Sums run over ascending input channels
//! from +0.

use bitmosaic_numerics::exact::round_to_fp16;
use bitmosaic_numerics::fp16::{CANONICAL_NAN, add, decode, mul};
use bitmosaic_numerics::{QuantizedMatrix, f16};

use crate::KernelError;
use crate::operands::{map_output_channels, non_finite_tokens, row_scale_units, row_values, tokens};

/// FP16 product and FP16 accumulator, each rounded to nearest even. Outputs `[tokens, output_channels]`; an accumulator
/// that overflows stays infinite, and infinities of both signs give the canonical NaN.
///
/// # Errors
/// `Matrix` or `Shape` for operands that do not fit.
pub fn fp16_outputs(activations: &[f16], weights: &QuantizedMatrix) -> Result<Vec<f16>, KernelError> {
    outputs(activations, weights, |activations, weights| {
        activations.iter().zip(weights).fold(f16::ZERO, |sum, (a, w)| add(sum, mul(*a, *w)))
    })
}

/// Exact product (22 bits fit binary32) and FP32 accumulator, rounded to nearest even; then one rounding to FP16.
/// Outputs `[tokens, output_channels]`.
///
/// # Errors
/// `Matrix` or `Shape` for operands that do not fit.
pub fn fp32_outputs(activations: &[f16], weights: &QuantizedMatrix) -> Result<Vec<f16>, KernelError> {
    outputs(activations, weights, |activations, weights| {
        let products = activations.iter().zip(weights).map(|(a, w)| a.to_f32() * w.to_f32());
        f16::from_f32(products.fold(0f32, |sum, product| sum + product))
    })
}

/// The FP16 weights of one output channel, `[input_channels]`.
pub fn fp16_weights(weights: &QuantizedMatrix, output_channel: usize) -> Vec<f16> {
    let scales = row_scale_units(weights, output_channel);
    let channel = decode(weights.channel_scales[output_channel]);
    let exponent = channel.exponent as i32 - 25 - weights.weight_type.fraction_bits as i32
        + weights.scale_kind.smallest_exponent();
    let weight = |(k, value): (usize, i64)| {
        let scale = scales[k / weights.group] * i128::from(channel.significand);
        round_to_fp16(i128::from(value) * scale, exponent)
    };
    row_values(weights, output_channel).into_iter().enumerate().map(weight).collect()
}

fn outputs(
    activations: &[f16],
    weights: &QuantizedMatrix,
    dot: impl Fn(&[f16], &[f16]) -> f16 + Sync,
) -> Result<Vec<f16>, KernelError> {
    let tokens = tokens(activations, weights)?;
    let non_finite = non_finite_tokens(activations, weights.input_channels);
    Ok(map_output_channels(tokens, weights.output_channels, |output_channel| {
        let row = fp16_weights(weights, output_channel);
        let one_token = |(activations, non_finite): (&[f16], &bool)| {
            let output = if *non_finite { f16::NAN } else { dot(activations, &row) };
            if output.is_nan() { f16::from_bits(CANONICAL_NAN) } else { output }
        };
        activations.chunks(weights.input_channels).zip(&non_finite).map(one_token).collect()
    }))
}
