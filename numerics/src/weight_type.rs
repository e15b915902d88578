use crate::{NumericsError, SPECIAL_VALUES, ScaleKind, f16, fp16};

/// What a code stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeValue {
    /// A fixed integer, in units of 2^-fraction_bits.
    Value(i64),
    /// The special value that the group's selector chooses.
    Special,
    /// A code whose meaning depends on the other weight of its pair (pairs of neighbours, from the start of a group), in units of
    /// 2^-fraction_bits: a normal weight, but beside a victim an outlier.
    Paired {
        /// Value beside anything but a victim.
        normal: i64,
        /// Value beside a victim.
        outlier: i64,
    },
    /// The victim of the outlier beside it: zero.
    Victim,
    /// No weight has this code.
    Unused,
}

/// How the quantizer maps a scaled weight to a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Nearest value of a table; a tie goes to the lower value (toward -inf), as in the published code.
    TableTieToLower,
    /// Nearest integer, a tie goes to the even one, clamped to ±(2^(b-1) - 1).
    SymmetricInteger,
    /// Nearest integer above a zero point of the group, as in the published code: `q = round(w / s) + z` in 0..2^b. Code and
    /// zero point are stored less 2^(b-1), as signed integers of b bits.
    AsymmetricInteger,
    /// Nearest value of a table; a tie goes away from zero, as in the published MX quantizer.
    TableTieAway,
    /// [`Rounding::SymmetricInteger`], or the nearest outlier beside a victim, as published with OliVe.
    OutlierVictimPairs,
    /// None: a code is the FP16 pattern of its weight.
    Identity,
}

/// What the quantizer's group scale follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleRule {
    /// The largest weight falls on the largest magnitude of the codebook, as in the published code.
    LargestMagnitude,
    /// The scale of least squared error among those that OliVe's published code tries.
    LeastSquares,
    /// The scale is the mean magnitude of the weights; for values of magnitude 1, which clip what is larger.
    MeanMagnitude,
    /// The scale is a power of two that puts the largest weight into the binade of the largest magnitude; what is larger than
    /// that clips (OCP MX v1.0, section 6.3). For scales of [`ScaleKind::E8m0`](crate::ScaleKind::E8m0).
    PowerOfTwo,
    /// No scale: 1, under a channel scale of 1.
    One,
    /// The largest weight falls on the largest magnitude, in binary32; the scale is stored as FP8 E4M3 under one scale of the
    /// whole tensor (NVFP4). For scales of [`ScaleKind::E4m3`](crate::ScaleKind::E4m3).
    UnderTensorScale,
}

/// Special values of a type: the redundant `-0` code stands for one of four values chosen per group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecialValues {
    /// The candidates, in units of 2^-fraction_bits and in selector order. Programmable: these are the defaults.
    pub values: [i32; SPECIAL_VALUES],
}

/// A weight data type: a code of `code_bits` bits stands for an integer value times 2^-fraction_bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightType {
    /// Registry name, for example `bitmod-fp4`.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// Bits of a code.
    pub code_bits: u32,
    /// Every value is an integer multiple of 2^-fraction_bits.
    pub fraction_bits: u32,
    /// Code -> value, 2^code_bits entries; none where codes are FP16 patterns, which [`WeightType::code_value`] knows without.
    pub codes: Vec<CodeValue>,
    /// Special values, if the type has any.
    pub special: Option<SpecialValues>,
    /// Rounding of the quantizer.
    pub rounding: Rounding,
    /// Group scale of the quantizer.
    pub scale_rule: ScaleRule,
}

/// Bits of the largest magnitude that a weight type may have, so that no sum of a group's values overflows.
pub(crate) const MAX_MAGNITUDE_BITS: u32 = 40;
/// Bits of the largest FP16 number in units of 2^-24.
const FP16_MAGNITUDE_BITS: u32 = 40;
/// Bits of the largest magnitude that the quantizer's FP16 scales can stand beside: those of the published codebooks.
const QUANTIZER_MAGNITUDE_BITS: u32 = 9;

impl WeightType {
    /// Whether groups have zero points, which are subtracted from the values of their codes: [`Rounding::AsymmetricInteger`].
    pub fn has_zero_point(&self) -> bool {
        self.rounding == Rounding::AsymmetricInteger
    }

    /// The kind of group scale that the quantizer gives unless asked for FP16.
    pub fn scale_kind(&self) -> ScaleKind {
        match self.scale_rule {
            ScaleRule::PowerOfTwo => ScaleKind::E8m0,
            ScaleRule::UnderTensorScale => ScaleKind::E4m3,
            ScaleRule::LargestMagnitude | ScaleRule::MeanMagnitude | ScaleRule::LeastSquares | ScaleRule::One => {
                ScaleKind::Int8
            }
        }
    }

    /// Integer value of `code` (units of 2^-fraction_bits) in a group whose special value is `special`, beside anything but a
    /// victim ([`WeightType::outlier`]). Codes that no weight has give `None`.
    pub fn value(&self, code: u16, special: i32) -> Option<i64> {
        match self.code_value(code)? {
            CodeValue::Value(v) => Some(v),
            CodeValue::Special => Some(special.into()),
            CodeValue::Paired { normal, .. } => Some(normal),
            CodeValue::Victim => Some(0),
            CodeValue::Unused => None,
        }
    }

    /// Whether codes are FP16 patterns.
    pub fn is_fp16(&self) -> bool {
        self.rounding == Rounding::Identity
    }

    /// What a code stands for; `None` beyond the codes of the type.
    pub fn code_value(&self, code: u16) -> Option<CodeValue> {
        if self.is_fp16() {
            let decoded = fp16::decode(f16::from_bits(code));
            let value = || CodeValue::Value(i64::from(decoded.significand) << (decoded.exponent - 1));
            return Some(if decoded.is_finite() { value() } else { CodeValue::Unused });
        }
        self.codes.get(usize::from(code)).copied()
    }

    /// Every code with what it stands for, ascending codes.
    pub fn all_codes(&self) -> impl Iterator<Item = (u16, CodeValue)> {
        (0..=u16::MAX).map_while(|code| Some((code, self.code_value(code)?)))
    }

    /// The codes that a weight can have, ascending.
    pub fn usable_codes(&self) -> impl Iterator<Item = u16> {
        self.all_codes().filter(|(_, value)| *value != CodeValue::Unused).map(|(code, _)| code)
    }

    /// The code that stands for the group's special value, if the type has one.
    pub fn special_code(&self) -> Option<u16> {
        self.codes.iter().position(|c| *c == CodeValue::Special).map(|code| code as u16)
    }

    /// Value of `code` beside a victim; `None` if it cannot stand there.
    pub fn outlier(&self, code: u16) -> Option<i64> {
        match self.codes.get(usize::from(code)) {
            Some(CodeValue::Paired { outlier, .. }) => Some(*outlier),
            _ => None,
        }
    }

    /// [`WeightType::value`] of `code` beside `neighbour`, the code of the other weight of its pair, if it has one: beside a victim
    /// its outlier.
    pub fn value_beside(&self, code: u16, neighbour: Option<u16>, special: i32) -> Option<i64> {
        match self.outlier(code) {
            Some(outlier) if neighbour.is_some_and(|n| self.is_victim(n)) => Some(outlier),
            _ => self.value(code, special),
        }
    }

    /// Whether the code marks the victim of an outlier.
    pub fn is_victim(&self, code: u16) -> bool {
        self.codes.get(usize::from(code)) == Some(&CodeValue::Victim)
    }

    /// The code of victims, for types whose weights stand in pairs.
    pub fn victim_code(&self) -> Option<u16> {
        self.codes.iter().position(|c| *c == CodeValue::Victim).map(|code| code as u16)
    }

    /// `(value, code)` of every outlier, ascending by value.
    pub fn outliers(&self) -> Vec<(i64, u16)> {
        let mut outliers: Vec<(i64, u16)> =
            (0..=u16::MAX).take(self.codes.len()).filter_map(|code| Some((self.outlier(code)?, code))).collect();
        outliers.sort_unstable();
        outliers
    }

    /// `(value, code)` of every usable code in a group with this special value, ascending by value; outliers and victims are
    /// not among them. `special = None` leaves the special code out.
    pub fn codebook(&self, special: Option<i32>) -> Vec<(i64, u16)> {
        let mut book: Vec<(i64, u16)> = self
            .all_codes()
            .filter_map(|(code, value)| match value {
                CodeValue::Value(v) => Some((v, code)),
                CodeValue::Special => special.map(|v| (v.into(), code)),
                CodeValue::Paired { normal, .. } => Some((normal, code)),
                CodeValue::Victim | CodeValue::Unused => None,
            })
            .collect();
        book.sort_unstable();
        book
    }

    /// The code of the value zero, code 0 for a type without zero: what padding input channels hold.
    pub fn zero_code(&self) -> u16 {
        self.codes.iter().position(|c| *c == CodeValue::Value(0)).unwrap_or(0) as u16
    }

    /// Every integer value the type can take, special candidates and outliers included, ascending, each once.
    pub fn all_values(&self) -> Vec<i64> {
        let mut values: Vec<i64> = self.codebook(None).into_iter().chain(self.outliers()).map(|(v, _)| v).collect();
        if let Some(special) = &self.special {
            values.extend(special.values.map(i64::from));
        }
        values.sort_unstable();
        values.dedup();
        values
    }

    /// Bits of the largest magnitude, sign excluded.
    pub fn magnitude_bits(&self) -> u32 {
        if self.is_fp16() {
            return FP16_MAGNITUDE_BITS;
        }
        let largest = self.all_values().iter().map(|v| v.unsigned_abs()).max().unwrap_or(0);
        u64::BITS - largest.leading_zeros()
    }

    /// The quantizer counts values in units of 2^(shift - fraction_bits): shift 0, the integers of the published codebooks,
    /// unless these pass 511 and would push FP16 group scales into the subnormals.
    pub fn quantizer_shift(&self) -> u32 {
        self.magnitude_bits().saturating_sub(QUANTIZER_MAGNITUDE_BITS)
    }

    /// Default special values, zeros for a type without any.
    pub fn special_values(&self) -> [i32; SPECIAL_VALUES] {
        self.special.as_ref().map_or([0; SPECIAL_VALUES], |s| s.values)
    }

    /// A value in units of 2^-fraction_bits as a signed decimal, for example `+5` or `-0.5`: the name of a special value.
    pub fn value_name(&self, value: i32) -> String {
        let scaled = f64::from(value) / f64::from(1u32 << self.fraction_bits.min(31));
        format!("{scaled:+}")
    }

    /// Storage bits per weight of a matrix with groups of `group` input channels and `input_channels` per output channel:
    /// code, group scale of `group_scale_bits`, selector, zero point, and channel scale of `channel_scale_bits`. Derived, never typed in.
    pub fn effective_bits_per_weight(
        &self,
        group: usize,
        input_channels: usize,
        group_scale_bits: u32,
        channel_scale_bits: u32,
    ) -> f64 {
        let groups = input_channels.div_ceil(group) as f64;
        let selector_bits = if self.special.is_some() { 2 } else { 0 };
        let zero_point_bits = if self.has_zero_point() { self.code_bits } else { 0 };
        let group_bits = group_scale_bits + selector_bits + zero_point_bits;
        let shared = groups * f64::from(group_bits) + f64::from(channel_scale_bits);
        f64::from(self.code_bits) + shared / input_channels as f64
    }

    /// Checks a code against the type.
    ///
    /// # Errors
    /// `Shape` for a code that no weight has.
    pub fn check_code(&self, code: u16) -> Result<(), NumericsError> {
        match self.code_value(code) {
            Some(value) if value != CodeValue::Unused => Ok(()),
            _ => Err(NumericsError::Shape {
                what: format!("code of a `{}` weight", self.name),
                found: format!("{code:#x}"),
                expected: format!("one of the {} codes of the type", self.usable_codes().count()),
            }),
        }
    }
}
