//! Training runs.

use crate::http::HttpState;
use crate::http::extract::{Path, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use concord_domain::{Error, TrainingRun};
use uuid::Uuid;

/// Runs of training, newest first.
#[utoipa::path(get, path = "/training/runs", tag = "evolve",
    responses((status = 200, body = Vec<TrainingRun>), (status = 403, body = Problem)))]
pub(super) async fn runs(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<TrainingRun>>, Problem> {
    Ok(axum::Json(state.use_cases.evolve.training_runs(&actor, None).await?))
}

/// One run with the loss of every step up to its last checkpoint.
#[utoipa::path(get, path = "/training/runs/{id}", tag = "evolve", params(("id" = Uuid, Path)),
    responses((status = 200, body = TrainingRun), (status = 404, body = Problem)))]
pub(super) async fn run(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<axum::Json<TrainingRun>, Problem> {
    let found = state.use_cases.evolve.training_runs(&actor, Some(id)).await?.pop();
    Ok(axum::Json(found.ok_or_else(|| Error::not_found("training run"))?))
}
