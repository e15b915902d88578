//! Exact integers times powers of two, and their one rounding to FP16.

use crate::f16;

/// 2^exponent, exact: built from its bits, because `powi` may differ between platforms.
///
/// # Panics
/// In debug builds, outside the normal range -1022..=1023.
pub fn power_of_two(exponent: i32) -> f64 {
    debug_assert!((-1022..=1023).contains(&exponent));
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

/// The FP16 number nearest to `value · 2^exponent`, a tie to the even one: one rounding, subnormals exact, overflow to
/// infinity. Exact zero is +0; a negative number that rounds to zero is -0.
pub fn round_to_fp16(value: i128, exponent: i32) -> f16 {
    let magnitude = value.unsigned_abs();
    if magnitude == 0 {
        return f16::ZERO;
    }
    // The number is in [2^top, 2^(top + 1)); its FP16 unit in the last place is 2^unit.
    let top = i64::from(exponent) + i64::from(u128::BITS - 1 - magnitude.leading_zeros());
    let unit = top.max(-14) - 10;
    let shift = unit - i64::from(exponent);
    // In units of the last place: at most 2^11.
    let significand = match shift {
        1..=127 => round_half_even(magnitude, shift as u32),
        128.. => u128::from(shift == 128 && magnitude > 1 << 127),
        _ => magnitude << -shift,
    };
    // A significand of 2^11 carries into the exponent field by itself; so does 2^10 out of the subnormals.
    // Beyond the largest finite number the field is 31 or more: infinity.
    let bits = (((unit + 24) as u128) << 10) + significand;
    let bits = u16::try_from(bits).unwrap_or(0x7C00).min(0x7C00);
    f16::from_bits(bits | u16::from(value < 0) << 15)
}

/// `magnitude / 2^shift` to the nearest integer, ties to even; 1 <= shift <= 127.
fn round_half_even(magnitude: u128, shift: u32) -> u128 {
    let quotient = magnitude >> shift;
    let rest = magnitude & ((1 << shift) - 1);
    let half = 1 << (shift - 1);
    quotient + u128::from(rest > half || (rest == half && quotient & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fp16::decode;

    #[test]
    fn powers_of_two() {
        assert_eq!(power_of_two(0), 1.0);
        assert_eq!(power_of_two(-24), 1.0 / 16_777_216.0);
        assert_eq!(power_of_two(10), 1024.0);
    }

    #[test]
    fn every_finite_number_and_the_midpoint_above_it_round_as_they_should() {
        for bits in 0..0x7C00u16 {
            for negative in [false, true] {
                let sign = u16::from(negative) << 15;
                let d = decode(f16::from_bits(bits));
                // In units of 2^-30, so that midpoints and their neighbours are integers.
                let exact = i128::from(d.significand) << (d.exponent + 5);
                let half_step = 1i128 << (d.exponent + 4);
                let round = |v: i128| round_to_fp16(if negative { -v } else { v }, -30).to_bits();
                let expected = |b: u16| if b == 0 && exact == 0 { 0 } else { b | sign };
                assert_eq!(round(exact), expected(bits));
                let even = if bits & 1 == 0 { bits } else { bits + 1 };
                assert_eq!(round(exact + half_step), even | sign, "{bits:#06x}");
                assert_eq!(round(exact + half_step - 1), bits | sign);
                assert_eq!(round(exact + half_step + 1), (bits + 1) | sign);
            }
        }
    }

    #[test]
    fn agrees_with_the_conversion_from_binary32() {
        let mut state = 1u64;
        for _ in 0..200_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = i128::from((state >> 40) as i64 - (1 << 23)); // 24 bits: exact in binary32
            let exponent = (state >> 8 & 63) as i32 - 50;
            let expected = f16::from_f32(value as f32 * power_of_two(exponent) as f32);
            assert_eq!(round_to_fp16(value, exponent).to_bits(), expected.to_bits(), "{value} {exponent}");
        }
    }

    #[test]
    fn extremes() {
        assert_eq!(round_to_fp16(i128::MAX, 100), f16::INFINITY);
        assert_eq!(round_to_fp16(i128::MIN, 0), f16::NEG_INFINITY);
        assert_eq!(round_to_fp16(1, -25).to_bits(), 0); // tie to even zero
        assert_eq!(round_to_fp16(-1, -25).to_bits(), 0x8000);
        assert_eq!(round_to_fp16(3, -26).to_bits(), 1);
        assert_eq!(round_to_fp16(65519, 0), f16::MAX);
        assert_eq!(round_to_fp16(65520, 0), f16::INFINITY);
        assert_eq!(round_to_fp16(i128::MIN, -152).to_bits(), 0x8000); // 2^127 · 2^-152 = 2^-25, a tie
        assert_eq!(round_to_fp16(i128::MIN + 1, -151).to_bits(), 0x8001);
        assert_eq!(round_to_fp16(i128::MAX, -400).to_bits(), 0);
    }
}
