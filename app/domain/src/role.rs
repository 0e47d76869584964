//! Roles, capabilities and the table between them: the only authorisation data there is.

use crate::{AccountId, Error};
use serde::{Deserialize, Serialize};

/// What an account is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Role {
    /// Labels samples, blind first.
    Annotator,
    /// Audits judges and annotators, sets the review programme, exports.
    Lead,
    /// Everything a lead may, and accounts, imports and generations.
    Admin,
}

impl Role {
    /// Every role, weakest first.
    pub const ALL: [Self; 3] = [Self::Annotator, Self::Lead, Self::Admin];

    /// The word stored in the database and shown in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Annotator => "annotator",
            Self::Lead => "lead",
            Self::Admin => "admin",
        }
    }

    /// Whether this role may do that.
    #[must_use]
    pub fn can(self, capability: Capability) -> bool {
        use Capability as C;
        match self {
            Self::Admin => true,
            Self::Lead => !matches!(capability, C::ManageAccounts),
            Self::Annotator => matches!(capability, C::Review | C::ReadOwn),
        }
    }
}

impl std::str::FromStr for Role {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| Error::invalid("role", "one of annotator, lead, admin"))
    }
}

/// Something a use case may require.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Capability {
    /// Take assignments and label them.
    Review,
    /// See counts of one's own work and samples without verdicts.
    ReadOwn,
    /// See verdicts, others' labels, jobs and generations.
    ReadAll,
    /// Set overlap, leases and gold rate.
    ManageProgramme,
    /// Decide where people disagree.
    Adjudicate,
    /// Issue and void certificates, follow up alarms.
    Certify,
    /// Load users, items and behaviours.
    Import,
    /// Start generation and judging.
    Generate,
    /// Write exports.
    Export,
    /// Add accounts and tokens.
    ManageAccounts,
}

/// Who asks: an account that has signed in or shown a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Actor {
    /// The account.
    pub account: AccountId,
    /// Its e-mail address.
    pub email: String,
    /// Its role.
    pub role: Role,
}

impl Actor {
    /// Refuses unless this actor has the capability: the first line of every use case.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn require(&self, capability: Capability) -> Result<(), Error> {
        if self.role.can(capability) { Ok(()) } else { Err(Error::Forbidden) }
    }
}
