//! The demo world's latent truth, and which world it is. Never read by generation, judging or review.

use crate::Result;
use concord_domain::SampleId;
use sqlx::{PgConnection, Row, types::Json};

const SETTING: &str = "demo_world";

/// The world that is there, as it was described; `None` if there is none.
///
/// # Errors
/// When PostgreSQL does.
pub async fn world(conn: &mut PgConnection) -> Result<Option<String>> {
    Ok(sqlx::query_scalar("select value from settings where name = $1")
        .bind(SETTING)
        .fetch_optional(conn)
        .await?)
}

/// Says which world is there, unless that is said already.
///
/// # Errors
/// When PostgreSQL does.
pub async fn set_world(conn: &mut PgConnection, world: &str) -> Result<()> {
    sqlx::query("insert into settings (name, value) values ($1, $2) on conflict do nothing")
        .bind(SETTING)
        .bind(world)
        .execute(conn)
        .await?;
    Ok(())
}

/// A sample, for whoever answers from the truth.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The user.
    pub user: i64,
    /// Category of its item, or of the tag.
    pub category: Option<String>,
}

/// What the truth is looked up by for a sample; `None` where its user has none.
///
/// # Errors
/// When PostgreSQL does.
pub async fn asked(conn: &mut PgConnection, sample: SampleId) -> Result<Option<Asked>> {
    let row = sqlx::query(
        "select s.user_id, coalesce(s.body ->> 'category', array_to_string(i.category, ' > ')) category
         from samples s left join items i on i.id = s.item_id and cardinality(i.category) > 0
         where s.id = $1 and exists (select from demo_truth d where d.user_id = s.user_id)",
    )
    .bind(sample.0)
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok(Asked { user: row.try_get("user_id")?, category: row.try_get("category")? })).transpose()
}

/// Something true of a user, with the titles and categories of the things it showed in.
#[derive(Debug, Clone)]
pub struct True {
    /// `interest`, `gift` or `necessity`.
    pub kind: String,
    /// Name or occasion in both languages, stage, items.
    pub body: serde_json::Value,
    /// Titles.
    pub titles: Vec<String>,
    /// Categories.
    pub categories: Vec<String>,
}

/// What is true of a user.
///
/// # Errors
/// When PostgreSQL does.
pub async fn truth(conn: &mut PgConnection, user: i64) -> Result<Vec<True>> {
    let rows = sqlx::query(
        "select d.kind, d.body, t.titles, t.categories from demo_truth d,
            lateral (select coalesce(array_agg(i.title) filter (where i.title is not null), '{}') titles,
                            coalesce(array_agg(distinct array_to_string(i.category, ' > ')) filter (where cardinality(i.category) > 0), '{}') categories
                     from items i where i.key in (select jsonb_array_elements_text(d.body -> 'items'))) t
         where d.user_id = $1 order by d.kind, d.body ->> 'name'",
    )
    .bind(user)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(True {
                kind: row.try_get("kind")?,
                body: row.try_get("body")?,
                titles: row.try_get("titles")?,
                categories: row.try_get("categories")?,
            })
        })
        .collect()
}

/// Stores what is true of users: key, kind (`interest`, `gift`, `necessity`) and what it consists of.
/// Users that have some already keep it; one statement, so a user's truth is whole or missing.
///
/// # Errors
/// When PostgreSQL does.
pub async fn put_truth(
    conn: &mut PgConnection,
    truths: &[(String, &'static str, serde_json::Value)],
) -> Result<u64> {
    let keys: Vec<&str> = truths.iter().map(|(key, ..)| key.as_str()).collect();
    let kinds: Vec<&str> = truths.iter().map(|(_, kind, _)| *kind).collect();
    let bodies: Vec<Json<&serde_json::Value>> = truths.iter().map(|(.., body)| Json(body)).collect();
    let done = sqlx::query(
        "insert into demo_truth (user_id, kind, body)
         select u.id, t.kind, t.body
         from unnest($1::text[], $2::text[], $3::jsonb[]) with ordinality as t (key, kind, body, place)
         join users u on u.key = t.key
         where not exists (select from demo_truth d where d.user_id = u.id)
         order by t.place",
    )
    .bind(keys)
    .bind(kinds)
    .bind(bodies)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
