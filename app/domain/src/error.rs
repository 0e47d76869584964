//! The one error a use case gives, mapped once to HTTP and once to words on a page.

use serde::{Deserialize, Serialize};

/// Why a use case was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Error {
    /// Nobody is signed in, or the session or token has ended.
    #[error("sign in first")]
    NotSignedIn,
    /// E-mail and password do not match an account.
    #[error("e-mail or password is wrong")]
    WrongCredentials,
    /// The role does not allow it.
    #[error("your role does not allow this")]
    Forbidden,
    /// Nothing there, or not yours to know of.
    #[error("{what} was not found")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// The state of things forbids it; `code` is stable.
    #[error("{detail}")]
    Conflict {
        /// Stable machine-readable code, e.g. `overlap_full`.
        code: String,
        /// What happened and what to do.
        detail: String,
    },
    /// The input breaks a rule.
    #[error("{field}: {why}")]
    Invalid {
        /// The field at fault.
        field: String,
        /// The rule.
        why: String,
    },
    /// Too many at once: try again after a while.
    #[error("busy: try again in {retry_after} s")]
    Busy {
        /// Seconds to wait.
        retry_after: u32,
    },
    /// A part that this needs is missing; says how to mend it.
    #[error("{what} is unavailable: {mend}")]
    Unavailable {
        /// The part.
        what: String,
        /// How to mend it.
        mend: String,
    },
    /// A fault of ours; the reference is in the log.
    #[error("something went wrong here (reference {reference}); nothing you entered is lost")]
    Internal {
        /// Log reference.
        reference: String,
    },
}

impl Error {
    /// An [`Error::Invalid`].
    pub fn invalid(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), why: why.into() }
    }

    /// An [`Error::NotFound`].
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::NotFound { what: what.into() }
    }

    /// An [`Error::Conflict`].
    pub fn conflict(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Conflict { code: code.into(), detail: detail.into() }
    }

    /// HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::NotSignedIn | Self::WrongCredentials => 401,
            Self::Forbidden => 403,
            Self::NotFound { .. } => 404,
            Self::Conflict { .. } => 409,
            Self::Invalid { .. } => 422,
            Self::Busy { .. } => 429,
            Self::Unavailable { .. } => 503,
            Self::Internal { .. } => 500,
        }
    }

    /// Stable machine-readable code for problem+json.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::NotSignedIn => "not_signed_in",
            Self::WrongCredentials => "wrong_credentials",
            Self::Forbidden => "forbidden",
            Self::NotFound { .. } => "not_found",
            Self::Conflict { code, .. } => code,
            Self::Invalid { .. } => "invalid",
            Self::Busy { .. } => "busy",
            Self::Unavailable { .. } => "unavailable",
            Self::Internal { .. } => "internal",
        }
    }
}
