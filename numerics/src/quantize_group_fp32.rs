//! Quantizer of one group with the binary32 semantics of the published RaZeR code: no FP16 in between, no clamp of the scale.
//! For comparison with its figures only: what machines execute comes from [`quantize_matrix`](crate::quantize_matrix()).

use crate::fp16::{from_f32_slice, to_f32_vec};
use crate::quantize_group::{Codebook, codebooks, largest_magnitude};
use crate::{NumericsError, WeightType, f16};

/// Errors at or above this never win the search; the published starting value.
const ERROR_LIMIT: f32 = 1e4;

/// A group quantized in binary32.
#[derive(Debug, Clone, PartialEq)]
pub struct Fp32Group {
    /// One code a weight.
    pub codes: Vec<u16>,
    /// Index of the special value; 0 for types without any.
    pub selector: u8,
    /// The group scale, per quantizer unit.
    pub scale: f32,
    /// The weights as they come back, rounded to FP16 once.
    pub dequantized: Vec<f16>,
}

/// Quantizes a group of finite weights; of equally good special values the first is kept, all zeros where none is good enough.
///
/// # Errors
/// As [`Codebook::new`].
pub fn quantize_group_fp32(weights: &[f16], weight_type: &WeightType) -> Result<Fp32Group, NumericsError> {
    let wide = to_f32_vec(weights);
    let mut best: Option<(f32, Fp32Group)> = None;
    let books = codebooks(weight_type)?;
    for (selector, book) in (0..).zip(&books) {
        let (error, group) = candidate(&wide, largest_magnitude(weights), book, selector);
        if error < best.as_ref().map_or(ERROR_LIMIT, |b| b.0) || books.len() == 1 {
            best = Some((error, group));
        }
    }
    Ok(best.map(|b| b.1).unwrap_or_else(|| Fp32Group {
        codes: vec![weight_type.zero_code(); weights.len()],
        selector: 0,
        scale: 0.0,
        dequantized: vec![f16::ZERO; weights.len()],
    }))
}

fn candidate(weights: &[f32], largest: f32, book: &Codebook, selector: u8) -> (f32, Fp32Group) {
    let scale = largest / book.largest_in_quantizer_units();
    let scaled: Vec<f32> = weights.iter().map(|w| w / scale).collect();
    let mut rounded = book.round(&scaled, 0);
    rounded.values.iter_mut().for_each(|v| *v *= scale);
    let squares: Vec<f32> = rounded.values.iter().zip(weights).map(|(d, w)| (d - w) * (d - w)).collect();
    let error = vector_sum(&squares) / weights.len() as f32;
    (error, Fp32Group { codes: rounded.codes, selector, scale, dequantized: from_f32_slice(&rounded.values) })
}

/// Sum in the order of the published figures' library on their machine: four accumulators of eight lanes, added up one after
/// the other, then the lanes, then what no vector holds. In 1 of 4600 groups the order decides between special values.
fn vector_sum(values: &[f32]) -> f32 {
    const LANES: usize = 8;
    let (vectors, rest) = values.as_chunks::<LANES>();
    let whole = vectors.len() / 4 * 4;
    let mut partial = [[0f32; LANES]; 4];
    for (i, vector) in vectors.iter().enumerate() {
        let accumulator = &mut partial[if i < whole { i % 4 } else { 0 }];
        accumulator.iter_mut().zip(vector).for_each(|(sum, v)| *sum += v);
    }
    let [mut total, others @ ..] = partial;
    others.iter().for_each(|other| total.iter_mut().zip(other).for_each(|(sum, v)| *sum += v));
    rest.iter().chain(&total).sum()
}
