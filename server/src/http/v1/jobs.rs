//! Slow work: what waits, runs and failed.

use crate::http::HttpState;
use crate::http::extract::{Path, SignedIn};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use concord_domain::{Job, JobId};

/// Jobs, newest first.
#[utoipa::path(get, path = "/jobs", tag = "jobs",
    responses((status = 200, body = Vec<Job>), (status = 403, body = Problem)))]
pub(super) async fn list(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<Json<Vec<Job>>, Problem> {
    Ok(Json(state.use_cases.work.jobs(&actor).await?))
}

/// Stops a job that has not ended.
#[utoipa::path(post, path = "/jobs/{id}/cancel", tag = "jobs", params(("id" = JobId, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn cancel(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<JobId>,
) -> Result<StatusCode, Problem> {
    state.use_cases.work.cancel(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
