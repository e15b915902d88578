//! Activations as unsigned byte limbs: `activation = (Σ limb_l · 2^(bits · l) - bias) · 2^shift`.

use crate::packed::Layout;
use crate::simd::{CHUNK, Limb, MAX_LIMBS};

/// One token in the layout of a panel.
#[derive(Debug, Clone)]
pub(crate) struct TokenLimbs {
    /// `[chunk, limb]`; padded slots are 0 in every limb.
    pub(crate) limbs: Vec<Limb>,
    /// What was added to every activation, a power of two or 0.
    pub(crate) bias: i64,
    /// Trailing zero bits that all activations share.
    pub(crate) shift: u32,
}

impl TokenLimbs {
    /// Signed integers below 2^41, in as few limbs as they need.
    pub(crate) fn signed(activations: &[i64], layout: Layout, limb_bits: u32) -> TokenLimbs {
        let all = activations.iter().fold(0, |all, a| all | a.unsigned_abs());
        let shift = if all == 0 { 0 } else { all.trailing_zeros() };
        let bits = u64::BITS - (all >> shift).leading_zeros() + 1;
        TokenLimbs::with(activations, layout, limb_bits, shift, bits.div_ceil(limb_bits) as usize, true)
    }

    /// Magnitudes of integers below 2^41, in as few limbs as they need.
    pub(crate) fn magnitudes(activations: &[i64], layout: Layout, limb_bits: u32) -> TokenLimbs {
        let magnitudes: Vec<i64> = activations.iter().map(|a| a.abs()).collect();
        let all = magnitudes.iter().fold(0, |all, a| all | a.unsigned_abs());
        let shift = if all == 0 { 0 } else { all.trailing_zeros() };
        let bits = (u64::BITS - (all >> shift).leading_zeros()).max(1);
        TokenLimbs::with(&magnitudes, layout, limb_bits, shift, bits.div_ceil(limb_bits) as usize, false)
    }

    /// Two's complement integers of `bits` bits.
    pub(crate) fn aligned(activations: &[i64], layout: Layout, limb_bits: u32, bits: u32) -> TokenLimbs {
        TokenLimbs::with(activations, layout, limb_bits, 0, bits.div_ceil(limb_bits) as usize, true)
    }

    fn with(activations: &[i64], layout: Layout, limb_bits: u32, shift: u32, count: usize, signed: bool) -> TokenLimbs {
        assert!(count <= MAX_LIMBS);
        let bias = if signed { 1i64 << (limb_bits as usize * count - 1) } else { 0 };
        let mask = (1u64 << limb_bits) - 1;
        let mut limbs = vec![Limb([0; CHUNK]); layout.chunks * count];
        for (g, group) in activations.chunks(layout.group).enumerate() {
            for (piece, activations) in group.chunks(16).enumerate() {
                let (chunk, byte) = layout.place(g, piece);
                let mut shifted = [0u64; 16];
                for (shifted, activation) in shifted.iter_mut().zip(activations) {
                    *shifted = ((activation >> shift) + bias) as u64;
                }
                for (l, limb) in limbs[chunk * count..][..count].iter_mut().enumerate() {
                    let bytes = &mut limb.0[byte..byte + 16];
                    for (byte, shifted) in bytes.iter_mut().zip(shifted) {
                        *byte = (shifted >> (limb_bits * l as u32) & mask) as u8;
                    }
                }
            }
        }
        TokenLimbs { limbs, bias, shift }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout { group: 40, group_segments: 2, chunks: 1 };

    #[test]
    fn limbs_by_hand() {
        // 3 · 2^4 and -1 · 2^4 need three bits with the sign.
        let token = TokenLimbs::signed(&[48, -16, 0], LAYOUT, 8);
        assert_eq!((token.limbs.len(), token.bias, token.shift), (1, 128, 4));
        assert_eq!(token.limbs[0].0[..4], [131, 127, 128, 0]);
        let token = TokenLimbs::magnitudes(&[48, -16, 0], LAYOUT, 8);
        assert_eq!((token.limbs[0].0[..4].to_vec(), token.bias), (vec![3, 1, 0, 0], 0));
        // 128 does not fit one signed limb of 8 bits; 64 not one of 7.
        assert_eq!(TokenLimbs::signed(&[127, -127], LAYOUT, 8).limbs.len(), 1);
        let token = TokenLimbs::signed(&[129], LAYOUT, 8);
        assert_eq!([token.limbs[0].0[0], token.limbs[1].0[0]], [129, 128]);
        assert_eq!(TokenLimbs::signed(&[65], LAYOUT, 7).limbs.len(), 2);
        // The largest FP16 number and the smallest together.
        for bits in [7, 8] {
            assert_eq!(TokenLimbs::signed(&[65504 << 24, 1], LAYOUT, bits).limbs.len(), 6);
        }
        assert_eq!(TokenLimbs::signed(&[0, 0], LAYOUT, 8).limbs.len(), 1);
    }

    #[test]
    fn activations_lie_where_their_weights_do() {
        let values: Vec<i64> = (1..=80).collect();
        let token = TokenLimbs::magnitudes(&values, LAYOUT, 8);
        let limb = &token.limbs[0].0;
        // Group 0: segments 0 and 1; 16 of a segment low, 16 high.
        assert_eq!([limb[0], limb[15], limb[64], limb[79], limb[16], limb[23], limb[24]], [1, 16, 17, 32, 33, 40, 0]);
        assert_eq!([limb[32], limb[48], limb[55], limb[80], limb[112]], [41, 73, 80, 0, 0]);
    }
}
