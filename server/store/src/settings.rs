//! Settings that belong to the data, not to a server.

use crate::Result;
use sqlx::PgConnection;

/// Sets the salt of the audit and train halves, unless users or samples are there already: changing it
/// then would let training read what certificates rest on.
///
/// # Errors
/// The database's.
pub async fn set_split_salt(conn: &mut PgConnection, salt: &str) -> Result<()> {
    sqlx::query(
        "update settings set value = $1 where name = 'split_salt' and value <> $1
         and not exists (select 1 from users) and not exists (select 1 from samples)",
    )
    .bind(salt)
    .execute(conn)
    .await?;
    Ok(())
}
