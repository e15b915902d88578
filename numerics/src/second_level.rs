//! Second scale level: 8-bit unsigned group scale codes times one FP16 channel scale.
//!
//! Published form (the authors' development repository, `reference` of the golden tests), for one output channel and one
//! candidate special value:
//! 1. group scales `s = f16(max|w| / m)`, without the first level's clamp;
//! 2. `c = f16(max s / 255)`;
//! 3. scale codes `qs = clamp(round(f16(s / c)), 0, 255)`, ties to even;
//! 4. weight codes from the *unquantized* scale, `q = round(f16(w / s))` (rounding against `c · qs` instead does not
//!    reproduce the published hashes);
//! 5. `dq = f16(f16(q · c) · qs)`, and the search compares the errors of these.
//!
//! There, `c` belongs to a candidate: groups of one output channel that chose ±5 and ±8 have different `c`. A machine has
//! one channel scale per output channel. [`quantize_matrix`](crate::quantize_matrix()) keeps the published choices and weight codes and
//! derives one `c` from the scales of the chosen candidates.

use crate::quantize_group::{Codebook, RoundedGroup, choose, codebooks, mean_squared_error, round_group};
use crate::{NumericsError, WeightType, f16, fp16};

/// Largest group scale code.
pub const LARGEST_SCALE_CODE: u8 = u8::MAX;

/// The published channel scale `f16(largest group scale / 255)`, per quantizer unit of value.
pub fn channel_scale(largest_group_scale: f16) -> f16 {
    fp16::div(largest_group_scale, f16::from_f32_const(LARGEST_SCALE_CODE as f32))
}

/// [`channel_scale`], but the next FP16 number up where that one is so small (a subnormal) that its rounding would
/// push the largest group scale beyond code 255, and never zero for a scale that is not: nothing saturates.
pub fn executable_channel_scale(largest_group_scale: f16) -> f16 {
    let scale = channel_scale(largest_group_scale);
    let code = fp16::div(largest_group_scale, scale).to_f32().round_ties_even(); // NaN for 0 / 0: an all-zero row
    if code > f32::from(LARGEST_SCALE_CODE) { f16::from_bits(scale.to_bits() + 1) } else { scale }
}

/// The code of a group scale: `clamp(round(f16(scale / channel_scale)), 0, 255)`, 0 for a zero scale.
pub fn scale_code(scale: f16, channel_scale: f16) -> u8 {
    if scale == f16::ZERO {
        return 0;
    }
    fp16::div(scale, channel_scale).to_f32().round_ties_even().clamp(0.0, f32::from(LARGEST_SCALE_CODE)) as u8
}

/// A group quantized at the published second level.
#[derive(Debug, Clone, PartialEq)]
pub struct SecondLevelGroup {
    /// One code a weight.
    pub codes: Vec<u16>,
    /// Index of the special value; 0 for types without any and for groups without a choice.
    pub selector: u8,
    /// The zero point less 2^(b-1); 0 for types without.
    pub zero_point: i8,
    /// Whether a candidate was good enough; otherwise the published code gives all zeros ("choice -1").
    pub chosen: bool,
    /// The group scale before its quantization, per quantizer unit of value; zero without a choice.
    pub scale: f16,
    /// The scale's code under the candidate's own channel scale.
    pub scale_code: u8,
    /// The weights as they come back, `f16(f16(value · channel scale) · scale code)`.
    pub dequantized: Vec<f16>,
}

/// Quantizes one output channel at the published second level; groups in order. Weights are finite.
///
/// # Errors
/// As [`Codebook::new`]; `Shape` for `group` 0.
pub fn second_level_row(
    row: &[f16],
    group: usize,
    weight_type: &WeightType,
) -> Result<Vec<SecondLevelGroup>, NumericsError> {
    if group == 0 {
        return Err(NumericsError::Shape { what: "group".into(), found: "0".into(), expected: "at least 1".into() });
    }
    Ok(second_level_with(row, group, &codebooks(weight_type)?))
}

/// [`second_level_row`] with the codebooks made once.
pub(crate) fn second_level_with(row: &[f16], group: usize, books: &[Codebook]) -> Vec<SecondLevelGroup> {
    let mut candidates: Vec<_> =
        (0u8..).zip(books).map(|(selector, book)| candidate_row(row, group, book, selector).into_iter()).collect();
    row.chunks(group)
        .map(|weights| {
            // One group of every candidate.
            let mut groups: Vec<SecondLevelGroup> = candidates.iter_mut().filter_map(Iterator::next).collect();
            if groups.len() == 1 {
                return groups.swap_remove(0); // no search, hence no error limit
            }
            let errors: Vec<f16> = groups.iter().map(|g| mean_squared_error(weights, &g.dequantized)).collect();
            match choose(&errors) {
                Some(index) => groups.swap_remove(index),
                None => SecondLevelGroup {
                    codes: vec![books[0].zero_code(); weights.len()],
                    selector: 0,
                    zero_point: 0,
                    chosen: false,
                    scale: f16::ZERO,
                    scale_code: 0,
                    dequantized: vec![f16::ZERO; weights.len()],
                },
            }
        })
        .collect()
}

/// Every group of a row under one candidate.
fn candidate_row(row: &[f16], group: usize, book: &Codebook, selector: u8) -> Vec<SecondLevelGroup> {
    let scales: Vec<f16> = row.chunks(group).map(|weights| book.scale(weights)).collect();
    let channel = channel_scale(scales.iter().copied().fold(f16::ZERO, f16::max));
    let quantize = |(weights, scale): (&[f16], &f16)| {
        let RoundedGroup { codes, mut values, zero_point } = round_group(weights, book, *scale);
        let scale_code = scale_code(*scale, channel);
        values.iter_mut().for_each(|value| *value *= channel.to_f32());
        fp16::round_slice(&mut values);
        values.iter_mut().for_each(|value| *value *= f32::from(scale_code));
        let dequantized = fp16::from_f32_slice(&values);
        SecondLevelGroup { codes, selector, zero_point, chosen: true, scale: *scale, scale_code, dequantized }
    };
    row.chunks(group).zip(&scales).map(quantize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_scale_never_saturates_and_nothing_is_lost() {
        for bits in 0..0x7C00u16 {
            let scale = f16::from_bits(bits);
            let channel = executable_channel_scale(scale);
            assert!(channel >= channel_scale(scale));
            let ratio = scale.to_f64() / channel.to_f64();
            if bits == 0 {
                assert_eq!(channel, f16::ZERO);
                continue;
            }
            assert!(ratio < 255.5, "{bits:#06x}: {ratio}");
            // A larger channel scale than needed would waste codes: within one unit in the last place of max / 255.
            let ideal = scale.to_f64() / 255.0;
            assert!(channel.to_f64() - ideal <= (ideal / 1024.0).max(1.0 / 16_777_216.0), "{bits:#06x}");
            let published = channel_scale(scale);
            assert!(published.to_bits() < 0x400 || channel == published, "{bits:#06x}: changed a normal number");
        }
    }

    #[test]
    fn scale_codes_round_to_even_and_clamp() {
        let one = f16::ONE;
        assert_eq!(scale_code(f16::from_f32(2.5), one), 2);
        assert_eq!(scale_code(f16::from_f32(3.5), one), 4);
        assert_eq!(scale_code(f16::from_f32(300.0), one), 255);
        assert_eq!(scale_code(f16::ZERO, f16::ZERO), 0);
        assert_eq!(scale_code(one, f16::ZERO), 255);
    }
}
