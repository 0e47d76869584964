//! Users: the people in the logs. The half of each is fixed when the row is made.

use crate::{Result, items::Upserted};
use concord_domain::User;
use sqlx::{PgConnection, Row, postgres::PgRow, types::Json};

/// Makes the temporary table of this connection; once is enough.
///
/// # Errors
/// When PostgreSQL does.
pub async fn stage(conn: &mut PgConnection) -> Result<()> {
    sqlx::query(
        "create temp table if not exists import_users (line bigint not null, key text not null,
             profile jsonb not null) on commit delete rows",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Copies a batch (COPY binary, columns as in the temporary table) and merges it: unknown keys are
/// inserted, empty profiles filled, anything else is a duplicate or a conflict. Call it in a
/// transaction.
///
/// # Errors
/// When PostgreSQL does; a deadlock or serialisation failure may be tried again.
pub async fn merge(conn: &mut PgConnection, rows: &[u8]) -> Result<Upserted> {
    const COPY: &str = "copy import_users (line, key, profile) from stdin (format binary)";
    crate::items::copy(conn, COPY, rows).await?;
    // Of several rows of one user in a batch the first that has a profile counts.
    let inserted = sqlx::query(
        "insert into users (key, profile, half)
         select key, profile, concord_half(key) from (
             select distinct on (key) key, profile from import_users order by key, profile = '[]', line
         ) s order by key on conflict (key) do nothing",
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    let filled = sqlx::query(
        "update users u set profile = s.profile
         from (select distinct on (key) * from import_users where profile <> '[]' order by key, line) s
         where u.key = s.key and u.profile = '[]'",
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    let conflicts = sqlx::query_scalar(
        "select s.line from import_users s join users u on u.key = s.key
         where s.profile <> '[]' and s.profile <> u.profile order by s.line",
    )
    .fetch_all(conn)
    .await?;
    Ok(Upserted { new: inserted + filled, conflicts })
}

/// The user with this importer's key.
///
/// # Errors
/// When PostgreSQL does.
pub async fn by_key(conn: &mut PgConnection, key: &str) -> Result<Option<User>> {
    let row = sqlx::query("select id, key, profile from users where key = $1")
        .bind(key)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(user).transpose()
}

/// The user with this row id.
///
/// # Errors
/// When PostgreSQL does.
pub async fn by_id(conn: &mut PgConnection, id: i64) -> Result<Option<User>> {
    let row =
        sqlx::query("select id, key, profile from users where id = $1").bind(id).fetch_optional(conn).await?;
    row.as_ref().map(user).transpose()
}

/// Draws users that have enough reliable behaviour on titled items or queries: a shuffle by a hash of
/// seed and key, so that the same seed draws the same people from the same logs.
///
/// # Errors
/// When PostgreSQL does.
pub async fn pick_for_generation(
    conn: &mut PgConnection,
    n: i64,
    seed: i64,
    min_reliable: i64,
) -> Result<Vec<User>> {
    let rows = sqlx::query(
        "select u.id, u.key, u.profile from users u
         where (select count(*) from (
                    select from behaviours b left join items i on i.id = b.item_id
                    where b.user_id = u.id and b.reliable and (b.query is not null or i.title is not null)
                    limit $3) enough) >= $3
         order by md5($2::text || ':' || u.key), u.key limit $1",
    )
    .bind(n)
    .bind(seed)
    .bind(min_reliable)
    .fetch_all(conn)
    .await?;
    rows.iter().map(user).collect()
}

/// The same draw among the users of one half, and of one language where that is asked for: that of most of the things
/// they acted on. Gives row ids.
///
/// # Errors
/// When PostgreSQL does.
pub async fn pick_of_half(
    conn: &mut PgConnection,
    half: &str,
    lang: Option<&str>,
    n: i64,
    seed: i64,
    min_reliable: i64,
) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar(
        "select u.id from users u
         where u.half = $4
           and (select count(*) from (
                    select from behaviours b left join items i on i.id = b.item_id
                    where b.user_id = u.id and b.reliable and (b.query is not null or i.title is not null)
                    limit $3) enough) >= $3
           and ($5::text is null or $5 = (
                    select mode() within group (order by left(i.lang, 2)) from behaviours b
                    join items i on i.id = b.item_id where b.user_id = u.id))
         order by md5($2::text || ':' || u.key), u.key limit $1",
    )
    .bind(n)
    .bind(seed)
    .bind(min_reliable)
    .bind(half)
    .bind(lang)
    .fetch_all(conn)
    .await?)
}

fn user(row: &PgRow) -> Result<User> {
    let Json(profile) = row.try_get("profile")?;
    Ok(User { id: row.try_get("id")?, key: row.try_get("key")?, profile })
}
