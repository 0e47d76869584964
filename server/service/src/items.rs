//! Item vectors: embedded once, kept in the database, searched in memory.

use crate::jobs::{JobError, Progress};
use concord_domain::ports::{EmbedKind, Embedder};
use concord_retrieval::ExactIndex;
use concord_store::items;
use futures::TryStreamExt;
use sqlx::PgPool;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Items embedded and stored at a time: small enough that a kill loses seconds of work.
const BATCH: i64 = 64;

/// The index of all titled items, built when first needed and again when items came or changed.
#[derive(Debug, Default)]
pub struct ItemIndex {
    built: Mutex<Option<Arc<ExactIndex>>>,
}

impl ItemIndex {
    /// The index over every titled item, embedding what is missing.
    ///
    /// # Errors
    /// [`JobError`] of the database or the embedder.
    pub async fn ready(
        &self,
        pool: &PgPool,
        embedder: &dyn Embedder,
        progress: &Progress,
    ) -> Result<Arc<ExactIndex>, JobError> {
        // Held while embedding: a second worker waits here instead of embedding the same items.
        let mut built = self.built.lock().await;
        let info = embedder.info().await?;
        let name = format!("{}@{}", info.name, info.hash.get(..12).unwrap_or(&info.hash));
        let embedded = embed_missing(pool, embedder, &name, progress).await?;
        if let Some(index) = built.as_ref().filter(|_| embedded == 0) {
            return Ok(Arc::clone(index));
        }
        let index = Arc::new(load(pool, &name).await?);
        *built = Some(Arc::clone(&index));
        Ok(index)
    }
}

async fn embed_missing(
    pool: &PgPool,
    embedder: &dyn Embedder,
    name: &str,
    progress: &Progress,
) -> Result<usize, JobError> {
    let mut embedded = 0;
    loop {
        let mut conn = pool.acquire().await?;
        let missing = items::without_embedding(&mut conn, name, BATCH).await?;
        drop(conn);
        if missing.is_empty() {
            return Ok(embedded);
        }
        let texts = missing.iter().map(|(_, text)| text.clone()).collect();
        let vectors = embedder.embed(EmbedKind::Passage, texts).await?;
        let rows: Vec<_> =
            missing.into_iter().zip(vectors).map(|((id, text), vector)| (id, text, vector)).collect();
        let mut conn = pool.acquire().await?;
        items::put_embeddings(&mut conn, name, &rows).await?;
        embedded += rows.len();
        progress.say(2, 3, &format!("embedding items: {embedded} so far")).await;
    }
}

async fn load(pool: &PgPool, name: &str) -> Result<ExactIndex, JobError> {
    let mut conn = pool.acquire().await?;
    let mut rows = std::pin::pin!(items::all_embeddings(&mut conn, name));
    let mut index: Option<ExactIndex> = None;
    while let Some((item, vector)) = rows.try_next().await? {
        index.get_or_insert_with(|| ExactIndex::new(vector.len())).add(item, &vector);
    }
    Ok(index.unwrap_or_default())
}
