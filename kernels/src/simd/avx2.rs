//! AVX2: a chunk is two 256-bit vectors of codes, four of values. `vpshufb` decodes, `vpmaddubsw` multiplies and adds
//! pairs into 16 bits, `vpmaddwd` applies the scale code and widens.
//!
//! No closures here or in `avx512`: a closure is a function of its own without the `target_feature` of its caller, in
//! which every intrinsic becomes a call.
//!
//! Safety of every block: the method's own condition, AVX2 on this host, is that of the intrinsics; each pointer given to
//! an unaligned load or store comes from an array that is long enough for it, the offset being at most its length less 32.

use std::arch::x86_64::*;

use super::{Codes, Limb, ROWS, SEGMENTS, Table, UNIFORM, Vectors, WIDE};

/// 256-bit integer vectors.
pub(super) struct Avx2;

/// Half 0 low, half 0 high, half 1 low, half 1 high; a half is two segments.
type Values = [__m256i; 4];

/// Byte offsets into a [`Limb`] of the four vectors of [`Values`].
const OFFSETS: [usize; 4] = [0, 64, 32, 96];

#[inline(always)]
unsafe fn load<const N: usize>(bytes: &[u8; N], offset: usize) -> __m256i {
    debug_assert!(offset + 32 <= N);
    // SAFETY: 32 bytes from `offset` are inside the array (callers: constants); AVX2 by the module's condition.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().add(offset).cast()) }
}

/// Products of value `i` and its limbs, pairs added: 16-bit lanes.
#[inline(always)]
unsafe fn pairs(values: &Values, limb: &Limb, i: usize) -> __m256i {
    // SAFETY: AVX2 by the module's condition.
    unsafe { _mm256_maddubs_epi16(load(&limb.0, OFFSETS[i]), values[i]) }
}

/// 16-bit lanes of both halves: all products of a lane where `|v| <= 16`.
#[inline(always)]
unsafe fn halves(values: &Values, limb: &Limb) -> [__m256i; 2] {
    // SAFETY: AVX2 by the module's condition.
    unsafe {
        [
            _mm256_add_epi16(pairs(values, limb, 0), pairs(values, limb, 1)),
            _mm256_add_epi16(pairs(values, limb, 2), pairs(values, limb, 3)),
        ]
    }
}

/// Adds the two 64-bit pairs of every row's 32-bit lanes: `[row 0, row 1, row 2, row 3]` in each 128-bit lane.
#[inline(always)]
unsafe fn transpose_add(rows: [__m256i; ROWS]) -> __m256i {
    // SAFETY: AVX2 by the module's condition.
    unsafe { _mm256_hadd_epi32(_mm256_hadd_epi32(rows[0], rows[1]), _mm256_hadd_epi32(rows[2], rows[3])) }
}

/// Codes to values: low, high.
#[inline(always)]
unsafe fn decode_half(codes: __m256i, table: __m256i) -> [__m256i; 2] {
    // SAFETY: AVX2 by the module's condition.
    unsafe {
        let nibble = _mm256_set1_epi8(15);
        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(codes), nibble);
        [_mm256_shuffle_epi8(table, _mm256_and_si256(codes, nibble)), _mm256_shuffle_epi8(table, high)]
    }
}

/// Unscaled 32-bit sums of a row, a half each; in the uniform mode all of them in the first.
#[inline(always)]
unsafe fn row_sums<const MODE: u8>(values: &Values, limb: &Limb) -> [__m256i; 2] {
    // SAFETY: AVX2 by the module's condition.
    unsafe {
        let ones = _mm256_set1_epi16(1);
        if MODE == WIDE {
            let mut wide = [_mm256_setzero_si256(); 2];
            for i in 0..4 {
                wide[i / 2] = _mm256_add_epi32(wide[i / 2], _mm256_madd_epi16(pairs(values, limb, i), ones));
            }
            return wide;
        }
        let [a, b] = halves(values, limb);
        if MODE == UNIFORM {
            [_mm256_madd_epi16(_mm256_add_epi16(a, b), ones), _mm256_setzero_si256()]
        } else {
            [_mm256_madd_epi16(a, ones), _mm256_madd_epi16(b, ones)]
        }
    }
}

impl Vectors for Avx2 {
    const ROWS_TOGETHER: [usize; 2] = [4, 4];
    type Values = Values;
    type Scales = [__m256i; 2];
    type Sums = __m256i;

    #[inline(always)]
    unsafe fn decode(codes: &Codes, table: &Table) -> Values {
        // SAFETY: AVX2 by the module's condition; offsets 0 and 32 of 64 bytes.
        unsafe {
            let [a, b] = decode_half(load(&codes.0, 0), load(&table.0, 0));
            let [c, d] = decode_half(load(&codes.0, 32), load(&table.0, 32));
            [a, b, c, d]
        }
    }

    #[inline(always)]
    unsafe fn values(low: &Codes, high: &Codes) -> Values {
        // SAFETY: AVX2 by the module's condition; offsets 0 and 32 of 64 bytes.
        unsafe { [load(&low.0, 0), load(&high.0, 0), load(&low.0, 32), load(&high.0, 32)] }
    }

    #[inline(always)]
    unsafe fn negative_magnitudes(values: Values) -> Values {
        // SAFETY: AVX2 by the module's condition.
        unsafe {
            let mut negative = values;
            for v in &mut negative {
                *v = _mm256_min_epi8(*v, _mm256_sub_epi8(_mm256_setzero_si256(), *v));
            }
            negative
        }
    }

    #[inline(always)]
    unsafe fn scales<const MODE: u8>(scales: &[u8; SEGMENTS]) -> [__m256i; 2] {
        // SAFETY: AVX2 by the module's condition.
        unsafe {
            if MODE == UNIFORM {
                return [_mm256_set1_epi16(scales[0].into()); 2];
            }
            // Byte s of the broadcast double word into every 16-bit lane of segment s; -128 gives zero.
            let all = _mm256_set1_epi32(i32::from_le_bytes(*scales));
            let pattern = _mm256_setr_m128i(_mm_set1_epi16(i16::MIN), _mm_set1_epi16(i16::MIN | 1));
            let two = _mm256_set1_epi16(2);
            [_mm256_shuffle_epi8(all, pattern), _mm256_shuffle_epi8(all, _mm256_or_si256(pattern, two))]
        }
    }

    #[inline(always)]
    unsafe fn zero() -> __m256i {
        // SAFETY: AVX2 by the module's condition.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    unsafe fn add<const MODE: u8>(sums: __m256i, values: Values, limb: &Limb, scales: [__m256i; 2]) -> __m256i {
        // SAFETY: AVX2 by the module's condition.
        unsafe {
            let mut sums = sums;
            if MODE == WIDE {
                for i in 0..4 {
                    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pairs(&values, limb, i), scales[i / 2]));
                }
                return sums;
            }
            let [a, b] = halves(&values, limb);
            if MODE == UNIFORM {
                _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_add_epi16(a, b), scales[0]))
            } else {
                let both = _mm256_add_epi32(_mm256_madd_epi16(a, scales[0]), _mm256_madd_epi16(b, scales[1]));
                _mm256_add_epi32(sums, both)
            }
        }
    }

    #[inline(always)]
    unsafe fn total(sums: __m256i) -> i64 {
        // SAFETY: AVX2 by the module's condition; the store goes to an array of its size.
        unsafe {
            let low = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(sums));
            let high = _mm256_cvtepi32_epi64(_mm256_extracti128_si256::<1>(sums));
            let mut lanes = [0i64; 4];
            _mm256_storeu_si256(lanes.as_mut_ptr().cast(), _mm256_add_epi64(low, high));
            lanes.iter().sum()
        }
    }

    #[inline(always)]
    unsafe fn group_sums<const MODE: u8>(values: &[Values; ROWS], limb: &Limb) -> [[i32; ROWS]; SEGMENTS] {
        // SAFETY: AVX2 by the module's condition; the stores go to the two halves of an array of 64 bytes.
        unsafe {
            let mut sums = [[0i32; ROWS]; SEGMENTS];
            let mut rows = [[_mm256_setzero_si256(); 2]; ROWS];
            for (row, values) in rows.iter_mut().zip(values) {
                *row = row_sums::<MODE>(values, limb);
            }
            let [a, b, c, d] = rows;
            let pointer: *mut i32 = sums.as_mut_ptr().cast();
            _mm256_storeu_si256(pointer.cast(), transpose_add([a[0], b[0], c[0], d[0]]));
            if MODE != UNIFORM {
                _mm256_storeu_si256(pointer.add(8).cast(), transpose_add([a[1], b[1], c[1], d[1]]));
            }
            sums
        }
    }
}
