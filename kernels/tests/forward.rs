//! The layer norm against another way to compute it: binary64 moments, E[x²] - E[x]², sums from the last channel down.

mod common;

use bitmosaic_kernels::forward::embedding_layer_norm;
use common::Random;

#[test]
fn layer_norm_is_that_of_the_moments() {
    for (seed, tokens, hidden) in [(1, 3, 384), (2, 1, 1), (3, 5, 7), (4, 2, 1024)] {
        let mut random = Random::new(seed);
        let mut values = |count: usize| (0..count).map(|_| random.heavy_tailed()).collect::<Vec<f32>>();
        let addends = [0; 3].map(|_| values(tokens * hidden));
        let (weight, bias) = (values(hidden), values(hidden));
        let epsilon = 1e-3;
        let found = embedding_layer_norm(&addends, &weight, &bias, epsilon).unwrap();
        assert_eq!(found.len(), tokens * hidden);
        for (i, found) in found.iter().enumerate() {
            let (token, channel) = (i / hidden, i % hidden);
            let x = |channel: usize| addends.iter().map(|a| f64::from(a[token * hidden + channel])).sum::<f64>();
            let moment = |power| (0..hidden).rev().map(|c| x(c).powi(power)).sum::<f64>() / hidden as f64;
            let scale = (moment(2) - moment(1).powi(2) + epsilon).sqrt();
            let expected = (x(channel) - moment(1)) / scale * f64::from(weight[channel]) + f64::from(bias[channel]);
            let error = (f64::from(*found) - expected).abs();
            assert!(error <= 1e-7 * (1.0 + expected.abs()), "{token} {channel}: {found} {expected}");
        }
    }
}
