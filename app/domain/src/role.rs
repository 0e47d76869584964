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
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

impl Capability {
    /// Every capability: what a token can be narrowed to.
    pub const ALL: [Self; 10] = [
        Self::Review,
        Self::ReadOwn,
        Self::ReadAll,
        Self::ManageProgramme,
        Self::Adjudicate,
        Self::Certify,
        Self::Import,
        Self::Generate,
        Self::Export,
        Self::ManageAccounts,
    ];

    /// The word stored in the database, typed as a scope and shown in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::ReadOwn => "read-own",
            Self::ReadAll => "read-all",
            Self::ManageProgramme => "manage-programme",
            Self::Adjudicate => "adjudicate",
            Self::Certify => "certify",
            Self::Import => "import",
            Self::Generate => "generate",
            Self::Export => "export",
            Self::ManageAccounts => "manage-accounts",
        }
    }
}

impl std::str::FromStr for Capability {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|capability| capability.as_str() == text);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid("scopes", format!("one of {known}"))
        })
    }
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
    /// What a bearer token may be used for; `None` for a session or a command: all that the role may. A page is never
    /// made for a token, so the browser is not told.
    #[serde(skip)]
    pub scopes: Option<Vec<Capability>>,
}

impl Actor {
    /// Whether this actor may do that: the role has the capability, and the token, if it is one, its scope.
    #[must_use]
    pub fn can(&self, capability: Capability) -> bool {
        self.role.can(capability) && self.scopes.as_ref().is_none_or(|scopes| scopes.contains(&capability))
    }

    /// Refuses unless this actor has the capability: the first line of every use case.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn require(&self, capability: Capability) -> Result<(), Error> {
        if self.can(capability) { Ok(()) } else { Err(Error::Forbidden) }
    }

    /// Refuses a bearer token: it can neither make tokens that outlive it nor let people in.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn require_person(&self) -> Result<(), Error> {
        if self.scopes.is_none() { Ok(()) } else { Err(Error::Forbidden) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_narrows_its_role_and_never_widens_it() {
        for role in Role::ALL {
            for scope in Capability::ALL {
                assert_eq!(scope.as_str().parse(), Ok(scope));
                let account = AccountId(uuid::Uuid::nil());
                let actor = Actor { account, email: String::new(), role, scopes: Some(vec![scope]) };
                for capability in Capability::ALL {
                    let may = actor.require(capability).is_ok();
                    assert_eq!(may, role.can(capability) && capability == scope);
                }
                assert_eq!(actor.require_person(), Err(Error::Forbidden));
            }
        }
        assert!("everything".parse::<Capability>().is_err());
    }
}
