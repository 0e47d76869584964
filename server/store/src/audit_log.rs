//! The audit log's chain of hashes: sealing what is settled, and reading it back to be verified.

use crate::Result;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// Rows of one table that a block holds at most, unless a single transaction has more.
const BLOCK: i64 = 20_000;
/// The advisory lock of the sealer: one at a time, whichever server it runs in.
const SEALER: i64 = 0x636f_6e63_6f72_6405;

/// The hash before the first block.
pub const NO_HASH: [u8; 32] = [0; 32];
/// Bytes of one leaf: kind, id, hash.
pub const LEAF: usize = 50;

/// The last block of the chain, or where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its number; 0: nothing is sealed yet.
    pub block: i64,
    /// Places before this one are sealed.
    pub to_tx: i64,
    /// Its hash.
    pub hash: Vec<u8>,
}

/// A block as stored, and whether the rows it covers still give the same leaves.
#[derive(Debug, Clone)]
pub struct Block {
    /// Its number.
    pub block: i64,
    /// First place covered.
    pub from_tx: i64,
    /// First place not covered.
    pub to_tx: i64,
    /// Rows covered.
    pub entries: i32,
    /// When, in microseconds since 1970.
    pub sealed_at: i64,
    /// Kind, id and hash of each row.
    pub leaves: Vec<u8>,
    /// The hash stored.
    pub hash: Vec<u8>,
    /// The leaves that the rows give now; `None` where they are those stored.
    pub now: Option<Vec<u8>>,
}

/// The last block.
///
/// # Errors
/// The database's.
pub async fn head(conn: &mut PgConnection) -> Result<Head> {
    let row = sqlx::query("select block, to_tx, hash from audit_log_blocks order by block desc limit 1")
        .fetch_optional(conn)
        .await?;
    Ok(match row {
        None => Head { block: 0, to_tx: 0, hash: NO_HASH.to_vec() },
        Some(row) => {
            Head { block: row.try_get("block")?, to_tx: row.try_get("to_tx")?, hash: row.try_get("hash")? }
        }
    })
}

/// Seals the next block of settled rows and gives how many rows it holds; `None` while another sealer is at it.
/// Call it in a transaction of its own.
///
/// # Errors
/// The database's.
pub async fn seal(conn: &mut PgConnection) -> Result<Option<i64>> {
    let mine: bool =
        sqlx::query_scalar("select pg_try_advisory_xact_lock($1)").bind(SEALER).fetch_one(&mut *conn).await?;
    if !mine {
        return Ok(None);
    }
    let head = head(conn).await?;
    let horizon: i64 =
        sqlx::query_scalar("select concord_log_horizon()::text::bigint").fetch_one(&mut *conn).await?;
    let Some(end) = end_of_block(conn, head.to_tx, horizon).await? else { return Ok(Some(0)) };
    Ok(Some(insert(conn, &head, end).await?))
}

/// Where a block from `from` on ends; `None` if there is nothing to seal.
async fn end_of_block(conn: &mut PgConnection, from: i64, horizon: i64) -> Result<Option<i64>> {
    let row = sqlx::query(
        "with nth as (
            (select tx from audit_events where tx >= $1::text::xid8 and tx < $2::text::xid8 order by tx offset $3 limit 1)
            union all (select tx from submissions where tx >= $1::text::xid8 and tx < $2::text::xid8 order by tx offset $3 limit 1)
            union all (select tx from labels where tx >= $1::text::xid8 and tx < $2::text::xid8 order by tx offset $3 limit 1)
            union all (select tx from verdicts where tx >= $1::text::xid8 and tx < $2::text::xid8 order by tx offset $3 limit 1)
            union all (select tx from adjudications where tx >= $1::text::xid8 and tx < $2::text::xid8 order by tx offset $3 limit 1)),
         first as (
            (select tx from audit_events where tx >= $1::text::xid8 and tx < $2::text::xid8 order by tx limit 1)
            union all (select tx from submissions where tx >= $1::text::xid8 and tx < $2::text::xid8 order by tx limit 1)
            union all (select tx from labels where tx >= $1::text::xid8 and tx < $2::text::xid8 order by tx limit 1)
            union all (select tx from verdicts where tx >= $1::text::xid8 and tx < $2::text::xid8 order by tx limit 1)
            union all (select tx from adjudications where tx >= $1::text::xid8 and tx < $2::text::xid8 order by tx limit 1))
         select (select min(tx::text::bigint) from first) first, (select min(tx::text::bigint) from nth) nth",
    )
    .bind(from.to_string())
    .bind(horizon.to_string())
    .bind(BLOCK)
    .fetch_one(conn)
    .await?;
    let (first, nth): (Option<i64>, Option<i64>) = (row.try_get("first")?, row.try_get("nth")?);
    // Blocks hold whole transactions: one that alone is larger than a block is a block.
    Ok(first.map(|first| nth.map_or(horizon, |nth| nth.max(first + 1))))
}

async fn insert(conn: &mut PgConnection, head: &Head, end: i64) -> Result<i64> {
    let entries: i32 = sqlx::query_scalar(
        "with rows as materialized (
            select count(*)::int entries,
                   string_agg(int2send(kind) || uuid_send(id) || hash, ''::bytea order by tx, kind, id) leaves
            from audit_log_rows where tx >= $3::text::xid8 and tx < $4::text::xid8)
         insert into audit_log_blocks (block, from_tx, to_tx, entries, leaves, hash)
         select $1::bigint, $3::bigint, $4::bigint, entries, leaves,
                sha256($2 || convert_to(concat_ws('|', $1::bigint, $3, $4, entries, (extract(epoch from now()) * 1000000)::bigint), 'UTF8')
                       || sha256(leaves))
         from rows returning entries",
    )
    .bind(head.block + 1)
    .bind(&head.hash)
    .bind(head.to_tx.to_string())
    .bind(end.to_string())
    .fetch_one(conn)
    .await?;
    Ok(i64::from(entries))
}

/// Every block in order, each with what its rows give now. Read it in one snapshot.
pub fn blocks(conn: &mut PgConnection) -> BoxStream<'_, Result<Block>> {
    let rows = sqlx::query(
        "select b.block, b.from_tx, b.to_tx, b.entries, (extract(epoch from b.sealed_at) * 1000000)::bigint sealed_at,
                b.leaves, b.hash, case when now.leaves is distinct from b.leaves then coalesce(now.leaves, '') end as now
         from audit_log_blocks b cross join lateral (
            select string_agg(int2send(r.kind) || uuid_send(r.id) || r.hash, ''::bytea order by r.tx, r.kind, r.id) leaves
            from audit_log_rows r where r.tx >= b.from_tx::text::xid8 and r.tx < b.to_tx::text::xid8) now
         order by b.block",
    )
    .fetch(conn);
    Box::pin(rows.map_err(Into::into).and_then(|row| async move {
        Ok(Block {
            block: row.try_get("block")?,
            from_tx: row.try_get("from_tx")?,
            to_tx: row.try_get("to_tx")?,
            entries: row.try_get("entries")?,
            sealed_at: row.try_get("sealed_at")?,
            leaves: row.try_get("leaves")?,
            hash: row.try_get("hash")?,
            now: row.try_get("now")?,
        })
    }))
}

/// Rows that no block covers yet, from this place on: how many, and the SHA-256 of their leaves.
///
/// # Errors
/// The database's.
pub async fn tail(conn: &mut PgConnection, from: i64) -> Result<(i64, Vec<u8>)> {
    Ok(sqlx::query_as(
        "select count(*), sha256(coalesce(string_agg(int2send(kind) || uuid_send(id) || hash, ''::bytea order by tx, kind, id), ''))
         from audit_log_rows where tx >= $1::text::xid8",
    )
    .bind(from.to_string())
    .fetch_one(conn)
    .await?)
}

/// What was erased by right: kind and id of each row, and of which erasure.
///
/// # Errors
/// The database's.
pub async fn erased(conn: &mut PgConnection) -> Result<Vec<(i16, Uuid, Uuid)>> {
    Ok(sqlx::query_as("select kind, row_id, erasure_id from erased_rows order by erasure_id, kind, row_id")
        .fetch_all(conn)
        .await?)
}

/// The erasures that the log tells of: id, and the SHA-256 of what each took.
///
/// # Errors
/// The database's.
pub async fn erasures(conn: &mut PgConnection) -> Result<Vec<(String, Option<String>)>> {
    Ok(sqlx::query_as(
        "select subject, detail ->> 'rows_sha256' from audit_events where action = 'user_deleted'",
    )
    .fetch_all(conn)
    .await?)
}

/// The hash of a block, to compare with a head that was kept elsewhere.
///
/// # Errors
/// The database's.
pub async fn has_hash(conn: &mut PgConnection, hash: &[u8]) -> Result<bool> {
    Ok(sqlx::query_scalar("select exists (select 1 from audit_log_blocks where hash = $1)")
        .bind(hash)
        .fetch_one(conn)
        .await?)
}
