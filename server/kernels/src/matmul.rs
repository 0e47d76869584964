//! The product of 8-bit activations with tiles of weights.
#![allow(
    unsafe_code,
    reason = "reads activations through pointers, and threads write their own columns of one output"
)]

use crate::activations::Activations;
use crate::isa::versions;
use crate::pack::{Matrix, Tiles};
use crate::pool::{Pool, Shareable};
use crate::products::Kernel;
use crate::simd::Simd;
use crate::tile::{PAIR, ROWS, SMALL, SUPER, Tile4, Tile4One, Tile6, Tile8};

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
        outputs.into_iter().partition(|output| output.matrix.tiles.block() == SMALL);
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
        assert_eq!(activations.block, matrix.tiles.block(), "the activations' blocks");
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
            rows::<S, Tile4>(along(tiles, columns / SUPER, row), matrix.rows(), activations, row, place);
        }
        Tiles::Six(tiles) => {
            rows::<S, Tile6>(along(tiles, columns / SUPER, row), matrix.rows(), activations, row, place);
        }
        Tiles::FourOne(tiles) => {
            rows::<S, Tile4One>(along(tiles, columns / PAIR, row), matrix.rows(), activations, row, place);
        }
        Tiles::Eight(tiles) => {
            rows::<S, Tile8>(along(tiles, columns / PAIR, row), matrix.rows(), activations, row, place);
        }
    }
}

/// One row of tiles.
#[inline(always)]
fn along<T>(tiles: &[T], across: usize, row: usize) -> &[T] {
    &tiles[row * across..][..across]
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

#[cfg(test)]
#[path = "matmul_tests.rs"]
mod tests;
