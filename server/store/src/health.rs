//! Whether the database can do its work.

use crate::Result;
use sqlx::PgConnection;

/// Reads the queue and tells whether it may be written: a standby and a full disk's read-only mode say no.
///
/// # Errors
/// The database's.
pub async fn queue_is_writable(conn: &mut PgConnection) -> Result<bool> {
    let read_only: String = sqlx::query_scalar(
        "select current_setting('transaction_read_only') from (select count(*) from (select 1 from jobs limit 1) one) queue",
    )
    .fetch_one(conn)
    .await?;
    Ok(read_only == "off")
}
