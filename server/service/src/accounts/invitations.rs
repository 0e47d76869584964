//! Invitations: a link that is shown once, works once and ends after a week.

use super::{AccountsService, actor, email, secrets};
use crate::error::OrInternal;
use concord_domain::api::Result;
use concord_domain::{Account, AccountId, Actor, Error, Invitation, NewInvitation};
use concord_store::{accounts, events, invitations};
use serde_json::json;
use uuid::Uuid;

/// How long a link works.
const DAYS: i64 = 7;

impl AccountsService {
    /// Invites somebody; `by`: who does, nobody where a command does. Another invitation of the same address ends.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the address, [`Error::Conflict`] if it has an account.
    pub async fn new_invitation(&self, by: Option<AccountId>, new: NewInvitation) -> Result<Invitation> {
        let email = email::parse(&new.email)?;
        let secret = secrets::session();
        let mut tx = self.pool.begin().await.or_internal()?;
        if accounts::by_email(&mut tx, &email).await.or_internal()?.is_some() {
            return Err(taken());
        }
        let hash = secrets::hash(&secret);
        let made = invitations::put(&mut tx, &hash, &email, new.role, DAYS).await.or_internal()?;
        let detail = json!({ "role": new.role.as_str() });
        events::append(&mut tx, by, "invited", &made.id.to_string(), &detail).await.or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(Invitation { link: Some(format!("/invitation?code={secret}")), ..made })
    }

    pub(super) async fn waiting(&self) -> Result<Vec<Invitation>> {
        let mut conn = self.pool.acquire().await.or_internal()?;
        invitations::list(&mut conn).await.or_internal()
    }

    pub(super) async fn withdraw(&self, by: AccountId, id: Uuid) -> Result<()> {
        let mut tx = self.pool.begin().await.or_internal()?;
        if !invitations::remove(&mut tx, id).await.or_internal()? {
            return Err(Error::not_found("the invitation"));
        }
        let subject = id.to_string();
        events::append(&mut tx, Some(by), "invitation_withdrawn", &subject, &json!({}))
            .await
            .or_internal()?;
        tx.commit().await.or_internal()
    }

    pub(super) async fn of_link(&self, code: &str) -> Result<Invitation> {
        let mut conn = self.pool.acquire().await.or_internal()?;
        let found = invitations::find(&mut conn, &secrets::hash(code)).await.or_internal()?;
        found.ok_or_else(gone)
    }

    /// Makes the account and signs it in, in one transaction: the link is used up if and only if both are done.
    pub(super) async fn accept(&self, code: &str, password: String) -> Result<(Actor, String)> {
        // Looked up first, so that guessing codes costs no password hash.
        self.of_link(code).await?;
        let hash = self.passwords.hash(password).await?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let taken_up = invitations::take(&mut tx, &secrets::hash(code)).await.or_internal()?;
        let invitation = taken_up.ok_or_else(gone)?;
        let account =
            Account { id: AccountId(Uuid::now_v7()), email: invitation.email, role: invitation.role };
        if !accounts::insert(&mut tx, &account, Some(&hash)).await.or_internal()? {
            return Err(taken());
        }
        let detail = json!({ "role": account.role.as_str(), "invitation": invitation.id });
        events::append(&mut tx, Some(account.id), "account_added", &account.id.to_string(), &detail)
            .await
            .or_internal()?;
        let secret = Self::open_session(&mut tx, account.id).await?;
        tx.commit().await.or_internal()?;
        Ok((actor(account, None), secret))
    }
}

fn gone() -> Error {
    Error::not_found("an invitation that still works")
}

fn taken() -> Error {
    Error::conflict("account_exists", "there is an account with that address already")
}
