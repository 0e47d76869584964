//! The store's one error.

/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// PostgreSQL or the connection to it.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// A stored value is not what this version writes.
    #[error("{table}.{column} holds an unexpected value: {why}")]
    Inconsistent {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl StoreError {
    /// The name of the constraint that was violated, if that is what happened.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.constraint(),
            _ => None,
        }
    }
}
