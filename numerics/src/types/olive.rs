//! OliVe (ISCA 2023, arXiv 2304.07493; public code: repository `clevercool/ANT-Quantization`, folder `olive_quantization`).
//!
//! Weights stand in pairs of neighbours, from the start of each group. An outlier takes both places: its neighbour, the victim,
//! is pruned to zero and holds the code of -8, which normal weights do not use; beside it a code is an "abfloat", a small float
//! whose bias puts it above the normal range. Here normal weights are `int4`; the paper's choice of `flint4` a tensor is left out.

use crate::{CodeValue, Rounding, ScaleRule, WeightType};

/// E2M1 beside a victim: (2 + mantissa) · 2^(exponent + 2), without the magnitude code 0, which would be 8.
const OUTLIER_BIAS: u32 = 2;

/// Normal weights -7..7, outliers ±12, ±16, ±24, ±32, ±48, ±64, ±96.
pub(super) fn olive4() -> WeightType {
    let code_value = |code: i64| {
        let magnitude = code & 7;
        let outlier = (2 + (magnitude & 1)) << ((magnitude >> 1) as u32 + OUTLIER_BIAS);
        match code {
            0 => CodeValue::Value(0),
            8 => CodeValue::Victim,
            1..8 => CodeValue::Paired { normal: code, outlier },
            // Normal weights are two's complement, outliers sign and magnitude.
            _ => CodeValue::Paired { normal: code - 16, outlier: -outlier },
        }
    };
    WeightType {
        name: "olive4",
        summary: "OliVe 4-bit: -7..7, or an outlier of ±12 to ±96 that prunes the other weight of its pair",
        code_bits: 4,
        fraction_bits: 0,
        codes: (0..16).map(code_value).collect(),
        special: None,
        rounding: Rounding::OutlierVictimPairs,
        scale_rule: ScaleRule::LeastSquares,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Code by code, as the paper's encoding gives them.
    #[test]
    fn codes_stand_for_what_the_paper_says() {
        let olive4 = olive4();
        let outliers = [12, 16, 24, 32, 48, 64, 96];
        for (i, outlier) in outliers.into_iter().enumerate() {
            let (positive, negative) = (i as u16 + 1, i as u16 + 9);
            assert_eq!((olive4.value(positive, 0), olive4.outlier(positive)), (Some(i as i64 + 1), Some(outlier)));
            assert_eq!((olive4.value(negative, 0), olive4.outlier(negative)), (Some(i as i64 - 7), Some(-outlier)));
        }
        assert_eq!((olive4.value(0, 0), olive4.outlier(0)), (Some(0), None));
        assert_eq!((olive4.value(0b1000, 0), olive4.outlier(0b1000)), (Some(0), None));
        assert!((0..16).all(|code| olive4.is_victim(code) == (code == 0b1000)));
        assert_eq!(olive4.all_values().len(), 15 + 14);
        assert_eq!((olive4.magnitude_bits(), olive4.zero_code()), (7, 0));
    }
}
