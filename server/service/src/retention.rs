//! Keeping no longer than asked: behaviours older than the setting, and sessions and ended jobs that nobody needs. Done
//! once a day as a job, in small transactions, beside people's work.

use crate::jobs::JobError;
use concord_domain::JobId;
use concord_store::jobs::NewJob;
use concord_store::{Result, events, jobs, retention};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// How often it is looked whether today's job is there.
const EVERY: Duration = Duration::from_secs(3600);

/// What a retention job works on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RetainArgs {
    /// Days that behaviours are kept; `None`: for good.
    pub behaviour_days: Option<u32>,
}

/// Queues a job a day until told to stop; several servers queue one.
pub async fn daily(pool: PgPool, args: RetainArgs, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = queue(&pool, args).await {
            tracing::warn!(%error, "today's retention job was not queued; trying again");
        }
        let _ = tokio::time::timeout(EVERY, stop.wait_for(|stop| *stop)).await;
    }
}

async fn queue(pool: &PgPool, args: RetainArgs) -> Result<()> {
    let day = Timestamp::now().to_string();
    let job = NewJob {
        id: JobId(Uuid::now_v7()),
        kind: "retain",
        args: serde_json::json!(args),
        priority: 0,
        dedupe_key: Some(format!("retain:{}", day.get(..10).unwrap_or_default())),
        created_by: None,
    };
    jobs::enqueue(&mut *pool.acquire().await?, &job).await?;
    Ok(())
}

/// Deletes what is older than asked.
///
/// # Errors
/// [`JobError`]: tried again.
pub async fn run(pool: &PgPool, args: RetainArgs) -> std::result::Result<(), JobError> {
    let mut conn = pool.acquire().await?;
    let mut behaviours = 0;
    if let Some(days) = args.behaviour_days {
        loop {
            match retention::behaviours(&mut conn, days).await? {
                0 => break,
                n => behaviours += n,
            }
        }
    }
    let (sessions, ended) = (retention::sessions(&mut conn).await?, retention::jobs(&mut conn).await?);
    let detail = serde_json::json!({"behaviours": behaviours, "sessions": sessions, "jobs": ended});
    events::append(&mut conn, None, "retention", "daily", &detail).await?;
    Ok(())
}
