//! The sources of `avx512` and `float::avx512`, compiled a second time against plain Rust forms of its intrinsics, so that any host checks it.
//! What this cannot check is that the forms below are what the instructions do: on a host that has them, the other tests.

pub(super) use crate::simd::float::{CHANNELS, Integers};
pub(super) use crate::simd::{Codes, Limb, ROWS, SEGMENTS, Table, Vectors, WIDE};

#[allow(clippy::duplicate_mod)] // on purpose
#[path = "../avx512.rs"]
pub(super) mod avx512;

#[allow(clippy::duplicate_mod)] // on purpose
#[path = "../float/avx512.rs"]
pub(super) mod float_avx512;

/// Written from the published definition of each operation, little-endian lanes.
#[allow(non_camel_case_types, clippy::modulo_one)] // the names of the originals; lanes of one byte
mod intrinsics {
    #[derive(Clone, Copy)]
    pub struct __m512i([u8; 64]);
    #[derive(Clone, Copy)]
    pub struct __m256i([u8; 32]);

    macro_rules! lanes {
        ($get:ident, $from:ident, $type:ty, $count:expr) => {
            fn $get(v: __m512i) -> [$type; $count] {
                const BYTES: usize = 64 / $count;
                std::array::from_fn(|i| <$type>::from_le_bytes(std::array::from_fn(|b| v.0[i * BYTES + b])))
            }
            fn $from(lane: impl Fn(usize) -> $type) -> __m512i {
                const BYTES: usize = 64 / $count;
                __m512i(std::array::from_fn(|i| lane(i / BYTES).to_le_bytes()[i % BYTES]))
            }
        };
    }
    lanes!(bytes, from_bytes, i8, 64);
    lanes!(words, from_words, i16, 32);
    lanes!(doubles, from_doubles, i32, 16);
    lanes!(quads, from_quads, i64, 8);

    pub(super) unsafe fn _mm512_loadu_si512(pointer: *const __m512i) -> __m512i {
        // SAFETY: the caller's pointer has 64 bytes behind it.
        unsafe { pointer.read_unaligned() }
    }
    pub(super) unsafe fn _mm512_storeu_si512(pointer: *mut __m512i, v: __m512i) {
        // SAFETY: the caller's pointer has 64 bytes behind it.
        unsafe { pointer.write_unaligned(v) }
    }
    pub(super) unsafe fn _mm512_setzero_si512() -> __m512i {
        __m512i([0; 64])
    }
    pub(super) unsafe fn _mm512_set1_epi8(v: i8) -> __m512i {
        from_bytes(|_| v)
    }
    pub(super) unsafe fn _mm512_set1_epi32(v: i32) -> __m512i {
        from_doubles(|_| v)
    }
    #[rustfmt::skip]
    #[allow(clippy::too_many_arguments)]
    pub(super) unsafe fn _mm512_setr_epi32(
        a: i32, b: i32, c: i32, d: i32, e: i32, f: i32, g: i32, h: i32,
        i: i32, j: i32, k: i32, l: i32, m: i32, n: i32, o: i32, p: i32,
    ) -> __m512i {
        from_doubles(|lane| [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p][lane])
    }
    pub(super) unsafe fn _mm512_and_si512(a: __m512i, b: __m512i) -> __m512i {
        from_quads(|i| quads(a)[i] & quads(b)[i])
    }
    pub(super) unsafe fn _mm512_or_si512(a: __m512i, b: __m512i) -> __m512i {
        from_quads(|i| quads(a)[i] | quads(b)[i])
    }
    pub(super) unsafe fn _mm512_srli_epi16<const BITS: u32>(a: __m512i) -> __m512i {
        from_words(|i| (words(a)[i] as u16 >> BITS) as i16)
    }
    pub(super) unsafe fn _mm512_slli_epi32<const BITS: u32>(a: __m512i) -> __m512i {
        from_doubles(|i| doubles(a)[i] << BITS)
    }
    pub(super) unsafe fn _mm512_min_epi8(a: __m512i, b: __m512i) -> __m512i {
        from_bytes(|i| bytes(a)[i].min(bytes(b)[i]))
    }
    pub(super) unsafe fn _mm512_sub_epi8(a: __m512i, b: __m512i) -> __m512i {
        from_bytes(|i| bytes(a)[i].wrapping_sub(bytes(b)[i]))
    }
    pub(super) unsafe fn _mm512_add_epi32(a: __m512i, b: __m512i) -> __m512i {
        from_doubles(|i| doubles(a)[i].wrapping_add(doubles(b)[i]))
    }
    pub(super) unsafe fn _mm512_add_epi64(a: __m512i, b: __m512i) -> __m512i {
        from_quads(|i| quads(a)[i].wrapping_add(quads(b)[i]))
    }
    /// Within 128-bit lanes; an index with its highest bit set gives zero.
    pub(super) unsafe fn _mm512_shuffle_epi8(a: __m512i, index: __m512i) -> __m512i {
        from_bytes(|i| if index.0[i] & 0x80 != 0 { 0 } else { a.0[i / 16 * 16 + usize::from(index.0[i] & 15)] as i8 })
    }
    /// Unsigned bytes of `a` times signed ones of `b`, pairs added with saturation.
    pub(super) unsafe fn _mm512_maddubs_epi16(a: __m512i, b: __m512i) -> __m512i {
        let product = |i: usize| i32::from(a.0[i]) * i32::from(bytes(b)[i]);
        from_words(|i| (product(2 * i) + product(2 * i + 1)).clamp(-32768, 32767) as i16)
    }
    /// Unsigned bytes of `a` times signed ones of `b`, four added to `sum`.
    pub(super) unsafe fn _mm512_dpbusd_epi32(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        let product = |i: usize| i32::from(a.0[i]) * i32::from(bytes(b)[i]);
        from_doubles(|i| (4 * i..4 * i + 4).fold(doubles(sum)[i], |sum, i| sum.wrapping_add(product(i))))
    }
    /// Signed words, two products added to `sum`.
    pub(super) unsafe fn _mm512_dpwssd_epi32(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        let product = |i: usize| i32::from(words(a)[i]) * i32::from(words(b)[i]);
        from_doubles(|i| doubles(sum)[i].wrapping_add(product(2 * i)).wrapping_add(product(2 * i + 1)))
    }
    /// Lanes `half`, `half + 1` of every 128 bits of both, alternating.
    fn unpack_doubles(a: __m512i, b: __m512i, half: usize) -> __m512i {
        from_doubles(|i| doubles(if i % 2 == 0 { a } else { b })[i / 4 * 4 + half + i % 4 / 2])
    }
    pub(super) unsafe fn _mm512_unpacklo_epi32(a: __m512i, b: __m512i) -> __m512i {
        unpack_doubles(a, b, 0)
    }
    pub(super) unsafe fn _mm512_unpackhi_epi32(a: __m512i, b: __m512i) -> __m512i {
        unpack_doubles(a, b, 2)
    }
    pub(super) unsafe fn _mm512_unpacklo_epi64(a: __m512i, b: __m512i) -> __m512i {
        from_quads(|i| quads(if i % 2 == 0 { a } else { b })[i / 2 * 2])
    }
    pub(super) unsafe fn _mm512_unpackhi_epi64(a: __m512i, b: __m512i) -> __m512i {
        from_quads(|i| quads(if i % 2 == 0 { a } else { b })[i / 2 * 2 + 1])
    }
    pub(super) unsafe fn _mm512_castsi512_si256(a: __m512i) -> __m256i {
        __m256i(std::array::from_fn(|i| a.0[i]))
    }
    pub(super) unsafe fn _mm512_extracti64x4_epi64<const HALF: i32>(a: __m512i) -> __m256i {
        __m256i(std::array::from_fn(|i| a.0[32 * HALF as usize + i]))
    }
    pub(super) unsafe fn _mm512_cvtepi32_epi64(a: __m256i) -> __m512i {
        from_quads(|i| i32::from_le_bytes(std::array::from_fn(|b| a.0[4 * i + b])).into())
    }
    pub(super) unsafe fn _mm512_reduce_add_epi64(a: __m512i) -> i64 {
        quads(a).iter().fold(0, |sum, lane| sum.wrapping_add(*lane))
    }
    #[derive(Clone, Copy)]
    pub struct __m512(__m512i);

    fn floats(v: __m512) -> [f32; 16] {
        doubles(v.0).map(|bits| f32::from_bits(bits as u32))
    }
    pub(super) unsafe fn _mm512_castsi512_ps(a: __m512i) -> __m512 {
        __m512(a)
    }
    pub(super) unsafe fn _mm512_mul_ps(a: __m512, b: __m512) -> __m512 {
        __m512(from_doubles(|i| (floats(a)[i] * floats(b)[i]).to_bits() as i32))
    }
    /// Towards zero; what does not fit gives the smallest integer.
    pub(super) unsafe fn _mm512_cvttps_epi32(a: __m512) -> __m512i {
        let fits = |v: f32| (-2_147_483_648.0..2_147_483_648.0).contains(&v);
        from_doubles(|i| if fits(floats(a)[i]) { floats(a)[i] as i32 } else { i32::MIN })
    }
    pub(super) unsafe fn _mm256_loadu_si256(pointer: *const __m256i) -> __m256i {
        // SAFETY: the caller's pointer has 32 bytes behind it.
        unsafe { pointer.read_unaligned() }
    }
    pub(super) unsafe fn _mm512_broadcast_i64x4(a: __m256i) -> __m512i {
        __m512i(std::array::from_fn(|i| a.0[i % 32]))
    }
    /// The lanes of `a` at the lowest four bits of `index`.
    pub(super) unsafe fn _mm512_permutexvar_epi32(index: __m512i, a: __m512i) -> __m512i {
        from_doubles(|i| doubles(a)[doubles(index)[i] as usize & 15])
    }
    pub(super) unsafe fn _mm512_sub_epi32(a: __m512i, b: __m512i) -> __m512i {
        from_doubles(|i| doubles(a)[i].wrapping_sub(doubles(b)[i]))
    }
    pub(super) unsafe fn _mm512_max_epi32(a: __m512i, b: __m512i) -> __m512i {
        from_doubles(|i| doubles(a)[i].max(doubles(b)[i]))
    }
    /// Amounts above 31 give zero.
    pub(super) unsafe fn _mm512_sllv_epi32(a: __m512i, by: __m512i) -> __m512i {
        from_doubles(|i| doubles(a)[i].checked_shl(doubles(by)[i] as u32).unwrap_or(0))
    }
    /// Amounts above 31 give zero.
    pub(super) unsafe fn _mm512_srlv_epi32(a: __m512i, by: __m512i) -> __m512i {
        from_doubles(|i| (doubles(a)[i] as u32).checked_shr(doubles(by)[i] as u32).unwrap_or(0) as i32)
    }
    /// Amounts above 31 give the sign.
    pub(super) unsafe fn _mm512_srav_epi32(a: __m512i, by: __m512i) -> __m512i {
        from_doubles(|i| doubles(a)[i] >> (doubles(by)[i] as u32).min(31))
    }
}
