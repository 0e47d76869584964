//! Signing in with an OpenID Connect provider: authorisation code with PKCE.
//!
//! Nothing is stored while a person is away. Their browser keeps one secret with the time in it; state, nonce and
//! verifier are hashes of it. So an answer fits the browser that left, the moment it left and the ID token it gets,
//! or none of them.

mod claims;
mod client;
mod signature;

use super::{AccountsService, actor, email, secrets};
use crate::error::OrInternal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claims::Claims;
use client::Client;
use concord_domain::api::Result;
use concord_domain::{Account, AccountId, Actor, Arrival, Departure, Error, Role};
use concord_store::{accounts, events, identities, invitations};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use std::net::IpAddr;
use std::sync::Arc;
use uuid::Uuid;

/// How long a person may be away at the provider.
const AWAY_SECONDS: i64 = 600;

/// The provider, and who may come from it.
#[derive(Clone)]
pub struct ProviderSettings {
    /// The issuer's address, as its ID tokens spell it.
    pub issuer: String,
    /// What it knows this Concord by.
    pub client_id: String,
    /// What this Concord shows it; without one PKCE alone guards the code.
    pub client_secret: Option<String>,
    /// Domains of the e-mail addresses that may sign in; empty: all.
    pub domains: Vec<String>,
    /// The role of people who are new; `None`: an account or an invitation must be there.
    pub role: Option<Role>,
}

impl std::fmt::Debug for ProviderSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} as {}", self.issuer, self.client_id)
    }
}

/// The provider of a process; all projects share it.
#[derive(Debug)]
pub struct Provider {
    settings: ProviderSettings,
    client: Client,
}

impl Provider {
    /// Reads nothing yet: a provider that is down keeps no server from starting.
    ///
    /// # Errors
    /// In words, for an issuer that is no https address. Plain http is for a provider on this machine.
    pub fn new(settings: ProviderSettings) -> std::result::Result<Arc<Self>, String> {
        let client = Client::new(&settings)?;
        Ok(Arc::new(Self { settings, client }))
    }

    /// Asks the provider what it offers, for `concord doctor`.
    ///
    /// # Errors
    /// In words.
    pub async fn check(&self) -> std::result::Result<(), String> {
        self.client.check().await
    }
}

/// What is derived from the secret that the browser keeps.
fn derived(secret: &str, what: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("concord {what}\n{secret}")))
}

impl AccountsService {
    /// The same, and people may sign in with this provider.
    #[must_use]
    pub fn with_provider(mut self, provider: Option<Arc<Provider>>) -> Self {
        self.provider = provider;
        self
    }

    fn the_provider(&self) -> Result<&Provider> {
        self.provider.as_deref().ok_or_else(|| Error::not_found("an OpenID Connect provider"))
    }

    pub(super) fn provider_host(&self) -> Option<String> {
        self.provider.as_ref().map(|provider| provider.client.host().to_owned())
    }

    pub(super) async fn depart_to_provider(&self, back: &str) -> Result<Departure> {
        let provider = self.the_provider()?;
        let secret = format!("{}.{}", secrets::session(), jiff::Timestamp::now().as_second());
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(derived(&secret, "verifier")));
        let to = provider
            .client
            .authorisation(&[
                ("response_type", "code"),
                ("client_id", &provider.settings.client_id),
                ("redirect_uri", back),
                ("scope", "openid email"),
                ("state", &derived(&secret, "state")),
                ("nonce", &derived(&secret, "nonce")),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ])
            .await?;
        Ok(Departure { to, secret })
    }

    pub(super) async fn arrive_from_provider(
        &self,
        arrival: Arrival,
        from: Option<IpAddr>,
    ) -> Result<(Actor, String)> {
        let provider = self.the_provider()?;
        self.throttle.attempt_of(from)?;
        check_departure(&arrival)?;
        if arrival.issuer.as_ref().is_some_and(|issuer| *issuer != provider.settings.issuer) {
            return Err(refused("another issuer answered"));
        }
        let verifier = derived(&arrival.secret, "verifier");
        let nonce = derived(&arrival.secret, "nonce");
        let claims = provider.client.claims(&arrival.code, &verifier, &arrival.back, &nonce).await?;
        let who = provider.settings.admit(&claims)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let account = self.account_of(&mut tx, provider, &claims.sub, &who).await?;
        let secret = Self::open_session(&mut tx, account.id).await?;
        tx.commit().await.or_internal()?;
        self.throttle.succeeded_of(from);
        Ok((actor(account, None), secret))
    }

    /// The account of a subject: the one it had, else that of its address, else a new one where somebody has invited
    /// it or a setting lets it in.
    async fn account_of(
        &self,
        conn: &mut PgConnection,
        provider: &Provider,
        subject: &str,
        email: &str,
    ) -> Result<Account> {
        let settings = &provider.settings;
        if let Some(account) = identities::account(conn, &settings.issuer, subject).await.or_internal()? {
            return Ok(account);
        }
        let account = match accounts::by_email(conn, email).await.or_internal()? {
            Some((account, _)) => account,
            None => newcomer(conn, email, settings).await?,
        };
        // Somebody else at the provider has come with this address before: it has passed on, the account has not.
        if !identities::link(conn, &settings.issuer, subject, account.id).await.or_internal()? {
            let detail = "the account of this address belongs to somebody else at the provider";
            return Err(Error::conflict("identity_taken", detail));
        }
        let detail = json!({ "issuer": settings.issuer });
        let id = account.id;
        events::append(conn, Some(id), "identity_linked", &id.to_string(), &detail).await.or_internal()?;
        Ok(account)
    }
}

/// Makes the account of somebody new, if somebody has invited the address or the settings give new people a role.
async fn newcomer(conn: &mut PgConnection, email: &str, settings: &ProviderSettings) -> Result<Account> {
    let invitation = invitations::take_of(conn, email).await.or_internal()?;
    let role = invitation.as_ref().map(|it| it.role).or(settings.role);
    let Some(role) = role else {
        let detail = "there is no account with this address; an administrator can invite it";
        return Err(Error::conflict("no_account", detail));
    };
    let account = Account { id: AccountId(Uuid::now_v7()), email: email.to_owned(), role };
    if !accounts::insert(conn, &account, None).await.or_internal()? {
        // Made a moment ago, from another tab.
        return Err(Error::Busy { retry_after: 1 });
    }
    let detail =
        json!({ "role": role.as_str(), "invitation": invitation.map(|it| it.id), "issuer": settings.issuer });
    let id = account.id;
    events::append(conn, Some(id), "account_added", &id.to_string(), &detail).await.or_internal()?;
    Ok(account)
}

impl ProviderSettings {
    /// The stored spelling of the address, if it is verified and of a domain that may sign in.
    fn admit(&self, claims: &Claims) -> Result<String> {
        let given = claims.email.as_deref().filter(|_| claims.email_verified);
        let Some(Ok(address)) = given.map(email::parse) else {
            let detail = "the provider does not say that the e-mail address is verified";
            return Err(Error::conflict("email_unverified", detail));
        };
        let domain = address.rsplit('@').next().unwrap_or_default();
        if !self.domains.is_empty() && !self.domains.iter().any(|it| it == domain) {
            let detail = "people of this e-mail domain may not sign in here";
            return Err(Error::conflict("email_foreign", detail));
        }
        Ok(address)
    }
}

/// Whether the answer is to a departure of this browser, a short while ago.
fn check_departure(arrival: &Arrival) -> Result<()> {
    let left: Option<i64> = arrival.secret.split_once('.').and_then(|(_, time)| time.parse().ok());
    let now = jiff::Timestamp::now().as_second();
    let fresh = left.is_some_and(|left| (0..=AWAY_SECONDS).contains(&now.saturating_sub(left)));
    // Both are hashes of a secret, so that the time of comparing tells nothing of it.
    if !fresh || derived(&arrival.secret, "state") != arrival.state {
        let detail = "this sign-in was begun in another browser, or too long ago; begin again";
        return Err(Error::conflict("sign_in_expired", detail));
    }
    Ok(())
}

/// The provider's answer is not what it should be: why is for the log, what to do is for the person.
fn refused(why: &str) -> Error {
    tracing::warn!(why, "a sign-in with the provider was refused");
    Error::conflict("provider_refused", "the provider's answer could not be verified; begin again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(left: i64) -> Arrival {
        let secret = format!("secret.{left}");
        Arrival { state: derived(&secret, "state"), secret, ..Arrival::default() }
    }

    #[test]
    fn an_answer_is_taken_by_the_browser_that_left_and_for_ten_minutes() {
        let now = jiff::Timestamp::now().as_second();
        assert_eq!(check_departure(&arrival(now - 5)), Ok(()));
        let late = check_departure(&arrival(now - AWAY_SECONDS - 5)).expect_err("too late");
        assert_eq!(late.code(), "sign_in_expired");
        assert!(check_departure(&arrival(now + 60)).is_err(), "left in the future");
        let other = Arrival { state: derived("other", "state"), ..arrival(now) };
        assert!(check_departure(&other).is_err(), "another browser's");
        // The time is part of what state and nonce are made of: an old secret cannot be given a new time.
        let redated = Arrival { secret: format!("secret.{now}"), ..arrival(now - AWAY_SECONDS - 5) };
        assert!(check_departure(&redated).is_err(), "an old answer with a new time");
        assert!(check_departure(&Arrival::default()).is_err(), "no cookie");
    }

    #[test]
    fn only_verified_addresses_of_the_right_domains_come_in() {
        let settings = |domains: &[&str]| ProviderSettings {
            issuer: "https://id.example".into(),
            client_id: "concord".into(),
            client_secret: None,
            domains: domains.iter().map(|&it| it.to_owned()).collect(),
            role: None,
        };
        let claims = |email: &str, email_verified| Claims {
            sub: "1".into(),
            email: Some(email.to_owned()),
            email_verified,
        };
        let all = settings(&[]);
        assert_eq!(all.admit(&claims("Ann@Example.org", true)), Ok("ann@example.org".into()));
        assert_eq!(all.admit(&claims("ann@example.org", false)).expect_err("no").code(), "email_unverified");
        assert_eq!(all.admit(&claims("ann", true)).expect_err("no").code(), "email_unverified");
        let ours = settings(&["example.org"]);
        assert!(ours.admit(&claims("ann@example.org", true)).is_ok());
        for other in ["ann@example.org.evil", "ann@sub.example.org", "ann@notexample.org"] {
            assert_eq!(ours.admit(&claims(other, true)).expect_err(other).code(), "email_foreign");
        }
    }
}
