//! Accounts: signing in and out, sessions, bearer tokens, and what the `account` command does.
//!
//! Secrets are random 256 bits, shown once and stored as SHA-256; passwords are argon2id. Whoever may
//! reach the database from a shell may add accounts, so those methods take no actor.

mod email;
mod invitations;
mod own;
mod passwords;
mod provider;
mod secrets;
mod throttle;

use crate::error::OrInternal;
use async_trait::async_trait;
use concord_domain::api::{self, Result};
use concord_domain::{
    Account, AccountId, Actor, Arrival, Capability, Departure, Error, Invitation, NewInvitation, NewToken,
    Role, Token,
};
use concord_store::{accounts, events, tokens};
use passwords::Passwords;
pub use provider::{Provider, ProviderSettings};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use std::net::IpAddr;
use std::sync::Arc;
use throttle::Throttle;
use uuid::Uuid;

/// A session nobody used for so long has ended.
const IDLE_SECONDS: i64 = 12 * 3600;
/// A session ends so long after signing in, used or not.
const ABSOLUTE_SECONDS: i64 = 14 * 24 * 3600;
/// The address of the first account; it can be signed in with, not written to.
const FIRST_ADMIN: &str = "admin@localhost";

/// The account use cases.
#[derive(Debug)]
pub struct AccountsService {
    pool: PgPool,
    passwords: Passwords,
    throttle: Throttle,
    provider: Option<Arc<Provider>>,
}

impl AccountsService {
    /// On this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool, passwords: Passwords::new(), throttle: Throttle::default(), provider: None }
    }

    /// Adds an account; without a password it can only be used by token.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the address or password, [`Error::Conflict`] if the address is taken.
    pub async fn add_account(&self, email: &str, role: Role, password: Option<String>) -> Result<Account> {
        let account = Account { id: AccountId(Uuid::now_v7()), email: email::parse(email)?, role };
        let hash = match password {
            Some(password) => Some(self.passwords.hash(password).await?),
            None => None,
        };
        let mut tx = self.pool.begin().await.or_internal()?;
        if !accounts::insert(&mut tx, &account, hash.as_deref()).await.or_internal()? {
            return Err(Error::conflict("account_exists", "there is an account with that address already"));
        }
        let detail = json!({ "role": role.as_str() });
        events::append(&mut tx, None, "account_added", &account.id.to_string(), &detail)
            .await
            .or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(account)
    }

    /// Ends every session of an account; gives how many there were. `by`: who asks, nobody where a command does.
    ///
    /// # Errors
    /// [`Error::Internal`].
    pub async fn end_sessions(&self, account: AccountId, by: Option<AccountId>) -> Result<u64> {
        let mut tx = self.pool.begin().await.or_internal()?;
        let ended = accounts::end_sessions(&mut tx, account).await.or_internal()?;
        let detail = json!({ "sessions": ended });
        events::append(&mut tx, by, "signed_out_everywhere", &account.to_string(), &detail)
            .await
            .or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(ended)
    }

    /// Opens a session with a secret of its own: signing in never takes over one that was there.
    async fn open_session(conn: &mut PgConnection, account: AccountId) -> Result<String> {
        let secret = secrets::session();
        let hash = secrets::hash(&secret);
        accounts::open_session(conn, &hash, account, ABSOLUTE_SECONDS).await.or_internal()?;
        let subject = account.to_string();
        events::append(conn, Some(account), "signed_in", &subject, &json!({})).await.or_internal()?;
        Ok(secret)
    }

    /// Sets a new password and ends every session of the account.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for the password.
    pub async fn set_password(&self, email: &str, password: String) -> Result<Account> {
        let account = self.find(email).await?.ok_or_else(|| Error::not_found("the account"))?;
        let hash = self.passwords.hash(password).await?;
        let mut tx = self.pool.begin().await.or_internal()?;
        accounts::set_password(&mut tx, account.id, &hash).await.or_internal()?;
        accounts::end_sessions(&mut tx, account.id).await.or_internal()?;
        let subject = account.id.to_string();
        events::append(&mut tx, None, "password_set", &subject, &json!({})).await.or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(account)
    }

    /// The account with that address.
    ///
    /// # Errors
    /// [`Error::Internal`].
    pub async fn find(&self, email: &str) -> Result<Option<Account>> {
        let mut conn = self.pool.acquire().await.or_internal()?;
        let found = accounts::by_email(&mut conn, &email::normal(email)).await.or_internal()?;
        Ok(found.map(|(account, _)| account))
    }

    /// Every account, by address.
    ///
    /// # Errors
    /// [`Error::Internal`].
    pub async fn list(&self) -> Result<Vec<Account>> {
        let mut conn = self.pool.acquire().await.or_internal()?;
        accounts::list(&mut conn).await.or_internal()
    }

    /// On the first run, adds an administrator and gives address and password, to be shown once.
    ///
    /// # Errors
    /// [`Error::Internal`].
    pub async fn ensure_first_admin(&self) -> Result<Option<(String, String)>> {
        let mut conn = self.pool.acquire().await.or_internal()?;
        if accounts::any(&mut conn).await.or_internal()? {
            return Ok(None);
        }
        drop(conn);
        let password = Self::new_password();
        match self.add_account(FIRST_ADMIN, Role::Admin, Some(password.clone())).await {
            Ok(account) => Ok(Some((account.email, password))),
            // Another server, started at the same moment, was first: it has printed the password.
            Err(Error::Conflict { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A random password of 20 letters and digits.
    #[must_use]
    pub fn new_password() -> String {
        secrets::password()
    }
}

#[async_trait]
impl api::Accounts for AccountsService {
    async fn sign_in(&self, email: &str, password: &str, from: Option<IpAddr>) -> Result<(Actor, String)> {
        let email = email::normal(email);
        self.throttle.attempt(&email, from)?;
        let found = {
            let mut conn = self.pool.acquire().await.or_internal()?;
            accounts::by_email(&mut conn, &email).await.or_internal()?
        };
        let (account, hash) = found.map_or((None, None), |(account, hash)| (Some(account), hash));
        let right = self.passwords.verify(password, hash).await?;
        let Some(account) = account.filter(|_| right) else {
            return Err(Error::WrongCredentials);
        };
        self.throttle.succeeded(&email, from);
        let mut tx = self.pool.begin().await.or_internal()?;
        let secret = Self::open_session(&mut tx, account.id).await?;
        tx.commit().await.or_internal()?;
        Ok((actor(account, None), secret))
    }

    async fn sign_out(&self, session_secret: &str) -> Result<()> {
        let mut tx = self.pool.begin().await.or_internal()?;
        let hash = secrets::hash(session_secret);
        if let Some(id) = accounts::end_session(&mut tx, &hash).await.or_internal()? {
            events::append(&mut tx, Some(id), "signed_out", &id.to_string(), &json!({}))
                .await
                .or_internal()?;
        }
        tx.commit().await.or_internal()
    }

    async fn by_session(&self, session_secret: &str) -> Result<Option<Actor>> {
        let mut conn = self.pool.acquire().await.or_internal()?;
        let hash = secrets::hash(session_secret);
        let account = accounts::by_session(&mut conn, &hash, IDLE_SECONDS).await.or_internal()?;
        Ok(account.map(|account| actor(account, None)))
    }

    async fn by_token(&self, token: &str) -> Result<Option<Actor>> {
        if !token.starts_with(secrets::TOKEN_PREFIX) {
            return Ok(None);
        }
        let mut conn = self.pool.acquire().await.or_internal()?;
        let found = tokens::find(&mut conn, &secrets::hash(token)).await.or_internal()?;
        Ok(found.map(|(account, scopes)| {
            // A token without scopes may do all that its role may, and is still a token.
            let scopes = if scopes.is_empty() { Capability::ALL.to_vec() } else { scopes };
            actor(account, Some(scopes))
        }))
    }

    async fn sign_out_everywhere(&self, actor: &Actor) -> Result<u64> {
        actor.require_person()?;
        self.end_sessions(actor.account, Some(actor.account)).await
    }

    async fn sessions(&self, actor: &Actor) -> Result<u64> {
        actor.require_person()?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let open = accounts::sessions(&mut conn, actor.account).await.or_internal()?;
        Ok(u64::try_from(open).unwrap_or_default())
    }

    async fn tokens(&self, actor: &Actor) -> Result<Vec<Token>> {
        actor.require_person()?;
        self.tokens_of(actor.account).await
    }

    async fn make_token(&self, actor: &Actor, new: NewToken) -> Result<Token> {
        let new = own::allowed(actor, new)?;
        self.new_token(actor.account, Some(actor.account), new).await
    }

    async fn revoke_token(&self, actor: &Actor, id: Uuid) -> Result<()> {
        actor.require_person()?;
        self.take_token_back(id, Some(actor.account)).await
    }

    async fn invitations(&self, actor: &Actor) -> Result<Vec<Invitation>> {
        actor.require_person()?;
        actor.require(Capability::ManageAccounts)?;
        self.waiting().await
    }

    async fn invite(&self, actor: &Actor, new: NewInvitation) -> Result<Invitation> {
        actor.require_person()?;
        actor.require(Capability::ManageAccounts)?;
        self.new_invitation(Some(actor.account), new).await
    }

    async fn withdraw_invitation(&self, actor: &Actor, id: Uuid) -> Result<()> {
        actor.require_person()?;
        actor.require(Capability::ManageAccounts)?;
        self.withdraw(actor.account, id).await
    }

    async fn invited(&self, code: &str) -> Result<Invitation> {
        self.of_link(code).await
    }

    async fn join(&self, code: &str, password: String) -> Result<(Actor, String)> {
        self.accept(code, password).await
    }

    fn provider(&self) -> Option<String> {
        self.provider_host()
    }

    async fn depart(&self, back: &str) -> Result<Departure> {
        self.depart_to_provider(back).await
    }

    async fn arrive(&self, arrival: Arrival, from: Option<IpAddr>) -> Result<(Actor, String)> {
        self.arrive_from_provider(arrival, from).await
    }
}

fn actor(account: Account, scopes: Option<Vec<Capability>>) -> Actor {
    Actor { account: account.id, email: account.email, role: account.role, scopes }
}
