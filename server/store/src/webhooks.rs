//! Webhooks: who is told of what, and every message until it is delivered or given up.

use crate::{Result, jobs};
use concord_domain::{AccountId, Delivery, JobId, Notice, Webhook};
use jiff_sqlx::Timestamp;
use serde_json::{Value, json};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// Registers an address.
///
/// # Errors
/// The database's.
pub async fn add(
    conn: &mut PgConnection,
    id: Uuid,
    url: &str,
    events: &[String],
    secret: &[u8],
    by: AccountId,
) -> Result<()> {
    sqlx::query("insert into webhooks (id, url, events, secret, created_by) values ($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(url)
        .bind(events)
        .bind(secret)
        .bind(by.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes an address off; its deliveries stay on record, those waiting are given up. `false` if there is none.
///
/// # Errors
/// The database's.
pub async fn remove(conn: &mut PgConnection, id: Uuid) -> Result<bool> {
    let done = sqlx::query("update webhooks set removed_at = now() where id = $1 and removed_at is null")
        .bind(id)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "update webhook_deliveries set state = 'failed', error = 'the webhook was removed', ended_at = now()
         where webhook_id = $1 and state = 'waiting'",
    )
    .bind(id)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Registered addresses, oldest first, without their secrets.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Webhook>> {
    let rows = sqlx::query(
        "select w.id, w.url, w.events, p.email, w.created_at,
                count(d.id) filter (where d.state = 'delivered') delivered,
                count(d.id) filter (where d.state = 'waiting') waiting,
                count(d.id) filter (where d.state = 'failed') failed
         from webhooks w join accounts p on p.id = w.created_by
         left join webhook_deliveries d on d.webhook_id = w.id
         where w.removed_at is null group by w.id, p.email order by w.created_at, w.id",
    )
    .fetch_all(conn)
    .await?;
    let whole = |n: i64| u64::try_from(n).unwrap_or(0);
    rows.iter()
        .map(|row| {
            Ok(Webhook {
                id: row.try_get("id")?,
                url: row.try_get("url")?,
                events: row.try_get("events")?,
                by: row.try_get("email")?,
                at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
                secret: None,
                delivered: whole(row.try_get("delivered")?),
                waiting: whole(row.try_get("waiting")?),
                failed: whole(row.try_get("failed")?),
            })
        })
        .collect()
}

/// The newest messages, of one address or of all.
///
/// # Errors
/// The database's.
pub async fn deliveries(conn: &mut PgConnection, of: Option<Uuid>, limit: i64) -> Result<Vec<Delivery>> {
    let rows = sqlx::query(
        "select * from webhook_deliveries where $1::uuid is null or webhook_id = $1
         order by created_at desc, id limit $2",
    )
    .bind(of)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Delivery {
                id: row.try_get("id")?,
                webhook: row.try_get("webhook_id")?,
                event: row.try_get("event")?,
                state: row.try_get("state")?,
                attempts: u32::try_from(row.try_get::<i32, _>("attempts")?).unwrap_or(0),
                status: row.try_get::<Option<i32>, _>("status")?.and_then(|it| u16::try_from(it).ok()),
                error: row.try_get("error")?,
                at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
                ended_at: row.try_get::<Option<Timestamp>, _>("ended_at")?.map(|at| at.to_jiff()),
            })
        })
        .collect()
}

/// Queues a message for every address that asked for it, or for the one named. It goes out once this transaction
/// is committed. Gives how many.
///
/// # Errors
/// The database's.
pub async fn tell(
    conn: &mut PgConnection,
    notice: Notice,
    only: Option<Uuid>,
    data: &Value,
) -> Result<usize> {
    let body =
        json!({"type": notice.as_str(), "timestamp": jiff::Timestamp::now().to_string(), "data": data});
    let queued: Vec<Uuid> = sqlx::query_scalar(
        "insert into webhook_deliveries (id, webhook_id, event, body)
         select gen_random_uuid(), w.id, $1, $2 from webhooks w
         where w.removed_at is null and case when $3::uuid is null then $1 = any(w.events) else w.id = $3 end
         returning id",
    )
    .bind(notice.as_str())
    .bind(body.to_string())
    .bind(only)
    .fetch_all(&mut *conn)
    .await?;
    for delivery in &queued {
        let job = jobs::NewJob {
            id: JobId(Uuid::now_v7()),
            kind: "webhook",
            args: json!({ "delivery": delivery }),
            priority: 10,
            dedupe_key: Some(format!("webhook:{delivery}")),
            created_by: None,
        };
        jobs::enqueue(conn, &job).await?;
    }
    Ok(queued.len())
}

/// Queues what is to be told of certificates.
///
/// # Errors
/// The database's.
pub async fn tell_of(conn: &mut PgConnection, notice: Notice, certificates: &[Uuid]) -> Result<()> {
    for id in certificates {
        for (_, certificate) in crate::certificates::list(conn, None, None, Some(*id)).await? {
            let shown = &certificate.shown;
            let data = json!({"certificate": id, "task": certificate.task, "criterion": certificate.criterion,
                "judge": certificate.judge, "rubric": certificate.rubric, "verdict": shown.verdict,
                "status": shown.status, "eps": shown.eps, "delta": shown.delta, "threshold": shown.threshold,
                "coverage": shown.coverage, "n": shown.n, "errors": shown.errors, "why": shown.why});
            tell(conn, notice, None, &data).await?;
        }
    }
    Ok(())
}

/// A message to be sent.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where to.
    pub url: String,
    /// Signs it.
    pub secret: Vec<u8>,
    /// The exact body.
    pub body: String,
    /// Tries before this one.
    pub attempts: i32,
}

/// A message that still waits; `None` once it is delivered or given up.
///
/// # Errors
/// The database's.
pub async fn outgoing(conn: &mut PgConnection, delivery: Uuid) -> Result<Option<Outgoing>> {
    let row = sqlx::query(
        "select w.url, w.secret, d.body, d.attempts from webhook_deliveries d join webhooks w on w.id = d.webhook_id
         where d.id = $1 and d.state = 'waiting'",
    )
    .bind(delivery)
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Outgoing {
            url: row.try_get("url")?,
            secret: row.try_get("secret")?,
            body: row.try_get("body")?,
            attempts: row.try_get("attempts")?,
        })
    })
    .transpose()
}

/// Stores what a try came to: `delivered`, `failed` for good, or still `waiting`.
///
/// # Errors
/// The database's.
pub async fn tried(
    conn: &mut PgConnection,
    delivery: Uuid,
    state: &str,
    status: Option<u16>,
    error: Option<&str>,
) -> Result<()> {
    sqlx::query(
        "update webhook_deliveries set attempts = attempts + 1, state = $2, status = $3, error = $4,
            ended_at = case when $2 <> 'waiting' then now() end
         where id = $1 and state = 'waiting'",
    )
    .bind(delivery)
    .bind(state)
    .bind(status.map(i32::from))
    .bind(error)
    .execute(conn)
    .await?;
    Ok(())
}
