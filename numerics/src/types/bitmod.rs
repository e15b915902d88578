//! BitMoD types (HPCA 2025, section III): sign-magnitude floats whose redundant -0 code is a special value chosen per group.

use super::minifloat::float;
use crate::{CodeValue, SPECIAL_VALUES, SpecialValues, WeightType};

/// FP3 (1-2-0), values ±{0, 1, 2, 4}, special +3, -3 (extra resolution) or +6, -6 (extra asymmetry).
pub(super) fn bitmod_fp3() -> WeightType {
    with_special(
        float("bitmod-fp3", "BitMoD 3-bit: FP3 E2M0 plus one special value a group from ±3, ±6", 2, 0),
        [3, -3, 6, -6],
    )
}

/// FP4 (1-2-1), values ±{0, 0.5, 1, 1.5, 2, 3, 4, 6}, special +5, -5 (extra resolution) or +8, -8 (extra asymmetry).
pub(super) fn bitmod_fp4() -> WeightType {
    with_special(
        float("bitmod-fp4", "BitMoD 4-bit: FP4 E2M1 plus one special value a group from ±5, ±8", 2, 1),
        [10, -10, 16, -16],
    )
}

/// The float with its -0 code remapped.
fn with_special(float: WeightType, values: [i32; SPECIAL_VALUES]) -> WeightType {
    let mut codes = float.codes;
    let negative_zero = codes.len() / 2;
    codes[negative_zero] = CodeValue::Special;
    WeightType { codes, special: Some(SpecialValues { values }), ..float }
}
