//! Exact search over vectors held in memory.

use super::{Hit, VectorSearch, before, dot};
use crate::{Result, RetrievalError};
use std::collections::HashSet;

/// Item vectors in one contiguous block; the limit of a search is one scan of it.
#[derive(Debug, Default)]
pub struct ExactIndex {
    dim: usize,
    ids: Vec<i64>,
    vectors: Vec<f32>,
}

impl ExactIndex {
    /// An empty index of vectors of `dim` numbers.
    #[must_use]
    pub fn new(dim: usize) -> Self {
        Self { dim, ..Self::default() }
    }

    /// Of `ids.len()` vectors of `dim` numbers, one after another.
    ///
    /// # Errors
    /// When there are not `dim` numbers an id.
    pub fn of(dim: usize, ids: Vec<i64>, vectors: Vec<f32>) -> Result<Self> {
        if dim == 0 || vectors.len() != ids.len() * dim {
            return Err(RetrievalError::Empty(format!("{} numbers are no vectors of {dim}", vectors.len())));
        }
        Ok(Self { dim, ids, vectors })
    }

    /// The vectors with their ids, as they were added.
    pub fn rows(&self) -> impl Iterator<Item = (i64, &[f32])> {
        self.ids.iter().copied().zip(self.vectors.chunks_exact(self.dim.max(1)))
    }

    /// Adds a unit vector; one of another length is left out and `false` given.
    pub fn add(&mut self, item: i64, vector: &[f32]) -> bool {
        if vector.len() != self.dim {
            return false;
        }
        self.ids.push(item);
        self.vectors.extend_from_slice(vector);
        true
    }

    /// How many vectors it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The `k` most similar items that `keep` lets through, best first; ties by item id, so that the
    /// same index and query always give the same list.
    pub fn search(&self, query: &[f32], k: usize, keep: impl Fn(i64) -> bool) -> Vec<Hit> {
        if query.len() != self.dim || self.dim == 0 {
            return Vec::new();
        }
        let mut best: Vec<Hit> = Vec::with_capacity(k + 1);
        for (item, vector) in self.ids.iter().zip(self.vectors.chunks_exact(self.dim)) {
            let hit = Hit { item: *item, score: dot(vector, query) };
            if best.len() == k && best.last().is_some_and(|last| !before(&hit, last)) || !keep(hit.item) {
                continue;
            }
            let place = best.partition_point(|other| before(other, &hit));
            best.insert(place, hit);
            best.truncate(k);
        }
        best
    }
}

impl VectorSearch for ExactIndex {
    fn nearest(&self, query: &[f32], k: usize, without: &HashSet<i64>) -> Vec<Hit> {
        self.search(query, k, |item| !without.contains(&item))
    }

    fn size(&self) -> usize {
        self.len()
    }

    fn width(&self) -> usize {
        self.dim
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn best_first_and_ties_by_id() {
        let mut index = ExactIndex::new(2);
        for (item, vector) in [(3, [1.0, 0.0]), (1, [1.0, 0.0]), (2, [0.0, 1.0]), (4, [0.6, 0.8])] {
            assert!(index.add(item, &vector));
        }
        let found: Vec<i64> = index.search(&[1.0, 0.0], 3, |_| true).iter().map(|hit| hit.item).collect();
        assert_eq!(found, [1, 3, 4]);
        let kept: Vec<i64> =
            index.search(&[1.0, 0.0], 2, |item| item != 1).iter().map(|hit| hit.item).collect();
        assert_eq!(kept, [3, 4]);
    }

    #[test]
    fn a_vector_of_another_length_is_left_out() {
        let mut index = ExactIndex::new(2);
        assert!(!index.add(1, &[1.0]));
        assert!(index.is_empty() && index.search(&[1.0, 0.0], 3, |_| true).is_empty());
    }
}
