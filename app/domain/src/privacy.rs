//! Deletion of a user, as asked for and as done.

use serde::{Deserialize, Serialize};

/// A deletion of a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Erasure {
    /// Its id.
    pub id: uuid::Uuid,
    /// When it was asked for.
    pub requested_at: jiff::Timestamp,
    /// When it was done; null: an operator has to run `concord user delete --requested`.
    pub done_at: Option<jiff::Timestamp>,
    /// Rows deleted by table, and the exports, models, backups and certificates affected.
    pub receipt: Option<serde_json::Value>,
}
