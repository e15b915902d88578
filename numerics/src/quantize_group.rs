//! Quantizer of one group, with the FP16 semantics of the published BitMoD code (HPCA 2025, repository
//! `abdelfattah-lab/BitMoD-HPCA-25`): every operation is a binary32 operation rounded to FP16.
//!
//! For a codebook with largest magnitude `m` (units of [`WeightType::quantizer_shift`], the published integers):
//! `scale = f16(max|w| / m)`, `x = f16(w / scale)`, `x` goes to a value `q` by the type's [`Rounding`], and the weight comes
//! back as `f16(q · scale)`. Where a type has special values,
//! every candidate is tried in selector order and the one with the least error is kept, the first of equals; the error
//! is `f16(mean f16(f16(dq - w)^2))` and must be below [`ERROR_LIMIT`], or the group becomes all zeros.
//!
//! A short last group is a shorter slice: all statistics are over the entries given.

use crate::exact::power_of_two;
use crate::fp16::{self, from_f32_slice, round_slice, to_f32_vec};
use crate::quantize_pairs::{Outliers, least_squares_scale};
use crate::weight_type::MAX_MAGNITUDE_BITS;
use crate::{NumericsError, Rounding, ScaleRule, WeightType, f16};

/// Errors at or above this (in squared weight units) never win the search; the published starting value.
pub const ERROR_LIMIT: f32 = 1e3;
/// Smallest first-level group scale: 1e-5 rounded to FP16.
pub const SMALLEST_SCALE: f16 = f16::from_f32_const(1e-5);
/// Largest first-level group scale.
pub const LARGEST_SCALE: f16 = f16::from_f32_const(1e4);

/// The values a group can take once its special value is fixed, ascending, with the rounding between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Codebook {
    /// `(value in units of 2^-fraction_bits, code)`, ascending, each value once.
    entries: Vec<(i64, u16)>,
    /// Sums of neighbours, in quantizer units: twice the midpoints, exact in binary32.
    doubled_midpoints: Vec<f32>,
    rounding: Rounding,
    scale_rule: ScaleRule,
    /// Of normal weights.
    largest: i64,
    outliers: Option<Outliers>,
    /// A quantizer unit in units of 2^-fraction_bits, a power of two.
    unit: f32,
    zero_code: u16,
}

impl Codebook {
    /// The codebook of a type in a group whose special value is `special`; `None` leaves the special code out.
    ///
    /// # Errors
    /// `Shape` for a codebook without any value but zero, or with integers missing that its rounding needs.
    pub fn new(weight_type: &WeightType, special: Option<i32>) -> Result<Codebook, NumericsError> {
        let refused = |found: String, expected: &str| NumericsError::Shape {
            what: format!("codebook of `{}`", weight_type.name),
            found,
            expected: expected.into(),
        };
        if weight_type.is_fp16() {
            return Err(refused(
                "FP16 numbers".into(),
                "a table; FP16 weights are not quantized, only taken as they are",
            ));
        }
        let mut entries = weight_type.codebook(special);
        entries.dedup_by_key(|(value, _)| *value);
        let half = 1i64 << (weight_type.code_bits.clamp(1, 31) - 1);
        if matches!(weight_type.rounding, Rounding::SymmetricInteger | Rounding::OutlierVictimPairs) {
            entries.retain(|(value, _)| value.abs() < half);
            if entries.len() as i64 != 2 * half - 1 {
                return Err(refused(format!("{} integers", entries.len()), "every integer from -max to max"));
            }
        }
        if weight_type.rounding == Rounding::AsymmetricInteger
            && !(-half..half).eq(entries.iter().map(|(value, _)| *value))
        {
            return Err(refused(format!("{} integers", entries.len()), "every integer of the code's bits"));
        }
        let largest = entries.iter().map(|(value, _)| value.unsigned_abs()).max().unwrap_or(0);
        if largest == 0 || largest >> MAX_MAGNITUDE_BITS != 0 {
            return Err(refused(format!("largest magnitude {largest}"), "1 to 2^40 - 1"));
        }
        let sums = || entries.windows(2).map(|pair| pair[0].0 + pair[1].0);
        if let Some(inexact) = sums().chain(entries.iter().map(|e| e.0)).find(|sum| *sum as f32 as i64 != *sum) {
            let found = format!("a value or a sum of neighbours {inexact}");
            return Err(refused(found, "at most 24 significant bits, as binary32 has"));
        }
        let unit = power_of_two(weight_type.quantizer_shift() as i32) as f32;
        let doubled_midpoints = sums().map(|sum| sum as f32 / unit).collect();
        Ok(Codebook {
            entries,
            doubled_midpoints,
            rounding: weight_type.rounding,
            scale_rule: weight_type.scale_rule,
            largest: largest as i64,
            outliers: Outliers::new(weight_type, largest as i64),
            unit,
            zero_code: weight_type.zero_code(),
        })
    }

    /// Largest magnitude, outliers left out, in units of 2^-fraction_bits.
    pub fn largest(&self) -> i64 {
        self.largest
    }

    /// Largest magnitude in the units that scales are taken in ([`WeightType::quantizer_shift`]).
    pub fn largest_in_quantizer_units(&self) -> f32 {
        self.largest as f32 / self.unit
    }

    /// The group scale of these weights in quantizer units, `f16(max|w| / largest)`, the mean magnitude, or with a zero point
    /// `f16(f16(max - min) / (2^b - 1))`; not clamped: what the second level quantizes.
    pub fn scale(&self, weights: &[f16]) -> f16 {
        if self.rounding == Rounding::AsymmetricInteger {
            let (smallest, largest) = extremes(weights);
            return fp16::div(fp16::sub(largest, smallest), f16::from_f32((self.entries.len() - 1) as f32));
        }
        match self.scale_rule {
            ScaleRule::LargestMagnitude | ScaleRule::PowerOfTwo | ScaleRule::UnderTensorScale => {
                f16::from_f32(largest_magnitude(weights) / self.largest_in_quantizer_units())
            }
            ScaleRule::One => f16::ONE,
            ScaleRule::LeastSquares => least_squares_scale(weights, self),
            // Magnitudes are multiples of 2^-24: a binary64 sum of up to 2^13 of them is exact.
            ScaleRule::MeanMagnitude => {
                f16::from_f32(weights.iter().map(|w| w.to_f64().abs()).sum::<f64>() as f32 / weights.len() as f32)
            }
        }
    }

    /// The code of zero, which all-zero and padded groups hold.
    pub fn zero_code(&self) -> u16 {
        self.zero_code
    }

    /// The zero point of these weights under `scale`, `clamp(round(f16(-min / scale)), 0, 2^b - 1)` less 2^(b-1); 0 for
    /// types without. A scale of 0 has the zero point of the value 0.
    pub fn zero_point(&self, weights: &[f16], scale: f16) -> i8 {
        if self.rounding != Rounding::AsymmetricInteger || scale == f16::ZERO {
            return 0;
        }
        let zero = fp16::div(-extremes(weights).0, scale).to_f32().round_ties_even();
        let half = self.entries.len() as f32 / 2.0;
        (zero.clamp(0.0, 2.0 * half - 1.0) - half) as i8
    }

    /// Rounds scaled weights to the codebook: code and value of each, the zero point subtracted. Values are floats because
    /// integer rounding keeps the sign of -0, as the published code does. NaN (a zero weight over a zero scale) goes to zero.
    pub fn round(&self, scaled: &[f32], zero_point: i8) -> RoundedGroup {
        let mut indices = vec![0u8; scaled.len()];
        let mut group =
            RoundedGroup { codes: vec![self.zero_code; scaled.len()], values: vec![0.0; scaled.len()], zero_point };
        match self.rounding {
            Rounding::Identity => {} // has no codebook
            Rounding::TableTieAway => {
                for (x, (code, value)) in scaled.iter().zip(group.iter_mut()) {
                    let below =
                        |midpoint: &f32| if *midpoint < 0.0 { 2.0 * x > *midpoint } else { 2.0 * x >= *midpoint };
                    if !x.is_nan() {
                        let entry = self.entries[self.doubled_midpoints.partition_point(below)];
                        (*value, *code) = (entry.0 as f32 / self.unit, entry.1);
                    }
                }
            }
            Rounding::AsymmetricInteger => {
                let (half, zero) = (self.entries.len() as f32 / 2.0, f32::from(zero_point));
                for (x, (code, value)) in scaled.iter().zip(group.iter_mut()) {
                    if !x.is_nan() {
                        let q = (x.round_ties_even() + zero).clamp(-half, half - 1.0);
                        (*value, *code) = (q - zero, self.entries[(q + half) as usize].1);
                    }
                }
            }
            Rounding::TableTieToLower => {
                // Index = midpoints below the weight; midpoints outside, so that the inner loop is a vector loop.
                for doubled_midpoint in &self.doubled_midpoints {
                    for (index, x) in indices.iter_mut().zip(scaled) {
                        *index = index.wrapping_add(u8::from(2.0 * x > *doubled_midpoint)); // at most 255 midpoints
                    }
                }
                for ((x, index), (code, value)) in scaled.iter().zip(&indices).zip(group.iter_mut()) {
                    if !x.is_nan() {
                        let entry = self.entries[usize::from(*index)];
                        (*value, *code) = (entry.0 as f32 / self.unit, entry.1);
                    }
                }
            }
            Rounding::SymmetricInteger | Rounding::OutlierVictimPairs => {
                let limit = self.largest as f32;
                for (x, (code, value)) in scaled.iter().zip(group.iter_mut()) {
                    if !x.is_nan() {
                        *value = x.round_ties_even().clamp(-limit, limit);
                        *code = self.entries[(*value as i64 + self.largest) as usize].1;
                    }
                }
                if let Some(outliers) = &self.outliers {
                    let places = group.codes.chunks_exact_mut(2).zip(group.values.chunks_exact_mut(2));
                    for (pair, (codes, values)) in scaled.chunks_exact(2).zip(places) {
                        if let Some([first, second]) = outliers.round([pair[0], pair[1]]) {
                            ([codes[0], codes[1]], [values[0], values[1]]) = ([first.0, second.0], [first.1, second.1]);
                        }
                    }
                }
            }
        }
        group
    }
}

/// The candidate codebooks of a type in selector order; one for a type without special values.
///
/// # Errors
/// As [`Codebook::new`].
pub fn codebooks(weight_type: &WeightType) -> Result<Vec<Codebook>, NumericsError> {
    match &weight_type.special {
        Some(special) => special.values.iter().map(|v| Codebook::new(weight_type, Some(*v))).collect(),
        None => Ok(vec![Codebook::new(weight_type, None)?]),
    }
}

/// The smallest and the largest of finite weights.
fn extremes(weights: &[f16]) -> (f16, f16) {
    let first = weights.first().copied().unwrap_or(f16::ZERO);
    weights
        .iter()
        .fold((first, first), |(low, high), w| (if *w < low { *w } else { low }, if *w > high { *w } else { high }))
}

/// The largest magnitude of finite weights, which are ordered like their bits.
pub(crate) fn largest_magnitude(weights: &[f16]) -> f32 {
    f16::from_bits(weights.iter().map(|w| w.to_bits() & 0x7FFF).max().unwrap_or(0)).to_f32()
}

/// A group's codes for one candidate, with the values behind them.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundedGroup {
    /// One code a weight.
    pub codes: Vec<u16>,
    /// Codebook values less the zero point, in quantizer units (-0 is kept, see [`Codebook::round`]).
    pub values: Vec<f32>,
    /// The zero point, less 2^(b-1); 0 for types without.
    pub zero_point: i8,
}

impl RoundedGroup {
    fn iter_mut(&mut self) -> impl Iterator<Item = (&mut u16, &mut f32)> {
        self.codes.iter_mut().zip(&mut self.values)
    }
}

/// Rounds every weight of a group to the codebook under `scale`: `f16(w / scale)` to the nearest value.
pub fn round_group(weights: &[f16], book: &Codebook, scale: f16) -> RoundedGroup {
    let mut scaled = to_f32_vec(weights);
    scaled.iter_mut().for_each(|w| *w /= scale.to_f32());
    round_slice(&mut scaled);
    book.round(&scaled, book.zero_point(weights, scale))
}

/// The published error of a candidate: `f16(mean f16(f16(dq - w)^2))`. The squares are summed exactly (FP16 numbers are
/// multiples of 2^-24, so a binary64 sum of up to 2^13 of them is exact) and divided in binary32.
pub fn mean_squared_error(weights: &[f16], dequantized: &[f16]) -> f16 {
    let mut squares = to_f32_vec(dequantized);
    squares.iter_mut().zip(to_f32_vec(weights)).for_each(|(d, w)| *d -= w);
    round_slice(&mut squares);
    squares.iter_mut().for_each(|difference| *difference *= *difference);
    round_slice(&mut squares);
    f16::from_f32(squares.iter().map(|s| f64::from(*s)).sum::<f64>() as f32 / weights.len() as f32)
}

/// Index of the least error below [`ERROR_LIMIT`], the first of equals; NaN never wins.
pub fn choose(errors: &[f16]) -> Option<usize> {
    let mut best = (ERROR_LIMIT, None);
    for (index, error) in errors.iter().enumerate() {
        if error.to_f32() < best.0 {
            best = (error.to_f32(), Some(index));
        }
    }
    best.1
}

/// A group quantized at the first level: codes under one FP16 scale.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedGroup {
    /// One code a weight.
    pub codes: Vec<u16>,
    /// Index of the special value; 0 for types without any and for groups without a choice.
    pub selector: u8,
    /// The zero point less 2^(b-1); 0 for types without.
    pub zero_point: i8,
    /// Whether a candidate was good enough; otherwise the published code gives all zeros ("choice -1").
    pub chosen: bool,
    /// The group scale, per quantizer unit of value ([`WeightType::quantizer_shift`]).
    pub scale: f16,
    /// The weights as they come back, `f16(value · scale)`, overflow to infinity.
    pub dequantized: Vec<f16>,
}

/// Quantizes one group at the first level (`--scale fp16`).
///
/// # Errors
/// As [`Codebook::new`]; `Shape` for an empty group, `NotFinite` (row 0) for a weight that is NaN or infinite.
pub fn quantize_group(weights: &[f16], weight_type: &WeightType) -> Result<QuantizedGroup, NumericsError> {
    if weights.is_empty() {
        return Err(NumericsError::Shape {
            what: "group to quantize".into(),
            found: "no weight".into(),
            expected: "at least one".into(),
        });
    }
    check_finite(weights, weights.len())?;
    Ok(quantize_with(weights, &codebooks(weight_type)?))
}

/// [`quantize_group`] with the codebooks made once; weights are finite.
pub(crate) fn quantize_with(weights: &[f16], books: &[Codebook]) -> QuantizedGroup {
    let mut candidates: Vec<QuantizedGroup> = books
        .iter()
        .enumerate()
        .map(|(selector, book)| {
            let scale = book.scale(weights).max(SMALLEST_SCALE).min(LARGEST_SCALE);
            let RoundedGroup { codes, mut values, zero_point } = round_group(weights, book, scale);
            values.iter_mut().for_each(|value| *value *= scale.to_f32());
            let dequantized = from_f32_slice(&values);
            QuantizedGroup { codes, selector: selector as u8, zero_point, chosen: true, scale, dequantized }
        })
        .collect();
    if books.len() == 1 {
        return candidates.swap_remove(0); // no search, hence no error limit
    }
    let errors: Vec<f16> = candidates.iter().map(|c| mean_squared_error(weights, &c.dequantized)).collect();
    match choose(&errors) {
        Some(index) => candidates.swap_remove(index),
        None => QuantizedGroup {
            codes: vec![books[0].zero_code; weights.len()],
            selector: 0,
            zero_point: 0,
            chosen: false,
            scale: f16::ZERO,
            dequantized: vec![f16::ZERO; weights.len()],
        },
    }
}

/// Refuses NaN and infinities, with the place; rows of `columns` weights.
pub(crate) fn check_finite(weights: &[f16], columns: usize) -> Result<(), NumericsError> {
    match weights.iter().position(|w| !w.is_finite()) {
        None => Ok(()),
        Some(index) => Err(NumericsError::NotFinite {
            what: "weight",
            row: index / columns,
            column: index % columns,
            value: weights[index].to_string(),
        }),
    }
}
