//! Round numbers along an axis.

use super::canvas::text_width;
use crate::number::{count, decades};

/// How many intervals leave room for the labels of an axis of `pixels`, at most six.
pub(super) fn intervals(most: u128, pixels: i32) -> u128 {
    (pixels / (text_width(&count(most)) + 20)).clamp(1, 6) as u128
}

/// Multiples of 1, 2 or 5 times a power of ten from 0 up to `most`, at most `intervals` apart from 0; only 0 where
/// `most` is 0.
pub(super) fn linear_ticks(most: u128, intervals: u128) -> Vec<u128> {
    if most == 0 {
        return vec![0];
    }
    let least = most.div_ceil(intervals.max(1));
    let mut power = 1u128;
    let step = loop {
        let found = [1, 2, 5].into_iter().map(|m| power.saturating_mul(m)).find(|step| *step >= least);
        match found {
            Some(step) => break step,
            None => power = power.saturating_mul(10),
        }
    };
    (0..=most / step).map(|i| i * step).collect()
}

/// Pixels of `value` on an axis from 0 at `left` to `most` at `right`.
pub(super) fn linear(value: u128, most: u128, (left, right): (i32, i32)) -> i32 {
    if most == 0 {
        return left;
    }
    left + (f64::from(right - left) * (value as f64 / most as f64)).round() as i32
}

/// Whole decades around positive finite values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogAxis {
    low: i32,
    high: i32,
    pixels: (i32, i32),
}

impl LogAxis {
    /// Around all values that are positive and finite; around 1 where there is none.
    pub(super) fn around(values: impl IntoIterator<Item = f64>, pixels: (i32, i32)) -> LogAxis {
        let exponents: Vec<f64> =
            values.into_iter().filter(|v| v.is_finite() && *v > 0.0).map(|v| decades(v) + 1e-9).collect();
        let low = exponents.iter().copied().fold(f64::INFINITY, f64::min);
        let high = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if exponents.is_empty() {
            return LogAxis { low: -1, high: 0, pixels };
        }
        let (low, high) = (low.floor() as i32, (high - 2e-9).ceil() as i32);
        LogAxis { low, high: high.max(low + 1), pixels }
    }

    /// Exponents to label, ascending, at most nine.
    pub(super) fn ticks(&self) -> Vec<i32> {
        let step = (self.high - self.low).div_euclid(9) + 1;
        (self.low..=self.high).step_by(step as usize).collect()
    }

    /// Pixels of 10^exponent.
    pub(super) fn tick(&self, exponent: i32) -> i32 {
        self.at(f64::from(exponent))
    }

    /// Pixels of a positive finite value.
    pub(super) fn position(&self, value: f64) -> i32 {
        self.at(decades(value))
    }

    fn at(&self, exponent: f64) -> i32 {
        let (left, right) = self.pixels;
        let part = (exponent - f64::from(self.low)) / f64::from(self.high - self.low);
        left + (f64::from(right - left) * part).round() as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_steps() {
        assert_eq!(linear_ticks(0, 5), [0]);
        assert_eq!(linear_ticks(3, 5), [0, 1, 2, 3]);
        assert_eq!(linear_ticks(19_456, 5), [0, 5000, 10_000, 15_000]);
        assert_eq!(linear_ticks(1000, 5), [0, 200, 400, 600, 800, 1000]);
        assert!(linear_ticks(u128::MAX, 5).len() <= 6);
        assert_eq!(linear(5, 0, (10, 20)), 10);
        assert_eq!(linear(5, 10, (10, 20)), 15);
    }

    #[test]
    fn whole_decades() {
        let axis = LogAxis::around([2e-6, 3e-4, 0.0, f64::NAN, f64::INFINITY], (0, 300));
        assert_eq!(axis.ticks(), [-6, -5, -4, -3]);
        assert_eq!(axis.tick(-5), 100);
        assert_eq!(axis.position(1e-4), 200);
        let exact = LogAxis::around([1e-6, 1e-3], (0, 300));
        assert_eq!(exact.ticks(), [-6, -5, -4, -3]);
        let one = LogAxis::around([1e-6], (0, 300));
        assert_eq!(one.ticks(), [-6, -5]);
        assert_eq!(LogAxis::around([], (0, 300)).ticks(), [-1, 0]);
        let wide = LogAxis::around([5e-324, 1.7e308], (0, 300));
        assert!(wide.ticks().len() <= 9 && wide.position(5e-324) >= 0 && wide.position(1.7e308) <= 300);
    }
}
