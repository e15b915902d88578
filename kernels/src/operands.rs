//! Checks and views that all references share.

use bitmosaic_numerics::{QuantizedMatrix, Scale, f16};
use rayon::prelude::*;

use crate::KernelError;

/// Checks the operands and gives the number of tokens.
pub(crate) fn tokens(activations: &[f16], weights: &QuantizedMatrix) -> Result<usize, KernelError> {
    weights.check()?;
    check_activations(activations, weights.input_channels)
}

/// The number of tokens of activations `[tokens, input_channels]`.
pub(crate) fn check_activations(activations: &[f16], input_channels: usize) -> Result<usize, KernelError> {
    if activations.is_empty() || !activations.len().is_multiple_of(input_channels) {
        return Err(KernelError::Shape {
            what: "length of the activations",
            found: activations.len().to_string(),
            expected: format!("a positive multiple of {input_channels} input channels"),
        });
    }
    Ok(activations.len() / input_channels)
}

/// Groups are whole cycles of `lanes` input channels.
pub(crate) fn check_lanes(weights: &QuantizedMatrix, lanes: usize) -> Result<(), KernelError> {
    if lanes > 0 && weights.group.is_multiple_of(lanes) {
        return Ok(());
    }
    Err(KernelError::Shape {
        what: "group of the weights",
        found: weights.group.to_string(),
        expected: format!("a multiple of the {lanes} lanes"),
    })
}

/// Integer values of one output channel, `[input_channels]`, in units of 2^-fraction_bits.
pub(crate) fn row_values(weights: &QuantizedMatrix, output_channel: usize) -> Vec<i64> {
    (0..weights.input_channels).map(|k| weights.value(output_channel, k)).collect()
}

/// Group scale codes of one output channel, `[groups]`.
pub(crate) fn row_scale_codes(weights: &QuantizedMatrix, output_channel: usize) -> &[u16] {
    let groups = weights.groups();
    &weights.scales[output_channel * groups..(output_channel + 1) * groups]
}

/// Group scales of one output channel, `[groups]`. The matrix has been checked.
pub(crate) fn row_scales(weights: &QuantizedMatrix, output_channel: usize) -> Vec<Scale> {
    let none = Scale { significand: 0, exponent: 0 };
    row_scale_codes(weights, output_channel).iter().map(|c| weights.scale_kind.decode(*c).unwrap_or(none)).collect()
}

/// Group scales of one output channel in units of 2^`smallest_exponent` of their kind, `[groups]`.
pub(crate) fn row_scale_units(weights: &QuantizedMatrix, output_channel: usize) -> Vec<i128> {
    row_scale_codes(weights, output_channel).iter().map(|c| weights.scale_kind.units(*c).into()).collect()
}

/// Bits of the largest value magnitude in this matrix, the special values it carries included, zero points subtracted, sign
/// excluded.
pub(crate) fn value_bits(weights: &QuantizedMatrix) -> u32 {
    let special = weights.special_values.iter().map(|v| u32::BITS - v.unsigned_abs().leading_zeros());
    special.fold(weights.magnitude_bits(), u32::max)
}

/// Bits that a sum of `count` terms adds.
pub(crate) fn sum_bits(count: usize) -> u32 {
    usize::BITS - count.saturating_sub(1).leading_zeros()
}

/// Tokens with a NaN or an infinity among their real input channels.
pub(crate) fn non_finite_tokens(activations: &[f16], input_channels: usize) -> Vec<bool> {
    activations.chunks(input_channels).map(|token| token.iter().any(|a| !a.is_finite())).collect()
}

/// Runs `column` for every output channel in parallel, each giving one element a token, and lays the results out as
/// `[tokens, output_channels]`.
pub(crate) fn map_output_channels<T, F>(tokens: usize, output_channels: usize, column: F) -> Vec<T>
where
    T: Copy + Send,
    F: Fn(usize) -> Vec<T> + Sync,
{
    let columns: Vec<Vec<T>> = (0..output_channels).into_par_iter().map(&column).collect();
    (0..tokens).flat_map(|token| columns.iter().map(move |c| c[token])).collect()
}
