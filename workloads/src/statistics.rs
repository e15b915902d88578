//! What matters of a weight matrix to a quantizer: how heavy its tails are and how far its output channels differ.
//!
//! Sums run in row order in binary64, so the same matrix gives the same figures everywhere.

/// Input channels of the groups behind [`WeightStatistics::group_largest_over_std`].
pub const STATISTICS_GROUP: usize = 128;

/// Statistics of a matrix `[output channels, input channels]`. Ratios, so free of the matrix's scale, but for `std`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightStatistics {
    /// Standard deviation of all weights.
    pub std: f64,
    /// Fourth central moment over squared variance, all weights; 3 for a normal distribution.
    pub kurtosis: f64,
    /// The same after every output channel is brought to mean 0 and standard deviation 1: tails within channels, without
    /// the spread between them.
    pub channel_kurtosis: f64,
    /// 5th percentile of the output channels' standard deviations over their median.
    pub channel_std_p5: f64,
    /// 95th percentile of the output channels' standard deviations over their median.
    pub channel_std_p95: f64,
    /// Largest magnitude over `std`.
    pub largest_over_std: f64,
    /// Median over whole groups of [`STATISTICS_GROUP`] input channels of largest magnitude over the group's standard
    /// deviation: what an absolute-maximum scale has to span. 0 if a row has no whole group.
    pub group_largest_over_std: f64,
}

impl WeightStatistics {
    /// Statistics of a row-major matrix of `columns` columns. Constant channels and groups are left out of the ratios.
    ///
    /// # Panics
    /// If `columns` is 0.
    pub fn of(columns: usize, weights: &[f32]) -> WeightStatistics {
        let all = Moments::of(weights);
        let channels: Vec<Moments> =
            weights.chunks_exact(columns).map(Moments::of).filter(|m| m.variance > 0.0).collect();
        let mut channel_stds: Vec<f64> = channels.iter().map(|m| m.variance.sqrt()).collect();
        channel_stds.sort_by(f64::total_cmp);
        let median_std = percentile(&channel_stds, 0.5);
        let groups = weights.chunks_exact(columns).flat_map(|row| row.chunks_exact(STATISTICS_GROUP));
        let mut group_ratios: Vec<f64> =
            groups.map(Moments::of).filter(|m| m.variance > 0.0).map(|m| m.largest / m.variance.sqrt()).collect();
        group_ratios.sort_by(f64::total_cmp);
        WeightStatistics {
            std: all.variance.sqrt(),
            kurtosis: all.kurtosis(),
            channel_kurtosis: mean(channels.iter().map(Moments::kurtosis)),
            channel_std_p5: percentile(&channel_stds, 0.05) / median_std,
            channel_std_p95: percentile(&channel_stds, 0.95) / median_std,
            largest_over_std: all.largest / all.variance.sqrt(),
            group_largest_over_std: percentile(&group_ratios, 0.5),
        }
    }

    /// Each figure with its name, for tables and tests.
    pub fn figures(&self) -> [(&'static str, f64); 7] {
        [
            ("std", self.std),
            ("kurtosis", self.kurtosis),
            ("channel_kurtosis", self.channel_kurtosis),
            ("channel_std_p5", self.channel_std_p5),
            ("channel_std_p95", self.channel_std_p95),
            ("largest_over_std", self.largest_over_std),
            ("group_largest_over_std", self.group_largest_over_std),
        ]
    }
}

struct Moments {
    variance: f64,
    fourth: f64,
    largest: f64,
}

impl Moments {
    fn of(values: &[f32]) -> Moments {
        let center = mean(values.iter().map(|v| f64::from(*v)));
        let squares = || values.iter().map(|v| (f64::from(*v) - center) * (f64::from(*v) - center));
        Moments {
            variance: mean(squares()),
            fourth: mean(squares().map(|s| s * s)),
            largest: values.iter().map(|v| f64::from(v.abs())).fold(0.0, f64::max),
        }
    }

    fn kurtosis(&self) -> f64 {
        self.fourth / (self.variance * self.variance)
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}

/// Percentile of ascending values, linear between neighbours; 0 of none.
pub fn percentile(sorted: &[f64], fraction: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = fraction.clamp(0.0, 1.0) * last as f64;
    let below = place as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_a_matrix_worked_by_hand() {
        // Channels ±1 (std 1) and ±3 (std 3): variance (1 + 9) / 2, fourth moment (1 + 81) / 2.
        let weights = [1.0, -1.0, 1.0, -1.0, 3.0, -3.0, 3.0, -3.0];
        let s = WeightStatistics::of(4, &weights);
        assert_eq!(s.std, 5f64.sqrt());
        assert_eq!(s.kurtosis, 41.0 / 25.0);
        assert_eq!(s.channel_kurtosis, 1.0);
        assert_eq!((s.channel_std_p5, s.channel_std_p95), (1.1 / 2.0, 2.9 / 2.0));
        assert_eq!(s.largest_over_std, 3.0 / 5f64.sqrt());
        assert_eq!(s.group_largest_over_std, 0.0);
        let mut row = [0.0; 128];
        (row[3], row[100]) = (8.0, -8.0);
        assert_eq!(WeightStatistics::of(128, &row).group_largest_over_std, 8.0);
    }

    #[test]
    fn percentiles_are_linear_between_neighbours() {
        let sorted = [1.0, 2.0, 4.0];
        let values = [0.0, 0.25, 0.5, 0.75, 1.0].map(|f| percentile(&sorted, f));
        assert_eq!(values, [1.0, 1.5, 2.0, 3.0, 4.0]);
        assert_eq!(percentile(&[], 0.5), 0.0);
    }
}
