//! What retrieval learns from and what it makes: the logs as rows, models, and vectors.

use crate::Result;
use futures::{Stream, StreamExt};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// An item as retrieval sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemRow {
    /// Row id.
    pub id: i64,
    /// The importer's key.
    pub key: String,
    /// Title; `None`: known only from behaviours.
    pub title: Option<String>,
    /// Categories, the widest first.
    pub category: Vec<String>,
    /// Brand.
    pub brand: Option<String>,
    /// Price.
    pub price: Option<f64>,
}

/// A behaviour on an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Row id of the user.
    pub user: i64,
    /// The importer's key of the user.
    pub user_key: String,
    /// The importer's key of the item.
    pub item_key: String,
    /// Row id of the item.
    pub item: i64,
    /// Kind.
    pub kind: String,
}

/// Every item.
pub fn items(conn: &mut PgConnection) -> impl Stream<Item = Result<ItemRow>> + '_ {
    sqlx::query("select id, key, title, category, brand, price from items order by id").fetch(conn).map(
        |row| {
            let row = row?;
            Ok(ItemRow {
                id: row.try_get("id")?,
                key: row.try_get("key")?,
                title: row.try_get("title")?,
                category: row.try_get("category")?,
                brand: row.try_get("brand")?,
                price: row.try_get("price")?,
            })
        },
    )
}

/// Every behaviour on an item, by user and in the order of time; what has no time comes first, in the order of
/// positions.
pub fn events(conn: &mut PgConnection) -> impl Stream<Item = Result<EventRow>> + '_ {
    sqlx::query(
        "select b.user_id, u.key as user_key, i.key as item_key, b.item_id, b.kind
         from behaviours b join users u on u.id = b.user_id join items i on i.id = b.item_id
         order by b.user_id, b.at nulls first, b.position nulls first, b.id",
    )
    .fetch(conn)
    .map(|row| {
        let row = row?;
        Ok(EventRow {
            user: row.try_get("user_id")?,
            user_key: row.try_get("user_key")?,
            item_key: row.try_get("item_key")?,
            item: row.try_get("item_id")?,
            kind: row.try_get("kind")?,
        })
    })
}

/// Tags of each user's newest generation whose last day was kept away, in the order they were written: the user's key,
/// the tag, and its category by φ where there is one.
///
/// # Errors
/// The database's.
pub async fn held_out_tags(conn: &mut PgConnection) -> Result<Vec<(String, String, Option<String>)>> {
    Ok(sqlx::query_as(
        "with newest as (
             select distinct on (u.user_id) u.user_id, u.generation_id
             from generation_users u join generations g on g.id = u.generation_id
             where u.stage = 'done' and (g.settings ->> 'hold_out')::boolean
             order by u.user_id, g.created_at desc)
         select u.key, s.text, s.body ->> 'category'
         from newest n join samples s on s.generation_id = n.generation_id and s.user_id = n.user_id and s.task = 'tag'
         join users u on u.id = n.user_id
         order by u.key, s.id",
    )
    .fetch_all(conn)
    .await?)
}

/// A trained model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRow {
    /// Its id.
    pub id: Uuid,
    /// How it was trained and is asked.
    pub settings: serde_json::Value,
    /// The towers.
    pub body: Vec<u8>,
    /// Users, items and events it was trained on.
    pub counts: (i64, i64, i64),
}

/// Stores a model.
///
/// # Errors
/// The database's.
pub async fn add_model(conn: &mut PgConnection, model: &ModelRow) -> Result<()> {
    sqlx::query(
        "insert into retrieval_models (id, settings, body, body_sha256, users, items, events)
         values ($1, $2, $3, sha256($3), $4, $5, $6)",
    )
    .bind(model.id)
    .bind(&model.settings)
    .bind(&model.body)
    .bind(model.counts.0)
    .bind(model.counts.1)
    .bind(model.counts.2)
    .execute(conn)
    .await?;
    Ok(())
}

/// The newest model; of those that are indexed, if only such are wanted.
///
/// # Errors
/// The database's.
pub async fn newest_model(conn: &mut PgConnection, indexed: bool) -> Result<Option<ModelRow>> {
    let row = sqlx::query(
        "select id, settings, body, users, items, events from retrieval_models
         where indexed_at is not null or not $1
         order by case when $1 then indexed_at else created_at end desc, id desc limit 1",
    )
    .bind(indexed)
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(ModelRow {
            id: row.try_get("id")?,
            settings: row.try_get("settings")?,
            body: row.try_get("body")?,
            counts: (row.try_get("users")?, row.try_get("items")?, row.try_get("events")?),
        })
    })
    .transpose()
}

/// The id of the model that serves.
///
/// # Errors
/// The database's.
pub async fn serving(conn: &mut PgConnection) -> Result<Option<Uuid>> {
    Ok(sqlx::query_scalar(
        "select id from retrieval_models where indexed_at is not null order by indexed_at desc, id desc limit 1",
    )
    .fetch_optional(conn)
    .await?)
}

/// Begins to index a model: what it had is removed.
///
/// # Errors
/// The database's.
pub async fn clear_vectors(conn: &mut PgConnection, model: Uuid) -> Result<()> {
    for statement in [
        "update retrieval_models set indexed_at = null where id = $1",
        "delete from retrieval_items where model_id = $1",
        "delete from retrieval_users where model_id = $1",
    ] {
        sqlx::query(statement).bind(model).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Stores vectors of items; `vectors` holds `ids.len()` of them, one after another.
///
/// # Errors
/// The database's.
pub async fn put_items(conn: &mut PgConnection, model: Uuid, ids: &[i64], vectors: &[f32]) -> Result<()> {
    const INSERT: &str = "insert into retrieval_items (model_id, item_id, vector)
         select $1, id, vector from unnest($2::bigint[], $3::bytea[]) as e (id, vector)";
    put(conn, INSERT, model, ids, vectors).await
}

/// Stores vectors of users.
///
/// # Errors
/// The database's.
pub async fn put_users(conn: &mut PgConnection, model: Uuid, ids: &[i64], vectors: &[f32]) -> Result<()> {
    // A person may have been deleted since the logs were read.
    const INSERT: &str = "insert into retrieval_users (model_id, user_id, vector)
         select $1, e.id, e.vector from unnest($2::bigint[], $3::bytea[]) as e (id, vector) join users u on u.id = e.id";
    put(conn, INSERT, model, ids, vectors).await
}

async fn put(
    conn: &mut PgConnection,
    insert: &'static str,
    model: Uuid,
    ids: &[i64],
    vectors: &[f32],
) -> Result<()> {
    let width = vectors.len() / ids.len().max(1);
    let bytes: Vec<Vec<u8>> = vectors
        .chunks_exact(width.max(1))
        .map(|it| it.iter().flat_map(|x| x.to_le_bytes()).collect())
        .collect();
    sqlx::query(insert).bind(model).bind(ids).bind(bytes).execute(conn).await?;
    Ok(())
}

/// Every vector is in: the model serves from now on.
///
/// # Errors
/// The database's.
pub async fn mark_indexed(conn: &mut PgConnection, model: Uuid) -> Result<()> {
    sqlx::query("update retrieval_models set indexed_at = now() where id = $1")
        .bind(model)
        .execute(conn)
        .await?;
    Ok(())
}

/// A model's vectors of titled items, streamed in item order.
pub fn item_vectors(
    conn: &mut PgConnection,
    model: Uuid,
) -> impl Stream<Item = Result<(i64, Vec<f32>)>> + '_ {
    sqlx::query_as(
        "select r.item_id, r.vector from retrieval_items r join items i on i.id = r.item_id
         where r.model_id = $1 and i.title is not null order by r.item_id",
    )
    .bind(model)
    .fetch(conn)
    .map(|row| {
        let (id, bytes): (i64, Vec<u8>) = row?;
        Ok((id, floats(&bytes)))
    })
}

/// A model's vector of a user; `None`: the user came later.
///
/// # Errors
/// The database's.
pub async fn user_vector(conn: &mut PgConnection, model: Uuid, user: i64) -> Result<Option<Vec<f32>>> {
    let bytes: Option<Vec<u8>> =
        sqlx::query_scalar("select vector from retrieval_users where model_id = $1 and user_id = $2")
            .bind(model)
            .bind(user)
            .fetch_optional(conn)
            .await?;
    Ok(bytes.as_deref().map(floats))
}

/// The items a user has met, to be left out.
///
/// # Errors
/// The database's.
pub async fn met(conn: &mut PgConnection, user: i64) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar(
        "select distinct item_id from behaviours where user_id = $1 and item_id is not null",
    )
    .bind(user)
    .fetch_all(conn)
    .await?)
}

/// Titles of the items a user met last, the newest first, each once.
///
/// # Errors
/// The database's.
pub async fn latest_titles(conn: &mut PgConnection, user: i64, limit: i64) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "select title from (
             select distinct on (i.id) i.title, b.at, b.position, b.id
             from behaviours b join items i on i.id = b.item_id
             where b.user_id = $1 and i.title is not null
             order by i.id, b.at desc nulls last, b.position desc nulls last, b.id desc
         ) met order by at desc nulls last, position desc nulls last, id desc limit $2",
    )
    .bind(user)
    .bind(limit)
    .fetch_all(conn)
    .await?)
}

/// A sample that recommendations rest on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// Its id.
    pub id: Uuid,
    /// Interest, tag or explanation.
    pub text: String,
    /// What it rests on.
    pub parent: Option<Uuid>,
    /// The item it explains.
    pub item: Option<i64>,
    /// Language.
    pub lang: String,
}

/// A user's samples of a task in their newest generation that has any.
///
/// # Errors
/// The database's.
pub async fn newest_samples(conn: &mut PgConnection, user: i64, task: &str) -> Result<Vec<LinkRow>> {
    let rows = sqlx::query(
        "select id, text, parent_id, item_id, lang from samples
         where user_id = $1 and task = $2 and origin = 'generated' and generation_id = (
             select generation_id from samples where user_id = $1 and task = $2 and origin = 'generated'
             order by id desc limit 1)
         order by created_at, ordinal, id",
    )
    .bind(user)
    .bind(task)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(LinkRow {
                id: row.try_get("id")?,
                text: row.try_get("text")?,
                parent: row.try_get("parent_id")?,
                item: row.try_get("item_id")?,
                lang: row.try_get("lang")?,
            })
        })
        .collect()
}

/// Keys of up to fifty users with tags, among the newest tags.
///
/// # Errors
/// The database's.
pub async fn with_tags(conn: &mut PgConnection) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "select u.key from (
             select user_id, max(id::text) as newest from (
                 select user_id, id from samples where task = 'tag' and user_id is not null
                 order by id desc limit 2000) recent
             group by user_id order by newest desc limit 50
         ) found join users u on u.id = found.user_id order by newest desc",
    )
    .fetch_all(conn)
    .await?)
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect()
}
