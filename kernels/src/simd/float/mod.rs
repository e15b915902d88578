//! Group sums of the float datapath ([`crate::float_datapath`]), sixteen output channels of a token side by side: a vector
//! element is an output channel, the lanes of a processing element follow each other. One driver, three sets of vector
//! operations.
//!
//! Everything is an exact integer or an exact binary32 number, so that every level gives the same sums:
//! - a digit is looked up in its activation's [`Multiples`]: the product as binary32 (11 significant bits) and its exponent;
//! - truncating a lane is `product · 2^(25 + guard bits - X)`, a power of two of a normal number, converted to an integer
//!   towards zero: the sign-magnitude shift of the definition. A zero product stays 0 and its exponent [`NO_PRODUCT`] is so
//!   low that it neither raises X nor, where all products of a cycle are zero, the accumulator's exponent;
//! - of the accumulator and the cycle's sum one is not shifted. With both doubled, `2x >> distance`, "shift right and round
//!   half up, then add" is `(a + b + 1) & !1`: the one that is not shifted is even. This takes a bit more than the
//!   accumulator has: [`WIDEST_ACCUMULATOR`]. Shifts by 32 and more leave the sign, which rounds to 0.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(super) mod scalar;

use bitmosaic_numerics::fp16::decode;
use bitmosaic_numerics::{DigitSet, f16};

use super::Level;
#[cfg(target_arch = "x86_64")]
use super::intrinsics;
use crate::FloatDatapath;

/// Output channels of a panel: the elements of a vector.
pub(crate) const CHANNELS: usize = 16;
/// Input channels (slots) of a block: the most lanes. Groups are padded to whole blocks.
pub(crate) const BLOCK: usize = 16;
/// Digits of a word.
pub(crate) const WORD: usize = 8;
/// Words of a block, a digit plane.
pub(crate) const BLOCK_WORDS: usize = BLOCK / WORD;
/// Most bits of a group accumulator, sign included.
pub(crate) const WIDEST_ACCUMULATOR: u32 = 31;
/// The digits there are; a code of one has three bits and lies in a nibble.
pub(crate) const DIGITS: DigitSet = DigitSet::Radix4;
/// Exponent of a product that is zero: below 0 with any plane added.
const NO_PRODUCT: i32 = -8;

/// One digit plane of eight input channels: nibble i of element c is the code of input channel i, output channel c.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(crate) struct Word(pub [u32; CHANNELS]);

/// An activation times every digit, by the digit's code.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(crate) struct Multiples {
    /// Exponents of the products, [`NO_PRODUCT`] for zeros.
    exponents: [i32; 8],
    /// The products.
    products: [f32; 8],
}

impl Multiples {
    /// Those of a finite activation.
    pub(crate) fn new(activation: f16) -> Multiples {
        let (value, exponent) = (activation.to_f32(), decode(activation).exponent as i32);
        let digits: [i32; 8] = std::array::from_fn(|code| DIGITS.decode(code as u8).value());
        let exponent = |digit: i32| match digit {
            0 => NO_PRODUCT,
            _ if value == 0.0 => NO_PRODUCT,
            _ => exponent + digit.unsigned_abs().ilog2() as i32,
        };
        Multiples { exponents: digits.map(exponent), products: digits.map(|digit| value * digit as f32) }
    }
}

/// A group of a panel and a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupView<'a> {
    /// `[block, plane, word]`.
    pub words: &'a [Word],
    /// Digit planes.
    pub planes: usize,
    /// `[block, slot]`.
    pub multiples: &'a [Multiples],
}

/// Group accumulators after the last cycle, an output channel each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupSums {
    /// Two's complement significands.
    pub significands: [i32; CHANNELS],
    /// Exponents.
    pub exponents: [i32; CHANNELS],
}

/// 32-bit integers, sixteen or a part of them, and what the driver does with them; sums wrap.
///
/// Safety of every method: the host must have the instructions of the level. There are no other conditions: operands are
/// references to arrays of the right length. Implementations are `inline(always)`, so that they become part of the
/// `target_feature` function that calls them.
pub(super) trait Integers {
    /// A vector.
    type V: Copy;
    /// Vectors of a panel.
    const PARTS: usize;

    unsafe fn load(elements: &[u32; CHANNELS], part: usize) -> Self::V;
    unsafe fn store(v: Self::V, elements: &mut [i32; CHANNELS], part: usize);
    unsafe fn splat(element: i32) -> Self::V;
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn and(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// To the left; `by` below 32.
    unsafe fn up(a: Self::V, by: Self::V) -> Self::V;
    /// To the right, zeros follow; `by` below 32.
    unsafe fn down(a: Self::V, by: Self::V) -> Self::V;
    /// To the right, signs follow; `by` any number that is not negative.
    unsafe fn down_signed(a: Self::V, by: Self::V) -> Self::V;
    /// The entries at the lowest three bits of the codes; the fourth must be 0.
    unsafe fn look_up(table: &[i32; 8], codes: Self::V) -> Self::V;
    /// The same, times binary32 factors given as their bits, and converted to an integer towards zero.
    unsafe fn look_up_scaled(table: &[f32; 8], codes: Self::V, factors: Self::V) -> Self::V;
}

/// The group accumulators of a panel, for a machine of 1, 2, 4, 8 or 16 lanes whose accumulator has at most
/// [`WIDEST_ACCUMULATOR`] bits.
pub(crate) fn group_sums(level: Level, machine: &FloatDatapath, group: GroupView) -> GroupSums {
    assert!(level.is_available());
    // SAFETY: the host has the level, as asserted.
    unsafe {
        match level {
            Level::Scalar => dispatch::<scalar::Scalar>(machine, group),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => sums_avx2(machine, group),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => sums_avx512(machine, group),
            #[cfg(not(target_arch = "x86_64"))]
            _ => dispatch::<scalar::Scalar>(machine, group),
        }
    }
}

/// Safety: AVX2 on this host.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn sums_avx2(machine: &FloatDatapath, group: GroupView) -> GroupSums {
    // SAFETY: passed on.
    unsafe { dispatch::<avx2::Avx2>(machine, group) }
}

/// Safety: AVX-512 F, BW and VNNI on this host.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn sums_avx512(machine: &FloatDatapath, group: GroupView) -> GroupSums {
    // SAFETY: passed on.
    unsafe { dispatch::<avx512::Avx512>(machine, group) }
}

/// Safety: that of [`Integers`].
#[inline(always)]
pub(super) unsafe fn dispatch<I: Integers>(machine: &FloatDatapath, group: GroupView) -> GroupSums {
    // SAFETY: passed on.
    unsafe {
        match machine.lanes {
            1 => sums::<I, 1>(machine, group),
            2 => sums::<I, 2>(machine, group),
            4 => sums::<I, 4>(machine, group),
            8 => sums::<I, 8>(machine, group),
            _ => sums::<I, 16>(machine, group),
        }
    }
}

/// Safety: that of [`Integers`].
#[inline(always)]
unsafe fn sums<I: Integers, const LANES: usize>(machine: &FloatDatapath, group: GroupView) -> GroupSums {
    let mut sums = GroupSums { significands: [0; CHANNELS], exponents: [0; CHANNELS] };
    for part in 0..I::PARTS {
        // SAFETY: passed on.
        unsafe {
            let (significands, exponents) = part_sums::<I, LANES>(machine, group, part);
            I::store(significands, &mut sums.significands, part);
            I::store(exponents, &mut sums.exponents, part);
        }
    }
    sums
}

/// Significands and exponents of a part of the panel.
///
/// Safety: that of [`Integers`].
#[inline(always)]
unsafe fn part_sums<I: Integers, const LANES: usize>(
    machine: &FloatDatapath,
    group: GroupView,
    part: usize,
) -> (I::V, I::V) {
    // SAFETY: passed on.
    unsafe {
        let (one, even) = (I::splat(1), I::splat(!1));
        // Bits of 2^(25 + guard bits) as binary32.
        let unit = I::splat((127 + 25 + machine.guard_bits as i32) << 23);
        let doubled_up = I::splat(machine.accumulator_guard_bits as i32 + 1);
        let (mut doubled, mut exponent) = (I::splat(0), I::splat(0));
        let blocks = group.multiples.as_chunks::<BLOCK>().0;
        for (words, multiples) in group.words.chunks_exact(group.planes * BLOCK_WORDS).zip(blocks) {
            for (chunk, multiples) in multiples.as_chunks::<LANES>().0.iter().enumerate() {
                // Where it is in the block.
                let (word, nibble) = (chunk * LANES / WORD, chunk * LANES % WORD);
                let down = I::splat(4 * nibble as i32);
                let mut plane_exponent = I::splat(0);
                for words in words.as_chunks::<BLOCK_WORDS>().0 {
                    // Only 16 lanes have a second word.
                    let codes =
                        [I::down(I::load(&words[word].0, part), down), I::load(&words[BLOCK_WORDS - 1].0, part)];
                    let (sum, largest) = cycle::<I, LANES>(codes, multiples, unit);
                    let addend_exponent = I::add(largest, plane_exponent);
                    let next = I::max(exponent, addend_exponent);
                    let before = I::down_signed(doubled, I::sub(next, exponent));
                    let addend = I::down_signed(I::up(sum, doubled_up), I::sub(next, addend_exponent));
                    doubled = I::and(I::add(I::add(before, addend), one), even);
                    exponent = next;
                    plane_exponent = I::add(plane_exponent, I::splat(DIGITS.radix_bits() as i32));
                }
            }
        }
        (I::down_signed(doubled, one), exponent)
    }
}

/// A chunk in a digit plane: the sum of its aligned lanes, and the exponent X.
///
/// Safety: that of [`Integers`].
#[inline(always)]
unsafe fn cycle<I: Integers, const LANES: usize>(
    codes: [I::V; BLOCK_WORDS],
    multiples: &[Multiples; LANES],
    unit: I::V,
) -> (I::V, I::V) {
    // SAFETY: passed on.
    unsafe {
        let mut largest = I::splat(NO_PRODUCT);
        for lane in 0..LANES {
            let codes = I::down(codes[lane / WORD], I::splat(4 * (lane % WORD) as i32));
            largest = I::max(largest, I::look_up(&multiples[lane].exponents, codes));
        }
        let factors = I::sub(unit, I::up(largest, I::splat(23)));
        let mut sum = I::splat(0);
        for lane in 0..LANES {
            let codes = I::down(codes[lane / WORD], I::splat(4 * (lane % WORD) as i32));
            sum = I::add(sum, I::look_up_scaled(&multiples[lane].products, codes, factors));
        }
        (sum, largest)
    }
}
