//! Group scales. Every kind is an unsigned significand times a power of two, which is what a scale unit multiplies by.

use crate::NumericsError;

/// Kinds of group scale code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScaleKind {
    /// An unsigned 8-bit integer, as BitMoD stores scales under a channel scale (HPCA 2025).
    Int8,
    /// A power of two, the shared scale of the OCP Microscaling formats (MX v1.0): code - 127 is the exponent.
    E8m0,
    /// An unsigned FP8 E4M3 (OCP OFP8), as NVFP4 stores block scales.
    E4m3,
    /// A non-negative FP16.
    Fp16,
}

/// A decoded group scale: `significand · 2^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// Below `2^ScaleKind::significand_bits`.
    pub significand: u32,
    /// From [`SMALLEST_SCALE_EXPONENT`] to [`LARGEST_SCALE_EXPONENT`].
    pub exponent: i32,
}

/// Smallest exponent of a scale, that of the smallest FP16 number.
pub const SMALLEST_SCALE_EXPONENT: i32 = -24;
/// Largest exponent of a scale, that of the largest FP16 power of two: scales are those of FP16 weights, and binary32 sums of
/// scaled group sums stay normal numbers.
pub const LARGEST_SCALE_EXPONENT: i32 = 15;

impl ScaleKind {
    /// Every kind; a command names one by its place here.
    pub const ALL: [ScaleKind; 4] = [ScaleKind::Int8, ScaleKind::E8m0, ScaleKind::E4m3, ScaleKind::Fp16];

    /// Name in designs, traces and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            ScaleKind::Int8 => "int8",
            ScaleKind::E8m0 => "e8m0",
            ScaleKind::E4m3 => "e4m3",
            ScaleKind::Fp16 => "fp16",
        }
    }

    /// The kind of this name.
    ///
    /// # Errors
    /// `Shape`, which lists the names.
    pub fn named(name: &str) -> Result<ScaleKind, NumericsError> {
        ScaleKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| NumericsError::Shape {
            what: "kind of group scale".into(),
            found: format!("`{name}`"),
            expected: ScaleKind::ALL.map(ScaleKind::name).join(", "),
        })
    }

    /// Place in [`ScaleKind::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Bits of a code.
    pub fn code_bits(self) -> u32 {
        if self == ScaleKind::Fp16 { 16 } else { 8 }
    }

    /// Bits of the significand.
    pub fn significand_bits(self) -> u32 {
        match self {
            ScaleKind::Int8 => 8,
            ScaleKind::E8m0 => 1,
            ScaleKind::E4m3 => 4,
            ScaleKind::Fp16 => 11,
        }
    }

    /// Whether any of these kinds has exponents other than 0: whether scales are more than 8-bit integers.
    pub fn any_has_exponents(kinds: &[ScaleKind]) -> bool {
        kinds.iter().any(|kind| *kind != ScaleKind::Int8)
    }

    /// Smallest exponent of the kind's codes.
    pub fn smallest_exponent(self) -> i32 {
        match self {
            ScaleKind::Int8 => 0,
            ScaleKind::E4m3 => -9,
            ScaleKind::E8m0 | ScaleKind::Fp16 => SMALLEST_SCALE_EXPONENT,
        }
    }

    /// Bits of the largest scale in units of 2^[`smallest_exponent`](ScaleKind::smallest_exponent).
    pub fn unit_bits(self) -> u32 {
        match self {
            ScaleKind::Int8 => 8,
            ScaleKind::E4m3 => 18,
            ScaleKind::E8m0 | ScaleKind::Fp16 => 40,
        }
    }

    /// What a code stands for; `None` for NaN, infinities, negative numbers, and powers of two outside the exponents above.
    pub fn decode(self, code: u16) -> Option<Scale> {
        let wide = i32::from(code);
        match self {
            ScaleKind::Int8 => (code <= 0xFF).then_some(Scale { significand: u32::from(code), exponent: 0 }),
            ScaleKind::E8m0 => (SMALLEST_SCALE_EXPONENT..=LARGEST_SCALE_EXPONENT)
                .contains(&(wide - 127))
                .then_some(Scale { significand: 1, exponent: wide - 127 }),
            ScaleKind::E4m3 => (code < 0x7F).then_some(float(code, 3, 10)),
            ScaleKind::Fp16 => (code < 0x7C00).then_some(float(code, 10, 25)),
        }
    }

    /// What a code stands for, in units of 2^[`smallest_exponent`](ScaleKind::smallest_exponent); 0 for codes without a scale.
    pub fn units(self, code: u16) -> u64 {
        let scale = self.decode(code).unwrap_or(Scale { significand: 0, exponent: self.smallest_exponent() });
        u64::from(scale.significand) << (scale.exponent - self.smallest_exponent())
    }

    /// What a code stands for, exact; 0 for codes without a scale.
    pub fn value(self, code: u16) -> f64 {
        self.units(code) as f64 * crate::exact::power_of_two(self.smallest_exponent())
    }

    /// The code of 0, or, for a kind without zero, of its smallest scale: what padding and all-zero groups have.
    pub fn padding_code(self) -> u16 {
        if self == ScaleKind::E8m0 { (127 + SMALLEST_SCALE_EXPONENT) as u16 } else { 0 }
    }
}

/// An unsigned float with `fraction` fraction bits; exponent field 0 has the exponent of field 1 and no hidden bit.
fn float(code: u16, fraction: u32, bias: i32) -> Scale {
    let field = i32::from(code >> fraction);
    let hidden = u32::from(field > 0) << fraction;
    Scale { significand: hidden | u32::from(code) & ((1 << fraction) - 1), exponent: field.max(1) - bias }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::f16;

    #[test]
    fn codes_stand_for_what_the_formats_say() {
        for code in 0..=u16::MAX {
            let half = f16::from_bits(code);
            let expected = half.is_finite() && half.is_sign_positive();
            assert_eq!(ScaleKind::Fp16.decode(code).is_some(), expected);
            if expected {
                assert_eq!(ScaleKind::Fp16.value(code), half.to_f64());
            }
        }
        assert_eq!(ScaleKind::E4m3.value(0x7E), 448.0);
        assert_eq!(ScaleKind::E4m3.value(0x01), 1.0 / 512.0);
        assert_eq!(ScaleKind::E4m3.value(0x08), 1.0 / 64.0);
        assert_eq!(ScaleKind::E4m3.value(0x38), 1.0);
        assert_eq!(ScaleKind::E4m3.decode(0x7F), None);
        assert_eq!(ScaleKind::E8m0.value(127), 1.0);
        assert_eq!(ScaleKind::E8m0.value(142), 32768.0);
        assert_eq!(ScaleKind::E8m0.decode(143), None);
        assert_eq!(ScaleKind::Int8.value(255), 255.0);
    }

    #[test]
    fn widths_hold_every_scale() {
        for kind in ScaleKind::ALL {
            assert_eq!(ScaleKind::ALL[kind.index()], kind);
            assert_eq!(ScaleKind::named(kind.name()).unwrap(), kind);
            let all = (0..=u16::MAX).filter_map(|code| kind.decode(code));
            let significands = all.clone().map(|s| s.significand).max().unwrap();
            assert_eq!(u32::BITS - significands.leading_zeros(), kind.significand_bits());
            assert_eq!(all.clone().map(|s| s.exponent).min().unwrap(), kind.smallest_exponent());
            assert!(all.clone().all(|s| (SMALLEST_SCALE_EXPONENT..=LARGEST_SCALE_EXPONENT).contains(&s.exponent)));
            let largest = (0..=u16::MAX).map(|code| kind.units(code)).max().unwrap();
            assert_eq!(u64::BITS - largest.leading_zeros(), kind.unit_bits());
            assert!((0..=u16::MAX).all(|code| kind.decode(code).is_none() || u32::from(code) >> kind.code_bits() == 0));
            assert!(kind.decode(kind.padding_code()).is_some());
            assert_eq!(ScaleKind::any_has_exponents(&[ScaleKind::Int8, kind]), all.clone().any(|s| s.exponent != 0));
        }
    }
}
