use crate::{CodeValue, Rounding, ScaleRule, WeightType};

/// Integers above a zero point of the group, both stored less 2^(b-1) in two's complement: the symmetric terms serve them, and
/// a scale unit subtracts the zero point times the sum of the activations.
pub(super) fn asymmetric(name: &'static str, summary: &'static str, bits: u32) -> WeightType {
    WeightType { rounding: Rounding::AsymmetricInteger, ..symmetric(name, summary, bits) }
}

/// Two's complement integers; the quantizer uses ±(2^(b-1) - 1), the most negative code is executable but never produced.
pub(super) fn symmetric(name: &'static str, summary: &'static str, bits: u32) -> WeightType {
    let half = 1i64 << (bits - 1);
    let codes = (0..2 * half).map(|code| CodeValue::Value(if code < half { code } else { code - 2 * half })).collect();
    WeightType {
        name,
        summary,
        code_bits: bits,
        fraction_bits: 0,
        codes,
        special: None,
        rounding: Rounding::SymmetricInteger,
        scale_rule: ScaleRule::LargestMagnitude,
    }
}
