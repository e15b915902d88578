//! Plain Rust: the level of hosts without AVX2. Its methods are `unsafe` only because the trait's are.

use std::array::from_fn;

use super::{CHANNELS, Integers};

/// No vector instructions asked for.
pub(crate) struct Scalar;

impl Integers for Scalar {
    type V = [i32; CHANNELS];
    const PARTS: usize = 1;

    #[inline(always)]
    unsafe fn load(elements: &[u32; CHANNELS], _: usize) -> Self::V {
        elements.map(|e| e as i32)
    }

    #[inline(always)]
    unsafe fn store(v: Self::V, elements: &mut [i32; CHANNELS], _: usize) {
        *elements = v;
    }

    #[inline(always)]
    unsafe fn splat(element: i32) -> Self::V {
        [element; CHANNELS]
    }

    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        from_fn(|i| a[i].wrapping_add(b[i]))
    }

    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        from_fn(|i| a[i].wrapping_sub(b[i]))
    }

    #[inline(always)]
    unsafe fn and(a: Self::V, b: Self::V) -> Self::V {
        from_fn(|i| a[i] & b[i])
    }

    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        from_fn(|i| a[i].max(b[i]))
    }

    #[inline(always)]
    unsafe fn up(a: Self::V, by: Self::V) -> Self::V {
        from_fn(|i| a[i] << (by[i] & 31))
    }

    #[inline(always)]
    unsafe fn down(a: Self::V, by: Self::V) -> Self::V {
        from_fn(|i| (a[i] as u32 >> (by[i] & 31)) as i32)
    }

    #[inline(always)]
    unsafe fn down_signed(a: Self::V, by: Self::V) -> Self::V {
        from_fn(|i| a[i] >> by[i].min(31))
    }

    #[inline(always)]
    unsafe fn look_up(table: &[i32; 8], codes: Self::V) -> Self::V {
        codes.map(|code| table[code as usize & 7])
    }

    #[inline(always)]
    unsafe fn look_up_scaled(table: &[f32; 8], codes: Self::V, factors: Self::V) -> Self::V {
        from_fn(|i| (table[codes[i] as usize & 7] * f32::from_bits(factors[i] as u32)) as i32)
    }
}
