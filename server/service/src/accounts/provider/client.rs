//! Asking the provider: what it offers, its keys, and tokens for a code. Answers are limited, no redirect is followed.

use super::claims::{self, Claims, Expected};
use super::{ProviderSettings, refused};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use concord_domain::Error;
use concord_domain::api::Result;
use form_urlencoded::{Serializer, byte_serialize};
use jsonwebtoken::jwk::JwkSet;
use reqwest::{RequestBuilder, Url, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long the provider may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer.
const LARGEST: usize = 1024 * 1024;
/// How long what it has said of itself is believed.
const FRESH: Duration = Duration::from_secs(3600);
/// How often keys are asked for again because a token names one that is not known.
const KEYS_AGAIN: Duration = Duration::from_secs(60);

/// What a provider says of itself.
#[derive(Debug, Deserialize)]
struct Offer {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

#[derive(Debug)]
struct Known {
    offer: Arc<Offer>,
    keys: Arc<JwkSet>,
    at: Instant,
    asked_again: Option<Instant>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: String,
}

/// A client of one provider.
#[derive(Debug)]
pub(super) struct Client {
    settings: ProviderSettings,
    host: String,
    plain: bool,
    http: reqwest::Client,
    known: Mutex<Option<Known>>,
}

impl Client {
    pub(super) fn new(settings: &ProviderSettings) -> std::result::Result<Self, String> {
        let url = Url::parse(&settings.issuer).map_err(|_| "is not an address".to_owned())?;
        let host = url.host_str().ok_or("names no host")?.to_owned();
        let here =
            host == "localhost" || matches!(host.parse(), Ok(std::net::IpAddr::V4(ip)) if ip.is_loopback());
        let plain = url.scheme() == "http" && here;
        if url.scheme() != "https" && !plain {
            return Err("must begin with https://".to_owned());
        }
        // An `Err` only says that a provider of TLS is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("concord/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .timeout(PATIENCE);
        if here {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| error.to_string())?;
        Ok(Self { settings: settings.clone(), host, plain, http, known: Mutex::new(None) })
    }

    /// What people know the provider by.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) async fn check(&self) -> std::result::Result<(), String> {
        self.read().await.map(|_| ())
    }

    /// The provider's page with these parameters.
    pub(super) async fn authorisation(&self, parameters: &[(&str, &str)]) -> Result<String> {
        let (offer, _) = self.known().await?;
        let mut to = self.endpoint(&offer.authorization_endpoint)?;
        to.query_pairs_mut().extend_pairs(parameters);
        Ok(to.into())
    }

    /// Who the code is about. Some providers say the address only to who asks with the access token.
    pub(super) async fn claims(&self, code: &str, verifier: &str, back: &str, nonce: &str) -> Result<Claims> {
        let (offer, keys) = self.known().await?;
        let tokens = self.tokens(&offer, code, verifier, back).await?;
        let expected = Expected { issuer: &self.settings.issuer, client_id: &self.settings.client_id, nonce };
        let keys = self.keys_for(&tokens.id_token, keys).await?;
        let key = claims::key_of(&tokens.id_token, &keys).map_err(|why| refused(&why))?;
        let key =
            key.ok_or_else(|| refused("the ID token is signed with a key that the provider does not show"))?;
        let said = claims::verified(&tokens.id_token, key, expected).map_err(|why| refused(&why))?;
        match &offer.userinfo_endpoint {
            Some(address) if said.email.is_none() => {
                let request = self.http.get(self.endpoint(address)?).bearer_auth(&tokens.access_token);
                let more: Claims = self.ask(request).await.map_err(|why| refused(&why))?;
                if more.sub == said.sub { Ok(more) } else { Err(refused("userinfo is about somebody else")) }
            }
            _ => Ok(said),
        }
    }

    async fn tokens(&self, offer: &Offer, code: &str, verifier: &str, back: &str) -> Result<Tokens> {
        let id = self.settings.client_id.as_str();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back),
            ("code_verifier", verifier),
        ];
        let mut request = self.http.post(self.endpoint(&offer.token_endpoint)?);
        // In the header unless the provider says that it takes it in the form alone.
        let methods = offer.token_endpoint_auth_methods_supported.as_deref();
        let in_header = methods.is_none_or(|all| all.iter().any(|it| it == "client_secret_basic"));
        match &self.settings.client_secret {
            Some(secret) if in_header => {
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair = BASE64_STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
                request = request.header("authorization", format!("Basic {pair}"));
            }
            Some(secret) => form.extend([("client_id", id), ("client_secret", secret.as_str())]),
            None => form.push(("client_id", id)),
        }
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        self.ask(request).await.map_err(|why| refused(&why))
    }

    /// The keys, asked for again where this token names one that is not among them: providers change their keys.
    async fn keys_for(&self, token: &str, keys: Arc<JwkSet>) -> Result<Arc<JwkSet>> {
        if claims::key_of(token, &keys).map_err(|why| refused(&why))?.is_some() {
            return Ok(keys);
        }
        let mut known = self.known.lock().await;
        let Some(known) = known.as_mut() else { return Ok(keys) };
        if known.asked_again.is_none_or(|at| at.elapsed() > KEYS_AGAIN) {
            known.asked_again = Some(Instant::now());
            known.keys = Arc::new(self.read_keys(&known.offer).await.map_err(|why| away(&why))?);
        }
        Ok(Arc::clone(&known.keys))
    }

    async fn known(&self) -> Result<(Arc<Offer>, Arc<JwkSet>)> {
        let mut known = self.known.lock().await;
        if known.as_ref().is_none_or(|it| it.at.elapsed() > FRESH) {
            let (offer, keys) = self.read().await.map_err(|why| away(&why))?;
            let asked_again = known.as_ref().and_then(|it| it.asked_again);
            *known =
                Some(Known { offer: Arc::new(offer), keys: Arc::new(keys), at: Instant::now(), asked_again });
        }
        match known.as_ref() {
            Some(it) => Ok((Arc::clone(&it.offer), Arc::clone(&it.keys))),
            None => Err(away("nothing is known of it")),
        }
    }

    async fn read(&self) -> std::result::Result<(Offer, JwkSet), String> {
        let issuer = &self.settings.issuer;
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let offer: Offer = self.ask(self.http.get(address)).await?;
        if offer.issuer != *issuer {
            return Err(format!("it calls itself {}, and the setting oidc_issuer does not", offer.issuer));
        }
        let keys = self.read_keys(&offer).await?;
        Ok((offer, keys))
    }

    async fn read_keys(&self, offer: &Offer) -> std::result::Result<JwkSet, String> {
        let address =
            self.endpoint(&offer.jwks_uri).map_err(|_| "its keys are at no https address".to_owned())?;
        self.ask(self.http.get(address)).await
    }

    /// An address the provider gives: over TLS, but for one on this machine.
    fn endpoint(&self, address: &str) -> Result<Url> {
        let url = Url::parse(address).ok().filter(|url| url.scheme() == "https" || self.plain);
        url.ok_or_else(|| refused("the provider names an address without TLS"))
    }

    /// The JSON of an answer that is no refusal and not too large. What went wrong, in words without the body: it
    /// may hold secrets.
    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> std::result::Result<T, String> {
        let broke = |error: reqwest::Error| error.without_url().to_string();
        let mut answer = request.header("accept", "application/json").send().await.map_err(broke)?;
        if !answer.status().is_success() {
            return Err(format!("the provider answered {}", answer.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(broke)? {
            if body.len() + chunk.len() > LARGEST {
                return Err("the provider's answer is too large".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| format!("the provider's answer: {error}"))
    }
}

/// The provider cannot be used now.
fn away(why: &str) -> Error {
    tracing::error!(why, "the OpenID Connect provider cannot be used");
    Error::Unavailable {
        what: "the sign-in provider".into(),
        mend: "try again in a while, or sign in with a password; `concord doctor` says more".into(),
    }
}
