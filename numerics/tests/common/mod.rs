//! What the tests of the quantizers share.

use bitmosaic_numerics::{QuantizedGroup, WeightType, f16, quantize_group};
use rayon::prelude::*;

/// A matrix of rows of `columns` weights at the published first level: its groups in row-major order.
pub fn first_level(weights: &[f16], columns: usize, group: usize, weight_type: &WeightType) -> Vec<QuantizedGroup> {
    let groups: Vec<&[f16]> = weights.chunks(columns).flat_map(|row| row.chunks(group)).collect();
    groups.into_par_iter().map(|weights| quantize_group(weights, weight_type).unwrap()).collect()
}
