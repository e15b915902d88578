//! Rounding to outlier-victim pairs and the search of their scale, as published with OliVe (see `types/olive.rs`), with the
//! group in the place of the output channel:
//! - the scale is the one of least squared error among `r / m`, `m` the largest normal value and `r` from 75 % to 249 % of the
//!   larger of `|mean ± 3 · standard deviation|`, in steps of 2 % (the ranges of the published scripts). Before them stands
//!   `max|w| / m`, under which there is no outlier: a group is never worse than with normal values alone;
//! - a scaled weight at least midway from the largest normal value to the smallest outlier is an outlier, and goes to the nearest
//!   one, of two the higher. Others round as normal weights do;
//! - of two outliers in a pair the larger stays, the first of equals, as in the paper; the published code keeps the first.

use crate::quantize_group::{Codebook, largest_magnitude, round_group};
use crate::{WeightType, f16};

/// The outliers of a type and the code of their victims.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outliers {
    /// `(value, code)`, ascending.
    entries: Vec<(i64, u16)>,
    /// Sums of neighbours: twice the midpoints.
    doubled_midpoints: Vec<f32>,
    /// Twice the least magnitude of a scaled weight that is an outlier.
    doubled_threshold: f32,
    victim_code: u16,
}

impl Outliers {
    /// Those of a type whose largest normal value is `largest`; `None` for a type without.
    pub(crate) fn new(weight_type: &WeightType, largest: i64) -> Option<Outliers> {
        let victim_code = weight_type.victim_code()?;
        let entries = weight_type.outliers();
        let smallest = entries.iter().map(|(value, _)| value.abs()).min()?;
        Some(Outliers {
            doubled_midpoints: entries.windows(2).map(|pair| (pair[0].0 + pair[1].0) as f32).collect(),
            doubled_threshold: (largest + smallest) as f32,
            entries,
            victim_code,
        })
    }

    /// Codes and values of a pair of scaled weights; `None` if neither is an outlier.
    pub(crate) fn round(&self, pair: [f32; 2]) -> Option<[(u16, f32); 2]> {
        let [first, second] = pair.map(|x| 2.0 * x.abs() >= self.doubled_threshold);
        let victim = (self.victim_code, 0.0);
        match (first, second) {
            (false, false) => None,
            (true, true) if pair[1].abs() > pair[0].abs() => Some([victim, self.nearest(pair[1])]),
            (true, _) => Some([self.nearest(pair[0]), victim]),
            (false, true) => Some([victim, self.nearest(pair[1])]),
        }
    }

    fn nearest(&self, scaled: f32) -> (u16, f32) {
        let (value, code) = self.entries[self.doubled_midpoints.partition_point(|middle| 2.0 * scaled >= *middle)];
        (code, value as f32)
    }
}

/// The group scale of least squared error; the first of equals.
pub(crate) fn least_squares_scale(weights: &[f16], book: &Codebook) -> f16 {
    let reach = three_sigma(weights);
    let searched = (75..250).step_by(2).map(|percent| reach * f64::from(percent) / 100.0);
    let mut best = (f64::INFINITY, f16::ZERO);
    for reach in std::iter::once(f64::from(largest_magnitude(weights))).chain(searched) {
        let scale = f16::from_f32(reach as f32 / book.largest_in_quantizer_units());
        let values = round_group(weights, book, scale).values;
        let difference = |(value, w): (&f32, &f16)| f64::from(*value) * scale.to_f64() - w.to_f64();
        let error = values.iter().zip(weights).map(difference).map(|d| d * d).sum();
        if error < best.0 {
            best = (error, scale);
        }
    }
    best.1
}

/// The larger of `|mean ± 3 · standard deviation|`, the deviation over n - 1; of a single weight its magnitude.
fn three_sigma(weights: &[f16]) -> f64 {
    let mean = weights.iter().map(|w| w.to_f64()).sum::<f64>() / weights.len() as f64;
    let squares = weights.iter().map(|w| (w.to_f64() - mean) * (w.to_f64() - mean)).sum::<f64>();
    mean.abs() + 3.0 * (squares / (weights.len().max(2) - 1) as f64).sqrt()
}
