//! Block formats: the OCP Microscaling types (MX v1.0), whose group scale is a power of two, and NVFP4, whose group scale is
//! FP8 E4M3 under one scale of the tensor. The formats' groups are 32 and 16; any group is accepted.

use super::integer::symmetric;
use super::minifloat::{float, fp8_e4m3};
use crate::{CodeValue, Rounding, ScaleRule, WeightType};

fn microscaling(name: &'static str, summary: &'static str, element: WeightType) -> WeightType {
    WeightType { name, summary, rounding: Rounding::TableTieAway, scale_rule: ScaleRule::PowerOfTwo, ..element }
}

/// MXFP4.
pub(super) fn mx_fp4() -> WeightType {
    microscaling("mx-fp4", "MXFP4: FP4 E2M1 under a power of two a group", float("", "", 2, 1))
}

/// MXFP6 with the element E2M3.
pub(super) fn mx_fp6() -> WeightType {
    microscaling("mx-fp6", "MXFP6: FP6 E2M3 under a power of two a group", float("", "", 2, 3))
}

/// MXFP8 with the element E4M3.
pub(super) fn mx_fp8() -> WeightType {
    microscaling("mx-fp8", "MXFP8: FP8 E4M3 under a power of two a group", fp8_e4m3())
}

/// MXINT8: multiples of 1/64 up to 127/64; the code of -2 is unused.
pub(super) fn mx_int8() -> WeightType {
    let mut element = WeightType { fraction_bits: 6, ..symmetric("", "", 8) };
    element.codes[0x80] = CodeValue::Unused;
    microscaling("mx-int8", "MXINT8: multiples of 1/64 up to ±127/64 under a power of two a group", element)
}

/// NVFP4.
pub(super) fn nvfp4() -> WeightType {
    WeightType {
        scale_rule: ScaleRule::UnderTensorScale,
        ..float("nvfp4", "NVFP4: FP4 E2M1 under an FP8 E4M3 a group", 2, 1)
    }
}
