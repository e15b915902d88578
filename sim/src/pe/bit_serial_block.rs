//! The shared-exponent PE: digits times aligned activations, an adder tree, an integer accumulator.

use bitmosaic_numerics::Digit;

use super::Sum;

pub(super) fn product(digit: Digit, activation: i32) -> Sum {
    Sum { significand: i64::from(digit.value()) * i64::from(activation), exponent: 0 }
}

pub(super) fn sum(lanes: &[Sum]) -> Sum {
    Sum { significand: lanes.iter().map(|l| l.significand).sum(), exponent: 0 }
}

/// The term weighs 2^shift.
pub(super) fn accumulate(accumulator: Sum, tree: Sum, shift: u32) -> Sum {
    Sum { significand: accumulator.significand + (tree.significand << shift), exponent: 0 }
}
