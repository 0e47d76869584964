//! Sending a message: signed, once per try, to the addresses that were checked, following nothing.

use super::address::{self, Reach, Refusal, Target};
use crate::jobs::JobError;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use concord_store::webhooks::{self, Outgoing};
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use reqwest::{Client, redirect};
use serde::Deserialize;
use sha2::Sha256;
use sqlx::PgPool;
use std::time::Duration;
use uuid::Uuid;

/// How long the other side may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Tries in all; with the waits below about three hours.
const TRIES: i32 = 15;
/// The first wait, in seconds; it doubles.
const FIRST_WAIT: f64 = 2.0;
/// The longest.
const LONGEST_WAIT: f64 = 3600.0;

/// Runs the `webhook` jobs.
#[derive(Debug, Clone)]
pub struct Courier {
    /// The database.
    pub pool: PgPool,
    /// Which addresses may be called.
    pub reach: Reach,
}

/// What a `webhook` job works on.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct SendArgs {
    delivery: Uuid,
}

/// Why a try came to nothing: in words, with the status where there was an answer.
type Failed = (Option<u16>, String);

impl Courier {
    /// Tries once. A try that fails is stored and comes again after a while, until it is one too many.
    ///
    /// # Errors
    /// [`JobError`]: when to try again.
    pub async fn run(&self, args: SendArgs) -> Result<(), JobError> {
        let mut conn = self.pool.acquire().await?;
        let Some(message) = webhooks::outgoing(&mut conn, args.delivery).await? else { return Ok(()) };
        drop(conn);
        let tried = self.send(args.delivery, &message).await;
        let last = message.attempts + 1 >= TRIES;
        let mut conn = self.pool.acquire().await?;
        match tried {
            Ok(status) => {
                webhooks::tried(&mut conn, args.delivery, "delivered", Some(status), None).await?;
                Ok(())
            }
            Err((status, why)) => {
                let state = if last { "failed" } else { "waiting" };
                webhooks::tried(&mut conn, args.delivery, state, status, Some(&why)).await?;
                if last {
                    return Err(JobError::give_up(why));
                }
                let again_after = Some(wait(message.attempts, rand::rng().random()));
                Err(JobError { why, again_after, counted: false })
            }
        }
    }

    async fn send(&self, delivery: Uuid, message: &Outgoing) -> Result<u16, Failed> {
        let target = address::resolve(&message.url, self.reach).await.map_err(|refused| match refused {
            Refusal::Never(why) => (None, format!("the address {why}")),
            Refusal::Unresolved(why) => (None, why),
        })?;
        let now = jiff::Timestamp::now().as_second();
        let client = client(&target).map_err(|error| (None, error.to_string()))?;
        let answer = client
            .post(target.url)
            .header("content-type", "application/json")
            .header("webhook-id", delivery.to_string())
            .header("webhook-timestamp", now.to_string())
            .header("webhook-signature", signature(&message.secret, delivery, now, &message.body))
            .body(message.body.clone())
            .send()
            .await
            .map_err(|error| (None, said(&error).to_owned()))?;
        let status = answer.status();
        if status.is_success() {
            Ok(status.as_u16())
        } else {
            Err((Some(status.as_u16()), format!("the receiver answered {status}")))
        }
    }
}

/// A client that knows these addresses alone.
fn client(target: &Target) -> reqwest::Result<Client> {
    // An `Err` only says that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("concord/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(PATIENCE)
        .resolve_to_addrs(&target.host, &target.addresses)
        .build()
}

/// What went wrong, without the address: it may hold a token of the receiver's.
fn said(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer within 10 s"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    }
}

/// Standard Webhooks: HMAC-SHA256 over id, time and body, in base64.
fn signature(secret: &[u8], id: Uuid, at: i64, body: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret).unwrap_or_else(|_| unreachable!("any length will do"));
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

/// Seconds until the next try: doubling, and spread so that messages that failed together come apart.
fn wait(attempts: i32, random: f64) -> i32 {
    let wait = (FIRST_WAIT * 2.0_f64.powi(attempts)).min(LONGEST_WAIT) * (0.5 + random);
    #[expect(clippy::cast_possible_truncation, reason = "at most an hour and a half")]
    let seconds = wait.ceil() as i32;
    seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_standard_webhooks() {
        // RFC 4231, test case 2, by the same primitive.
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").expect("a key");
        mac.update(b"what do ya want for nothing?");
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let signed = signature(&[7; 32], Uuid::nil(), 1_700_000_000, "{}");
        assert!(signed.starts_with("v1,") && signed.len() == 3 + 44, "{signed}");
        assert_ne!(signed, signature(&[7; 32], Uuid::nil(), 1_700_000_001, "{}"), "the time is signed");
    }

    #[test]
    fn waits_double_up_to_an_hour_and_are_spread() {
        assert_eq!((wait(0, 0.0), wait(0, 1.0), wait(3, 0.5)), (1, 3, 16));
        assert_eq!((wait(14, 0.5), wait(30, 0.5)), (3600, 3600));
    }
}
