//! The parts of a model around its matrix products, on the host. Sums are in binary64 in a stated order and rounded once, so
//! that results are the same everywhere; the only function beyond arithmetic is the square root, which IEEE 754 defines to the last bit.

use crate::KernelError;

/// `LayerNorm(addends[0] + addends[1] + addends[2])` of rows `[tokens, hidden]`, the input of BERT's first layer where the
/// addends are word, position and token type embedding. With `x` a row's sum (left to right), `m` its mean and `v` its mean
/// square deviation from `m` (both over ascending channels, divided by `hidden`):
/// `f32((x - m) / sqrt(v + epsilon) · weight + bias)`.
///
/// # Errors
/// `Shape` if `weight` and `bias` differ in length or are empty, or an addend is no whole number of rows or not as long as
/// the first.
pub fn embedding_layer_norm(
    addends: &[Vec<f32>; 3],
    weight: &[f32],
    bias: &[f32],
    epsilon: f64,
) -> Result<Vec<f32>, KernelError> {
    let hidden = weight.len();
    let shape =
        |what, found: usize, expected: String| Err(KernelError::Shape { what, found: found.to_string(), expected });
    if hidden == 0 || bias.len() != hidden {
        return shape(
            "length of the bias of a layer norm",
            bias.len(),
            format!("{}, that of its weight", hidden.max(1)),
        );
    }
    let length = addends[0].len();
    if let Some(other) = addends.iter().find(|a| a.len() != length || !a.len().is_multiple_of(hidden)) {
        return shape("length of an embedding", other.len(), format!("whole rows of {hidden}, {length} values"));
    }
    let sum = |i: usize| f64::from(addends[0][i]) + f64::from(addends[1][i]) + f64::from(addends[2][i]);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / hidden as f64;
    let mut outputs = Vec::with_capacity(length);
    for first in (0..length).step_by(hidden) {
        let row: Vec<f64> = (first..first + hidden).map(sum).collect();
        let middle = mean(&row);
        let deviations: Vec<f64> = row.iter().map(|x| x - middle).collect();
        let squares: Vec<f64> = deviations.iter().map(|d| d * d).collect();
        let deviation = (mean(&squares) + epsilon).sqrt();
        let scaled = deviations.iter().zip(weight).zip(bias);
        outputs.extend(scaled.map(|((d, w), b)| (d / deviation * f64::from(*w) + f64::from(*b)) as f32));
    }
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_by_hand() {
        // Sums 1, 2, 3, 6: mean 3, deviations -2, -1, 0, 3, mean square 3.5; with epsilon 0.5 the divisor is 2.
        let addends = [vec![1.0, 1.0, 1.0, 4.0], vec![0.0, 1.0, 3.0, 1.0], vec![0.0, 0.0, -1.0, 1.0]];
        let outputs = embedding_layer_norm(&addends, &[1.0, 2.0, 3.0, -1.0], &[0.0, 0.5, 0.25, 1.0], 0.5).unwrap();
        assert_eq!(outputs, [-1.0, -0.5, 0.25, -0.5]);
    }

    #[test]
    fn rows_are_apart_and_constant_rows_are_the_bias() {
        let row = [0.5f32, -1.5, 2.0, 8.0];
        let two = [[row, [7.0; 4]].concat(), vec![0.0; 8], vec![0.0; 8]];
        let one = [row.to_vec(), vec![0.0; 4], vec![0.0; 4]];
        let [both, alone] = [two, one].map(|a| embedding_layer_norm(&a, &[1.0; 4], &[0.25; 4], 1e-12).unwrap());
        assert_eq!(both[..4], alone[..]);
        assert_eq!(both[4..], [0.25; 4]);
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let addends = |lengths: [usize; 3]| lengths.map(|n| vec![0.0; n]);
        for (lengths, bias) in [([4, 4, 3], 2), ([3, 3, 3], 2), ([4, 4, 4], 1)] {
            assert!(
                embedding_layer_norm(&addends(lengths), &[1.0; 2], &vec![0.0; bias], 1e-12).is_err(),
                "{lengths:?}"
            );
        }
        assert!(embedding_layer_norm(&addends([0; 3]), &[], &[], 1e-12).is_err());
    }
}
