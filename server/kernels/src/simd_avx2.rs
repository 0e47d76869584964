//! AVX2: sixteen lanes as two registers of eight.
#![allow(
    unsafe_code,
    reason = "intrinsics; only functions that `versions!` compiles for detected features use this"
)]

use std::arch::x86_64::*;

use crate::simd::Simd;

#[derive(Clone, Copy)]
pub(crate) struct Avx2;

type Floats = [__m256; 2];
type Ints = [__m256i; 2];

/// The same operation on both halves.
macro_rules! both {
    (|$($it:ident),*| $body:expr) => {{
        let [$($it),*] = [$($it[0]),*];
        unsafe { $body }
    }};
}

macro_rules! halves {
    (|$($it:ident),*| $body:expr) => {
        [both!(|$($it),*| $body), {
            let [$($it),*] = [$($it[1]),*];
            unsafe { $body }
        }]
    };
}

#[inline(always)]
fn multiply(sum: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
    unsafe {
        let pairs = _mm256_maddubs_epi16(unsigned, signed);
        _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
    }
}

impl Simd for Avx2 {
    type F = Floats;
    type I = Ints;
    type B = Ints;
    const OFFSET: i32 = 0;

    #[inline(always)]
    fn set(value: f32) -> Floats {
        [unsafe { _mm256_set1_ps(value) }; 2]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Floats {
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Floats) {
        unsafe {
            _mm256_storeu_ps(to, value[0]);
            _mm256_storeu_ps(to.add(8), value[1]);
        }
    }
    #[inline(always)]
    fn fma(a: Floats, b: Floats, c: Floats) -> Floats {
        halves!(|a, b, c| _mm256_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn mul(a: Floats, b: Floats) -> Floats {
        halves!(|a, b| _mm256_mul_ps(a, b))
    }
    #[inline(always)]
    fn add(a: Floats, b: Floats) -> Floats {
        halves!(|a, b| _mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(a: Floats, b: Floats) -> Floats {
        halves!(|a, b| _mm256_sub_ps(a, b))
    }
    #[inline(always)]
    fn div(a: Floats, b: Floats) -> Floats {
        halves!(|a, b| _mm256_div_ps(a, b))
    }
    #[inline(always)]
    fn max(a: Floats, b: Floats) -> Floats {
        halves!(|a, b| _mm256_max_ps(a, b))
    }
    #[inline(always)]
    fn min(a: Floats, b: Floats) -> Floats {
        halves!(|a, b| _mm256_min_ps(a, b))
    }
    #[inline(always)]
    fn round(a: Floats) -> Floats {
        halves!(|a| _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a))
    }
    #[inline(always)]
    fn power(n: Floats) -> Floats {
        halves!(|n| {
            let bits = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(bits))
        })
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const u16) -> Floats {
        unsafe {
            let (a, b) = (_mm_loadu_si128(from.cast()), _mm_loadu_si128(from.add(8).cast()));
            [_mm256_cvtph_ps(a), _mm256_cvtph_ps(b)]
        }
    }
    #[inline(always)]
    unsafe fn load_u8(from: *const u8) -> Floats {
        unsafe {
            let (a, b) = (_mm_loadl_epi64(from.cast()), _mm_loadl_epi64(from.add(8).cast()));
            [_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(a)), _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(b))]
        }
    }
    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> Floats {
        unsafe {
            let (a, b) = (_mm_loadl_epi64(from.cast()), _mm_loadl_epi64(from.add(8).cast()));
            [_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(a)), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(b))]
        }
    }
    #[inline(always)]
    unsafe fn store_i8(to: *mut i8, value: Floats) {
        unsafe {
            let words = _mm256_packs_epi32(_mm256_cvtps_epi32(value[0]), _mm256_cvtps_epi32(value[1]));
            // The pack works within halves: put the quarters back in order.
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
            let bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.cast(), bytes);
        }
    }
    #[inline(always)]
    fn int(value: i32) -> Ints {
        [unsafe { _mm256_set1_epi32(value) }; 2]
    }
    #[inline(always)]
    fn float(value: Ints) -> Floats {
        halves!(|value| _mm256_cvtepi32_ps(value))
    }
    #[inline(always)]
    unsafe fn bytes(from: *const u8) -> Ints {
        unsafe { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(32).cast())] }
    }
    #[inline(always)]
    fn low(bytes: Ints) -> Ints {
        halves!(|bytes| _mm256_and_si256(bytes, _mm256_set1_epi8(15)))
    }
    #[inline(always)]
    fn high(bytes: Ints) -> Ints {
        halves!(|bytes| _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), _mm256_set1_epi8(15)))
    }
    #[inline(always)]
    fn six(low: [Ints; 2], high: Ints) -> [Ints; 4] {
        let [a, b] = low;
        unsafe {
            let below = _mm256_set1_epi8(15);
            let above = _mm256_set1_epi8(48);
            let join =
                |low, high| _mm256_or_si256(_mm256_and_si256(low, below), _mm256_and_si256(high, above));
            [
                [0, 1].map(|it| join(a[it], _mm256_slli_epi16::<4>(high[it]))),
                [0, 1].map(|it| join(_mm256_srli_epi16::<4>(a[it]), _mm256_slli_epi16::<2>(high[it]))),
                [0, 1].map(|it| join(b[it], high[it])),
                [0, 1].map(|it| join(_mm256_srli_epi16::<4>(b[it]), _mm256_srli_epi16::<2>(high[it]))),
            ]
        }
    }
    #[inline(always)]
    fn dot(sum: Ints, weights: Ints, four: i32) -> Ints {
        // Weights are below 64, so a pair of products fits 16 bits.
        halves!(|sum, weights| multiply(sum, weights, _mm256_set1_epi32(four)))
    }
    #[inline(always)]
    fn dot_signed(sum: Ints, weights: Ints, four: i32) -> Ints {
        halves!(|sum, weights| {
            let signed = _mm256_xor_si256(weights, _mm256_set1_epi8(-128));
            // The weight's sign goes to the activation: a pair of products is at most 2 · 128 · 127.
            let four = _mm256_sign_epi8(_mm256_set1_epi32(four), signed);
            multiply(sum, _mm256_abs_epi8(signed), four)
        })
    }
    #[inline(always)]
    unsafe fn pairs(from: *const u8) -> Ints {
        unsafe {
            let (a, b) = (_mm_loadu_si128(from.cast()), _mm_loadu_si128(from.add(16).cast()));
            [_mm256_cvtepu8_epi16(a), _mm256_cvtepu8_epi16(b)]
        }
    }
    #[inline(always)]
    fn dot_pairs(sum: Ints, weights: Ints, two: i32) -> Ints {
        halves!(|sum, weights| _mm256_add_epi32(sum, _mm256_madd_epi16(weights, _mm256_set1_epi32(two))))
    }
    #[inline(always)]
    fn prefetch(from: *const u8) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }
}
