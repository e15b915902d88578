//! Vector forms of the references on packed panels ([`crate::PackedWeights`]): one driver (`driver`), three sets of vector
//! operations (`scalar`, `avx2`, `avx512`), one dispatch. [`mod@float`] has the float datapath in the same structure. The only
//! place of the workspace with `unsafe`.
//!
//! Everything here adds integers that cannot overflow, so that every level gives the same sums:
//! - an activation limb is an unsigned byte `u`, 8 bits of it in the two narrow modes and 7 in the wide one; a weight value
//!   is a signed byte `v`, `|v| <= 16` in the narrow modes;
//! - narrow: eight products of a lane stay within 8 · 255 · 16 = 32640 and fit 16 bits, so that one 16-bit multiplication
//!   applies the scale code; a chunk adds at most 2 · 32640 · 255 < 2^23.99 to a 32-bit lane, [`NARROW_BLOCK`] of
//!   them at most 2^30.99;
//! - wide: two products stay within 2 · 127 · 128 = 32512 and fit 16 bits; a chunk adds at most four times
//!   2 · 32512 · 255 < 2^23.99 to a 32-bit lane, [`WIDE_BLOCK`] of them at most 2^30.99;
//! - an unscaled group sum of up to 256 products is below 256 · 255 · 128 < 2^23.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod driver;
pub(crate) mod float;
mod level;
mod scalar;

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as intrinsics;

pub(crate) use driver::{BlockToken, PanelView};
pub use level::Level;

/// Output channels of a panel.
pub(crate) const ROWS: usize = 4;
/// Input channels (slots) of a segment: what shares one scale code and one special value.
pub(crate) const SEGMENT: usize = 32;
/// Segments of a chunk: one 128-bit lane each in a 512-bit vector.
pub(crate) const SEGMENTS: usize = 4;
/// Slots of a chunk.
pub(crate) const CHUNK: usize = SEGMENT * SEGMENTS;
/// Most limbs of an activation.
pub(crate) const MAX_LIMBS: usize = 6;
/// Chunks after which 32-bit lanes are emptied, narrow modes.
const NARROW_BLOCK: usize = 128;
/// Chunks after which 32-bit lanes are emptied, wide mode.
const WIDE_BLOCK: usize = 32;

/// 64 bytes of codes: 128 codes of 4 bits or 64 values of 8 bits. Byte `16 s + i` holds slot `32 s + i` of the chunk in its
/// low nibble and slot `32 s + 16 + i` in its high one; 8-bit values come as two such blocks, low and high.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(crate) struct Codes(pub [u8; 64]);

/// One limb of the activations of a chunk: the bytes that meet the low codes, then those that meet the high ones.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(crate) struct Limb(pub [u8; CHUNK]);

/// Code -> signed byte, 16 entries for each segment of a chunk.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(crate) struct Table(pub [u8; 64]);

/// How products of a chunk are summed; the three values of the const parameter `MODE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Narrow values, all segments of a chunk in one group.
    Uniform,
    /// Narrow values, a chunk may hold several groups.
    Segmented,
    /// Wide values.
    Wide,
}

impl Mode {
    /// Bits of a limb.
    pub(crate) fn limb_bits(self) -> u32 {
        if self == Mode::Wide { 7 } else { 8 }
    }
}

/// [`Mode::Uniform`] as a const parameter.
const UNIFORM: u8 = 0;
/// [`Mode::Segmented`] as a const parameter.
const SEGMENTED: u8 = 1;
/// [`Mode::Wide`] as a const parameter.
const WIDE: u8 = 2;

/// The vector operations of one level, a chunk at a time.
///
/// Safety of every method: the host must have the instructions of the level. There are no other conditions: operands are
/// references to arrays of the right length. Implementations are `inline(always)`, so that they become part of the
/// `target_feature` function that calls them.
trait Vectors {
    /// Rows whose sums are kept in registers together, for up to four limbs and for more.
    const ROWS_TOGETHER: [usize; 2];
    /// The 128 weight values of a chunk.
    type Values: Copy;
    /// The scale codes of a chunk where the products need them.
    type Scales: Copy;
    /// 32-bit sums.
    type Sums: Copy;

    /// 4-bit codes through a table.
    unsafe fn decode(codes: &Codes, table: &Table) -> Self::Values;
    /// 8-bit values as they are.
    unsafe fn values(low: &Codes, high: &Codes) -> Self::Values;
    /// `-|value|`, which a signed byte holds for every value.
    unsafe fn negative_magnitudes(values: Self::Values) -> Self::Values;
    /// The scale codes of the four segments.
    unsafe fn scales<const MODE: u8>(scales: &[u8; SEGMENTS]) -> Self::Scales;
    /// No products yet.
    unsafe fn zero() -> Self::Sums;
    /// Adds limb · value · scale code of a chunk.
    unsafe fn add<const MODE: u8>(
        sums: Self::Sums,
        values: Self::Values,
        limb: &Limb,
        scales: Self::Scales,
    ) -> Self::Sums;
    /// Sum of all lanes.
    unsafe fn total(sums: Self::Sums) -> i64;
    /// Σ limb · value of four rows, `[segment][row]`. In [`Mode::Uniform`] only the sum of the segments means anything.
    unsafe fn group_sums<const MODE: u8>(values: &[Self::Values; ROWS], limb: &Limb) -> [[i32; ROWS]; SEGMENTS];
}

#[cfg(test)]
mod tests;
