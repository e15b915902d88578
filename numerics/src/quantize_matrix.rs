//! Quantizer of a weight matrix: the executable form, whose weights are
//! `value · 2^-fraction_bits · group scale code · channel scale` (exact integers, no FP16 rounding of the product).
//!
//! Choices and weight codes are those of the published second level ([`crate::second_level`]). Because a machine has one
//! channel scale per output channel, whatever its groups chose, the scale codes are taken anew: with `s` the unquantized
//! scale of a group's chosen candidate, `c = f16(max over the row's groups of s / 255)` and
//! `scale code = round(f16(s / c))`; where `c` is so small that a code would pass 255, it is the next FP16 number up
//! ([`executable_channel_scale`]). `c` is per quantizer unit ([`WeightType::quantizer_shift`]); the
//! stored channel scale is `c · 2^(fraction_bits - shift)`, exact.
//!
//! Measured cost of the one channel scale, `bitmod-fp4`, nine MiniLM matrices (`tests/golden.rs`): the relative mean square
//! error goes from the published second level's 0.0098395 to 0.0098403 at g128 (+0.008 %) and from 0.0070906 to 0.0070923
//! at g32 (+0.024 %); worst matrix +0.07 %, best -0.01 %. `int4`, with one candidate, stays within 0.003 %. Rounding the
//! weights again, to the scale that the machine will use, would gain 0.05 % and is not done.
//!
//! A group that the published search gives up on (every error ≥ 1000, "choice -1"), and a group whose scale code is zero,
//! have selector 0 and zero codes. [`ErrorStatistics::zeroed_groups`](crate::ErrorStatistics) counts those that were not zero.

use rayon::prelude::*;

use crate::exact::power_of_two;
use crate::quantize_block::{self, Block};
use crate::quantize_group::{Codebook, check_finite, codebooks, quantize_with};
use crate::second_level::{executable_channel_scale, scale_code, second_level_with};
use crate::{MAX_GROUP, NumericsError, QuantizedMatrix, ScaleKind, WeightType, f16};

/// Rounds binary32 weights to FP16, ties to even; what a quantizer starts from. Overflow gives an infinity, which the
/// quantizers refuse.
pub fn weights_to_fp16(weights: &[f32]) -> Vec<f16> {
    crate::fp16::from_f32_slice(weights)
}

/// Quantizes weights of shape `[output_channels, input_channels]` in groups of `group` input channels to the executable
/// form, with the type's own kind of group scale. The same bits at any number of threads.
///
/// # Errors
/// `Shape` for an empty matrix, a length that does not fit the shape, a group outside 1..=[`MAX_GROUP`] or a type that
/// cannot be quantized to; `NotFinite` with row and column for a weight that is NaN or infinite.
pub fn quantize_matrix(
    weights: &[f16],
    shape: [usize; 2],
    group: usize,
    weight_type: &WeightType,
) -> Result<QuantizedMatrix, NumericsError> {
    quantize_matrix_with_scales(weights, shape, group, weight_type, weight_type.scale_kind())
}

/// [`quantize_matrix`] with a kind of group scale: the type's own, or FP16, which is the published first level executed
/// exactly (its codes and scales, without the FP16 rounding of the products; the channel scales are a power of two).
///
/// # Errors
/// As [`quantize_matrix`], and `Shape` for another kind.
pub fn quantize_matrix_with_scales(
    weights: &[f16],
    shape: [usize; 2],
    group: usize,
    weight_type: &WeightType,
    kind: ScaleKind,
) -> Result<QuantizedMatrix, NumericsError> {
    check(weights, shape, group)?;
    let own = weight_type.scale_kind();
    let first_level = kind == ScaleKind::Fp16 && own == ScaleKind::Int8 && !weight_type.is_fp16();
    if kind != own && !first_level {
        return Err(NumericsError::Shape {
            what: format!("group scales of `{}` weights", weight_type.name),
            found: kind.name().to_string(),
            expected: match own {
                ScaleKind::Int8 if !weight_type.is_fp16() => "int8 or fp16".into(),
                _ => own.name().into(),
            },
        });
    }
    let [output_channels, input_channels] = shape;
    if weight_type.is_fp16() {
        return Ok(unquantized(weights, shape, group, weight_type));
    }
    let books = codebooks(weight_type)?;
    // A shift beyond the fraction bits would round subnormal channel scales; codebooks that need one are refused.
    let exponent = weight_type.fraction_bits as i32 - weight_type.quantizer_shift() as i32;
    let unit = f16::from_f32(power_of_two(exponent.clamp(-30, 30)) as f32);
    let tensor_scale = match kind {
        ScaleKind::E4m3 => quantize_block::tensor_scale(weights, weight_type, &books[0]),
        _ => f16::ONE,
    };
    let real = quantize_block::quantizer_unit(weight_type);
    let row = |row: &[f16]| match kind {
        ScaleKind::Int8 => quantize_row(row, group, &books, unit),
        ScaleKind::Fp16 => first_level_row(row, group, &books, unit),
        ScaleKind::E8m0 => block_row(row, group, f16::ONE, |w| quantize_block::microscaling(w, &books[0], real)),
        ScaleKind::E4m3 => block_row(row, group, tensor_scale, |w| {
            quantize_block::under_tensor_scale(w, &books[0], real, tensor_scale)
        }),
    };
    let rows: Vec<Row> = weights.par_chunks(input_channels).map(row).collect();
    let groups = input_channels.div_ceil(group);
    let mut matrix = QuantizedMatrix {
        weight_type: weight_type.clone(),
        output_channels,
        input_channels,
        group,
        codes: Vec::with_capacity(weights.len()),
        selectors: Vec::with_capacity(output_channels * groups),
        zero_points: Vec::new(),
        scale_kind: kind,
        scales: Vec::with_capacity(output_channels * groups),
        channel_scales: Vec::with_capacity(output_channels),
        special_values: weight_type.special_values(),
    };
    for row in rows {
        matrix.codes.extend(row.codes);
        matrix.selectors.extend(row.selectors);
        if weight_type.has_zero_point() {
            matrix.zero_points.extend(row.zero_points);
        }
        matrix.scales.extend(row.scales);
        matrix.channel_scales.push(row.channel_scale);
    }
    matrix.check()?;
    Ok(matrix)
}

/// FP16 weights as they are, under scales of 1.
fn unquantized(
    weights: &[f16],
    [output_channels, input_channels]: [usize; 2],
    group: usize,
    weight_type: &WeightType,
) -> QuantizedMatrix {
    let groups = output_channels * input_channels.div_ceil(group);
    QuantizedMatrix {
        weight_type: weight_type.clone(),
        output_channels,
        input_channels,
        group,
        codes: weights.iter().map(|w| w.to_bits()).collect(),
        selectors: vec![0; groups],
        zero_points: Vec::new(),
        scale_kind: ScaleKind::Int8,
        scales: vec![1; groups],
        channel_scales: vec![f16::ONE; output_channels],
        special_values: weight_type.special_values(),
    }
}

struct Row {
    codes: Vec<u16>,
    selectors: Vec<u8>,
    zero_points: Vec<i8>,
    scales: Vec<u16>,
    channel_scale: f16,
}

impl Row {
    fn new(weights: usize, group: usize, channel_scale: f16) -> Row {
        let groups = weights.div_ceil(group);
        Row {
            codes: Vec::with_capacity(weights),
            selectors: Vec::with_capacity(groups),
            zero_points: Vec::with_capacity(groups),
            scales: Vec::with_capacity(groups),
            channel_scale,
        }
    }

    fn push(&mut self, codes: Vec<u16>, selector: u8, zero_point: i8, scale: u16) {
        self.codes.extend(codes);
        self.selectors.push(selector);
        self.zero_points.push(zero_point);
        self.scales.push(scale);
    }

    /// A group whose weights are all zero.
    fn push_zeros(&mut self, weights: usize, zero_code: u16) {
        self.push(vec![zero_code; weights], 0, 0, 0);
    }
}

/// One output channel; `unit` is a quantizer unit's inverse.
fn quantize_row(row: &[f16], group: usize, books: &[Codebook], unit: f16) -> Row {
    let groups = second_level_with(row, group, books);
    let channel = executable_channel_scale(groups.iter().map(|g| g.scale).fold(f16::ZERO, f16::max));
    let mut quantized = Row::new(row.len(), group, crate::fp16::mul(channel, unit));
    for g in groups {
        match scale_code(g.scale, channel) {
            0 => quantized.push_zeros(g.codes.len(), books[0].zero_code()),
            scale => quantized.push(g.codes, g.selector, g.zero_point, scale.into()),
        }
    }
    quantized
}

/// One output channel with FP16 group scales.
fn first_level_row(row: &[f16], group: usize, books: &[Codebook], unit: f16) -> Row {
    let mut quantized = Row::new(row.len(), group, unit);
    for g in row.chunks(group).map(|weights| quantize_with(weights, books)) {
        match g.scale.to_bits() {
            0 => quantized.push_zeros(g.codes.len(), books[0].zero_code()),
            scale => quantized.push(g.codes, g.selector, g.zero_point, scale),
        }
    }
    quantized
}

/// One output channel of a block format.
fn block_row(row: &[f16], group: usize, channel_scale: f16, quantize: impl Fn(&[f16]) -> Block) -> Row {
    let mut quantized = Row::new(row.len(), group, channel_scale);
    for block in row.chunks(group).map(quantize) {
        quantized.push(block.rounded.codes, 0, 0, block.scale_code);
    }
    quantized
}

fn check(weights: &[f16], shape: [usize; 2], group: usize) -> Result<(), NumericsError> {
    let [output_channels, input_channels] = shape;
    let refused =
        |what: &str, found: String, expected: String| Err(NumericsError::Shape { what: what.into(), found, expected });
    if output_channels == 0 || input_channels == 0 {
        let found = format!("{output_channels} x {input_channels}");
        return refused("shape of a matrix to quantize", found, "at least 1 x 1".into());
    }
    if output_channels.checked_mul(input_channels) != Some(weights.len()) {
        let expected = format!("{output_channels} x {input_channels}");
        return refused("length of the weights to quantize", weights.len().to_string(), expected);
    }
    if group == 0 || group > MAX_GROUP {
        return refused("group", group.to_string(), format!("1 to {MAX_GROUP} input channels"));
    }
    check_finite(weights, input_channels)
}
