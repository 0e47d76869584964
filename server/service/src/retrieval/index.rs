//! The model that serves, with its search: read from the database when first needed and when another one serves. A graph
//! is built beside: until it is there a scan answers, which is slower and exact.

use super::outside::Outside;
use super::{StoredSettings, Trouble, newest};
use concord_retrieval::{ExactIndex, Hit, HnswIndex, HnswSettings, Model, VectorSearch};
use concord_store::retrieval as store;
use futures::TryStreamExt;
use sqlx::PgPool;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use tokio::sync::Mutex;
use uuid::Uuid;

/// Vectors up to which a scan is as fast as a graph, and exact.
const SCAN: usize = 20_000;

/// What searches.
#[derive(Debug, Clone)]
pub enum Backend {
    /// A scan of a small catalogue, else a graph.
    Auto,
    /// A scan.
    Exact,
    /// A graph.
    Hnsw,
    /// Another program.
    Outside(Arc<dyn Outside>),
}

/// A model with its vectors, ready to be asked.
pub struct Ready {
    /// The model's id.
    pub id: Uuid,
    /// The towers: new tags go through the third.
    pub model: Model,
    /// How it is asked.
    pub settings: StoredSettings,
    /// h_v by item: scores are told part by part.
    pub items: HashMap<i64, Vec<f32>>,
    search: Search,
}

enum Search {
    Here { scan: Arc<ExactIndex>, graph: OnceLock<HnswIndex> },
    Outside(Arc<dyn Outside>),
}

impl Ready {
    fn build_graph(&self) {
        if let Search::Here { scan, graph } = &self.search {
            let began = std::time::Instant::now();
            graph.get_or_init(|| HnswIndex::over(Arc::clone(scan), HnswSettings::default()));
            tracing::info!(model = %self.id, items = scan.len(), took = ?began.elapsed(), "the graph is built");
        }
    }

    /// The best items of each query.
    ///
    /// # Errors
    /// Of a search that runs elsewhere.
    pub async fn nearest(
        &self,
        queries: &[Vec<f32>],
        k: usize,
        without: &HashSet<i64>,
    ) -> Result<Vec<Vec<Hit>>, Trouble> {
        match &self.search {
            Search::Here { scan, graph } => {
                let search: &dyn VectorSearch = graph.get().map_or(&**scan as _, |graph| graph as _);
                Ok(queries.iter().map(|query| search.nearest(query, k, without)).collect())
            }
            Search::Outside(outside) => {
                let mut all = Vec::with_capacity(queries.len());
                for query in queries {
                    all.push(outside.nearest(self.id, query, k, without).await?);
                }
                Ok(all)
            }
        }
    }
}

/// What serves now.
#[derive(Clone)]
pub struct Serving {
    pool: PgPool,
    backend: Backend,
    ready: Arc<Mutex<Option<Arc<Ready>>>>,
}

impl Serving {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(pool: PgPool, backend: Backend) -> Self {
        Self { pool, backend, ready: Arc::default() }
    }

    /// The model that serves; `None`: none is indexed.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn ready(&self) -> Result<Option<Arc<Ready>>, Trouble> {
        // A task of its own: who asked may leave or be timed out, and what was read serves the next one.
        let it = self.clone();
        tokio::spawn(async move { it.look().await }).await.map_err(|why| Trouble::Outside(why.to_string()))?
    }

    async fn look(&self) -> Result<Option<Arc<Ready>>, Trouble> {
        // Held while reading: requests that come meanwhile wait for one reading instead of each doing it.
        let mut ready = self.ready.lock().await;
        let Some(id) = store::serving(&mut *self.pool.acquire().await?).await? else { return Ok(None) };
        if let Some(ready) = ready.as_ref().filter(|it| it.id == id) {
            return Ok(Some(Arc::clone(ready)));
        }
        let Some((id, model, settings)) = newest(&self.pool, true).await? else { return Ok(None) };
        let (ids, values) = self.read(id).await?;
        let width = model.settings.width;
        let items = ids.iter().zip(values.chunks_exact(width)).map(|(id, row)| (*id, row.to_vec())).collect();
        let wants_graph = match self.backend {
            Backend::Auto => ids.len() > SCAN,
            Backend::Hnsw => true,
            Backend::Exact | Backend::Outside(_) => false,
        };
        let search = match &self.backend {
            Backend::Outside(outside) => Search::Outside(Arc::clone(outside)),
            _ => Search::Here { scan: Arc::new(ExactIndex::of(width, ids, values)?), graph: OnceLock::new() },
        };
        let it = Arc::new(Ready { id, model, settings, items, search });
        *ready = Some(Arc::clone(&it));
        if wants_graph {
            let it = Arc::clone(&it);
            // Not of the runtime, which would wait for it at the end.
            std::thread::spawn(move || it.build_graph());
        }
        Ok(Some(it))
    }

    async fn read(&self, id: Uuid) -> Result<(Vec<i64>, Vec<f32>), Trouble> {
        let mut conn = self.pool.acquire().await?;
        let mut rows = std::pin::pin!(store::item_vectors(&mut conn, id));
        let (mut ids, mut values) = (Vec::new(), Vec::new());
        while let Some((item, vector)) = rows.try_next().await? {
            ids.push(item);
            values.extend(vector);
        }
        Ok((ids, values))
    }
}
