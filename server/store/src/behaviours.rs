//! Behaviours: the log itself. Import goes through a temporary table, so that a batch is one COPY and
//! one insert, and the unique index decides what is new.

use crate::{Result, StoreError};
use concord_domain::{Behaviour, BehaviourKind, ItemEssentials};
use jiff_sqlx::ToSqlx;
use sqlx::{PgConnection, Row, postgres::PgRow};

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// Rows inserted.
    pub new: u64,
    /// Rows that name an item the catalogue has no title for.
    pub unknown: u64,
    /// The first three of them: line and item key.
    pub unknown_first: Vec<(i64, String)>,
    /// Rows left out because their item is unknown: line and item key.
    pub rejected: Vec<(i64, String)>,
}

/// What to do with a behaviour whose item is not in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownItems {
    /// Create the item without a title: files may come in any order.
    #[default]
    Create,
    /// Leave the row out.
    Reject,
    /// Create it and say nothing: the file itself is the catalogue's source.
    Trust,
}

/// Behaviours by kind, all and reliable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All.
    pub all: i64,
    /// Reliable ones (paper §2).
    pub reliable: i64,
}

const COPY: &str = "copy import_behaviours (line, user_key, kind, item_key, query, at, position, rating, \
                    reliable, category) from stdin (format binary)";

/// Makes the temporary tables of this connection; once is enough.
///
/// # Errors
/// When PostgreSQL does.
pub async fn stage(conn: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql(
        "create temp table if not exists import_behaviours (
             line bigint not null, user_key text not null, kind text not null, item_key text, query text,
             at timestamptz, position integer, rating real, reliable boolean not null, category text
         ) on commit delete rows;
         create temp table if not exists import_sequences (
             line bigint not null, user_key text not null, kind text not null, items text not null
         )",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Copies a batch (COPY binary, columns as in the temporary table) and merges it. Call it in a
/// transaction: its rows go in together or not at all.
///
/// # Errors
/// When PostgreSQL does; a deadlock or serialisation failure may be tried again.
pub async fn merge(conn: &mut PgConnection, rows: &[u8], unknown: UnknownItems) -> Result<Merged> {
    crate::items::copy(conn, COPY, rows).await?;
    merge_staged(conn, unknown).await
}

/// Everything is inserted in key order: two imports at once then wait for each other, never in a ring.
async fn merge_staged(conn: &mut PgConnection, unknown: UnknownItems) -> Result<Merged> {
    let mut merged = match unknown {
        UnknownItems::Create => count_unknown(conn).await?,
        UnknownItems::Reject => reject_unknown(conn).await?,
        UnknownItems::Trust => Merged::default(),
    };
    sqlx::query(
        "insert into users (key, half)
         select key, concord_half(key) from (
             select distinct s.user_key as key from import_behaviours s
             left join users u on u.key = s.user_key where u.id is null
         ) missing order by key on conflict (key) do nothing",
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "insert into items (key, category)
         select s.item_key, coalesce(array_remove(array[min(s.category)], null), '{}')
         from import_behaviours s left join items i on i.key = s.item_key
         where s.item_key is not null and i.id is null
         group by s.item_key order by s.item_key on conflict (key) do nothing",
    )
    .execute(&mut *conn)
    .await?;
    merged.new = sqlx::query(
        "insert into behaviours (user_id, kind, item_id, query, at, position, rating, reliable)
         select u.id, s.kind, i.id, s.query, s.at, s.position, s.rating, s.reliable
         from import_behaviours s
         join users u on u.key = s.user_key
         left join items i on i.key = s.item_key
         order by 1, 5, 6, 2, 3, 4
         on conflict do nothing",
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    Ok(merged)
}

async fn count_unknown(conn: &mut PgConnection) -> Result<Merged> {
    let row = sqlx::query(
        "select count(*), (array_agg(s.line order by s.line))[1:3], (array_agg(s.item_key order by s.line))[1:3]
         from import_behaviours s left join items i on i.key = s.item_key
         where s.item_key is not null and i.title is null",
    )
    .fetch_one(conn)
    .await?;
    let lines: Option<Vec<i64>> = row.try_get(1)?;
    let items: Option<Vec<String>> = row.try_get(2)?;
    Ok(Merged {
        unknown: row.try_get::<i64, _>(0)?.unsigned_abs(),
        unknown_first: lines.unwrap_or_default().into_iter().zip(items.unwrap_or_default()).collect(),
        ..Merged::default()
    })
}

async fn reject_unknown(conn: &mut PgConnection) -> Result<Merged> {
    let mut rejected: Vec<(i64, String)> = sqlx::query_as(
        "delete from import_behaviours s
         where s.item_key is not null
           and not exists (select from items i where i.key = s.item_key and i.title is not null)
         returning s.line, s.item_key",
    )
    .fetch_all(conn)
    .await?;
    rejected.sort();
    Ok(Merged {
        unknown: rejected.len() as u64,
        unknown_first: rejected.iter().take(3).cloned().collect(),
        rejected,
        ..Merged::default()
    })
}

/// Sets sequence rows aside (COPY binary: line, user, kind, item keys each followed by a space): a
/// user's rows may be anywhere in the file, so they are only resolved at its end.
///
/// # Errors
/// When PostgreSQL does.
pub async fn stage_sequences(conn: &mut PgConnection, rows: &[u8]) -> Result<()> {
    const COPY: &str = "copy import_sequences (line, user_key, kind, items) from stdin (format binary)";
    crate::items::copy(conn, COPY, rows).await
}

/// Decides which sequences count: of growing prefixes only the longest, the others one after another
/// in file order. Gives the number of chunks to expand and of the rows dropped.
///
/// In byte order a prefix comes right before the rows that grow from it, so looking one row ahead is
/// enough; the space after each key keeps "1" from being a prefix of "12".
///
/// # Errors
/// When PostgreSQL does.
pub async fn resolve_sequences(conn: &mut PgConnection, events_a_chunk: i64) -> Result<(i64, u64)> {
    sqlx::query(
        "create temp table import_kept as
         with next as (
             select *, lead(items collate \"C\") over (
                 partition by user_key, kind order by items collate \"C\", line desc) as longer
             from import_sequences
         ), kept as (
             select line, user_key, kind, items, array_length(string_to_array(items, ' '), 1) - 1 as n
             from next where longer is null or not starts_with(longer, items)
         ), placed as (
             select *, sum(n) over (partition by user_key order by line) - n as start,
                    sum(n) over (order by user_key, line) as running
             from kept
         )
         select line, user_key, kind, items, start, (running - 1) / $1 as chunk from placed",
    )
    .bind(events_a_chunk)
    .execute(&mut *conn)
    .await?;
    let row = sqlx::query(
        "select coalesce(max(chunk)::bigint + 1, 0), (select count(*) from import_sequences) - count(*) from import_kept",
    )
    .fetch_one(conn)
    .await?;
    Ok((row.try_get(0)?, row.try_get::<i64, _>(1)?.unsigned_abs()))
}

/// Expands one chunk of the kept sequences into consecutive events and merges them; gives their number
/// too. Call it in a transaction.
///
/// # Errors
/// When PostgreSQL does.
pub async fn merge_sequences(
    conn: &mut PgConnection,
    chunk: i64,
    unknown: UnknownItems,
) -> Result<(u64, Merged)> {
    let events = sqlx::query(
        "insert into import_behaviours (line, user_key, kind, item_key, position, reliable)
         select k.line, k.user_key, k.kind, e.item, k.start + e.place - 1, k.kind <> 'view'
         from import_kept k, string_to_table(rtrim(k.items, ' '), ' ') with ordinality as e (item, place)
         where k.chunk = $1",
    )
    .bind(chunk)
    .execute(&mut *conn)
    .await?
    .rows_affected();
    Ok((events, merge_staged(conn, unknown).await?))
}

/// A user's reliable behaviours, newest first.
///
/// # Errors
/// When PostgreSQL does, or a stored kind is not a kind.
pub async fn history(conn: &mut PgConnection, user_id: i64, limit: i64) -> Result<Vec<Behaviour>> {
    read(conn, user_id, limit, true).await
}

/// All of a user's behaviours, plain views too, newest first.
///
/// # Errors
/// When PostgreSQL does, or a stored kind is not a kind.
pub async fn everything(conn: &mut PgConnection, user_id: i64, limit: i64) -> Result<Vec<Behaviour>> {
    read(conn, user_id, limit, false).await
}

async fn read(
    conn: &mut PgConnection,
    user_id: i64,
    limit: i64,
    reliable_only: bool,
) -> Result<Vec<Behaviour>> {
    let rows = sqlx::query(
        "select b.id, b.kind, b.at, b.position, b.query, b.item_id,
                i.key, i.title, i.category, i.brand, i.attributes, i.price
         from behaviours b left join items i on i.id = b.item_id
         where b.user_id = $1 and (b.reliable or not $3)
         order by b.at desc nulls last, b.position desc nulls last, b.id desc
         limit $2",
    )
    .bind(user_id)
    .bind(limit)
    .bind(reliable_only)
    .fetch_all(conn)
    .await?;
    rows.iter().map(behaviour).collect()
}

fn behaviour(row: &PgRow) -> Result<Behaviour> {
    let kind: String = row.try_get("kind")?;
    let item_id: Option<i64> = row.try_get("item_id")?;
    Ok(Behaviour {
        id: row.try_get("id")?,
        kind: BehaviourKind::parse(&kind).ok_or(StoreError::Inconsistent {
            table: "behaviours",
            column: "kind",
            why: kind,
        })?,
        at: row.try_get::<Option<jiff_sqlx::Timestamp>, _>("at")?.map(Into::into),
        position: row.try_get("position")?,
        query: row.try_get("query")?,
        item: item_id.map(|id| crate::items::essentials_of(id, row)).transpose()?,
    })
}

/// Who else did something reliable with each of these items: users by id, ascending, the lowest `most` of each.
///
/// # Errors
/// When PostgreSQL does.
pub async fn people_of(
    conn: &mut PgConnection,
    items: &[i64],
    but: i64,
    most: i64,
) -> Result<std::collections::HashMap<i64, Vec<i64>>> {
    let rows: Vec<(i64, Vec<i64>)> = sqlx::query_as(
        "select i.id, array(select distinct b.user_id from behaviours b
                            where b.item_id = i.id and b.reliable and b.user_id <> $2 order by 1 limit $3)
         from unnest($1::bigint[]) i (id)",
    )
    .bind(items)
    .bind(but)
    .bind(most)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().collect())
}

/// Titled items, none of `but`, that at least two of these people used: of the newest 1,000 behaviours of each, at most `most`
/// items, those that most of them used first.
///
/// # Errors
/// The database's.
pub async fn used_by(conn: &mut PgConnection, people: &[i64], but: &[i64], most: i64) -> Result<Vec<i64>> {
    let items = sqlx::query_scalar(
        "select b.item_id
         from unnest($1::bigint[]) p (id)
         cross join lateral (select distinct n.item_id
                             from (select item_id from behaviours
                                   where user_id = p.id and reliable and item_id is not null
                                   order by at desc, position desc limit 1000) n) b
         join items i on i.id = b.item_id and i.title is not null
         where not b.item_id = any($2)
         group by b.item_id having count(*) >= 2
         order by count(*) desc, b.item_id limit $3",
    )
    .bind(people)
    .bind(but)
    .bind(most)
    .fetch_all(conn)
    .await?;
    Ok(items)
}

/// How many behaviours a user has.
///
/// # Errors
/// When PostgreSQL does.
pub async fn counts(conn: &mut PgConnection, user_id: i64) -> Result<Counts> {
    let (all, reliable) = sqlx::query_as(
        "select count(*), count(*) filter (where reliable) from behaviours where user_id = $1",
    )
    .bind(user_id)
    .fetch_one(conn)
    .await?;
    Ok(Counts { all, reliable })
}

/// When the newest behaviour of the logs happened; `None` where no log has times.
///
/// # Errors
/// When PostgreSQL does.
pub async fn newest(conn: &mut PgConnection, user_id: i64) -> Result<Option<jiff::Timestamp>> {
    let at: Option<jiff_sqlx::Timestamp> =
        sqlx::query_scalar("select max(at) from behaviours where user_id = $1")
            .bind(user_id)
            .fetch_one(conn)
            .await?;
    Ok(at.map(Into::into))
}

/// The items a user acted on since a moment (paper §3: a tag is fresh if nothing like it was clicked,
/// bought or searched in the past month), newest first, plain views included.
///
/// # Errors
/// When PostgreSQL does.
pub async fn items_since(
    conn: &mut PgConnection,
    user_id: i64,
    since: jiff::Timestamp,
) -> Result<Vec<ItemEssentials>> {
    let rows = sqlx::query(
        "select distinct on (i.id) i.id, i.key, i.title, i.category, i.brand, i.attributes, i.price
         from behaviours b join items i on i.id = b.item_id
         where b.user_id = $1 and b.at >= $2 order by i.id",
    )
    .bind(user_id)
    .bind(since.to_sqlx())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| crate::items::essentials_of(row.try_get("id")?, row)).collect()
}

/// What a user acted on or searched for since a moment, and before another if given: titles and queries, newest first,
/// plain views included.
///
/// # Errors
/// When PostgreSQL does.
pub async fn recent_texts(
    conn: &mut PgConnection,
    user_id: i64,
    since: jiff::Timestamp,
    before: Option<jiff::Timestamp>,
) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "select text from (
             select coalesce(b.query, i.title) as text, max(b.at) as newest
             from behaviours b left join items i on i.id = b.item_id
             where b.user_id = $1 and b.at >= $2 and ($3::timestamptz is null or b.at < $3) group by 1
         ) t where text is not null order by newest desc, text",
    )
    .bind(user_id)
    .bind(since.to_sqlx())
    .bind(before.map(|at| at.to_sqlx()))
    .fetch_all(conn)
    .await?)
}
