//! AVX-512 with F, BW and VNNI: a chunk is one 512-bit vector of codes, two of values. `vpshufb` decodes, `vpdpbusd`
//! multiplies and adds four into 32 bits, `vpdpwssd` applies the scale code.
//!
//! `super::intrinsics` is `std::arch::x86_64`, and plain Rust in `tests::emulated`, which hosts without AVX-512 run.
//!
//! Safety of every block: the method's own condition, these three extensions on this host, is that of the intrinsics; each
//! pointer given to an unaligned load or store comes from an array that is long enough for it.

use super::intrinsics::*;
use super::{Codes, Limb, ROWS, SEGMENTS, Table, Vectors, WIDE};

/// 512-bit integer vectors.
pub(crate) struct Avx512;

/// Low, high.
type Values = [__m512i; 2];

#[inline(always)]
unsafe fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: 64 bytes behind the pointer; AVX-512 by the module's condition.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline(always)]
unsafe fn load_limb(limb: &Limb) -> [__m512i; 2] {
    // SAFETY: 128 bytes behind the pointer; AVX-512 by the module's condition.
    unsafe {
        let pointer = limb.0.as_ptr();
        [_mm512_loadu_si512(pointer.cast()), _mm512_loadu_si512(pointer.add(64).cast())]
    }
}

/// All products of each 32-bit lane. `vpdpbusd` adds in 32 bits, so this serves narrow and wide values.
#[inline(always)]
unsafe fn dots(values: &Values, limb: [__m512i; 2]) -> __m512i {
    // SAFETY: AVX-512 by the module's condition.
    unsafe {
        let low = _mm512_dpbusd_epi32(_mm512_setzero_si512(), limb[0], values[0]);
        _mm512_dpbusd_epi32(low, limb[1], values[1])
    }
}

impl Vectors for Avx512 {
    const ROWS_TOGETHER: [usize; 2] = [4, 2];
    type Values = Values;
    type Scales = __m512i;
    type Sums = __m512i;

    #[inline(always)]
    unsafe fn decode(codes: &Codes, table: &Table) -> Values {
        // SAFETY: AVX-512 by the module's condition.
        unsafe {
            let nibble = _mm512_set1_epi8(15);
            let (codes, table) = (load(&codes.0), load(&table.0));
            let high = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), nibble);
            [_mm512_shuffle_epi8(table, _mm512_and_si512(codes, nibble)), _mm512_shuffle_epi8(table, high)]
        }
    }

    #[inline(always)]
    unsafe fn values(low: &Codes, high: &Codes) -> Values {
        // SAFETY: AVX-512 by the module's condition.
        unsafe { [load(&low.0), load(&high.0)] }
    }

    #[inline(always)]
    unsafe fn negative_magnitudes(values: Values) -> Values {
        // SAFETY: AVX-512 by the module's condition.
        unsafe {
            let [low, high] = values;
            let zero = _mm512_setzero_si512();
            [_mm512_min_epi8(low, _mm512_sub_epi8(zero, low)), _mm512_min_epi8(high, _mm512_sub_epi8(zero, high))]
        }
    }

    /// Narrow: the code in the low half of each 32-bit lane, where the 16-bit sum is. Wide: in both halves.
    #[inline(always)]
    unsafe fn scales<const MODE: u8>(scales: &[u8; SEGMENTS]) -> __m512i {
        // SAFETY: AVX-512 by the module's condition.
        unsafe {
            let all = _mm512_set1_epi32(i32::from_le_bytes(*scales));
            // Byte s of the broadcast double word; 0x80 gives zero.
            let segment = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
            let pattern = if MODE == WIDE {
                let both = _mm512_or_si512(segment, _mm512_slli_epi32::<16>(segment));
                _mm512_or_si512(both, _mm512_set1_epi32(-0x7FFF_8000))
            } else {
                _mm512_or_si512(segment, _mm512_set1_epi32(-0x7F7F_8000))
            };
            _mm512_shuffle_epi8(all, pattern)
        }
    }

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: AVX-512 by the module's condition.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn add<const MODE: u8>(sums: __m512i, values: Values, limb: &Limb, scales: __m512i) -> __m512i {
        // SAFETY: AVX-512 by the module's condition.
        unsafe {
            let limb = load_limb(limb);
            if MODE == WIDE {
                let low = _mm512_dpwssd_epi32(sums, _mm512_maddubs_epi16(limb[0], values[0]), scales);
                return _mm512_dpwssd_epi32(low, _mm512_maddubs_epi16(limb[1], values[1]), scales);
            }
            // The sum is within 16 bits: the high half of its lane is only its sign, and meets a zero.
            _mm512_dpwssd_epi32(sums, dots(&values, limb), scales)
        }
    }

    #[inline(always)]
    unsafe fn total(sums: __m512i) -> i64 {
        // SAFETY: AVX-512 by the module's condition.
        unsafe {
            let low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(sums));
            let high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64::<1>(sums));
            _mm512_reduce_add_epi64(_mm512_add_epi64(low, high))
        }
    }

    #[inline(always)]
    unsafe fn group_sums<const MODE: u8>(values: &[Values; ROWS], limb: &Limb) -> [[i32; ROWS]; SEGMENTS] {
        // SAFETY: AVX-512 by the module's condition; the store goes to an array of its size.
        unsafe {
            let limb = load_limb(limb);
            let [a, b, c, d] = values;
            let (a, b, c, d) = (dots(a, limb), dots(b, limb), dots(c, limb), dots(d, limb));
            // Per 128-bit lane: [a0+a2, b0+b2, a1+a3, b1+b3], then [a, b, c, d].
            let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
            let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
            let all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
            let mut sums = [[0i32; ROWS]; SEGMENTS];
            _mm512_storeu_si512(sums.as_mut_ptr().cast(), all);
            sums
        }
    }
}
