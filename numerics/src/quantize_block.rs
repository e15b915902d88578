//! Quantizers of the block formats, in binary32.
//!
//! **MX** (OCP Microscaling Formats v1.0, section 6.3; rounding as in the published RaZeR code): the scale of a group is
//! `2^(floor(log2 max|w|) - floor(log2 m))`, `m` the largest magnitude of the type; `w / scale` goes to the nearest value, a tie
//! away from zero, and clips at `m`. Scales below 2^-24, those of groups of subnormal FP16 weights, are 2^-24.
//!
//! **NVFP4** (as in the published RaZeR code): `s = max|w| / m`, weight codes from `w / s`, and the scale stored as FP8 E4M3 of
//! `s / t`, ties to even, where `t = max over the tensor of s / 448`. The published `t` is binary32; here it is the next FP16
//! number up, since a machine's channel scales are FP16, which the format allows.

use crate::exact::power_of_two;
use crate::fp16::to_f32_vec;
use crate::quantize_group::{Codebook, RoundedGroup, largest_magnitude};
use crate::{LARGEST_SCALE_EXPONENT, SMALLEST_SCALE_EXPONENT, ScaleKind, WeightType, f16};

/// A quantized group: codes and the code of its scale.
pub(crate) struct Block {
    pub(crate) rounded: RoundedGroup,
    pub(crate) scale_code: u16,
}

/// Exponent of the binade of a positive finite number.
fn binade(value: f64) -> i32 {
    (value.to_bits() >> 52) as i32 - 1023
}

/// One MX group of finite weights; `unit` is a quantizer unit in real units, a power of two.
pub(crate) fn microscaling(weights: &[f16], book: &Codebook, unit: f64) -> Block {
    let largest = largest_magnitude(weights);
    let exponent = match largest {
        0.0 => SMALLEST_SCALE_EXPONENT,
        _ => binade(largest.into()) - binade(f64::from(book.largest_in_quantizer_units()) * unit),
    };
    let exponent = exponent.clamp(SMALLEST_SCALE_EXPONENT, LARGEST_SCALE_EXPONENT);
    let inverse = (1.0 / (power_of_two(exponent) * unit)) as f32;
    let scaled: Vec<f32> = to_f32_vec(weights).into_iter().map(|w| w * inverse).collect();
    Block { rounded: book.round(&scaled, 0), scale_code: (127 + exponent) as u16 }
}

/// The tensor scale of NVFP4, the published `max|w| / m / 448` as the next FP16 number up.
pub(crate) fn tensor_scale(weights: &[f16], weight_type: &WeightType, book: &Codebook) -> f16 {
    let largest = book.largest_in_quantizer_units() * (quantizer_unit(weight_type) as f32);
    let exact = largest_magnitude(weights) / largest / ScaleKind::E4m3.value(0x7E) as f32;
    let rounded = f16::from_f32(exact);
    if rounded.to_f32() < exact { f16::from_bits(rounded.to_bits() + 1) } else { rounded }
}

/// One NVFP4 group of finite weights under a tensor scale.
pub(crate) fn under_tensor_scale(weights: &[f16], book: &Codebook, unit: f64, tensor_scale: f16) -> Block {
    let scale = largest_magnitude(weights) / book.largest_in_quantizer_units();
    let scaled: Vec<f32> = to_f32_vec(weights).into_iter().map(|w| w / scale).collect();
    let ratio = if scale == 0.0 { 0.0 } else { scale / unit as f32 / tensor_scale.to_f32() };
    Block { rounded: book.round(&scaled, 0), scale_code: e4m3(ratio) }
}

/// A quantizer unit in real units.
pub(crate) fn quantizer_unit(weight_type: &WeightType) -> f64 {
    power_of_two(weight_type.quantizer_shift() as i32 - weight_type.fraction_bits.min(1000) as i32)
}

/// FP8 E4M3 of a number that is not negative: nearest, ties to even, at most 448.
fn e4m3(value: f32) -> u16 {
    let codes = 0..0x7Fu16;
    let midpoint = |code: u16| (ScaleKind::E4m3.value(code) + ScaleKind::E4m3.value(code + 1)) / 2.0;
    // The first code whose upper midpoint is not passed; on a midpoint the even code of the two.
    let passes = |code: u16| {
        let middle = midpoint(code);
        f64::from(value) > middle || (f64::from(value) == middle && code % 2 == 1)
    };
    codes.take_while(|code| *code < 0x7E && passes(*code)).count() as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e4m3_is_the_nearest_code() {
        for code in 0..0x7Fu16 {
            let value = ScaleKind::E4m3.value(code) as f32;
            assert_eq!(e4m3(value), code);
            if code < 0x7E {
                let middle = ((ScaleKind::E4m3.value(code) + ScaleKind::E4m3.value(code + 1)) / 2.0) as f32;
                assert_eq!(e4m3(middle), code + code % 2);
                assert_eq!(e4m3(f32::from_bits(middle.to_bits() + 1)), code + 1);
                assert_eq!(e4m3(f32::from_bits(middle.to_bits() - 1)), code);
            }
        }
        assert_eq!(e4m3(1e9), 0x7E);
    }
}
