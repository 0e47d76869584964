//! Invitations: one an address, found by the hash of their link's secret, gone once used.

use crate::{Result, StoreError};
use concord_domain::{Invitation, Role};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// Stores an invitation that ends so many days from now; another one to the same address takes its place.
///
/// # Errors
/// The database's.
pub async fn put(
    conn: &mut PgConnection,
    secret_hash: &[u8],
    email: &str,
    role: Role,
    days: i64,
) -> Result<Invitation> {
    let row = sqlx::query(
        "insert into invitations (id, secret_hash, email, role, expires_at)
         values ($1, $2, $3, $4, now() + $5 * interval '1 day')
         on conflict (email) do update set id = excluded.id, secret_hash = excluded.secret_hash, role = excluded.role,
             created_at = excluded.created_at, expires_at = excluded.expires_at
         returning id, email, role, created_at, expires_at",
    )
    .bind(Uuid::now_v7())
    .bind(secret_hash)
    .bind(email)
    .bind(role.as_str())
    .bind(days)
    .fetch_one(conn)
    .await?;
    invitation(&row)
}

/// Invitations that wait, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Invitation>> {
    let rows = sqlx::query(
        "select id, email, role, created_at, expires_at from invitations where expires_at > now()
         order by created_at desc, id",
    )
    .fetch_all(conn)
    .await?;
    rows.iter().map(invitation).collect()
}

/// The invitation of a link, if it waits.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut PgConnection, secret_hash: &[u8]) -> Result<Option<Invitation>> {
    let row = sqlx::query(
        "select id, email, role, created_at, expires_at from invitations
         where secret_hash = $1 and expires_at > now()",
    )
    .bind(secret_hash)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(invitation).transpose()
}

/// Takes the invitation of a link off, if it waits: of two who use the same link one gets it.
///
/// # Errors
/// The database's.
pub async fn take(conn: &mut PgConnection, secret_hash: &[u8]) -> Result<Option<Invitation>> {
    let row = sqlx::query(
        "delete from invitations where secret_hash = $1 and expires_at > now()
         returning id, email, role, created_at, expires_at",
    )
    .bind(secret_hash)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(invitation).transpose()
}

/// Takes the invitation of an address off, if it waits: whoever has shown that the address is theirs needs no link.
///
/// # Errors
/// The database's.
pub async fn take_of(conn: &mut PgConnection, email: &str) -> Result<Option<Invitation>> {
    let row = sqlx::query(
        "delete from invitations where email = $1 and expires_at > now()
         returning id, email, role, created_at, expires_at",
    )
    .bind(email)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(invitation).transpose()
}

/// Withdraws an invitation; `false` if there is none.
///
/// # Errors
/// The database's.
pub async fn remove(conn: &mut PgConnection, id: Uuid) -> Result<bool> {
    let done = sqlx::query("delete from invitations where id = $1").bind(id).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

fn invitation(row: &PgRow) -> Result<Invitation> {
    let role: String = row.try_get("role")?;
    Ok(Invitation {
        id: row.try_get("id")?,
        email: row.try_get("email")?,
        role: role.parse().map_err(|_| StoreError::Inconsistent {
            table: "invitations",
            column: "role",
            why: role,
        })?,
        created_at: row.try_get::<jiff_sqlx::Timestamp, _>("created_at")?.to_jiff(),
        expires_at: row.try_get::<jiff_sqlx::Timestamp, _>("expires_at")?.to_jiff(),
        link: None,
    })
}
