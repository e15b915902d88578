//! The `bit-serial-block` machine as plain mathematics, bit by bit, without cycles. Per (token, output channel):
//! 1. the aligner turns the activations of a group into W-bit two's complement integers under the group's largest
//!    exponent ([`align_group`]);
//! 2. the processing element forms the integer group sum `S = Σ value · aligned` exactly ([`group_sum`]); where groups have
//!    zero points, the scale unit subtracts zero point · Σ aligned, which makes it the sum over value - zero point;
//! 3. the scale unit gives `x = fl32(S · scale · 2^unit)`, one rounding ([`scaled_sum`]), and accumulates
//!    `acc = fl32(acc + x)` over ascending groups from +0;
//! 4. the output stage gives `f16(fl32(acc · channel scale) · 2^-fraction_bits)` ([`output`]).
//!
//! fl32 is binary32 rounding to nearest even, which the host's `f32` is. Subnormal and infinite binary32 numbers cannot
//! occur inside, so that the hardware need not have them. With W in 4..=24 and scales that are multiples of 2^-24: every `x`
//! is a multiple of 2^(1 - 25 - (W - 12) - 24) >= 2^-60, and rounding keeps multiples of a power of two; hence a non-zero
//! `acc` is at least 2^-60, times a non-zero channel scale at least 2^-84, against 2^-126 for the smallest normal number.
//! Upwards, with scales below 2^16 and value magnitudes up to 2^v an `x` is below group · 2^(v + 32); over K input channels in
//! at most 2^24 groups `acc` stays below K · 2^(v + 34), roundings included, and its product with a channel scale below
//! K · 2^(v + 50): with v <= 40 (a matrix checks it) and K <= 2^32 at most 2^122, against 2^128. Both are asserted in debug
//! builds.
//!
//! Accuracy beside FP16 accumulation (`tests/accuracy.rs`; g128, mean |error| / Σ|a·w| of `bitmod-fp4`, W = 14 against FP16
//! at K 1024): normal activations 1.0e-5 against 1.7e-4, heavy tails 1.6e-5 against 1.9e-4, heavy tails with 1 % outlier
//! channels 20 to 100 times larger 1.0e-4 against 6.6e-4. W = 14 does not win everywhere: in short
//! reductions (K 128) with such outliers its largest error often exceeds FP16's. W = 16, that of the default machine, does, but
//! for 2-bit integers (row D7 of DEVIATIONS.md).

use bitmosaic_numerics::exact::power_of_two;
use bitmosaic_numerics::fp16::{CANONICAL_NAN, decode};
use bitmosaic_numerics::{QuantizedMatrix, Scale, ScaleKind, f16};
use rayon::prelude::*;

use crate::KernelError;
use crate::operands::{map_output_channels, row_scales, row_values, sum_bits, tokens, value_bits};

/// Fewest bits of an aligned activation.
pub const SMALLEST_SIGNIFICAND_BITS: u32 = 4;
/// Most bits of an aligned activation.
pub const LARGEST_SIGNIFICAND_BITS: u32 = 24;
/// At this width the element with the largest exponent keeps exactly its 11-bit significand and a sign.
const LOSSLESS_BITS: i32 = 12;

/// Parameters of the machine that its results depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockDatapath {
    /// W: bits of an aligned activation, sign included, 4..=24.
    pub significand_bits: u32,
    /// Input channels per group, as aligned on the way into the activation buffer; that of the weights.
    pub group: usize,
}

/// One group of activations as the activation buffer holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlignedGroup {
    /// W-bit two's complement integers; `a` stands for `a · 2^(exponent - 25 - (W - 12))`.
    pub values: Vec<i32>,
    /// Largest biased exponent of the group, zeros and subnormals counting as 1; 31 if there is a NaN or an infinity.
    pub exponent: u32,
    /// Whether any activation is NaN or infinite. Such an element is aligned like a number of exponent 31, as the hardware
    /// does; the values then mean nothing.
    pub non_finite: bool,
}

impl BlockDatapath {
    /// Outputs `[tokens, output_channels]` of activations `[tokens, input_channels]`, as the machine gives them.
    ///
    /// # Errors
    /// `Matrix` or `Shape` for operands or parameters that do not fit, `TooWide` if 63 bits cannot hold every possible
    /// group sum times its scale code.
    pub fn outputs(&self, activations: &[f16], weights: &QuantizedMatrix) -> Result<Vec<f16>, KernelError> {
        let tokens = tokens(activations, weights)?;
        self.check(weights.group, value_bits(weights), weights.scale_kind)?;
        let w = self.significand_bits;
        let fraction_bits = weights.weight_type.fraction_bits;
        let aligned: Vec<Vec<AlignedGroup>> = activations
            .par_chunks(weights.input_channels)
            .map(|token| token.chunks(self.group).map(|group| align_group(group, w)).collect())
            .collect();
        Ok(map_output_channels(tokens, weights.output_channels, |output_channel| {
            let values = row_values(weights, output_channel);
            let scales = row_scales(weights, output_channel);
            let channel_scale = weights.channel_scales[output_channel];
            let one_token = |groups: &Vec<AlignedGroup>| {
                if groups.iter().any(|g| g.non_finite) {
                    return f16::from_bits(CANONICAL_NAN);
                }
                let mut accumulator = 0f32;
                for ((group, values), scale) in groups.iter().zip(values.chunks(self.group)).zip(&scales) {
                    let sum = group_sum(&group.values, values);
                    accumulator = accumulate(accumulator, scaled_sum(sum, *scale, group.exponent, w));
                }
                output(accumulator, channel_scale, fraction_bits)
            };
            aligned.iter().map(one_token).collect()
        }))
    }

    /// Refuses parameters that do not fit weights of this group, value magnitude and kind of scale.
    pub(crate) fn check(&self, group: usize, value_bits: u32, scales: ScaleKind) -> Result<(), KernelError> {
        if !(SMALLEST_SIGNIFICAND_BITS..=LARGEST_SIGNIFICAND_BITS).contains(&self.significand_bits) {
            return Err(KernelError::Shape {
                what: "significand bits of the block datapath",
                found: self.significand_bits.to_string(),
                expected: format!("{SMALLEST_SIGNIFICAND_BITS} to {LARGEST_SIGNIFICAND_BITS}"),
            });
        }
        if self.group != group {
            return Err(KernelError::Shape {
                what: "group of the block datapath",
                found: self.group.to_string(),
                expected: format!("{group}, the group of the weights"),
            });
        }
        // An aligned magnitude may be 2^(W-1): W bits.
        let bits = self.significand_bits + value_bits + sum_bits(self.group) + scales.significand_bits();
        if bits > 63 {
            return Err(KernelError::TooWide { what: "a group sum times its scale", bits, limit: 63 });
        }
        Ok(())
    }
}

/// Aligns a group to its largest exponent: W-bit two's complement including the sign, round to nearest even, saturation
/// where rounding overflows (only possible for W < 12). A short group is aligned over its real entries.
///
/// # Panics
/// If `significand_bits` is outside 4..=24.
pub fn align_group(activations: &[f16], significand_bits: u32) -> AlignedGroup {
    assert!((SMALLEST_SIGNIFICAND_BITS..=LARGEST_SIGNIFICAND_BITS).contains(&significand_bits));
    let decoded: Vec<_> = activations.iter().map(|a| decode(*a)).collect();
    let exponent = decoded.iter().map(|d| d.exponent).max().unwrap_or(1);
    let limit = 1i32 << (significand_bits - 1);
    let align = |d: &bitmosaic_numerics::fp16::Decoded| {
        let right = (exponent - d.exponent) as i32 - (significand_bits as i32 - LOSSLESS_BITS);
        let magnitude = shift_right_half_even(d.significand.unsigned_abs(), right) as i32;
        let value = if d.significand < 0 { -magnitude } else { magnitude };
        value.clamp(-limit, limit - 1)
    };
    AlignedGroup {
        values: decoded.iter().map(align).collect(),
        exponent,
        non_finite: decoded.iter().any(|d| !d.is_finite()),
    }
}

/// `Σ value · aligned` over a group, exact.
pub fn group_sum(aligned: &[i32], values: &[i64]) -> i64 {
    aligned.iter().zip(values).map(|(a, v)| i64::from(*a) * v).sum()
}

/// `fl32(sum · scale · 2^(exponent - 25 - (W - 12)))`: the exact product, whose integer must fit an `i64`, rounded once.
pub fn scaled_sum(sum: i64, scale: Scale, exponent: u32, significand_bits: u32) -> f32 {
    // The integer conversion rounds to nearest even; the power of two is exact and leaves no subnormal.
    let power = unit(exponent, significand_bits) + scale.exponent;
    let scaled = (sum * i64::from(scale.significand)) as f32 * power_of_two(power) as f32;
    debug_assert!(scaled == 0.0 || scaled.is_normal());
    scaled
}

/// Exponent of the unit of the aligned activations of a group, and of its sum.
pub(crate) fn unit(exponent: u32, significand_bits: u32) -> i32 {
    exponent as i32 - 25 - (significand_bits as i32 - LOSSLESS_BITS)
}

/// `fl32(accumulator + scaled)`.
pub fn accumulate(accumulator: f32, scaled: f32) -> f32 {
    let sum = accumulator + scaled;
    debug_assert!(sum == 0.0 || sum.is_normal());
    sum
}

/// The output stage: `f16(fl32(accumulator · channel scale) · 2^-fraction_bits)`, both roundings to nearest even,
/// overflow to infinity, exact zero +0 (also under a negative channel scale), subnormals exact.
pub fn output(accumulator: f32, channel_scale: f16, fraction_bits: u32) -> f16 {
    let product = accumulator * channel_scale.to_f32();
    let scaled = product * power_of_two(-(fraction_bits as i32)) as f32;
    debug_assert!(scaled == 0.0 || scaled.is_normal());
    if product == 0.0 { f16::ZERO } else { f16::from_f32(scaled) }
}

/// `magnitude / 2^right`, to nearest even; a negative `right` is an exact left shift.
fn shift_right_half_even(magnitude: u32, right: i32) -> u32 {
    match right {
        ..=0 => magnitude << -right,
        1..=31 => {
            let (quotient, rest) = (magnitude >> right, magnitude & ((1 << right) - 1));
            let half = 1 << (right - 1);
            quotient + u32::from(rest > half || (rest == half && quotient & 1 == 1))
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest significand, 2047, at exponent 15.
    const BELOW_TWO: f32 = 2047.0 / 1024.0;

    fn aligned(values: &[f32], w: u32) -> AlignedGroup {
        let values: Vec<f16> = values.iter().map(|v| f16::from_f32(*v)).collect();
        align_group(&values, w)
    }

    #[test]
    fn alignment_by_hand() {
        // 1 = 1024 · 2^(15 - 25). W = 12 keeps the significand of the largest, W = 14 adds two bits below it.
        let a = aligned(&[1.0, -1.0, 0.5, BELOW_TWO, 0.0], 12);
        assert_eq!((a.values, a.exponent, a.non_finite), (vec![1024, -1024, 512, 2047, 0], 15, false));
        assert_eq!(aligned(&[1.0, -0.5], 14).values, [4096, -2048]);
        // Ties to even: 2^-11 is half a unit, 3 · 2^-11 one and a half, 2^-11 + 2^-21 just above a half.
        let tie = 1.0 / 2048.0;
        assert_eq!(aligned(&[1.0, tie, 3.0 * tie, -tie, -3.0 * tie, 5.0 * tie], 12).values, [1024, 0, 2, 0, -2, 2]);
        assert_eq!(aligned(&[1.0, tie + tie / 1024.0], 12).values, [1024, 1]);
        assert_eq!(aligned(&[1.0, -tie], 13).values, [2048, -1]);
    }

    #[test]
    fn subnormals_have_exponent_1() {
        let tiny = f16::from_bits(1).to_f32();
        let a = aligned(&[tiny, -3.0 * tiny], 14);
        assert_eq!((a.values, a.exponent), (vec![4, -12], 1)); // value · 2^(1 - 25 - 2)
        let smallest_normal = 1024.0 * tiny;
        let a = aligned(&[smallest_normal, 1023.0 * tiny], 12);
        assert_eq!((a.values, a.exponent), (vec![1024, 1023], 1)); // same exponent: no shift between them
        assert_eq!(aligned(&[2.0 * smallest_normal, 3.0 * tiny], 12).values, [1024, 2]); // 1.5 to even
        assert_eq!((aligned(&[0.0, -0.0], 14).exponent, aligned(&[], 14).exponent), (1, 1));
    }

    #[test]
    fn rounding_saturates_where_it_would_overflow() {
        // W = 8 keeps 7 magnitude bits: 2047 / 16 = 127.9 rounds to 128, which only the negative side can hold.
        assert_eq!(aligned(&[BELOW_TWO, -BELOW_TWO, 1.0], 8).values, [127, -128, 64]);
        // At W >= 12 the largest magnitude is below the limit whatever rounds: one binade down 2047 / 2 gives 1024.
        assert_eq!(aligned(&[2.0, BELOW_TWO], 12).values, [1024, 1024]);
    }

    #[test]
    fn non_finite_groups_are_flagged() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let a = aligned(&[1.0, value], 14);
            assert!(a.non_finite);
            assert_eq!((a.exponent, a.values[0]), (31, 0));
        }
    }

    #[test]
    fn the_scale_unit_rounds_the_exact_product_once() {
        let code = |significand| Scale { significand, exponent: 0 };
        // 2^24 + 1 is a tie to even, times an odd code it is not any more: rounding the sum first would differ.
        assert_eq!(scaled_sum((1 << 24) + 1, code(1), 27, 14), 16_777_216.0);
        assert_eq!(scaled_sum((1 << 24) + 1, code(3), 27, 14), 50_331_652.0);
        assert_eq!(scaled_sum(-5, code(255), 15, 14), -1275.0 / 4096.0);
        assert_eq!(scaled_sum(0, code(255), 30, 14).to_bits(), 0);
        assert_eq!(scaled_sum(7, code(0), 30, 14).to_bits(), 0);
        assert_eq!(scaled_sum(1, code(1), 15, 12), 1.0 / 1024.0);
        assert_eq!(scaled_sum(3, Scale { significand: 1025, exponent: -20 }, 15, 12), 3075.0 / 1_073_741_824.0);
    }

    #[test]
    fn the_output_stage_by_hand() {
        assert_eq!(output(3.0, f16::from_f32(0.5), 1), f16::from_f32(0.75));
        assert_eq!(output(65504.0, f16::ONE, 0), f16::MAX);
        assert_eq!(output(131_040.0, f16::ONE, 0), f16::INFINITY);
        assert_eq!(output(131_040.0, f16::ONE, 1), f16::from_f32(65520.0)); // rounds to infinity
        assert_eq!(output(-1.0, f16::from_bits(1), 0).to_bits(), 0x8001);
        assert_eq!(output(-1.0, f16::from_bits(1), 1).to_bits(), 0x8000); // a tie to even, rounds to -0
        assert_eq!(output(0.0, f16::from_f32(-1.0), 0).to_bits(), 0);
        assert_eq!(output(1.0, f16::from_bits(0x8000), 0).to_bits(), 0);
    }
}
