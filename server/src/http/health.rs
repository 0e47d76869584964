//! Probes: is the process up, and can it do its work.

use super::HttpState;
use super::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use concord_store::{StoreError, health};
use std::time::Duration;

/// How long a probe waits for the database.
const PATIENCE: Duration = Duration::from_secs(2);

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: database and queue are usable, and the server is not about to stop.
pub(super) async fn ready(State(state): State<HttpState>) -> Result<&'static str, Problem> {
    if state.stop.is_cancelled() {
        let why = "this server is about to stop: ask another";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", why));
    }
    let probe = async {
        let mut conn = state.pool.acquire().await.map_err(StoreError::from)?;
        health::queue_is_writable(&mut conn).await
    };
    let why = match tokio::time::timeout(PATIENCE, probe).await {
        Ok(Ok(true)) => return Ok("ready\n"),
        Ok(Ok(false)) => "the database is read-only",
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            "the database cannot be used; `concord doctor` says why"
        }
        Err(_) => "the database does not answer",
    };
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", why))
}
