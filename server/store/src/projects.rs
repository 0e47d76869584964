//! The databases of projects. The list of databases is the list of projects: there is none beside it to disagree.

use crate::Result;
use sqlx::{AssertSqlSafe, PgConnection};

/// What follows this prefix in the names of databases, in order.
///
/// # Errors
/// The database's.
pub async fn names(conn: &mut PgConnection, prefix: &str) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "select substr(datname, length($1) + 1) from pg_database
         where starts_with(datname, $1) and not datistemplate and datallowconn order by 1",
    )
    .bind(prefix)
    .fetch_all(conn)
    .await?)
}

/// Makes an empty database.
///
/// # Errors
/// The database's: the role may not make any, or there is one of that name.
pub async fn create(conn: &mut PgConnection, database: &str) -> Result<()> {
    let statement = format!("create database {} template template0 encoding 'UTF8'", quoted(database));
    sqlx::query(AssertSqlSafe(statement)).execute(conn).await?;
    Ok(())
}

/// Gives a database another name; nobody may be connected to it.
///
/// # Errors
/// The database's.
pub async fn rename(conn: &mut PgConnection, database: &str, to: &str) -> Result<()> {
    let statement = format!("alter database {} rename to {}", quoted(database), quoted(to));
    sqlx::query(AssertSqlSafe(statement)).execute(conn).await?;
    Ok(())
}

/// Removes a database with all it holds; whoever is connected to it is cut off.
///
/// # Errors
/// The database's.
pub async fn remove(conn: &mut PgConnection, database: &str) -> Result<()> {
    let statement = format!("drop database {} with (force)", quoted(database));
    sqlx::query(AssertSqlSafe(statement)).execute(conn).await?;
    Ok(())
}

/// Whether a database has a schema of ours.
///
/// # Errors
/// The database's.
pub async fn is_in_use(conn: &mut PgConnection) -> Result<bool> {
    Ok(sqlx::query_scalar("select to_regclass('public._sqlx_migrations') is not null")
        .fetch_one(conn)
        .await?)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
