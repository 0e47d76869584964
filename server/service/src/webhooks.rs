//! Webhooks: addresses that are told of certificates and alarms. A message is queued in the transaction of what it
//! tells, signed by the rules of Standard Webhooks, and tried until it is delivered or given up.

mod address;
mod send;

pub use address::Reach;
pub use send::Courier;

use crate::error::OrInternal;
use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use concord_domain::api::{self, Result};
use concord_domain::{Actor, Capability, Delivery, Error, NewWebhook, Notice, Webhook};
use concord_store::{events, webhooks};
use rand::RngCore;
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

/// Most addresses at once.
const MOST: usize = 20;
/// Deliveries shown.
const SHOWN: i64 = 100;

/// The webhook use cases.
#[derive(Debug, Clone)]
pub struct WebhooksService {
    pool: PgPool,
    reach: Reach,
}

impl WebhooksService {
    /// On this database; `reach` says whether private addresses may be told.
    #[must_use]
    pub fn new(pool: PgPool, reach: Reach) -> Self {
        Self { pool, reach }
    }
}

#[async_trait]
impl api::Webhooks for WebhooksService {
    async fn list(&self, actor: &Actor) -> Result<Vec<Webhook>> {
        actor.require(Capability::Certify)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        webhooks::list(&mut conn).await.or_internal()
    }

    async fn add(&self, actor: &Actor, new: NewWebhook) -> Result<Webhook> {
        actor.require(Capability::Certify)?;
        let events = known_events(&new.events)?;
        let url = new.url.trim();
        address::check(url, self.reach).await.map_err(|why| Error::invalid("url", why))?;
        let (id, mut secret) = (Uuid::now_v7(), [0_u8; 32]);
        rand::rng().fill_bytes(&mut secret);
        let mut tx = self.pool.begin().await.or_internal()?;
        if webhooks::list(&mut tx).await.or_internal()?.len() >= MOST {
            return Err(Error::conflict("too_many", format!("at most {MOST} webhooks: remove one first")));
        }
        webhooks::add(&mut tx, id, url, &events, &secret, actor.account).await.or_internal()?;
        let detail = json!({"url": url, "events": events});
        events::append(&mut tx, Some(actor.account), "webhook", &id.to_string(), &detail)
            .await
            .or_internal()?;
        let all = webhooks::list(&mut tx).await.or_internal()?;
        tx.commit().await.or_internal()?;
        let added = all.into_iter().find(|it| it.id == id).ok_or_else(|| Error::not_found("webhook"))?;
        Ok(Webhook { secret: Some(format!("whsec_{}", BASE64_STANDARD.encode(secret))), ..added })
    }

    async fn remove(&self, actor: &Actor, id: Uuid) -> Result<()> {
        actor.require(Capability::Certify)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        if !webhooks::remove(&mut tx, id).await.or_internal()? {
            return Err(Error::not_found("webhook"));
        }
        events::append(&mut tx, Some(actor.account), "webhook_removed", &id.to_string(), &json!({}))
            .await
            .or_internal()?;
        tx.commit().await.or_internal()
    }

    async fn ping(&self, actor: &Actor, id: Uuid) -> Result<()> {
        actor.require(Capability::Certify)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let data = json!({"by": actor.email});
        if webhooks::tell(&mut tx, Notice::Ping, Some(id), &data).await.or_internal()? == 0 {
            return Err(Error::not_found("webhook"));
        }
        tx.commit().await.or_internal()
    }

    async fn deliveries(&self, actor: &Actor, id: Option<Uuid>) -> Result<Vec<Delivery>> {
        actor.require(Capability::Certify)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        webhooks::deliveries(&mut conn, id, SHOWN).await.or_internal()
    }
}

/// The events asked for, each once and known.
fn known_events(asked: &[String]) -> Result<Vec<String>> {
    let known = Notice::ALL.map(Notice::as_str);
    if asked.is_empty() || asked.iter().any(|event| !known.contains(&event.as_str())) {
        return Err(Error::invalid("events", format!("at least one of {}", known.join(", "))));
    }
    Ok(known.iter().filter(|event| asked.iter().any(|it| it == *event)).map(|it| (*it).to_owned()).collect())
}
