//! Nearest items by vectors: exact or HNSW in process, behind one trait with what searches elsewhere.

mod exact;
mod hnsw;

pub use exact::ExactIndex;
pub use hnsw::{HnswIndex, HnswSettings};

use std::collections::HashSet;

/// A found item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Item row id.
    pub item: i64,
    /// Inner product with the query.
    pub score: f32,
}

/// Searches item vectors by inner product.
pub trait VectorSearch: Send + Sync + std::fmt::Debug {
    /// The `k` best items that are not in `without`, best first; ties by item id.
    fn nearest(&self, query: &[f32], k: usize, without: &HashSet<i64>) -> Vec<Hit>;

    /// How many vectors it holds.
    fn size(&self) -> usize;

    /// Numbers in a vector.
    fn width(&self) -> usize;
}

fn before(a: &Hit, b: &Hit) -> bool {
    a.score > b.score || (a.score == b.score && a.item < b.item)
}

/// Inner product in sixteen lanes: the compiler makes vector instructions of them, which it may not do with one sum.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0_f32; LANES];
    let (chunks_a, chunks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = chunks_a.remainder().iter().zip(chunks_b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in chunks_a.zip(chunks_b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}
