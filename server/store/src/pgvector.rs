//! Item vectors in a PostgreSQL with the extension `vector`. Its type is sent as text: there is no other client code.

use crate::Result;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

/// The table of a model, in a schema of its own, which no backup takes along. Its name holds only hexadecimal digits of the id.
fn table(model: Uuid) -> String {
    format!("concord_vectors.v_{}", model.simple())
}

/// `[1,2,3]`.
fn text(vector: &[f32]) -> String {
    let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
    format!("[{}]", numbers.join(","))
}

/// Makes an empty table for a model's vectors, in place of one that is there. Call it in a transaction.
///
/// # Errors
/// The database's; a server without the extension.
pub async fn create(conn: &mut PgConnection, model: Uuid, width: usize) -> Result<()> {
    sqlx::query("create extension if not exists vector").execute(&mut *conn).await?;
    sqlx::query("create schema if not exists concord_vectors").execute(&mut *conn).await?;
    let table = table(model);
    for statement in [
        format!("drop table if exists {table}"),
        format!("create table {table} (item_id bigint primary key, vector vector({width}) not null)"),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Stores vectors, one an id, one after another.
///
/// # Errors
/// The database's.
pub async fn put(conn: &mut PgConnection, model: Uuid, ids: &[i64], vectors: &[f32]) -> Result<()> {
    let width = (vectors.len() / ids.len().max(1)).max(1);
    let texts: Vec<String> = vectors.chunks_exact(width).map(text).collect();
    let insert = format!(
        "insert into {} (item_id, vector)
         select id, vector::vector from unnest($1::bigint[], $2::text[]) as e (id, vector)",
        table(model)
    );
    sqlx::query(AssertSqlSafe(insert)).bind(ids).bind(texts).execute(conn).await?;
    Ok(())
}

/// Builds the graph over what is in: faster than adding to it row by row.
///
/// # Errors
/// The database's.
pub async fn build(conn: &mut PgConnection, model: Uuid) -> Result<()> {
    let index = format!("create index on {} using hnsw (vector vector_ip_ops)", table(model));
    sqlx::query(AssertSqlSafe(index)).execute(&mut *conn).await?;
    let analyze = format!("analyze {}", table(model));
    sqlx::query(AssertSqlSafe(analyze)).execute(&mut *conn).await?;
    // In Concord's own database servers read it under their role.
    let roles: i64 = sqlx::query_scalar("select count(*) from pg_roles where rolname = 'concord_server'")
        .fetch_one(&mut *conn)
        .await?;
    if roles > 0 {
        sqlx::query("grant usage on schema concord_vectors to concord_server").execute(&mut *conn).await?;
        let grant = format!("grant select on {} to concord_server", table(model));
        sqlx::query(AssertSqlSafe(grant)).execute(conn).await?;
    }
    Ok(())
}

/// The `k` vectors with the largest inner product that are not left out, best first. Call it in a transaction: the
/// width of the search is set for it alone.
///
/// # Errors
/// The database's.
pub async fn nearest(
    conn: &mut PgConnection,
    model: Uuid,
    query: &[f32],
    k: usize,
    without: &[i64],
) -> Result<Vec<(i64, f32)>> {
    // The graph gives so many candidates before the filter takes any away; 1000 is the most it can.
    let wide = (k + without.len()).clamp(40, 1000);
    sqlx::query(AssertSqlSafe(format!("set local hnsw.ef_search = {wide}"))).execute(&mut *conn).await?;
    let select = format!(
        "select item_id, (-(vector <#> $1::vector))::float4 from {}
         where item_id <> all($2) order by vector <#> $1::vector limit $3",
        table(model)
    );
    Ok(sqlx::query_as(AssertSqlSafe(select))
        .bind(text(query))
        .bind(without)
        .bind(i64::try_from(k).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?)
}
