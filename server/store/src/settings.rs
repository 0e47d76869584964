//! Settings that belong to the data, not to a server.

use crate::Result;
use sqlx::PgConnection;

/// Sets the salt of the audit and train halves, a random one where none is given, unless users or samples
/// are there already: changing it then would let training read what certificates rest on. Random, because
/// who knows the salt can tell a user's half from the key.
///
/// # Errors
/// The database's.
pub async fn set_split_salt(conn: &mut PgConnection, salt: Option<&str>) -> Result<()> {
    sqlx::query(
        "update settings set value = coalesce($1, gen_random_uuid()::text)
         where name = 'split_salt' and value <> coalesce($1, '') and ($1 is not null or value = 'concord')
         and not exists (select 1 from users) and not exists (select 1 from samples)",
    )
    .bind(salt)
    .execute(conn)
    .await?;
    Ok(())
}
