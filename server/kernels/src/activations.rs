//! Activations as 8-bit numbers: what the quantised products read.
#![allow(unsafe_code, reason = "vector stores through pointers into slices of checked length")]

use crate::isa::versions;
use crate::pack::Matrix;
use crate::pool::{Pool, Shareable};
use crate::simd::Simd;
use crate::tile::SMALL;

/// Rows of 8-bit numbers, with a scale for each 256 or each 32 and the sums that the products need.
#[derive(Default)]
pub struct Activations {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Columns that share a scale.
    pub(crate) block: usize,
    pub(crate) quants: Vec<i8>,
    pub(crate) scales: Vec<f32>,
    /// Sums of 32 quants.
    pub(crate) sums: Vec<i16>,
    /// Sums of 16 quants.
    pub(crate) halves: Vec<i16>,
}

impl Activations {
    /// Rounds rows of floats to what the product with `matrix` reads. `prepare` gets a row's number and writes its
    /// floats; it runs on all threads.
    pub fn fill(
        &mut self,
        pool: &mut Pool,
        matrix: &Matrix,
        rows: usize,
        prepare: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        let columns = matrix.columns();
        self.block = matrix.tiles.block();
        (self.rows, self.columns) = (rows, columns);
        let (blocks, block) = (columns / self.block, self.block);
        self.quants.resize(rows * columns, 0);
        self.scales.resize(rows * blocks, 0.0);
        self.sums.resize(rows * columns / SMALL, 0);
        self.halves.resize(rows * columns / 16, 0);
        let isa = pool.isa();
        let quants = Shareable(self.quants.as_mut_ptr());
        let scales = Shareable(self.scales.as_mut_ptr());
        let sums = Shareable(self.sums.as_mut_ptr());
        let halves = Shareable(self.halves.as_mut_ptr());
        // One row is not worth waking anybody for.
        let some = if rows < 4 { rows } else { rows.div_ceil(pool.threads() * 4) };
        pool.run(rows.div_ceil(some.max(1)), &|task| {
            let mut floats = vec![0.0; columns];
            for row in task * some..rows.min((task + 1) * some) {
                prepare(row, &mut floats);
                // Each row has a range of its own in each of these, which were sized above.
                let (quants, scales, sums, halves) = unsafe {
                    (
                        std::slice::from_raw_parts_mut(quants.get().add(row * columns), columns),
                        std::slice::from_raw_parts_mut(scales.get().add(row * blocks), blocks),
                        std::slice::from_raw_parts_mut(
                            sums.get().add(row * columns / SMALL),
                            columns / SMALL,
                        ),
                        std::slice::from_raw_parts_mut(halves.get().add(row * columns / 16), columns / 16),
                    )
                };
                quantise(isa, &floats, block, quants, scales);
                for (half, quants) in halves.iter_mut().zip(quants.chunks_exact(16)) {
                    *half = quants.iter().map(|quant| i16::from(*quant)).sum();
                }
                for (sum, halves) in sums.iter_mut().zip(halves.chunks_exact(2)) {
                    *sum = halves[0] + halves[1];
                }
            }
        });
    }
}

versions! {
    /// Rounds one row.
    fn quantise(floats: &[f32], block: usize, quants: &mut [i8], scales: &mut [f32]) = quantise_with
}

#[inline(always)]
fn quantise_with<S: Simd>(floats: &[f32], block: usize, quants: &mut [i8], scales: &mut [f32]) {
    let blocks = floats.chunks_exact(block).zip(quants.chunks_exact_mut(block));
    for ((floats, quants), scale) in blocks.zip(scales) {
        let mut most = S::set(0.0);
        for sixteen in floats.chunks_exact(16) {
            let value = unsafe { S::load(sixteen.as_ptr()) };
            most = S::max(most, S::max(value, S::sub(S::set(0.0), value)));
        }
        let most = S::greatest(most);
        // What is not a number becomes zeros here and shows where logits are read.
        let inverse = if most > 0.0 && most.is_finite() { 127.0 / most } else { 0.0 };
        *scale = most / 127.0;
        for (sixteen, quants) in floats.chunks_exact(16).zip(quants.chunks_exact_mut(16)) {
            unsafe {
                let value = S::mul(S::load(sixteen.as_ptr()), S::set(inverse));
                S::store_i8(quants.as_mut_ptr(), S::round(value));
            }
        }
    }
}
