//! The product of 8-bit activations with tiles of weights.
#![allow(
    unsafe_code,
    reason = "reads activations through pointers, and threads write their own columns of one output"
)]

use crate::activations::Activations;
use crate::isa::versions;
use crate::pack::{Matrix, Tiles};
use crate::pool::{Pool, Shareable};
use crate::simd::Simd;
use crate::tile::{PAIR, ROWS, SMALL, SUPER, Tile4, Tile6, Tile8};

/// A product: the matrix, and where its results go.
pub struct Output<'a> {
    /// The weights.
    pub matrix: &'a Matrix,
    /// One row of `matrix.rows()` floats for each activation row.
    pub out: &'a mut [f32],
    /// Whether results are added to what is there.
    pub add: bool,
}

/// Where tasks write: a row of tiles owns 16 columns of every activation row.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    out: Shareable<f32>,
    /// Floats of one row.
    stride: usize,
    /// The first of the matrix's outputs that is written.
    first: usize,
    add: bool,
}

/// Multiplies rows of floats with several matrices: `prepare` gets a row's number and writes its floats, which are
/// then rounded to 8 bits as each matrix needs them.
///
/// # Panics
/// When sizes do not fit.
pub fn multiply(
    pool: &mut Pool,
    scratch: &mut Activations,
    rows: usize,
    prepare: impl Fn(usize, &mut [f32]) + Sync,
    outputs: Vec<Output<'_>>,
) {
    let (small, large): (Vec<_>, Vec<_>) =
        outputs.into_iter().partition(|output| matches!(output.matrix.tiles, Tiles::Eight(_)));
    for mut outputs in [small, large] {
        if let Some(first) = outputs.first() {
            scratch.fill(pool, first.matrix, rows, &prepare);
            matmul(pool, scratch, &mut outputs);
        }
    }
}

/// Single outputs of a matrix for every activation row: where only a few of many are wanted. They are bit for bit
/// those of the whole product.
///
/// # Panics
/// When the matrix has no such output.
pub fn multiply_some(
    pool: &mut Pool,
    scratch: &mut Activations,
    rows: usize,
    prepare: impl Fn(usize, &mut [f32]) + Sync,
    matrix: &Matrix,
    wanted: &[usize],
) -> Vec<f32> {
    scratch.fill(pool, matrix, rows, prepare);
    let mut found = vec![0.0; rows * wanted.len()];
    let mut sixteen = vec![0.0; rows * ROWS];
    for (at, output) in wanted.iter().enumerate() {
        assert!(*output < matrix.rows(), "output {output} of {}", matrix.rows());
        let row = output / ROWS;
        let place =
            Place { out: Shareable(sixteen.as_mut_ptr()), stride: ROWS, first: row * ROWS, add: false };
        tile_row(pool.isa(), matrix, scratch, row, place);
        for (row, sixteen) in sixteen.chunks(ROWS).enumerate() {
            found[row * wanted.len() + at] = sixteen[output % ROWS];
        }
    }
    found
}

/// Multiplies the same activations with several matrices at once.
///
/// # Panics
/// When sizes do not fit, or the activations were rounded for another kind of matrix.
pub fn matmul(pool: &mut Pool, activations: &Activations, outputs: &mut [Output<'_>]) {
    let mut parts = Vec::with_capacity(outputs.len());
    let mut total = 0;
    for Output { matrix, out, add } in outputs {
        assert_eq!(out.len(), activations.rows * matrix.rows(), "the product's size");
        assert_eq!(matrix.columns(), activations.columns, "the product's inner size");
        let eight = matches!(matrix.tiles, Tiles::Eight(_));
        assert_eq!(activations.block, if eight { SMALL } else { SUPER }, "the activations' blocks");
        let down = matrix.rows().div_ceil(ROWS);
        let place = Place { out: Shareable(out.as_mut_ptr()), stride: matrix.rows(), first: 0, add: *add };
        parts.push((total, total + down, &**matrix, place));
        total += down;
    }
    let isa = pool.isa();
    let some = total.div_ceil(pool.threads() * 8).max(1);
    pool.run(total.div_ceil(some), &|task| {
        let (first, last) = (task * some, total.min((task + 1) * some));
        for (start, end, matrix, place) in &parts {
            for row in first.max(*start)..last.min(*end) {
                tile_row(isa, matrix, activations, row - start, *place);
            }
        }
    });
}

versions! {
    /// All activation rows with one row of tiles.
    fn tile_row(matrix: &Matrix, activations: &Activations, row: usize, place: Place) = tile_row_with
}

#[inline(always)]
fn tile_row_with<S: Simd>(matrix: &Matrix, activations: &Activations, row: usize, place: Place) {
    let columns = matrix.columns();
    match &matrix.tiles {
        Tiles::Four(tiles) => {
            let across = columns / SUPER;
            let tiles = &tiles[row * across..][..across];
            rows::<S, Tile4>(tiles, matrix.rows(), activations, row, place);
        }
        Tiles::Six(tiles) => {
            let across = columns / SUPER;
            let tiles = &tiles[row * across..][..across];
            rows::<S, Tile6>(tiles, matrix.rows(), activations, row, place);
        }
        Tiles::Eight(tiles) => {
            let across = columns / PAIR;
            let tiles = &tiles[row * across..][..across];
            rows::<S, Tile8>(tiles, matrix.rows(), activations, row, place);
        }
    }
}

/// A layout of weights, and its product with `M` activation rows at once.
trait Kernel: Sized {
    fn product<S: Simd, const M: usize>(tiles: &[Self], activations: &Activations, first: usize)
    -> [S::F; M];
}

#[inline(always)]
fn rows<S: Simd, T: Kernel>(
    tiles: &[T],
    outputs: usize,
    activations: &Activations,
    row: usize,
    place: Place,
) {
    let mut first = 0;
    let lanes = ROWS.min(outputs - row * ROWS);
    // Each size is code of its own; what a row gives is the same in all of them.
    while first < activations.rows {
        let left = activations.rows - first;
        first += if left >= 8 {
            some::<S, T, 8>(tiles, activations, first, row, lanes, place)
        } else if left >= 4 {
            some::<S, T, 4>(tiles, activations, first, row, lanes, place)
        } else if left >= 2 {
            some::<S, T, 2>(tiles, activations, first, row, lanes, place)
        } else {
            some::<S, T, 1>(tiles, activations, first, row, lanes, place)
        };
    }
}

#[inline(always)]
fn some<S: Simd, T: Kernel, const M: usize>(
    tiles: &[T],
    activations: &Activations,
    first: usize,
    row: usize,
    lanes: usize,
    place: Place,
) -> usize {
    let sums = T::product::<S, M>(tiles, activations, first);
    for (at, sum) in sums.into_iter().enumerate() {
        // These columns of this row are this task's alone, and lie within the output: `matmul` compared sizes.
        unsafe {
            let to = place.out.get().add((first + at) * place.stride + row * ROWS - place.first);
            if lanes == ROWS {
                let sum = if place.add { S::add(S::load(to), sum) } else { sum };
                S::store(to, sum);
            } else {
                let mut floats = [0.0_f32; ROWS];
                S::store(floats.as_mut_ptr(), sum);
                for (lane, float) in floats.iter().take(lanes).enumerate() {
                    let to = to.add(lane);
                    to.write(if place.add { to.read() + float } else { *float });
                }
            }
        }
    }
    M
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
                if M <= 2 {
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
                if M <= 2 {
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
                if M <= 2 {
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

#[cfg(test)]
#[path = "matmul_tests.rs"]
mod tests;
