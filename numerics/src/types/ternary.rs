//! Ternary and binary weights: ±1 under the mean magnitude of a group, as BitNet b1.58 and XNOR-Net scale them.

use crate::{CodeValue, Rounding, ScaleRule, WeightType};

/// -1, 0, 1 in two's complement; the nearest under the mean magnitude (BitNet b1.58's "absmean").
pub(super) fn ternary() -> WeightType {
    WeightType {
        name: "ternary",
        summary: "-1, 0, 1 under the mean magnitude of the group",
        code_bits: 2,
        fraction_bits: 0,
        codes: vec![CodeValue::Value(0), CodeValue::Value(1), CodeValue::Unused, CodeValue::Value(-1)],
        special: None,
        rounding: Rounding::SymmetricInteger,
        scale_rule: ScaleRule::MeanMagnitude,
    }
}

/// -1, 1: the sign under the mean magnitude. There is no zero: zero weights become -1 (a tie goes to the lower value), padding
/// input channels hold +1 against zero activations.
pub(super) fn binary() -> WeightType {
    WeightType {
        name: "binary",
        summary: "-1, 1 under the mean magnitude of the group",
        code_bits: 1,
        fraction_bits: 0,
        codes: vec![CodeValue::Value(1), CodeValue::Value(-1)],
        special: None,
        rounding: Rounding::TableTieToLower,
        scale_rule: ScaleRule::MeanMagnitude,
    }
}
