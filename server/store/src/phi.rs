//! φ as it is stored, and what it is trained on.

use crate::Result;
use concord_domain::PhiReport;
use jiff_sqlx::Timestamp;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// A stored model.
#[derive(Debug, Clone)]
pub struct StoredPhi {
    /// What is said of it.
    pub report: PhiReport,
    /// Cosine from which two texts are the same thing.
    pub near: f32,
    /// Length of the vectors.
    pub dim: usize,
    /// Categories in the order of the rows of weights.
    pub categories: Vec<String>,
    /// A row a category; empty without categories.
    pub weights: Vec<f32>,
}

/// Titled items: key, title and category path, shuffled by key, at most so many.
///
/// # Errors
/// When PostgreSQL does.
pub async fn titles(conn: &mut PgConnection, limit: i64) -> Result<Vec<(String, String, Vec<String>)>> {
    Ok(sqlx::query_as(
        "select key, title, category from items where title is not null order by md5(key), key limit $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?)
}

/// How many titled items there are.
///
/// # Errors
/// When PostgreSQL does.
pub async fn titled_items(conn: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from items where title is not null").fetch_one(conn).await?)
}

/// Stores a model.
///
/// # Errors
/// When PostgreSQL does.
pub async fn insert(conn: &mut PgConnection, id: Uuid, model: &StoredPhi) -> Result<()> {
    let report = &model.report;
    let weights: Vec<u8> = model.weights.iter().flat_map(|x| x.to_le_bytes()).collect();
    sqlx::query(
        "insert into phi_models (id, embedder, near, dim, categories, weights, items, trained_on, held_out, correct,
                                 correct_in_five, seed)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(id)
    .bind(&report.embedder)
    .bind(model.near)
    .bind(i32::try_from(model.dim).unwrap_or(i32::MAX))
    .bind(&model.categories)
    .bind(weights)
    .bind(report.items)
    .bind(narrow(report.trained_on))
    .bind(narrow(report.held_out))
    .bind(narrow(report.correct))
    .bind(narrow(report.correct_in_five))
    .bind(report.seed)
    .execute(conn)
    .await?;
    Ok(())
}

fn narrow(n: i64) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// The newest model of an embedder.
///
/// # Errors
/// When PostgreSQL does.
pub async fn newest(conn: &mut PgConnection, embedder: &str) -> Result<Option<StoredPhi>> {
    let row = sqlx::query("select * from phi_models where embedder = $1 order by created_at desc limit 1")
        .bind(embedder)
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let wide = |name: &str| row.try_get::<i32, _>(name).map(i64::from);
    let categories: Vec<String> = row.try_get("categories")?;
    let weights: Vec<u8> = row.try_get("weights")?;
    Ok(Some(StoredPhi {
        report: PhiReport {
            embedder: row.try_get("embedder")?,
            categories: i64::try_from(categories.len()).unwrap_or(i64::MAX),
            items: row.try_get("items")?,
            trained_on: wide("trained_on")?,
            held_out: wide("held_out")?,
            correct: wide("correct")?,
            correct_in_five: wide("correct_in_five")?,
            seed: row.try_get("seed")?,
            created_at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
        },
        near: row.try_get("near")?,
        dim: usize::try_from(row.try_get::<i32, _>("dim")?).unwrap_or_default(),
        categories,
        weights: weights.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect(),
    }))
}

/// The brands of titled items, at most so many.
///
/// # Errors
/// When PostgreSQL does.
pub async fn brands(conn: &mut PgConnection, limit: i64) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "select distinct brand from items where brand is not null and title is not null limit $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?)
}
