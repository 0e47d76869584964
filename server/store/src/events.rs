//! The log of what happened, by whom.

use crate::Result;
use concord_domain::AccountId;
use sqlx::PgConnection;

/// Appends an event. `detail` holds ids, counts and versions, never text from logs or models.
///
/// # Errors
/// The database's.
pub async fn append(
    conn: &mut PgConnection,
    account: Option<AccountId>,
    action: &str,
    subject: &str,
    detail: &serde_json::Value,
) -> Result<()> {
    sqlx::query("insert into audit_events (account_id, action, subject, detail) values ($1, $2, $3, $4)")
        .bind(account.map(|id| id.0))
        .bind(action)
        .bind(subject)
        .bind(detail)
        .execute(conn)
        .await?;
    Ok(())
}
