//! Widths of the digits that lanes multiply by, from the executed types.

use bitmosaic_numerics::{Digit, DigitSet, WeightType};

use crate::elaborate::bits;
use crate::{Digits, ExecutedType, PeKind, ProcessingElementSpec};

/// Digits that a processing element multiplies by.
pub(crate) fn digit_set(element: &ProcessingElementSpec) -> DigitSet {
    match element.digits {
        _ if element.kind == PeKind::Fp16Mac => DigitSet::Fp16,
        Digits::Radix4 => DigitSet::Radix4,
        Digits::Paper => DigitSet::Paper,
        Digits::Radix8 => DigitSet::Radix8,
        Digits::Radix16 => DigitSet::Radix16,
        Digits::Whole => DigitSet::Whole,
        Digits::Shifted => DigitSet::Shifted,
    }
}

/// Whether a chunk of lanes holds whole pairs, for types whose weights stand in pairs.
pub(crate) fn fits_lanes(weight_type: &WeightType, lanes: u32) -> bool {
    weight_type.victim_code().is_none() || lanes.is_multiple_of(2)
}

/// What [`fits_lanes`] asks for.
pub(crate) const PAIRS_EXPECTED: &str = "its weights stand in pairs: `processing_element.lanes` must be 2 or more";

/// Digits that the lanes multiply by: those of the executed types, or, where one has programmable special values, all.
fn lane_digits(digit_set: DigitSet, types: &[ExecutedType]) -> Vec<Digit> {
    if types.iter().any(|t| t.weight_type.special.is_some()) {
        return digit_set.digits();
    }
    types.iter().flat_map(|t| t.table.digits.iter().flatten().flatten().copied()).collect()
}

/// Bits of a digit, or of a decoded FP16 weight, on the wires; of a digit that lanes multiply by no more than [`lane_digits`] need.
pub(crate) fn digit_bits(digit_set: DigitSet, types: &[ExecutedType]) -> u32 {
    if digit_set.is_sign_magnitude() || digit_set == DigitSet::Fp16 {
        return digit_set.bits();
    }
    let shift_bits = bits(largest_shift(digit_set, types));
    // With the sign. A significand that is shifted fills its bits: the shift's stand above all of them.
    let significand = |d: Digit| d.value() >> digit_set.shift(d);
    let of = |d: Digit| i32::BITS - significand(d).max(!significand(d)).leading_zeros() + 1;
    lane_digits(digit_set, types).into_iter().map(of).max().unwrap_or(1) + shift_bits
}

/// Largest shift of a product.
pub(crate) fn largest_shift(digit_set: DigitSet, types: &[ExecutedType]) -> u32 {
    lane_digits(digit_set, types).into_iter().map(|d| digit_set.shift(d)).max().unwrap_or(0)
}

/// Largest magnitude of a digit.
pub(crate) fn largest_digit(digit_set: DigitSet, types: &[ExecutedType]) -> u32 {
    lane_digits(digit_set, types).iter().map(|d| d.value().unsigned_abs()).max().unwrap_or(0)
}
