//! RaZeR's FP4 ("redundant zero remapping"): the -0 code is +5, -5, +8 or -8 of a group. A machine executes it exactly like
//! `bitmod-fp4`; its published quantizer differs, it rounds in binary32 (`quantize_group_fp32`).

use crate::WeightType;

/// FP4 with special values ±5, ±8.
pub(super) fn razer_fp4() -> WeightType {
    WeightType {
        name: "razer-fp4",
        summary: "RaZeR 4-bit: FP4 E2M1 with -0 remapped to one of ±5, ±8 a group",
        ..super::bitmod::bitmod_fp4()
    }
}
