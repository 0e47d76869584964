//! Searches that run in another program, for those who outgrow one machine's memory.

use super::Trouble;
use async_trait::async_trait;
use concord_retrieval::Hit;
use std::collections::HashSet;
use uuid::Uuid;

/// A program that keeps vectors and finds the nearest ones by inner product.
#[async_trait]
pub trait Outside: Send + Sync + std::fmt::Debug {
    /// Stores a model's item vectors, in place of what it had of that model; `vectors` holds one an id, one after
    /// another.
    async fn put(&self, model: Uuid, ids: &[i64], vectors: &[f32]) -> Result<(), Trouble>;

    /// The `k` best items that are not in `without`, best first.
    async fn nearest(
        &self,
        model: Uuid,
        query: &[f32],
        k: usize,
        without: &HashSet<i64>,
    ) -> Result<Vec<Hit>, Trouble>;
}
