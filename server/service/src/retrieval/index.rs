//! The model that serves, with its search: read from the database when first needed and when another one serves.

use super::outside::Outside;
use super::{StoredSettings, Trouble, newest};
use concord_retrieval::{ExactIndex, Hit, HnswIndex, HnswSettings, Model, VectorSearch};
use concord_store::retrieval as store;
use futures::TryStreamExt;
use sqlx::PgPool;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
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
    Here(Arc<dyn VectorSearch>),
    Outside(Arc<dyn Outside>),
}

impl Ready {
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
            Search::Here(search) => {
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
pub struct Serving {
    pool: PgPool,
    backend: Backend,
    ready: Mutex<Option<Arc<Ready>>>,
}

impl Serving {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(pool: PgPool, backend: Backend) -> Self {
        Self { pool, backend, ready: Mutex::new(None) }
    }

    /// The model that serves; `None`: none is indexed.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn ready(&self) -> Result<Option<Arc<Ready>>, Trouble> {
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
        let backend = self.backend.clone();
        let search = tokio::task::spawn_blocking(move || search(&backend, width, &ids, &values))
            .await
            .map_err(|why| Trouble::Outside(why.to_string()))??;
        let it = Arc::new(Ready { id, model, settings, items, search });
        *ready = Some(Arc::clone(&it));
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

fn search(backend: &Backend, width: usize, ids: &[i64], values: &[f32]) -> Result<Search, Trouble> {
    let scan = match backend {
        Backend::Outside(outside) => return Ok(Search::Outside(Arc::clone(outside))),
        Backend::Auto => ids.len() <= SCAN,
        Backend::Exact => true,
        Backend::Hnsw => false,
    };
    if scan {
        let mut index = ExactIndex::new(width);
        ids.iter().zip(values.chunks_exact(width)).for_each(|(id, row)| {
            index.add(*id, row);
        });
        return Ok(Search::Here(Arc::new(index)));
    }
    Ok(Search::Here(Arc::new(HnswIndex::build(width, ids, values, HnswSettings::default())?)))
}
