//! What lets programs and new people in: bearer tokens and invitations.

use crate::{Capability, Role};
use serde::{Deserialize, Serialize};

/// A token to be made for one's own account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewToken {
    /// What it is for, to tell it apart; up to 100 characters.
    pub name: String,
    /// What it may be used for; empty: all that the role may.
    #[serde(default)]
    pub scopes: Vec<Capability>,
    /// After how many days it ends, 1 to 3650; a year if not given.
    #[serde(default)]
    pub days: Option<u32>,
}

/// A token as listed: its secret is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Token {
    /// Its id, to take it back by.
    pub id: uuid::Uuid,
    /// What it is for.
    pub name: String,
    /// What it may be used for; empty: all that the role may.
    pub scopes: Vec<Capability>,
    /// When it was made.
    pub created_at: jiff::Timestamp,
    /// When it ends.
    pub expires_at: Option<jiff::Timestamp>,
    /// When it was last used, to the minute.
    pub used_at: Option<jiff::Timestamp>,
    /// The token itself, in the answer that makes it and never again.
    pub secret: Option<String>,
}

/// Someone to let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewInvitation {
    /// E-mail address.
    pub email: String,
    /// The role of the account to be.
    pub role: Role,
}

/// An invitation: whoever has its link once chooses a password and has the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Invitation {
    /// Its id, to withdraw it by.
    pub id: uuid::Uuid,
    /// Whom it is for.
    pub email: String,
    /// The role of the account to be.
    pub role: Role,
    /// When it was made.
    pub created_at: jiff::Timestamp,
    /// When it ends.
    pub expires_at: jiff::Timestamp,
    /// Path and query of the link, in the answer that makes it and never again.
    pub link: Option<String>,
}

/// Where to send a person who signs in with an OpenID Connect provider.
#[cfg(feature = "server")]
#[derive(Debug, Clone)]
pub struct Departure {
    /// The provider's page.
    pub to: String,
    /// What the person's browser keeps meanwhile, out of reach of scripts.
    pub secret: String,
}

/// How such a person comes back.
#[cfg(feature = "server")]
#[derive(Debug, Clone, Default)]
pub struct Arrival {
    /// What the browser has kept.
    pub secret: String,
    /// The state in the address, which must be that of the departure.
    pub state: String,
    /// The code in the address, good once.
    pub code: String,
    /// The issuer in the address, where the provider says it.
    pub issuer: Option<String>,
    /// Where the provider was told to send the person back to.
    pub back: String,
}
