//! Sixteen lanes: the operations that kernels are written in, and their scalar meaning.

use half::f16;

/// Sixteen lanes of numbers on some instruction set. Implementations agree bit for bit in everything but
/// [`exp`](Simd::exp), which is written once in terms of the others and so agrees too.
///
/// Functions that take a pointer read or write 16 values (or 64 bytes) behind it.
#[expect(unsafe_code, reason = "vector loads take pointers; callers pass slices that are long enough")]
pub(crate) trait Simd: Copy + 'static {
    /// Sixteen floats.
    type F: Copy;
    /// Sixteen 32-bit integers.
    type I: Copy;
    /// Sixty-four bytes: four for each lane.
    type B: Copy;
    /// What [`dot_signed`](Simd::dot_signed) adds to every weight.
    const OFFSET: i32;

    fn set(value: f32) -> Self::F;
    unsafe fn load(from: *const f32) -> Self::F;
    unsafe fn store(to: *mut f32, value: Self::F);
    /// `a * b + c`, rounded once.
    fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    fn mul(a: Self::F, b: Self::F) -> Self::F;
    fn add(a: Self::F, b: Self::F) -> Self::F;
    fn sub(a: Self::F, b: Self::F) -> Self::F;
    fn div(a: Self::F, b: Self::F) -> Self::F;
    fn max(a: Self::F, b: Self::F) -> Self::F;
    fn min(a: Self::F, b: Self::F) -> Self::F;
    /// To the nearest whole number, halves to even.
    fn round(a: Self::F) -> Self::F;
    /// `2^n` for a whole `n` in -126..=127.
    fn power(n: Self::F) -> Self::F;
    unsafe fn load_f16(from: *const u16) -> Self::F;
    unsafe fn load_u8(from: *const u8) -> Self::F;
    unsafe fn load_i8(from: *const i8) -> Self::F;
    /// Whole numbers within ±127 as bytes.
    unsafe fn store_i8(to: *mut i8, value: Self::F);

    fn int(value: i32) -> Self::I;
    fn float(value: Self::I) -> Self::F;
    unsafe fn bytes(from: *const u8) -> Self::B;
    /// The lower four bits of each byte.
    fn low(bytes: Self::B) -> Self::B;
    /// The upper four bits of each byte.
    fn high(bytes: Self::B) -> Self::B;
    /// Four times 64 six-bit numbers out of two times 64 bytes of lower halves and 64 bytes of upper pairs.
    fn six(low: [Self::B; 2], high: Self::B) -> [Self::B; 4];
    /// Adds to each lane the product of its four bytes, below 64, with four signed bytes.
    fn dot(sum: Self::I, weights: Self::B, four: i32) -> Self::I;
    /// As [`dot`](Simd::dot) with weights stored 128 too high; they count [`OFFSET`](Simd::OFFSET) too much.
    fn dot_signed(sum: Self::I, weights: Self::B, four: i32) -> Self::I;
    /// 32 bytes as 16 pairs of 16-bit numbers.
    unsafe fn pairs(from: *const u8) -> Self::B;
    /// Adds to each lane the product of its pair with two 16-bit numbers.
    fn dot_pairs(sum: Self::I, weights: Self::B, two: i32) -> Self::I;
    /// Asks for memory that will be read soon.
    fn prefetch(from: *const u8);

    /// e^x, within two units in the last place; 0 far below, never infinite.
    #[inline(always)]
    fn exp(x: Self::F) -> Self::F {
        let x = Self::max(Self::min(x, Self::set(88.0)), Self::set(-87.0));
        let n = Self::round(Self::mul(x, Self::set(std::f32::consts::LOG2_E)));
        // ln 2 in two parts, so that the difference loses nothing.
        let r = Self::fma(n, Self::set(-0.693_359_4), x);
        let r = Self::fma(n, Self::set(2.121_944_4e-4), r);
        let mut y = Self::set(1.0 / 720.0);
        for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
            y = Self::fma(y, r, Self::set(coefficient));
        }
        Self::mul(y, Self::power(n))
    }

    /// The sum of the lanes, in halves.
    #[inline(always)]
    fn sum(value: Self::F) -> f32 {
        let mut lanes = [0.0_f32; 16];
        unsafe { Self::store(lanes.as_mut_ptr(), value) };
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
        }
        lanes[0]
    }

    /// The greatest lane.
    #[inline(always)]
    fn greatest(value: Self::F) -> f32 {
        let mut lanes = [0.0_f32; 16];
        unsafe { Self::store(lanes.as_mut_ptr(), value) };
        lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
}

/// Scalar code: what every other implementation is compared with, and what other machines run.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

#[inline(always)]
fn each<T: Copy, U: Copy>(a: [T; 16], b: [T; 16], apply: impl Fn(T, T) -> U) -> [U; 16] {
    std::array::from_fn(|lane| apply(a[lane], b[lane]))
}

#[expect(unsafe_code, reason = "reads through the pointers that the trait takes")]
impl Simd for Portable {
    type F = [f32; 16];
    type I = [i32; 16];
    type B = [u8; 64];
    const OFFSET: i32 = 128;

    #[inline(always)]
    fn set(value: f32) -> Self::F {
        [value; 16]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::F {
        unsafe { from.cast::<Self::F>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Self::F) {
        unsafe { to.cast::<Self::F>().write_unaligned(value) }
    }
    #[inline(always)]
    fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        std::array::from_fn(|lane| a[lane].mul_add(b[lane], c[lane]))
    }
    #[inline(always)]
    fn mul(a: Self::F, b: Self::F) -> Self::F {
        each(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn add(a: Self::F, b: Self::F) -> Self::F {
        each(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(a: Self::F, b: Self::F) -> Self::F {
        each(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn div(a: Self::F, b: Self::F) -> Self::F {
        each(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn max(a: Self::F, b: Self::F) -> Self::F {
        each(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(a: Self::F, b: Self::F) -> Self::F {
        each(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn round(a: Self::F) -> Self::F {
        a.map(f32::round_ties_even)
    }
    #[inline(always)]
    fn power(n: Self::F) -> Self::F {
        n.map(|n| f32::from_bits(((n as i32 + 127) << 23).cast_unsigned()))
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const u16) -> Self::F {
        unsafe { from.cast::<[u16; 16]>().read_unaligned() }.map(|bits| f16::from_bits(bits).to_f32())
    }
    #[inline(always)]
    unsafe fn load_u8(from: *const u8) -> Self::F {
        unsafe { from.cast::<[u8; 16]>().read_unaligned() }.map(f32::from)
    }
    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> Self::F {
        unsafe { from.cast::<[i8; 16]>().read_unaligned() }.map(f32::from)
    }
    #[inline(always)]
    unsafe fn store_i8(to: *mut i8, value: Self::F) {
        unsafe { to.cast::<[i8; 16]>().write_unaligned(value.map(|value| value as i8)) }
    }
    #[inline(always)]
    fn int(value: i32) -> Self::I {
        [value; 16]
    }
    #[inline(always)]
    fn float(value: Self::I) -> Self::F {
        value.map(|value| value as f32)
    }
    #[inline(always)]
    unsafe fn bytes(from: *const u8) -> Self::B {
        unsafe { from.cast::<Self::B>().read_unaligned() }
    }
    #[inline(always)]
    fn low(bytes: Self::B) -> Self::B {
        bytes.map(|byte| byte & 15)
    }
    #[inline(always)]
    fn high(bytes: Self::B) -> Self::B {
        bytes.map(|byte| byte >> 4)
    }
    #[inline(always)]
    fn six(low: [Self::B; 2], high: Self::B) -> [Self::B; 4] {
        std::array::from_fn(|part| {
            std::array::from_fn(|at| {
                let below = low[part / 2][at] >> (4 * (part % 2)) & 15;
                below | (high[at] >> (2 * part) & 3) << 4
            })
        })
    }
    #[inline(always)]
    fn dot(sum: Self::I, weights: Self::B, four: i32) -> Self::I {
        let four = four.to_le_bytes().map(|byte| i32::from(byte.cast_signed()));
        std::array::from_fn(|lane| {
            (0..4).fold(sum[lane], |sum, at| sum + i32::from(weights[lane * 4 + at]) * four[at])
        })
    }
    #[inline(always)]
    fn dot_signed(sum: Self::I, weights: Self::B, four: i32) -> Self::I {
        Self::dot(sum, weights, four)
    }
    #[inline(always)]
    unsafe fn pairs(from: *const u8) -> Self::B {
        let bytes = unsafe { from.cast::<[u8; 32]>().read_unaligned() };
        std::array::from_fn(|at| if at % 2 == 0 { bytes[at / 2] } else { 0 })
    }
    #[inline(always)]
    fn dot_pairs(sum: Self::I, weights: Self::B, two: i32) -> Self::I {
        let bytes = two.to_le_bytes();
        let two = [0, 2].map(|at| i32::from(i16::from_le_bytes([bytes[at], bytes[at + 1]])));
        std::array::from_fn(|lane| {
            let weight = |at: usize| {
                i32::from(i16::from_le_bytes([weights[lane * 4 + 2 * at], weights[lane * 4 + 2 * at + 1]]))
            };
            sum[lane] + weight(0) * two[0] + weight(1) * two[1]
        })
    }
    #[inline(always)]
    fn prefetch(_: *const u8) {}
}
