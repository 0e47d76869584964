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

/// What a failed statement says of the world, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// A text that cannot be stored: it holds NUL.
    Text,
    /// No writes now: a standby, or set so.
    ReadOnly,
    /// The disk is full.
    Full,
    /// No connection, or none in time: down, starting, stopping, or all taken.
    Away,
    /// Two changed the same rows at the same moment, and this one gave way.
    Contended,
}

/// Reads the trouble from PostgreSQL's code or the connection's.
#[must_use]
pub fn trouble(error: &sqlx::Error) -> Option<Trouble> {
    match error {
        sqlx::Error::Database(error) => match error.code().as_deref()? {
            "22021" | "22P05" => Some(Trouble::Text),
            "25006" => Some(Trouble::ReadOnly),
            "53100" => Some(Trouble::Full),
            "40001" | "40P01" => Some(Trouble::Contended),
            code if code == "53300" || code.starts_with("57P0") || code.starts_with("08") => {
                Some(Trouble::Away)
            }
            _ => None,
        },
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Some(Trouble::Away),
        _ => None,
    }
}

impl StoreError {
    /// What it says of the world, where that is known.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Database(error) => trouble(error),
            Self::Inconsistent { .. } => None,
        }
    }

    /// The name of the constraint that was violated, if that is what happened.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.constraint(),
            _ => None,
        }
    }
}
