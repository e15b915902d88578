//! NormalFloat of QLoRA: quantiles of a normal distribution, scaled to ±1.

use crate::{CodeValue, Rounding, ScaleRule, WeightType};

const FRACTION_BITS: u32 = 15;

/// The sixteen published binary32 numbers rounded to multiples of 2^-15, at most 2^-16 from them. Their digits need eight
/// planes, so no machine executes them: host only.
pub(super) fn nf4() -> WeightType {
    let values =
        [-32768, -22813, -17206, -12941, -9321, -6055, -2984, 0, 2608, 5273, 8065, 11073, 14441, 18436, 23690, 32768];
    WeightType {
        name: "nf4",
        summary: "NormalFloat 4-bit (QLoRA): quantiles of a normal distribution, as multiples of 2^-15",
        code_bits: 4,
        fraction_bits: FRACTION_BITS,
        codes: values.map(CodeValue::Value).to_vec(),
        special: None,
        rounding: Rounding::TableTieToLower,
        scale_rule: ScaleRule::LargestMagnitude,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_published_ones_rounded() {
        let published = [
            -1.0,
            -0.6961928009986877,
            -0.5250730514526367,
            -0.39491748809814453,
            -0.28444138169288635,
            -0.18477343022823334,
            -0.09105003625154495,
            0.0,
            0.07958029955625534,
            0.16093020141124725,
            0.24611230194568634,
            0.33791524171829224,
            0.44070982933044434,
            0.5626170039176941,
            0.7229568362236023,
            1.0f64,
        ];
        let rounded = published.map(|p| CodeValue::Value((p * 32768.0).round() as i64));
        assert_eq!(nf4().codes, rounded);
    }
}
