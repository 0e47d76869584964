//! Accounts and sessions. Secrets come here hashed; nothing here can turn them back.
//!
//! The operator, with the nil id, who acts when a command does, is nobody's account: it is neither listed nor
//! found, so it can get no password and no token.

use crate::{Result, StoreError};
use concord_domain::{Account, AccountId};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// Adds an account; `false` if its e-mail address is taken.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut PgConnection, account: &Account, password_hash: Option<&str>) -> Result<bool> {
    let done = sqlx::query(
        "insert into accounts (id, email, role, password_hash) values ($1, $2, $3, $4)
         on conflict (email) do nothing",
    )
    .bind(account.id.0)
    .bind(&account.email)
    .bind(account.role.as_str())
    .bind(password_hash)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The account with that address, and its password hash if it has one.
///
/// # Errors
/// The database's.
pub async fn by_email(conn: &mut PgConnection, email: &str) -> Result<Option<(Account, Option<String>)>> {
    let row =
        sqlx::query("select id, email, role, password_hash from accounts where email = $1 and id <> $2")
            .bind(email)
            .bind(Uuid::nil())
            .fetch_optional(conn)
            .await?;
    row.map(|row| Ok((account(&row)?, row.try_get("password_hash")?))).transpose()
}

/// Every account, by address.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Account>> {
    let rows = sqlx::query("select id, email, role from accounts where id <> $1 order by email")
        .bind(Uuid::nil())
        .fetch_all(conn)
        .await?;
    rows.iter().map(account).collect()
}

/// Whether there is an account at all.
///
/// # Errors
/// The database's.
pub async fn any(conn: &mut PgConnection) -> Result<bool> {
    let any = sqlx::query_scalar("select exists (select 1 from accounts where id <> $1)")
        .bind(Uuid::nil())
        .fetch_one(conn)
        .await?;
    Ok(any)
}

/// Sets the password hash.
///
/// # Errors
/// The database's.
pub async fn set_password(conn: &mut PgConnection, id: AccountId, hash: &str) -> Result<()> {
    sqlx::query("update accounts set password_hash = $2 where id = $1")
        .bind(id.0)
        .bind(hash)
        .execute(conn)
        .await?;
    Ok(())
}

/// Opens a session that ends `seconds` from now at the latest, and forgets those that have ended.
///
/// # Errors
/// The database's.
pub async fn open_session(
    conn: &mut PgConnection,
    secret_hash: &[u8],
    id: AccountId,
    seconds: i64,
) -> Result<()> {
    sqlx::query("delete from sessions where expires_at <= now()").execute(&mut *conn).await?;
    sqlx::query(
        "insert into sessions (secret_hash, account_id, expires_at)
         values ($1, $2, now() + $3 * interval '1 second')",
    )
    .bind(secret_hash)
    .bind(id.0)
    .bind(seconds)
    .execute(conn)
    .await?;
    Ok(())
}

/// Who a session is, if it has not ended and was seen in the last `idle_seconds`. Being seen is written
/// at most once a minute, so that reading pages does not write rows.
///
/// # Errors
/// The database's.
pub async fn by_session(
    conn: &mut PgConnection,
    secret_hash: &[u8],
    idle_seconds: i64,
) -> Result<Option<Account>> {
    let row = sqlx::query(
        "select id, email, role,
                seen_at < now() - interval '1 minute' and current_setting('transaction_read_only') = 'off' as stale
         from sessions join accounts on accounts.id = sessions.account_id
         where secret_hash = $1 and expires_at > now() and seen_at > now() - $2 * interval '1 second'",
    )
    .bind(secret_hash)
    .bind(idle_seconds)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.try_get("stale")? {
        sqlx::query("update sessions set seen_at = now() where secret_hash = $1")
            .bind(secret_hash)
            .execute(conn)
            .await?;
    }
    account(&row).map(Some)
}

/// Ends a session and tells whose it was.
///
/// # Errors
/// The database's.
pub async fn end_session(conn: &mut PgConnection, secret_hash: &[u8]) -> Result<Option<AccountId>> {
    let id = sqlx::query_scalar("delete from sessions where secret_hash = $1 returning account_id")
        .bind(secret_hash)
        .fetch_optional(conn)
        .await?;
    Ok(id.map(AccountId))
}

/// Ends every session of an account; gives how many there were.
///
/// # Errors
/// The database's.
pub async fn end_sessions(conn: &mut PgConnection, id: AccountId) -> Result<u64> {
    let done = sqlx::query("delete from sessions where account_id = $1").bind(id.0).execute(conn).await?;
    Ok(done.rows_affected())
}

/// How many sessions of an account have not ended by age.
///
/// # Errors
/// The database's.
pub async fn sessions(conn: &mut PgConnection, id: AccountId) -> Result<i64> {
    let n = sqlx::query_scalar("select count(*) from sessions where account_id = $1 and expires_at > now()")
        .bind(id.0)
        .fetch_one(conn)
        .await?;
    Ok(n)
}

pub(crate) fn account(row: &PgRow) -> Result<Account> {
    let role: String = row.try_get("role")?;
    Ok(Account {
        id: AccountId(row.try_get("id")?),
        email: row.try_get("email")?,
        role: role.parse().map_err(|_| StoreError::Inconsistent {
            table: "accounts",
            column: "role",
            why: role,
        })?,
    })
}
