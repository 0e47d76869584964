//! Who an account is at an OpenID Connect provider.

use crate::Result;
use concord_domain::{Account, AccountId};
use sqlx::PgConnection;

/// The account of a provider's subject.
///
/// # Errors
/// The database's.
pub async fn account(conn: &mut PgConnection, issuer: &str, subject: &str) -> Result<Option<Account>> {
    let row = sqlx::query(
        "select id, email, role from identities join accounts on accounts.id = identities.account_id
         where issuer = $1 and subject = $2",
    )
    .bind(issuer)
    .bind(subject)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(crate::accounts::account).transpose()
}

/// Says who an account is there; `false` if the account is somebody else there, or the subject another account.
///
/// # Errors
/// The database's.
pub async fn link(conn: &mut PgConnection, issuer: &str, subject: &str, id: AccountId) -> Result<bool> {
    let done = sqlx::query(
        "insert into identities (issuer, subject, account_id) values ($1, $2, $3) on conflict do nothing",
    )
    .bind(issuer)
    .bind(subject)
    .bind(id.0)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
