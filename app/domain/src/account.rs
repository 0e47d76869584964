//! Accounts: people who sign in.

use crate::{AccountId, Role};
use serde::{Deserialize, Serialize};

/// An account as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// E-mail address, lower case.
    pub email: String,
    /// Role.
    pub role: Role,
}

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

impl Lang {
    /// `en` or `zh`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }

    /// Reads `zh…` as Chinese and everything else as English.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.trim().to_ascii_lowercase().starts_with("zh") { Self::Zh } else { Self::En }
    }
}
