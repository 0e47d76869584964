//! Attention over blocks of keys and values.
//!
//! A block holds 32 positions in 16-bit floats, keys turned so that one register takes a coordinate of 16 of them.
//! A query goes through its blocks in order and keeps a running maximum, sum and mean (as flash attention does), so
//! scores are never stored, and what it gives depends on nothing but its own positions.
#![allow(unsafe_code, reason = "vector loads through pointers into slices of checked length")]

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::isa::versions;
use crate::pool::Pool;
use crate::simd::Simd;

/// Positions of a block.
pub const BLOCK: usize = 32;

/// Keys and values of [`BLOCK`] positions in every layer.
#[derive(Clone)]
pub struct KvBlock {
    data: Vec<f16>,
    heads: usize,
    width: usize,
}

impl KvBlock {
    /// An empty block for so many layers, heads, and floats a head.
    ///
    /// # Panics
    /// When a head is not a multiple of 16 wide.
    #[must_use]
    pub fn new(layers: usize, heads: usize, width: usize) -> Self {
        assert!(width > 0 && width.is_multiple_of(16), "a head of {width}");
        Self { data: vec![f16::ZERO; layers * heads * 2 * BLOCK * width], heads, width }
    }

    /// Bytes of such a block.
    #[must_use]
    pub fn bytes(layers: usize, heads: usize, width: usize) -> usize {
        layers * heads * 2 * BLOCK * width * 2
    }

    /// Takes over all that another block holds.
    pub fn copy_from(&mut self, other: &Self) {
        self.data.copy_from_slice(&other.data);
    }

    /// Stores one position of one layer: a key and a value for each head.
    ///
    /// # Panics
    /// When sizes do not fit.
    pub fn write(&mut self, layer: usize, slot: usize, keys: &[f32], values: &[f32]) {
        let (heads, width) = (self.heads, self.width);
        assert!(slot < BLOCK && keys.len() == heads * width && values.len() == heads * width);
        let mut narrow = [f16::ZERO; 256];
        for head in 0..heads {
            let start = (layer * heads + head) * 2 * BLOCK * width;
            let (to_keys, to_values) = self.data[start..][..2 * BLOCK * width].split_at_mut(BLOCK * width);
            for (part, keys) in keys[head * width..][..width].chunks(256).enumerate() {
                narrow[..keys.len()].convert_from_f32_slice(keys);
                for (at, key) in narrow[..keys.len()].iter().enumerate() {
                    to_keys[(part * 256 + at) * BLOCK + slot] = *key;
                }
            }
            to_values[slot * width..][..width].convert_from_f32_slice(&values[head * width..][..width]);
        }
    }

    fn head(&self, layer: usize, head: usize) -> (&[f16], &[f16]) {
        let start = (layer * self.heads + head) * 2 * BLOCK * self.width;
        self.data[start..][..2 * BLOCK * self.width].split_at(BLOCK * self.width)
    }
}

/// One position that looks at those before it and itself.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// The blocks of its sequence, in order, by their place among all blocks.
    pub table: &'a [u32],
    /// Positions it sees.
    pub seen: usize,
}

/// Attention of one layer. `queries` holds, for each row, `heads` rotated and scaled heads; several of them may share
/// one head of keys. Results go to `out` in the same order.
///
/// # Panics
/// When sizes do not fit.
pub fn attend(
    pool: &mut Pool,
    blocks: &[KvBlock],
    layer: usize,
    rows: &[Query<'_>],
    queries: &[f32],
    out: &mut [f32],
) {
    let (Some(first), false) = (blocks.first(), rows.is_empty()) else { return };
    let (heads, width) = (first.heads, first.width);
    assert_eq!(queries.len(), out.len(), "as many results as queries");
    let group = out.len() / (rows.len() * heads * width);
    assert_eq!(out.len(), rows.len() * heads * width * group, "the attention's size");
    for row in rows {
        assert!(row.seen > 0 && row.table.len() * BLOCK >= row.seen, "a table of {}", row.table.len());
    }
    let isa = pool.isa();
    pool.chunks(out, group * width, |task, out| {
        let (row, head) = (rows[task / heads], task % heads);
        let queries = &queries[task * group * width..][..group * width];
        group_of(isa, blocks, layer, head, row, queries, out);
    });
}

versions! {
    /// The heads of one row that share a head of keys.
    fn group_of(
        blocks: &[KvBlock], layer: usize, head: usize, row: Query<'_>, queries: &[f32], out: &mut [f32],
    ) = group_with
}

#[inline(always)]
fn group_with<S: Simd>(
    blocks: &[KvBlock],
    layer: usize,
    head: usize,
    row: Query<'_>,
    queries: &[f32],
    out: &mut [f32],
) {
    let width = blocks[0].width;
    let heads = out.len() / width;
    let mut first = 0;
    while first < heads {
        let some = match heads - first {
            1 => 1,
            2 => 2,
            3 => 3,
            // Four and two would read the keys with two half-empty loops.
            6 => 3,
            _ => 4,
        };
        let (queries, out) = (&queries[first * width..], &mut out[first * width..]);
        match some {
            1 => heads_with::<S, 1>(blocks, layer, head, row, queries, out),
            2 => heads_with::<S, 2>(blocks, layer, head, row, queries, out),
            3 => heads_with::<S, 3>(blocks, layer, head, row, queries, out),
            _ => heads_with::<S, 4>(blocks, layer, head, row, queries, out),
        }
        first += some;
    }
}

#[inline(always)]
fn heads_with<S: Simd, const G: usize>(
    blocks: &[KvBlock],
    layer: usize,
    head: usize,
    row: Query<'_>,
    queries: &[f32],
    out: &mut [f32],
) {
    let width = blocks[0].width;
    let (queries, out) = (&queries[..G * width], &mut out[..G * width]);
    out.fill(0.0);
    let mut most = [f32::NEG_INFINITY; G];
    let mut sums = [0.0_f32; G];
    for (number, block) in row.table[..row.seen.div_ceil(BLOCK)].iter().enumerate() {
        let seen = BLOCK.min(row.seen - number * BLOCK);
        let (keys, values) = blocks[*block as usize].head(layer, head);
        let mut scores = scores::<S, G>(keys, queries, width);
        for group in 0..G {
            scores[group][seen..].fill(f32::NEG_INFINITY);
            // Both halves lie within the 32 scores; so do the floats of `out` below.
            unsafe {
                let [a, b] = [0, 16].map(|at| S::load(scores[group].as_ptr().add(at)));
                let highest = S::greatest(S::max(a, b)).max(most[group]);
                let shrink = (most[group] - highest).exp();
                let [a, b] = [a, b].map(|it| S::exp(S::sub(it, S::set(highest))));
                S::store(scores[group].as_mut_ptr(), a);
                S::store(scores[group].as_mut_ptr().add(16), b);
                scores[group][seen..].fill(0.0);
                let [a, b] = [0, 16].map(|at| S::load(scores[group].as_ptr().add(at)));
                sums[group] = sums[group] * shrink + S::sum(S::add(a, b));
                if highest > most[group] {
                    for sixteen in out[group * width..][..width].chunks_exact_mut(16) {
                        let value = S::mul(S::load(sixteen.as_ptr()), S::set(shrink));
                        S::store(sixteen.as_mut_ptr(), value);
                    }
                    most[group] = highest;
                }
            }
        }
        mix::<S, G>(values, &scores, seen, width, out);
    }
    for group in 0..G {
        let scale = 1.0 / sums[group];
        out[group * width..][..width].iter_mut().for_each(|value| *value *= scale);
    }
}

/// The products of `G` queries with the 32 keys of a block.
#[inline(always)]
fn scores<S: Simd, const G: usize>(keys: &[f16], queries: &[f32], width: usize) -> [[f32; BLOCK]; G] {
    assert!(keys.len() == BLOCK * width && queries.len() == G * width);
    let mut sums = [[S::set(0.0); 2]; G];
    let mut found = [[0.0_f32; BLOCK]; G];
    // Within the slices whose lengths were compared just now.
    unsafe {
        let keys = keys.as_ptr().cast::<u16>();
        for at in 0..width {
            let (a, b) = (S::load_f16(keys.add(at * BLOCK)), S::load_f16(keys.add(at * BLOCK + 16)));
            for group in 0..G {
                let query = S::set(*queries.as_ptr().add(group * width + at));
                sums[group][0] = S::fma(a, query, sums[group][0]);
                sums[group][1] = S::fma(b, query, sums[group][1]);
            }
        }
        for group in 0..G {
            S::store(found[group].as_mut_ptr(), sums[group][0]);
            S::store(found[group].as_mut_ptr().add(16), sums[group][1]);
        }
    }
    found
}

/// Adds the values of a block, weighted, to the means of `G` queries.
#[inline(always)]
fn mix<S: Simd, const G: usize>(
    values: &[f16],
    weights: &[[f32; BLOCK]; G],
    seen: usize,
    width: usize,
    out: &mut [f32],
) {
    assert!(values.len() == BLOCK * width && seen <= BLOCK && out.len() == G * width);
    for first in (0..width).step_by(32) {
        let both = first + 32 <= width;
        // Within the slices whose lengths were compared just now; the second half only where there is one.
        unsafe {
            let values = values.as_ptr().cast::<u16>().add(first);
            let out = out.as_mut_ptr().add(first);
            let mut sums = [[S::set(0.0); 2]; G];
            for group in 0..G {
                sums[group][0] = S::load(out.add(group * width));
                if both {
                    sums[group][1] = S::load(out.add(group * width + 16));
                }
            }
            for slot in 0..seen {
                let a = S::load_f16(values.add(slot * width));
                let b = if both { S::load_f16(values.add(slot * width + 16)) } else { a };
                for group in 0..G {
                    let weight = S::set(weights[group][slot]);
                    sums[group][0] = S::fma(a, weight, sums[group][0]);
                    sums[group][1] = S::fma(b, weight, sums[group][1]);
                }
            }
            for group in 0..G {
                S::store(out.add(group * width), sums[group][0]);
                if both {
                    S::store(out.add(group * width + 16), sums[group][1]);
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "attention_tests.rs"]
mod tests;
