//! The whole database out and in, table by table by COPY. Tables come from the catalogue, so that one added by a
//! migration is in the next backup without anybody thinking of it.

use crate::Result;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use sqlx::{AssertSqlSafe, Executor, PgConnection, PgPool, Row};

/// Not backed up: a copy of the database must not open anybody's session, and migrations write their own list.
const LEFT_OUT: [&str; 2] = ["sessions", "_sqlx_migrations"];
/// Tables that a database in use has rows in.
const IN_USE: [&str; 7] = ["users", "items", "samples", "labels", "audit_events", "jobs", "exports"];

/// A table and its columns, as COPY names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name, unquoted.
    pub name: String,
    /// Its columns but generated ones, quoted where they must be.
    pub columns: Vec<String>,
}

/// A foreign key: table, name and definition.
type ForeignKey = (String, String, String);

/// Every table that is backed up, by name.
///
/// # Errors
/// The database's.
pub async fn tables(conn: &mut PgConnection) -> Result<Vec<Table>> {
    let rows = sqlx::query(
        "select c.relname::text name, array_agg(quote_ident(a.attname) order by a.attnum) columns
         from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname <> all ($1::text[])
           and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
         group by c.relname order by c.relname",
    )
    .bind(LEFT_OUT.map(str::to_owned).to_vec())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Ok(Table { name: row.try_get("name")?, columns: row.try_get("columns")? }))
        .collect()
}

/// A table's rows as COPY's text, a line each.
///
/// # Errors
/// The database's.
pub async fn copy_out<'c>(
    conn: &'c mut PgConnection,
    table: &Table,
) -> Result<BoxStream<'c, Result<impl AsRef<[u8]> + use<>>>> {
    let statement = format!("copy public.{} ({}) to stdout", quoted(&table.name), table.columns.join(", "));
    Ok(Box::pin(conn.copy_out_raw(&statement).await?.map_err(Into::into)))
}

/// Versions and checksums of the migrations that made the schema.
///
/// # Errors
/// The database's.
pub async fn migrations(conn: &mut PgConnection) -> Result<Vec<(i64, Vec<u8>)>> {
    Ok(sqlx::query_as("select version, checksum from _sqlx_migrations where success order by version")
        .fetch_all(conn)
        .await?)
}

/// The last value of every sequence that gave one.
///
/// # Errors
/// The database's.
pub async fn sequences(conn: &mut PgConnection) -> Result<Vec<(String, i64)>> {
    Ok(sqlx::query_as(
        "select sequencename::text, last_value from pg_sequences
         where schemaname = 'public' and last_value is not null order by 1",
    )
    .fetch_all(conn)
    .await?)
}

/// A place in the log that no row has reached, and PostgreSQL's version.
///
/// # Errors
/// The database's.
pub async fn place(conn: &mut PgConnection) -> Result<(i64, String)> {
    Ok(sqlx::query_as(
        "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint + concord_log_base(), current_setting('server_version')",
    )
    .fetch_one(conn)
    .await?)
}

/// The name of a table that has rows; `None`: the database may be restored into.
///
/// # Errors
/// The database's.
pub async fn in_use(conn: &mut PgConnection) -> Result<Option<&'static str>> {
    for table in IN_USE {
        let there: bool = sqlx::query_scalar("select to_regclass('public.' || $1) is not null")
            .bind(table)
            .fetch_one(&mut *conn)
            .await?;
        if there {
            let statement = format!("select exists (select 1 from public.{table})");
            if sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(&mut *conn).await? {
                return Ok(Some(table));
            }
        }
    }
    Ok(None)
}

/// Empties every table and takes foreign keys and triggers away, to load faster and in any order: what is loaded
/// was checked when it was written. Gives what [`finish`] puts back.
///
/// # Errors
/// The database's.
pub async fn prepare(conn: &mut PgConnection, tables: &[Table]) -> Result<Vec<ForeignKey>> {
    let keys: Vec<ForeignKey> = sqlx::query_as(
        "select conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) from pg_constraint
         where contype = 'f' and connamespace = 'public'::regnamespace order by 1, 2",
    )
    .fetch_all(&mut *conn)
    .await?;
    for (table, name, _) in &keys {
        run(conn, format!("alter table {table} drop constraint {name}")).await?;
    }
    let names: Vec<String> = tables.iter().map(|table| format!("public.{}", quoted(&table.name))).collect();
    for name in &names {
        run(conn, format!("alter table {name} disable trigger user")).await?;
    }
    run(conn, format!("truncate {}", names.join(", "))).await?;
    Ok(keys)
}

/// Takes a table's rows in; `next` gives the text piece by piece.
///
/// # Errors
/// The database's, or that of `next`, after which nothing is in.
pub async fn copy_in<E: From<crate::StoreError>>(
    conn: &mut PgConnection,
    table: &Table,
    mut next: impl AsyncFnMut() -> std::result::Result<Option<Vec<u8>>, E>,
) -> std::result::Result<u64, E> {
    let statement = format!("copy public.{} ({}) from stdin", quoted(&table.name), table.columns.join(", "));
    let store = |error: sqlx::Error| E::from(error.into());
    let mut copy = conn.copy_in_raw(&statement).await.map_err(store)?;
    loop {
        match next().await {
            Ok(Some(bytes)) => {
                copy.send(bytes).await.map_err(store)?;
            }
            Ok(None) => return copy.finish().await.map_err(store),
            Err(error) => {
                copy.abort("the backup cannot be read").await.map_err(store)?;
                return Err(error);
            }
        }
    }
}

/// Puts foreign keys and triggers back, sets the sequences, and lets the log go on after `place`.
///
/// # Errors
/// The database's: a row that names another that is not there, among others.
pub async fn finish(
    conn: &mut PgConnection,
    tables: &[Table],
    keys: &[ForeignKey],
    sequences: &[(String, i64)],
    place: i64,
) -> Result<()> {
    for (table, name, definition) in keys {
        run(conn, format!("alter table {table} add constraint {name} {definition}")).await?;
    }
    for table in tables {
        run(conn, format!("alter table public.{} enable trigger user", quoted(&table.name))).await?;
    }
    for (name, value) in sequences {
        sqlx::query("select setval(('public.' || quote_ident($1))::regclass, $2)")
            .bind(name)
            .bind(value)
            .execute(&mut *conn)
            .await?;
    }
    let here: i64 =
        sqlx::query_scalar("select pg_current_xact_id()::text::bigint").fetch_one(&mut *conn).await?;
    run(
        conn,
        format!(
            "create or replace function concord_log_base() returns bigint language sql immutable parallel safe as 'select {}::bigint'",
            place - here
        ),
    )
    .await?;
    run(conn, "analyze".to_owned()).await
}

/// Names from the catalogue and a manifest that was checked against it; nothing of a person's.
async fn run(conn: &mut PgConnection, statement: String) -> Result<()> {
    conn.execute(AssertSqlSafe(statement)).await?;
    Ok(())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The migrations that are not applied yet, tried in a transaction that is rolled back: each with its milliseconds.
/// None waits for a lock longer than three seconds.
///
/// # Errors
/// The database's, at the first that fails.
pub async fn rehearse(pool: &PgPool, pending: &[&sqlx::migrate::Migration]) -> Result<Vec<(i64, u128)>> {
    let mut tx = pool.begin().await?;
    run(&mut tx, "set local lock_timeout = '3s'".to_owned()).await?;
    let mut took = Vec::with_capacity(pending.len());
    for migration in pending {
        let began = std::time::Instant::now();
        (&mut *tx).execute(migration.sql.clone()).await?;
        took.push((migration.version, began.elapsed().as_millis()));
    }
    tx.rollback().await?;
    Ok(took)
}
