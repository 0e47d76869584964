//! Samples that people could not decide by the guideline.

use crate::http::HttpState;
use crate::http::extract::{Json, Path, Query, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use concord_domain::{Anchoring, Escalation, EscalationOutcome};
use serde::Deserialize;
use uuid::Uuid;

/// Which escalations.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EscalationsQuery {
    /// Also those that have ended.
    #[serde(default)]
    all: bool,
}

/// Escalations, those that wait longest first.
#[utoipa::path(get, path = "/escalations", tag = "review", params(EscalationsQuery),
    responses((status = 200, body = Vec<Escalation>), (status = 403, body = Problem)))]
pub(super) async fn list(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<EscalationsQuery>,
) -> Result<axum::Json<Vec<Escalation>>, Problem> {
    Ok(axum::Json(state.use_cases.programmes.escalations(&actor, !query.all).await?))
}

/// Ends an escalation: `guideline` names the rubric version that answers it, `wont` says why nothing changes.
#[utoipa::path(post, path = "/escalations/{id}/resolve", tag = "review", params(("id" = Uuid, Path)),
    request_body = EscalationOutcome,
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn resolve(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    Json(outcome): Json<EscalationOutcome>,
) -> Result<StatusCode, Problem> {
    state.use_cases.programmes.resolve_escalation(&actor, id, outcome).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What seeing verdicts does to people, by task and judge.
#[utoipa::path(get, path = "/anchoring", tag = "review",
    responses((status = 200, body = Vec<Anchoring>), (status = 403, body = Problem)))]
pub(super) async fn anchoring(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<Anchoring>>, Problem> {
    Ok(axum::Json(state.use_cases.programmes.anchoring(&actor).await?))
}
