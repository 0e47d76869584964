//! Gold questions, and how people do on them.

use crate::http::HttpState;
use crate::http::extract::{Json, Path, Query, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use concord_domain::{GoldQuestion, GoldRequest, RaterRecord, SampleId};
use serde::Deserialize;

/// Marks a sample as a gold question with its right answers, or gives it others. Without answers those of the last
/// adjudications are taken.
#[utoipa::path(put, path = "/samples/{id}/gold", tag = "review", params(("id" = SampleId, Path)),
    request_body = GoldRequest,
    responses((status = 200, body = GoldQuestion), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn set(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<SampleId>,
    Json(request): Json<GoldRequest>,
) -> Result<axum::Json<GoldQuestion>, Problem> {
    Ok(axum::Json(state.use_cases.programmes.set_gold(&actor, id, request).await?))
}

/// Serves a gold question no longer; what was answered stays.
#[utoipa::path(delete, path = "/samples/{id}/gold", tag = "review", params(("id" = SampleId, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn retire(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<SampleId>,
) -> Result<StatusCode, Problem> {
    state.use_cases.programmes.retire_gold(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which gold questions.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GoldQuery {
    /// Only of this task.
    task: Option<String>,
}

/// Gold questions, newest first. Whoever reads them is never asked them.
#[utoipa::path(get, path = "/gold", tag = "review", params(GoldQuery),
    responses((status = 200, body = Vec<GoldQuestion>), (status = 403, body = Problem)))]
pub(super) async fn list(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<GoldQuery>,
) -> Result<axum::Json<Vec<GoldQuestion>>, Problem> {
    Ok(axum::Json(state.use_cases.programmes.gold(&actor, query.task.as_deref()).await?))
}

/// Everybody's record on gold questions and on repeats of their own samples.
#[utoipa::path(get, path = "/gold/records", tag = "review",
    responses((status = 200, body = Vec<RaterRecord>), (status = 403, body = Problem)))]
pub(super) async fn records(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<RaterRecord>>, Problem> {
    Ok(axum::Json(state.use_cases.programmes.records(&actor).await?))
}
