//! Error statistics of quantized matrices, in binary64 and in a fixed order.

use rayon::prelude::*;

use crate::exact::power_of_two;
use crate::{NumericsError, QuantizedMatrix, SPECIAL_VALUES, f16};

/// How far quantized weights are from the FP16 weights they stand for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ErrorStatistics {
    /// Weights compared.
    pub weights: u64,
    /// Sum of squared errors.
    pub squared_error: f64,
    /// Sum of squared original weights.
    pub squared_weight: f64,
    /// Groups per special value, in selector order; zeros for types without any. Zeroed groups are not in it.
    pub special_values: [u64; SPECIAL_VALUES],
    /// Groups with a non-zero weight that became all zeros: the search found no error below 1000, or the group's scale
    /// vanished beside the largest of its output channel.
    pub zeroed_groups: u64,
}

impl ErrorStatistics {
    /// Mean square error.
    pub fn mse(&self) -> f64 {
        if self.weights == 0 { 0.0 } else { self.squared_error / self.weights as f64 }
    }

    /// Sum of squared errors over sum of squared weights; 0 where both are 0.
    pub fn relative_mse(&self) -> f64 {
        if self.squared_error == 0.0 { 0.0 } else { self.squared_error / self.squared_weight }
    }

    /// Statistics of two parts together, this one first.
    pub fn merge(mut self, other: &ErrorStatistics) -> ErrorStatistics {
        self.weights += other.weights;
        self.squared_error += other.squared_error;
        self.squared_weight += other.squared_weight;
        for (count, more) in self.special_values.iter_mut().zip(other.special_values) {
            *count += more;
        }
        self.zeroed_groups += other.zeroed_groups;
        self
    }

    fn add_group(
        &mut self,
        weights: &[f16],
        dequantized: impl Iterator<Item = f64>,
        special: Option<u8>,
        zeroed: bool,
    ) {
        for (w, d) in weights.iter().zip(dequantized) {
            let w = w.to_f64();
            self.squared_error += (d - w) * (d - w);
            self.squared_weight += w * w;
        }
        self.weights += weights.len() as u64;
        if zeroed && weights.iter().any(|w| *w != f16::ZERO) {
            self.zeroed_groups += 1;
        } else if let Some(selector) = special {
            self.special_values[usize::from(selector) % SPECIAL_VALUES] += 1;
        }
    }
}

/// Statistics of the executable form against `[output_channels, input_channels]` weights, with exact quantized weights.
///
/// # Errors
/// `Shape` if the lengths differ or the matrix is not consistent.
pub fn error_statistics(weights: &[f16], matrix: &QuantizedMatrix) -> Result<ErrorStatistics, NumericsError> {
    matrix.check()?;
    check_length(weights.len(), matrix.codes.len())?;
    let unit = power_of_two(-(matrix.weight_type.fraction_bits.min(1000) as i32));
    let rows: Vec<ErrorStatistics> = weights
        .par_chunks(matrix.input_channels)
        .enumerate()
        .map(|(row, weights)| {
            let mut statistics = ErrorStatistics::default();
            let channel = matrix.channel_scales[row].to_f64() * unit;
            for (g, weights) in weights.chunks(matrix.group).enumerate() {
                let index = row * matrix.groups() + g;
                let scale = matrix.scale_kind.value(matrix.scales[index]) * channel;
                let first = g * matrix.group;
                let values = (0..weights.len()).map(|i| matrix.value(row, first + i) as f64 * scale);
                let special = matrix.weight_type.special.as_ref().map(|_| matrix.selectors[index]);
                statistics.add_group(weights, values, special, scale == 0.0);
            }
            statistics
        })
        .collect();
    Ok(rows.iter().fold(ErrorStatistics::default(), ErrorStatistics::merge))
}

fn check_length(weights: usize, quantized: usize) -> Result<(), NumericsError> {
    if weights == quantized {
        return Ok(());
    }
    Err(NumericsError::Shape {
        what: "length of the weights to compare".into(),
        found: weights.to_string(),
        expected: quantized.to_string(),
    })
}
