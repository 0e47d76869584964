//! The demo world's latent truth, and which world it is. Never read by generation, judging or review.

use crate::Result;
use sqlx::{PgConnection, types::Json};

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
