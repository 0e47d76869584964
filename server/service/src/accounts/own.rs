//! Bearer tokens of one's own account. A token is made and taken back by a person, never by a token: one that has
//! leaked can make no other that outlives it.

use super::{AccountsService, secrets};
use crate::error::OrInternal;
use concord_domain::api::Result;
use concord_domain::{AccountId, Actor, Error, NewToken, Token};
use concord_store::{events, tokens};
use serde_json::json;
use uuid::Uuid;

/// How long a token lives where nobody says.
const DAYS: u32 = 365;

impl AccountsService {
    /// Makes a token for an account; `by`: who asks for it, nobody where a command does. This is the only time its
    /// secret can be read.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the field.
    pub async fn new_token(&self, account: AccountId, by: Option<AccountId>, new: NewToken) -> Result<Token> {
        let name = new.name.trim();
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Err(Error::invalid("name", "1 to 100 characters"));
        }
        let days = new.days.unwrap_or(DAYS);
        if !(1..=3650).contains(&days) {
            return Err(Error::invalid("days", "1 to 3650"));
        }
        let secret = secrets::bearer_token();
        let hash = secrets::hash(&secret);
        let mut tx = self.pool.begin().await.or_internal()?;
        let made = tokens::insert(&mut tx, &hash, account, name, &new.scopes, days).await.or_internal()?;
        let detail = json!({ "token": made.id, "scopes": new.scopes, "days": days });
        events::append(&mut tx, by, "token_issued", &account.to_string(), &detail).await.or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(Token { secret: Some(secret), ..made })
    }

    /// An account's tokens that have not ended, newest first, without their secrets.
    ///
    /// # Errors
    /// [`Error::Internal`].
    pub async fn tokens_of(&self, account: AccountId) -> Result<Vec<Token>> {
        let mut conn = self.pool.acquire().await.or_internal()?;
        tokens::list(&mut conn, account).await.or_internal()
    }

    /// Takes a token back, at once; `owner`: only if it is theirs.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn take_token_back(&self, id: Uuid, owner: Option<AccountId>) -> Result<()> {
        let mut tx = self.pool.begin().await.or_internal()?;
        let account = tokens::remove(&mut tx, id, owner).await.or_internal()?;
        let account = account.ok_or_else(|| Error::not_found("the token"))?;
        let detail = json!({ "token": id });
        events::append(&mut tx, owner, "token_revoked", &account.to_string(), &detail).await.or_internal()?;
        tx.commit().await.or_internal()
    }
}

/// The request, if this person may make it: no scope that their role has not.
pub(super) fn allowed(actor: &Actor, new: NewToken) -> Result<NewToken> {
    actor.require_person()?;
    match new.scopes.iter().find(|scope| !actor.can(**scope)) {
        Some(scope) => Err(Error::invalid("scopes", format!("your role does not allow {}", scope.as_str()))),
        None => Ok(new),
    }
}
