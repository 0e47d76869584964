//! Retrieval: the logs as the towers learn from them, models and their vectors in the database, and recommendations.

mod index;
mod outside;
mod pgvector;
mod qdrant;
mod recommend;

pub use index::{Backend, Serving};
pub use outside::Outside;
pub use pgvector::PgVector;
pub use qdrant::Qdrant;
pub use recommend::RecommendService;

use concord_retrieval::evaluate::Fusion;
use concord_retrieval::model::UserInput;
use concord_retrieval::report::WrittenTag;
use concord_retrieval::{Item, Logs, LogsBuilder, Model, RetrievalError, Settings, Split};
use concord_store::StoreError;
use concord_store::retrieval::{self as store, ModelRow};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use std::collections::HashMap;
use uuid::Uuid;

/// Vectors stored at a time.
const BATCH: usize = 2000;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Of training, tuning or searching.
    #[error(transparent)]
    Retrieval(#[from] RetrievalError),
    /// Of the database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Of a connection.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// Of a search that runs elsewhere.
    #[error("{0}")]
    Outside(String),
}

/// How a stored model was trained and is asked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredSettings {
    /// Training.
    pub train: Settings,
    /// Asking.
    pub ask: Fusion,
}

/// The logs of the database.
///
/// # Errors
/// The database's; no events.
pub async fn read_logs(pool: &PgPool) -> Result<Logs, Trouble> {
    let mut tx = concord_store::snapshot(pool).await?;
    let mut builder = LogsBuilder::with_levels();
    {
        let mut rows = std::pin::pin!(store::items(&mut tx));
        while let Some(row) = rows.try_next().await? {
            builder.item(Item {
                key: row.key,
                id: row.id,
                title: row.title.unwrap_or_default(),
                categories: row.category,
                brand: row.brand,
                price: row.price,
            });
        }
    }
    {
        let mut rows = std::pin::pin!(store::events(&mut tx));
        // They come in order; their number keeps it.
        let mut position = 0;
        while let Some(row) = rows.try_next().await? {
            position += 1;
            let (user, item) = ((row.user_key.as_str(), row.user), (row.item_key.as_str(), row.item));
            builder.event(user, item, &row.kind, (None, Some(position)))?;
        }
    }
    tx.commit().await?;
    Ok(builder.finish()?)
}

/// Tags that a model wrote without the user's last day, by the user's key: what it wrote with that day at hand is no
/// prediction of it.
///
/// # Errors
/// The database's.
pub async fn held_out_tags(pool: &PgPool) -> Result<HashMap<String, Vec<WrittenTag>>, Trouble> {
    let mut tags: HashMap<String, Vec<WrittenTag>> = HashMap::new();
    for (user, text, category) in store::held_out_tags(&mut *pool.acquire().await?).await? {
        tags.entry(user).or_default().push(WrittenTag { text, category });
    }
    Ok(tags)
}

/// Everything is learned from and nothing held out: what a model that serves is trained on.
#[must_use]
pub fn whole(logs: &Logs) -> Split {
    Split {
        train: logs.users.iter().map(|user| user.events.clone()).collect(),
        target: vec![None; logs.users.len()],
        dropped: 0,
    }
}

/// Stores a trained model.
///
/// # Errors
/// The database's.
pub async fn store_model(pool: &PgPool, model: &Model, ask: Fusion, logs: &Logs) -> Result<Uuid, Trouble> {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let row = ModelRow {
        id: Uuid::now_v7(),
        settings: serde_json::json!(StoredSettings { train: model.settings, ask }),
        body: model.to_bytes(false)?,
        counts: (count(logs.users.len()), count(logs.items.len()), count(logs.events())),
    };
    store::add_model(&mut *pool.acquire().await?, &row).await?;
    Ok(row.id)
}

/// Vectors of a model for the logs it was trained on, as [`index`] stores them.
pub struct ModelVectors {
    /// Row ids of the items, and h_v of each.
    pub items: (Vec<i64>, Vec<f32>),
    /// Row ids of the users, and h_u of each.
    pub users: (Vec<i64>, Vec<f32>),
}

/// Computes every vector.
///
/// # Errors
/// When the logs are no longer those that the model was trained on; of arithmetic.
pub fn vectors(model: &Model, ask: Fusion, logs: &Logs) -> Result<ModelVectors, Trouble> {
    let split = whole(logs);
    let counts = split.counts(logs.items.len());
    if concord_retrieval::model::layout(logs, &counts) != model.layout {
        let why =
            "the logs have changed since the newest model was trained: run concord retrieve train again";
        return Err(RetrievalError::Checkpoint(why.into()).into());
    }
    let items = model.items(&logs.items, &counts)?;
    let inputs: Vec<UserInput> = (0..)
        .zip(&logs.users)
        .map(|(number, user)| UserInput {
            user: Some(number),
            events: user.events[user.events.len().saturating_sub(ask.window)..].to_vec(),
        })
        .collect();
    let users = model.users(&items, &inputs)?;
    Ok(ModelVectors {
        items: (logs.items.iter().map(|item| item.id).collect(), items),
        users: (logs.users.iter().map(|user| user.id).collect(), users),
    })
}

/// Stores a model's vectors in one transaction and lets it serve; gives how many of items and users.
///
/// # Errors
/// The database's.
pub async fn index(pool: &PgPool, model: Uuid, vectors: &ModelVectors, width: usize) -> Result<(), Trouble> {
    let mut tx = pool.begin().await?;
    store::clear_vectors(&mut tx, model).await?;
    let (ids, values) = &vectors.items;
    for (ids, values) in ids.chunks(BATCH).zip(values.chunks(BATCH * width)) {
        store::put_items(&mut tx, model, ids, values).await?;
    }
    let (ids, values) = &vectors.users;
    for (ids, values) in ids.chunks(BATCH).zip(values.chunks(BATCH * width)) {
        store::put_users(&mut tx, model, ids, values).await?;
    }
    store::mark_indexed(&mut tx, model).await?;
    tx.commit().await?;
    Ok(())
}

/// The newest model, and how it was trained and is asked; of those that serve, if `indexed`.
///
/// # Errors
/// The database's; a stored model that cannot be read.
pub async fn newest(pool: &PgPool, indexed: bool) -> Result<Option<(Uuid, Model, StoredSettings)>, Trouble> {
    let Some(row) = store::newest_model(&mut *pool.acquire().await?, indexed).await? else { return Ok(None) };
    let model = Model::from_bytes(&row.body)?;
    let settings =
        serde_json::from_value(row.settings).map_err(|why| RetrievalError::Checkpoint(why.to_string()))?;
    Ok(Some((row.id, model, settings)))
}
