//! The conventional PE: FP16 weights times FP16 activations. Products are aligned and added as in `bit-serial-float`, all bits of
//! their significands. The mathematics are described in `kernels/src/mac_datapath.rs`.

use bitmosaic_numerics::{f16, fp16};

use super::Sum;
pub(super) use super::bit_serial_float::{accumulate, sum};

/// Signed 22-bit significand and exponent; exponent 0 where the product is zero.
pub(super) fn product(weight: f16, activation: i32) -> Sum {
    let (weight, activation) = (fp16::decode(weight), fp16::decode(f16::from_bits(activation as u16)));
    match i64::from(weight.significand) * i64::from(activation.significand) {
        0 => Sum::default(),
        significand => Sum { significand, exponent: weight.exponent + activation.exponent },
    }
}
