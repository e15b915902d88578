//! AVX-512 F: a vector is one register. `vpermd` and `vpermps` look up, `vpsravd` shifts.
//!
//! `super::intrinsics` is `std::arch::x86_64`, and plain Rust in `tests::emulated`, which hosts without AVX-512 run.
//!
//! Safety of every block: the method's own condition, AVX-512 F on this host, is that of the intrinsics; each pointer given
//! to an unaligned load or store comes from an array that has the 32 or 64 bytes that are accessed.

use super::intrinsics::*;
use super::{CHANNELS, Integers};

/// A 512-bit register.
pub(crate) struct Avx512;

impl Integers for Avx512 {
    type V = __m512i;
    const PARTS: usize = 1;

    #[inline(always)]
    unsafe fn load(elements: &[u32; CHANNELS], _: usize) -> __m512i {
        // SAFETY: AVX-512 by the module's condition; 64 bytes behind the pointer.
        unsafe { _mm512_loadu_si512(elements.as_ptr().cast()) }
    }

    #[inline(always)]
    unsafe fn store(v: __m512i, elements: &mut [i32; CHANNELS], _: usize) {
        // SAFETY: AVX-512 by the module's condition; 64 bytes behind the pointer.
        unsafe { _mm512_storeu_si512(elements.as_mut_ptr().cast(), v) }
    }

    #[inline(always)]
    unsafe fn splat(element: i32) -> __m512i {
        // SAFETY: AVX-512 by the module's condition.
        unsafe { _mm512_set1_epi32(element) }
    }

    #[inline(always)]
    unsafe fn add(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: AVX-512 by the module's condition.
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: AVX-512 by the module's condition.
        unsafe { _mm512_sub_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn and(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: AVX-512 by the module's condition.
        unsafe { _mm512_and_si512(a, b) }
    }

    #[inline(always)]
    unsafe fn max(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: AVX-512 by the module's condition.
        unsafe { _mm512_max_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn up(a: __m512i, by: __m512i) -> __m512i {
        // SAFETY: AVX-512 by the module's condition.
        unsafe { _mm512_sllv_epi32(a, by) }
    }

    #[inline(always)]
    unsafe fn down(a: __m512i, by: __m512i) -> __m512i {
        // SAFETY: AVX-512 by the module's condition.
        unsafe { _mm512_srlv_epi32(a, by) }
    }

    #[inline(always)]
    unsafe fn down_signed(a: __m512i, by: __m512i) -> __m512i {
        // SAFETY: AVX-512 by the module's condition.
        unsafe { _mm512_srav_epi32(a, by) }
    }

    #[inline(always)]
    unsafe fn look_up(table: &[i32; 8], codes: __m512i) -> __m512i {
        // SAFETY: AVX-512 by the module's condition; 32 bytes behind the pointer.
        unsafe {
            let table = _mm512_broadcast_i64x4(_mm256_loadu_si256(table.as_ptr().cast()));
            _mm512_permutexvar_epi32(codes, table)
        }
    }

    #[inline(always)]
    unsafe fn look_up_scaled(table: &[f32; 8], codes: __m512i, factors: __m512i) -> __m512i {
        // SAFETY: AVX-512 by the module's condition; 32 bytes behind the pointer.
        unsafe {
            let table = _mm512_broadcast_i64x4(_mm256_loadu_si256(table.as_ptr().cast()));
            let products = _mm512_castsi512_ps(_mm512_permutexvar_epi32(codes, table));
            _mm512_cvttps_epi32(_mm512_mul_ps(products, _mm512_castsi512_ps(factors)))
        }
    }
}
