//! BitMoD types (HPCA 2025, section III): sign-magnitude floats whose redundant -0 code is a special value chosen per group.

use crate::{CodeValue, Rounding, SpecialValues, WeightType};

/// FP4 (1-2-1), values ±{0, 0.5, 1, 1.5, 2, 3, 4, 6}, special +5, -5 (extra resolution) or +8, -8 (extra asymmetry).
pub(super) fn bitmod_fp4() -> WeightType {
    let magnitudes = [0, 1, 2, 3, 4, 6, 8, 12];
    WeightType {
        name: "bitmod-fp4",
        summary: "BitMoD 4-bit: FP4 E2M1 plus one special value a group from ±5, ±8",
        code_bits: 4,
        fraction_bits: 1,
        codes: sign_magnitude(&magnitudes),
        special: Some(SpecialValues { values: [10, -10, 16, -16] }),
        rounding: Rounding::TableTieToLower,
    }
}

/// Codes of a sign-magnitude type: the sign is the highest bit, -0 is the special value.
fn sign_magnitude(magnitudes: &[i32]) -> Vec<CodeValue> {
    let negative = magnitudes.iter().map(|m| if *m == 0 { CodeValue::Special } else { CodeValue::Value(-m) });
    magnitudes.iter().map(|m| CodeValue::Value(*m)).chain(negative).collect()
}
