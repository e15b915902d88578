//! FP16 as exact integers, and arithmetic with a rounding to FP16 after every operation.

use half::f16;
use half::slice::HalfFloatSliceExt;

/// The canonical NaN of every engine.
pub const CANONICAL_NAN: u16 = 0x7E00;

/// A finite FP16 number is `significand · 2^(exponent - 25)`: an 11-bit magnitude with its sign, and the biased exponent
/// with subnormals at exponent 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoded {
    /// Signed significand, |significand| < 2^11.
    pub significand: i32,
    /// Biased exponent, 1..=30 for finite numbers, 31 for NaN and infinities.
    pub exponent: u32,
}

impl Decoded {
    /// Whether the number is neither NaN nor infinite.
    pub fn is_finite(self) -> bool {
        self.exponent != 31
    }
}

/// Splits an FP16 number.
pub fn decode(value: f16) -> Decoded {
    let bits = u32::from(value.to_bits());
    let field = bits >> 10 & 31;
    let fraction = (bits & 0x3FF) as i32;
    let magnitude = if field == 0 { fraction } else { fraction | 1 << 10 };
    let significand = if bits >> 15 != 0 { -magnitude } else { magnitude };
    Decoded { significand, exponent: field.max(1) }
}

/// FP16 product, rounded to nearest even. (A binary32 product of two FP16 numbers is exact.)
pub fn mul(a: f16, b: f16) -> f16 {
    f16::from_f32(a.to_f32() * b.to_f32())
}

/// FP16 sum, rounded to nearest even. (Binary32 has more than 2·11 + 2 bits, so the double rounding is harmless.)
pub fn add(a: f16, b: f16) -> f16 {
    f16::from_f32(a.to_f32() + b.to_f32())
}

/// FP16 difference, rounded to nearest even.
pub fn sub(a: f16, b: f16) -> f16 {
    f16::from_f32(a.to_f32() - b.to_f32())
}

/// FP16 quotient, rounded to nearest even.
pub fn div(a: f16, b: f16) -> f16 {
    f16::from_f32(a.to_f32() / b.to_f32())
}

/// Binary32 forms of a slice, exact. The slice conversions use the vector instructions of the host where it has any.
pub fn to_f32_vec(values: &[f16]) -> Vec<f32> {
    let mut wide = vec![0.0; values.len()];
    values.convert_to_f32_slice(&mut wide);
    wide
}

/// A slice rounded to FP16, ties to even.
pub fn from_f32_slice(values: &[f32]) -> Vec<f16> {
    let mut narrow = vec![f16::ZERO; values.len()];
    narrow.convert_from_f32_slice(values);
    narrow
}

/// Rounds every number to FP16, ties to even, and keeps it as binary32.
pub fn round_slice(values: &mut [f32]) {
    let mut narrow = [f16::ZERO; 64];
    for chunk in values.chunks_mut(narrow.len()) {
        let narrow = &mut narrow[..chunk.len()];
        narrow.convert_from_f32_slice(chunk);
        narrow.convert_to_f32_slice(chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_is_exact_for_every_finite_number() {
        for bits in 0..=u16::MAX {
            let value = f16::from_bits(bits);
            let d = decode(value);
            assert_eq!(d.is_finite(), value.is_finite());
            if d.is_finite() {
                let back = f64::from(d.significand) * 2f64.powi(d.exponent as i32 - 25);
                assert_eq!(back, value.to_f64(), "{bits:#06x}");
            }
        }
    }

    #[test]
    fn slices_equal_single_conversions() {
        // Every upper half of a binary32, with lower bits around the FP16 rounding positions.
        let inputs: Vec<f32> = (0..=u16::MAX)
            .flat_map(|high| [0, 1, 0x0FFF, 0x1000, 0x1001, 0x8000, 0xFFFF].map(|low| u32::from(high) << 16 | low))
            .map(f32::from_bits)
            .filter(|v| !v.is_nan())
            .collect();
        let narrow = from_f32_slice(&inputs);
        let wide = to_f32_vec(&narrow);
        let mut rounded = inputs.clone();
        round_slice(&mut rounded);
        for (i, input) in inputs.iter().enumerate() {
            let one = f16::from_f32_const(*input); // the software conversion
            assert_eq!(narrow[i].to_bits(), one.to_bits(), "{input:e}");
            assert_eq!(f16::from_f32(*input).to_bits(), one.to_bits(), "{input:e}");
            assert_eq!(wide[i].to_bits(), one.to_f32_const().to_bits());
            assert_eq!(rounded[i].to_bits(), wide[i].to_bits());
        }
    }
}
