//! Small floats (sign, exponent, fraction), IEEE-like with subnormals and without infinities. The redundant -0 code is unused.

use super::sign_magnitude;
use crate::{CodeValue, Rounding, ScaleRule, WeightType};

/// A float of `exponent_bits` and `fraction_bits`, every code a number: bias 2^(exponent_bits - 1) - 1.
pub(super) fn float(name: &'static str, summary: &'static str, exponent_bits: u32, fraction_bits: u32) -> WeightType {
    let bias = (1 << (exponent_bits - 1)) - 1;
    let magnitude = |code: i64| {
        let (exponent, fraction) = (code >> fraction_bits, code & ((1 << fraction_bits) - 1));
        if exponent == 0 { fraction } else { (fraction | 1 << fraction_bits) << (exponent - 1) }
    };
    let magnitudes: Vec<i64> = (0..1 << (exponent_bits + fraction_bits)).map(magnitude).collect();
    WeightType {
        name,
        summary,
        code_bits: 1 + exponent_bits + fraction_bits,
        // The smallest exponent is 1 - bias, its last fraction bit weighs 2^-fraction_bits of it.
        fraction_bits: bias - 1 + fraction_bits,
        codes: sign_magnitude(&magnitudes, CodeValue::Unused),
        special: None,
        rounding: Rounding::TableTieToLower,
        scale_rule: ScaleRule::LargestMagnitude,
    }
}

/// FP8 E4M3 of the Open Compute Project: no infinities, the highest magnitude code of each sign is NaN and unused here.
pub(super) fn fp8_e4m3() -> WeightType {
    let mut fp8 = float("fp8-e4m3", "8-bit float E4M3: 0, ±2^-9 to ±448", 4, 3);
    (fp8.codes[0x7F], fp8.codes[0xFF]) = (CodeValue::Unused, CodeValue::Unused);
    fp8
}

/// FP8 E5M2 of the Open Compute Project: infinities and NaN, the codes of exponent 31, are unused here. All exponents are 7
/// less than OCP's, which a group scale takes up: with values to 57344 the FP16 channel scales of usual weights would vanish.
/// Values are 32-bit magnitudes, so that no machine executes them: host only.
pub(super) fn fp8_e5m2() -> WeightType {
    let mut fp8 = float("fp8-e5m2", "8-bit float E5M2: 0, ±2^-16 to ±57344, all over 2^7", 5, 2);
    fp8.fraction_bits += 7;
    fp8.codes[0x7C..=0x7F].fill(CodeValue::Unused);
    fp8.codes[0xFC..=0xFF].fill(CodeValue::Unused);
    fp8
}
