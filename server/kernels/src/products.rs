//! What each layout of weights gives with a few rows of 8-bit activations.
#![allow(unsafe_code, reason = "reads activations through pointers whose rows' lengths were checked")]

use crate::activations::Activations;
use crate::simd::Simd;
use crate::tile::{SMALL, SUPER, Tile4, Tile4One, Tile6, Tile8};

/// A layout of weights, and its product with `M` activation rows at once.
pub(crate) trait Kernel: Sized {
    fn product<S: Simd, const M: usize>(tiles: &[Self], activations: &Activations, first: usize)
    -> [S::F; M];
}

/// Pointers to the parts of `M` activation rows.
#[inline(always)]
fn starts<T, const M: usize>(all: &[T], width: usize, first: usize) -> [*const T; M] {
    std::array::from_fn(|at| all[(first + at) * width..][..width].as_ptr())
}

#[inline(always)]
unsafe fn word(from: *const i8) -> i32 {
    unsafe { from.cast::<i32>().read_unaligned() }
}

/// Asks for what is read two tiles on: they lie one behind the other, through all rows of tiles.
#[inline(always)]
fn ahead<S: Simd, T>(tile: &T, part: usize, lines: usize) {
    let from = std::ptr::from_ref(tile).wrapping_add(2).cast::<u8>();
    for line in 0..lines {
        S::prefetch(from.wrapping_add((part * lines + line) * 64));
    }
}

impl Kernel for Tile4 {
    #[inline(always)]
    fn product<S: Simd, const M: usize>(
        tiles: &[Self],
        activations: &Activations,
        first: usize,
    ) -> [S::F; M] {
        let columns = activations.columns;
        let quants: [_; M] = starts(&activations.quants, columns, first);
        let scales: [_; M] = starts(&activations.scales, columns / SUPER, first);
        let sums: [_; M] = starts(&activations.sums, columns / SMALL, first);
        let mut total = [S::set(0.0); M];
        for (block, tile) in tiles.iter().enumerate() {
            let mut scaled = [S::set(0.0); M];
            for sub in 0..8 {
                if first == 0 {
                    ahead::<S, _>(tile, sub, 5);
                }
                let mut sum = [S::int(0); M];
                for group in sub * 4..sub * 4 + 4 {
                    let bytes = unsafe { S::bytes(tile.quants[group].as_ptr()) };
                    let (low, high) = (S::low(bytes), S::high(bytes));
                    for at in 0..M {
                        // Within the row: `starts` checked its length, and tiles are as many as its blocks.
                        let (a, b) = unsafe {
                            let from = quants[at].add(block * SUPER + group * 8);
                            (word(from), word(from.add(4)))
                        };
                        sum[at] = S::dot(S::dot(sum[at], low, a), high, b);
                    }
                }
                let scale = unsafe { S::load_u8(tile.scales[sub].as_ptr()) };
                for at in 0..M {
                    scaled[at] = S::fma(S::float(sum[at]), scale, scaled[at]);
                }
            }
            let mut below = [S::int(0); M];
            for pair in 0..4 {
                let mins = unsafe { S::pairs(tile.mins[pair].as_ptr()) };
                for at in 0..M {
                    let two = unsafe { word(sums[at].add(block * 8 + pair * 2).cast()) };
                    below[at] = S::dot_pairs(below[at], mins, two);
                }
            }
            let (d, dmin) = unsafe { (S::load_f16(tile.d.as_ptr()), S::load_f16(tile.dmin.as_ptr())) };
            for at in 0..M {
                let scale = S::set(unsafe { *scales[at].add(block) });
                total[at] = S::fma(scaled[at], S::mul(d, scale), total[at]);
                let min = S::mul(dmin, S::sub(S::set(0.0), scale));
                total[at] = S::fma(S::float(below[at]), min, total[at]);
            }
        }
        total
    }
}

impl Kernel for Tile6 {
    #[inline(always)]
    fn product<S: Simd, const M: usize>(
        tiles: &[Self],
        activations: &Activations,
        first: usize,
    ) -> [S::F; M] {
        let columns = activations.columns;
        let quants: [_; M] = starts(&activations.quants, columns, first);
        let scales: [_; M] = starts(&activations.scales, columns / SUPER, first);
        let halves: [_; M] = starts(&activations.halves, columns / 16, first);
        let mut total = [S::set(0.0); M];
        for (block, tile) in tiles.iter().enumerate() {
            let mut scaled = [S::set(0.0); M];
            for sub in 0..16 {
                if first == 0 {
                    ahead::<S, _>(tile, sub, 3);
                }
                let parts = unsafe {
                    let low = [0, 1].map(|half| S::bytes(tile.low[sub][half].as_ptr()));
                    S::six(low, S::bytes(tile.high[sub].as_ptr()))
                };
                // Weights are stored 32 too high.
                let mut sum: [S::I; M] = std::array::from_fn(|at| {
                    S::int(-32 * i32::from(unsafe { *halves[at].add(block * 16 + sub) }))
                });
                for (four, part) in parts.into_iter().enumerate() {
                    for at in 0..M {
                        let a = unsafe { word(quants[at].add(block * SUPER + sub * 16 + four * 4)) };
                        sum[at] = S::dot(sum[at], part, a);
                    }
                }
                let scale = unsafe { S::load_i8(tile.scales[sub].as_ptr()) };
                for at in 0..M {
                    scaled[at] = S::fma(S::float(sum[at]), scale, scaled[at]);
                }
            }
            let d = unsafe { S::load_f16(tile.d.as_ptr()) };
            for at in 0..M {
                let scale = S::set(unsafe { *scales[at].add(block) });
                total[at] = S::fma(scaled[at], S::mul(d, scale), total[at]);
            }
        }
        total
    }
}

impl Kernel for Tile4One {
    #[inline(always)]
    fn product<S: Simd, const M: usize>(
        tiles: &[Self],
        activations: &Activations,
        first: usize,
    ) -> [S::F; M] {
        let columns = activations.columns;
        let quants: [_; M] = starts(&activations.quants, columns, first);
        let scales: [_; M] = starts(&activations.scales, columns / SMALL, first);
        let sums: [_; M] = starts(&activations.sums, columns / SMALL, first);
        let mut total = [S::set(0.0); M];
        for (block, tile) in tiles.iter().enumerate() {
            for half in 0..2 {
                if first == 0 {
                    ahead::<S, _>(tile, half, 5);
                }
                let small = block * 2 + half;
                let mut sum = [S::int(0); M];
                for group in 0..4 {
                    let bytes = unsafe { S::bytes(tile.quants[half][group].as_ptr()) };
                    let (low, high) = (S::low(bytes), S::high(bytes));
                    for at in 0..M {
                        // Within the row: `starts` checked its length, and tiles are as many as its blocks.
                        let (a, b) = unsafe {
                            let from = quants[at].add(small * SMALL + group * 8);
                            (word(from), word(from.add(4)))
                        };
                        sum[at] = S::dot(S::dot(sum[at], low, a), high, b);
                    }
                }
                let (d, min) =
                    unsafe { (S::load_f16(tile.d[half].as_ptr()), S::load_f16(tile.min[half].as_ptr())) };
                for at in 0..M {
                    let (scale, all) = unsafe { (*scales[at].add(small), *sums[at].add(small)) };
                    total[at] = S::fma(S::float(sum[at]), S::mul(d, S::set(scale)), total[at]);
                    total[at] = S::fma(min, S::set(scale * f32::from(all)), total[at]);
                }
            }
        }
        total
    }
}

impl Kernel for Tile8 {
    #[inline(always)]
    fn product<S: Simd, const M: usize>(
        tiles: &[Self],
        activations: &Activations,
        first: usize,
    ) -> [S::F; M] {
        let columns = activations.columns;
        let quants: [_; M] = starts(&activations.quants, columns, first);
        let scales: [_; M] = starts(&activations.scales, columns / SMALL, first);
        let sums: [_; M] = starts(&activations.sums, columns / SMALL, first);
        let mut total = [S::set(0.0); M];
        for (block, tile) in tiles.iter().enumerate() {
            for half in 0..2 {
                if first == 0 {
                    ahead::<S, _>(tile, half, 8);
                }
                let small = block * 2 + half;
                let mut sum: [S::I; M] =
                    std::array::from_fn(|at| S::int(-S::OFFSET * i32::from(unsafe { *sums[at].add(small) })));
                for group in 0..8 {
                    let bytes = unsafe { S::bytes(tile.quants[half][group].as_ptr()) };
                    for at in 0..M {
                        let a = unsafe { word(quants[at].add(small * SMALL + group * 4)) };
                        sum[at] = S::dot_signed(sum[at], bytes, a);
                    }
                }
                let d = unsafe { S::load_f16(tile.d[half].as_ptr()) };
                for at in 0..M {
                    let scale = S::set(unsafe { *scales[at].add(small) });
                    total[at] = S::fma(S::float(sum[at]), S::mul(d, scale), total[at]);
                }
            }
        }
        total
    }
}
