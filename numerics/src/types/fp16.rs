//! FP16 weights as they are: what conventional machines multiply by.

use crate::{Rounding, ScaleRule, WeightType};

/// Codes are FP16 patterns; values are multiples of 2^-24, the smallest subnormal. NaN and infinities are no weights.
pub(super) fn fp16() -> WeightType {
    WeightType {
        name: "fp16",
        summary: "FP16 as it is, not quantized: for fp16-mac machines",
        code_bits: 16,
        fraction_bits: 24,
        codes: Vec::new(),
        special: None,
        rounding: Rounding::Identity,
        scale_rule: ScaleRule::One,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CodeValue, f16};

    #[test]
    fn every_code_stands_for_its_number() {
        let fp16 = fp16();
        let mut usable = 0;
        for code in 0..=u16::MAX {
            let number = f16::from_bits(code);
            assert_eq!(fp16.check_code(code).is_ok(), number.is_finite());
            match fp16.code_value(code) {
                Some(CodeValue::Value(value)) => {
                    assert_eq!(value as f64 / f64::from(1 << 24), number.to_f64(), "{code:#06x}");
                    assert_eq!(fp16.value(code, 0), Some(value));
                    usable += 1;
                }
                other => assert_eq!((other, number.is_finite()), (Some(CodeValue::Unused), false)),
            }
        }
        assert_eq!((usable, fp16.usable_codes().count(), fp16.all_codes().count()), (63_488, 63_488, 65_536));
        // ±0 have one value.
        assert_eq!(fp16.all_values().len(), 63_487);
        let largest = fp16.all_values().iter().map(|v| v.unsigned_abs()).max().unwrap();
        assert_eq!((largest, fp16.magnitude_bits()), (65504 << 24, u64::BITS - largest.leading_zeros()));
        assert_eq!((fp16.zero_code(), fp16.victim_code(), fp16.special_code()), (0, None, None));
    }
}
