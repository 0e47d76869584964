//! pgvector: a PostgreSQL with the extension `vector`, which may be Concord's own or another.

use super::{BATCH, Outside, Trouble};
use async_trait::async_trait;
use concord_retrieval::Hit;
use concord_store::pgvector as store;
use sqlx::PgPool;
use std::collections::HashSet;
use uuid::Uuid;

/// A connection to such a server.
#[derive(Debug, Clone)]
pub struct PgVector {
    pool: PgPool,
}

impl PgVector {
    /// On this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl Outside for PgVector {
    async fn put(&self, model: Uuid, ids: &[i64], vectors: &[f32]) -> Result<(), Trouble> {
        let width = vectors.len() / ids.len().max(1);
        let mut tx = self.pool.begin().await?;
        store::create(&mut tx, model, width).await?;
        for (ids, values) in ids.chunks(BATCH).zip(vectors.chunks(BATCH * width.max(1))) {
            store::put(&mut tx, model, ids, values).await?;
        }
        store::build(&mut tx, model).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn nearest(
        &self,
        model: Uuid,
        query: &[f32],
        k: usize,
        without: &HashSet<i64>,
    ) -> Result<Vec<Hit>, Trouble> {
        let without: Vec<i64> = without.iter().copied().collect();
        let mut tx = self.pool.begin().await?;
        let found = store::nearest(&mut tx, model, query, k, &without).await?;
        tx.commit().await?;
        Ok(found.into_iter().map(|(item, score)| Hit { item, score }).collect())
    }
}
