//! What an evaluation of the pipeline reads: the users of a run, what was written of them, and the demo world's truth.

use crate::Result;
use crate::samples::Body;
use concord_domain::{GenerationId, GenerationRequest};
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A run's users that are done, and what it was asked for; `None` if there is no such run.
///
/// # Errors
/// When PostgreSQL does.
pub async fn run(conn: &mut PgConnection, id: GenerationId) -> Result<Option<(GenerationRequest, Vec<i64>)>> {
    let settings: Option<Json<GenerationRequest>> =
        sqlx::query_scalar("select settings from generations where id = $1")
            .bind(id.0)
            .fetch_optional(&mut *conn)
            .await?;
    let Some(Json(request)) = settings else { return Ok(None) };
    let users = sqlx::query_scalar(
        "select user_id from generation_users where generation_id = $1 and stage = 'done' order by user_id",
    )
    .bind(id.0)
    .fetch_all(conn)
    .await?;
    Ok(Some((request, users)))
}

/// The newest run with the last day kept away that has users that are done.
///
/// # Errors
/// When PostgreSQL does.
pub async fn newest_held_out(conn: &mut PgConnection) -> Result<Option<GenerationId>> {
    let id: Option<Uuid> = sqlx::query_scalar(
        "select g.id from generations g where (g.settings ->> 'hold_out')::boolean
           and exists (select from generation_users u where u.generation_id = g.id and u.stage = 'done')
         order by g.created_at desc limit 1",
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(GenerationId))
}

/// A written sample.
#[derive(Debug, Clone)]
pub struct Written {
    /// The user.
    pub user: i64,
    /// Text.
    pub text: String,
    /// Language.
    pub lang: String,
    /// Marks, category and the rest.
    pub body: Body,
}

/// What a run wrote of a task, in the order it was written.
///
/// # Errors
/// When PostgreSQL does.
pub async fn written(conn: &mut PgConnection, id: GenerationId, task: &str) -> Result<Vec<Written>> {
    let rows: Vec<(i64, String, String, Json<Body>)> = sqlx::query_as(
        "select user_id, text, lang, body from samples where generation_id = $1 and task = $2 order by user_id, id",
    )
    .bind(id.0)
    .bind(task)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(user, text, lang, body)| Written { user, text, lang, body: body.0 }).collect())
}

/// The latent interests of users of the demo world, as they were stored; users without truth are left out.
///
/// # Errors
/// When PostgreSQL does.
pub async fn latent_interests(
    conn: &mut PgConnection,
    users: &[i64],
) -> Result<BTreeMap<i64, Vec<serde_json::Value>>> {
    let rows: Vec<(i64, serde_json::Value)> = sqlx::query_as(
        "select user_id, body from demo_truth where user_id = any($1) and kind = 'interest' order by user_id, body ->> 'name'",
    )
    .bind(users)
    .fetch_all(conn)
    .await?;
    let mut out: BTreeMap<i64, Vec<serde_json::Value>> = BTreeMap::new();
    for (user, body) in rows {
        out.entry(user).or_default().push(body);
    }
    Ok(out)
}

/// The categories that people act on most, by language: path and language, the most popular first.
///
/// # Errors
/// When PostgreSQL does.
pub async fn top_categories(conn: &mut PgConnection) -> Result<Vec<(String, String)>> {
    Ok(sqlx::query_as(
        "select array_to_string(i.category, ' > '), case when i.lang like 'zh%' then 'zh' else 'en' end
         from behaviours b join items i on i.id = b.item_id
         where b.reliable and cardinality(i.category) > 0
         group by 1, 2 order by count(*) desc, 1",
    )
    .fetch_all(conn)
    .await?)
}

/// What rules left out of the calls of a run: task, rule, how many.
///
/// # Errors
/// When PostgreSQL does.
pub async fn left_out(conn: &mut PgConnection, id: GenerationId) -> Result<Vec<(String, String, i64)>> {
    Ok(sqlx::query_as(
        "select task, coalesce(d -> 'broken' ->> 'rule', ''), count(*) from calls, jsonb_array_elements(dropped) d
         where generation_id = $1 group by 1, 2 order by 1, 2",
    )
    .bind(id.0)
    .fetch_all(conn)
    .await?)
}
