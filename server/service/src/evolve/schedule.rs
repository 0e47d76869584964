//! Rounds that start by themselves (paper §3: every two weeks).

use super::rounds;
use concord_domain::Capability;
use concord_store::Result;
use concord_store::rounds::take_due;
use sqlx::PgPool;
use std::time::Duration;
use tokio::sync::watch;

/// How often it is looked whether a round is due.
const EVERY: Duration = Duration::from_secs(60);

/// Starts rounds that are due until told to stop; several servers start one.
pub async fn start_due(pool: PgPool, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = look(&pool).await {
            tracing::warn!(%error, "a round that may be due was not started; trying again");
        }
        let _ = tokio::time::timeout(EVERY, stop.wait_for(|stop| *stop)).await;
    }
}

async fn look(pool: &PgPool) -> Result<()> {
    let mut tx = pool.begin().await?;
    if let Some((plan, actor)) = take_due(&mut tx).await? {
        if actor.require(Capability::Generate).is_err() {
            tracing::warn!(account = %actor.email, "whoever scheduled rounds may not start one any more: this one is left out");
        } else {
            rounds::start(&mut tx, &actor, &plan).await?;
        }
    }
    Ok(tx.commit().await?)
}
