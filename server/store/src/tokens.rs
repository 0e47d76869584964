//! Bearer tokens: stored hashed, told apart by name, narrowed by scopes, ended by time or taken back.

use crate::accounts::account;
use crate::{Result, StoreError};
use concord_domain::{Account, AccountId, Capability, Token};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// Stores a token that ends so many days from now; no scopes: all that the role may.
///
/// # Errors
/// The database's.
pub async fn insert(
    conn: &mut PgConnection,
    secret_hash: &[u8],
    account: AccountId,
    name: &str,
    scopes: &[Capability],
    days: u32,
) -> Result<Token> {
    let scopes: Option<Vec<&str>> =
        (!scopes.is_empty()).then(|| scopes.iter().map(|scope| scope.as_str()).collect());
    let row = sqlx::query(
        "insert into tokens (secret_hash, account_id, name, scopes, expires_at)
         values ($1, $2, $3, $4, now() + $5 * interval '1 day')
         returning id, name, scopes, created_at, expires_at, used_at",
    )
    .bind(secret_hash)
    .bind(account.0)
    .bind(name)
    .bind(scopes)
    .bind(i64::from(days))
    .fetch_one(conn)
    .await?;
    token(&row)
}

/// Who a token is and what it may be used for, if it has not ended. Its use is written at most once a minute, so
/// that reading does not write rows.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut PgConnection, secret_hash: &[u8]) -> Result<Option<(Account, Vec<Capability>)>> {
    let row = sqlx::query(
        "select accounts.id, email, role, scopes,
                (used_at is null or used_at < now() - interval '1 minute')
                and current_setting('transaction_read_only') = 'off' as stale
         from tokens join accounts on accounts.id = tokens.account_id
         where secret_hash = $1 and (expires_at is null or expires_at > now())",
    )
    .bind(secret_hash)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.try_get("stale")? {
        sqlx::query("update tokens set used_at = now() where secret_hash = $1")
            .bind(secret_hash)
            .execute(conn)
            .await?;
    }
    Ok(Some((account(&row)?, scopes(&row)?)))
}

/// An account's tokens that have not ended, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, account: AccountId) -> Result<Vec<Token>> {
    let rows = sqlx::query(
        "select id, name, scopes, created_at, expires_at, used_at from tokens
         where account_id = $1 and (expires_at is null or expires_at > now()) order by created_at desc, id",
    )
    .bind(account.0)
    .fetch_all(conn)
    .await?;
    rows.iter().map(token).collect()
}

/// Takes a token back; `owner`: only if it is theirs. Gives whose it was.
///
/// # Errors
/// The database's.
pub async fn remove(
    conn: &mut PgConnection,
    id: Uuid,
    owner: Option<AccountId>,
) -> Result<Option<AccountId>> {
    let account = sqlx::query_scalar(
        "delete from tokens where id = $1 and ($2::uuid is null or account_id = $2) returning account_id",
    )
    .bind(id)
    .bind(owner.map(|owner| owner.0))
    .fetch_optional(conn)
    .await?;
    Ok(account.map(AccountId))
}

fn scopes(row: &PgRow) -> Result<Vec<Capability>> {
    let words: Option<Vec<String>> = row.try_get("scopes")?;
    let parsed = words.unwrap_or_default().into_iter().map(|word| {
        word.parse().map_err(|_| StoreError::Inconsistent { table: "tokens", column: "scopes", why: word })
    });
    parsed.collect()
}

fn token(row: &PgRow) -> Result<Token> {
    Ok(Token {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        scopes: scopes(row)?,
        created_at: row.try_get::<jiff_sqlx::Timestamp, _>("created_at")?.to_jiff(),
        expires_at: row.try_get::<Option<jiff_sqlx::Timestamp>, _>("expires_at")?.map(|at| at.to_jiff()),
        used_at: row.try_get::<Option<jiff_sqlx::Timestamp>, _>("used_at")?.map(|at| at.to_jiff()),
        secret: None,
    })
}
