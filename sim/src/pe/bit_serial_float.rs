//! The paper's PE, made correct: products keep their FP16 exponents, are aligned to the largest of their cycle, and meet a
//! group accumulator with an exponent of its own. The mathematics are described in `kernels/src/float_datapath.rs`.

use bitmosaic_arch::FloatPe;
use bitmosaic_numerics::{Digit, f16, fp16};

use super::Sum;

/// Signed significand and exponent; exponent 0 where the product is zero.
pub(super) fn product(digit: Digit, activation: i32) -> Sum {
    let decoded = fp16::decode(f16::from_bits(activation as u16));
    let digit = digit.value();
    let significand = i64::from(decoded.significand) * i64::from(digit.signum());
    if significand == 0 {
        return Sum::default();
    }
    Sum { significand, exponent: decoded.exponent + digit.unsigned_abs().trailing_zeros() }
}

/// Lanes shifted right to the largest exponent, with guard bits, truncated in magnitude.
pub(super) fn sum(widths: &FloatPe, lanes: &[Sum]) -> Sum {
    let largest = lanes.iter().map(|l| l.exponent).max().unwrap_or(0);
    let aligned = lanes.iter().map(|lane| {
        let magnitude = (lane.significand.unsigned_abs() << widths.guard_bits) >> (largest - lane.exponent).min(63);
        lane.significand.signum() * magnitude as i64
    });
    Sum { significand: aligned.sum(), exponent: largest }
}

/// The smaller exponent's side is shifted right and rounded half up.
pub(super) fn accumulate(widths: &FloatPe, accumulator: Sum, tree: Sum, plane: u32) -> Sum {
    let addend = Sum {
        significand: tree.significand << widths.accumulator_guard_bits,
        exponent: if tree.exponent == 0 { 0 } else { tree.exponent + 2 * plane },
    };
    let exponent = accumulator.exponent.max(addend.exponent);
    let shifted = |x: Sum| match exponent - x.exponent {
        0 => x.significand,
        amount @ 1..=62 => (x.significand >> amount) + (x.significand >> (amount - 1) & 1),
        _ => 0,
    };
    Sum { significand: shifted(accumulator) + shifted(addend), exponent }
}
