//! AVX2: a vector is half a panel, eight output channels. `vpermd` and `vpermps` look up, `vpsravd` shifts.
//!
//! No closures: see `super::super::avx2`.
//!
//! Safety of every block: the method's own condition, AVX2 on this host, is that of the intrinsics; each pointer given to
//! an unaligned load or store comes from an array that has the 32 bytes that are accessed.

use std::arch::x86_64::*;

use super::{CHANNELS, Integers};

/// A 256-bit register.
pub(super) struct Avx2;

impl Integers for Avx2 {
    type V = __m256i;
    const PARTS: usize = 2;

    #[inline(always)]
    unsafe fn load(elements: &[u32; CHANNELS], part: usize) -> __m256i {
        let part = &elements.as_chunks::<8>().0[part];
        // SAFETY: AVX2 by the module's condition; 32 bytes behind the pointer.
        unsafe { _mm256_loadu_si256(part.as_ptr().cast()) }
    }

    #[inline(always)]
    unsafe fn store(v: __m256i, elements: &mut [i32; CHANNELS], part: usize) {
        let part = &mut elements.as_chunks_mut::<8>().0[part];
        // SAFETY: AVX2 by the module's condition; 32 bytes behind the pointer.
        unsafe { _mm256_storeu_si256(part.as_mut_ptr().cast(), v) }
    }

    #[inline(always)]
    unsafe fn splat(element: i32) -> __m256i {
        // SAFETY: AVX2 by the module's condition.
        unsafe { _mm256_set1_epi32(element) }
    }

    #[inline(always)]
    unsafe fn add(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: AVX2 by the module's condition.
        unsafe { _mm256_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: AVX2 by the module's condition.
        unsafe { _mm256_sub_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn and(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: AVX2 by the module's condition.
        unsafe { _mm256_and_si256(a, b) }
    }

    #[inline(always)]
    unsafe fn max(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: AVX2 by the module's condition.
        unsafe { _mm256_max_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn up(a: __m256i, by: __m256i) -> __m256i {
        // SAFETY: AVX2 by the module's condition.
        unsafe { _mm256_sllv_epi32(a, by) }
    }

    #[inline(always)]
    unsafe fn down(a: __m256i, by: __m256i) -> __m256i {
        // SAFETY: AVX2 by the module's condition.
        unsafe { _mm256_srlv_epi32(a, by) }
    }

    #[inline(always)]
    unsafe fn down_signed(a: __m256i, by: __m256i) -> __m256i {
        // SAFETY: AVX2 by the module's condition.
        unsafe { _mm256_srav_epi32(a, by) }
    }

    #[inline(always)]
    unsafe fn look_up(table: &[i32; 8], codes: __m256i) -> __m256i {
        // SAFETY: AVX2 by the module's condition; 32 bytes behind the pointer.
        unsafe {
            let table = _mm256_loadu_si256(table.as_ptr().cast());
            _mm256_permutevar8x32_epi32(table, codes)
        }
    }

    #[inline(always)]
    unsafe fn look_up_scaled(table: &[f32; 8], codes: __m256i, factors: __m256i) -> __m256i {
        // SAFETY: AVX2 by the module's condition; 32 bytes behind the pointer.
        unsafe {
            let table = _mm256_loadu_ps(table.as_ptr());
            _mm256_cvttps_epi32(_mm256_mul_ps(_mm256_permutevar8x32_ps(table, codes), _mm256_castsi256_ps(factors)))
        }
    }
}
