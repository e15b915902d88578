//! Flint of ANT (MICRO 2022): integers near zero, powers of two far from it. Codes here are sign and index of the magnitude,
//! not ANT's own first-one encoding; the redundant -0 code is unused.

use super::sign_magnitude;
use crate::{CodeValue, Rounding, ScaleRule, WeightType};

/// 4 bits: 0, ±1, ±2, ±3, ±4, ±6, ±8, ±16.
pub(super) fn flint4() -> WeightType {
    flint("flint4", "ANT flint, 4 bits: 0, ±1 to ±4, ±6, ±8, ±16", &[0, 1, 2, 3, 4, 6, 8, 16])
}

/// 5 bits: 0, ±1 .. ±8, ±10, ±12, ±14, ±16, ±24, ±32, ±64.
pub(super) fn flint5() -> WeightType {
    let magnitudes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 24, 32, 64];
    flint("flint5", "ANT flint, 5 bits: 0, ±1 to ±8, ±10 to ±16, ±24, ±32, ±64", &magnitudes)
}

fn flint(name: &'static str, summary: &'static str, magnitudes: &[i64]) -> WeightType {
    WeightType {
        name,
        summary,
        code_bits: magnitudes.len().ilog2() + 1,
        fraction_bits: 0,
        codes: sign_magnitude(magnitudes, CodeValue::Unused),
        special: None,
        rounding: Rounding::TableTieToLower,
        scale_rule: ScaleRule::LargestMagnitude,
    }
}
