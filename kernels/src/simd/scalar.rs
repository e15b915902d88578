//! Plain Rust on the packed layout: the level of hosts without AVX2. Its methods are `unsafe` only because the trait's are.

use super::{Codes, Limb, ROWS, SEGMENTS, Table, Vectors};

/// No vector instructions asked for.
pub(super) struct Scalar;

/// Values in the order of the bytes of a [`Limb`].
type Values = [i8; 128];

/// `[segment]` sums of limb · value.
#[inline(always)]
fn segment_sums(values: &Values, limb: &Limb) -> [i32; SEGMENTS] {
    let mut sums = [0i32; SEGMENTS];
    for (values, limbs) in values.chunks_exact(64).zip(limb.0.chunks_exact(64)) {
        for (sum, (values, limbs)) in sums.iter_mut().zip(values.chunks_exact(16).zip(limbs.chunks_exact(16))) {
            *sum += values.iter().zip(limbs).map(|(v, l)| i32::from(*v) * i32::from(*l)).sum::<i32>();
        }
    }
    sums
}

impl Vectors for Scalar {
    const ROWS_TOGETHER: [usize; 2] = [1, 1];
    type Values = Values;
    type Scales = [u8; SEGMENTS];
    type Sums = i64;

    #[inline(always)]
    unsafe fn decode(codes: &Codes, table: &Table) -> Values {
        let mut values = [0; 128];
        for (i, code) in codes.0.iter().enumerate() {
            let table = &table.0[i / 16 * 16..][..16];
            values[i] = table[usize::from(code & 15)] as i8;
            values[64 + i] = table[usize::from(code >> 4)] as i8;
        }
        values
    }

    #[inline(always)]
    unsafe fn values(low: &Codes, high: &Codes) -> Values {
        std::array::from_fn(|i| if i < 64 { low.0[i] as i8 } else { high.0[i - 64] as i8 })
    }

    #[inline(always)]
    unsafe fn negative_magnitudes(values: Values) -> Values {
        values.map(|v| if v < 0 { v } else { -v })
    }

    #[inline(always)]
    unsafe fn scales<const MODE: u8>(scales: &[u8; SEGMENTS]) -> [u8; SEGMENTS] {
        *scales
    }

    #[inline(always)]
    unsafe fn zero() -> i64 {
        0
    }

    #[inline(always)]
    unsafe fn add<const MODE: u8>(sums: i64, values: Values, limb: &Limb, scales: [u8; SEGMENTS]) -> i64 {
        let segments = segment_sums(&values, limb);
        sums + segments.iter().zip(scales).map(|(s, scale)| i64::from(*s) * i64::from(scale)).sum::<i64>()
    }

    #[inline(always)]
    unsafe fn total(sums: i64) -> i64 {
        sums
    }

    #[inline(always)]
    unsafe fn group_sums<const MODE: u8>(values: &[Values; ROWS], limb: &Limb) -> [[i32; ROWS]; SEGMENTS] {
        let rows: [[i32; SEGMENTS]; ROWS] = std::array::from_fn(|row| segment_sums(&values[row], limb));
        std::array::from_fn(|segment| std::array::from_fn(|row| rows[row][segment]))
    }
}
