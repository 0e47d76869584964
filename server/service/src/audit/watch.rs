//! Keeping watch: drift monitors read new labels within seconds, whether anybody looks at a page or not, so that an
//! alarm suspends its certificate at once.

use super::drift;
use sqlx::PgPool;
use std::time::Duration;
use tokio::sync::watch;

/// How often the log is looked at.
const EVERY: Duration = Duration::from_secs(3);

/// Reads on until told to stop. Several servers may do so at once: each stretch of the log is read by one.
pub async fn watch(pool: PgPool, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = drift::advance(&pool).await {
            tracing::warn!(%error, "the drift monitors could not read on; trying again");
        }
        let _ = tokio::time::timeout(EVERY, stop.wait_for(|stop| *stop)).await;
    }
}
