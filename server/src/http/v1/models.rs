//! Models trained here: the registry, the gate, promotion and rollback.

use crate::http::HttpState;
use crate::http::extract::{Json, Path, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use concord_domain::{GateRequest, ModelPlace, Promotion, TrainedModel};
use uuid::Uuid;

/// Models that were trained here, newest first.
#[utoipa::path(get, path = "/models", tag = "evolve",
    responses((status = 200, body = Vec<TrainedModel>), (status = 403, body = Problem)))]
pub(super) async fn list(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<TrainedModel>>, Problem> {
    Ok(axum::Json(state.use_cases.evolve.models(&actor).await?))
}

/// Decisions of the gate and changes of what serves, newest first.
#[utoipa::path(get, path = "/promotions", tag = "evolve",
    responses((status = 200, body = Vec<Promotion>), (status = 403, body = Problem)))]
pub(super) async fn promotions(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<Promotion>>, Problem> {
    Ok(axum::Json(state.use_cases.evolve.promotions(&actor).await?))
}

/// Compares a model with what serves, and promotes it or refuses it with the reasons.
///
/// A generator is compared by two generations for the same users, both labelled; a judge by the decisions of people
/// that it and the task's current judge have judged. A refusal is an answer, not an error: see `kind`.
#[utoipa::path(post, path = "/models/{id}/promotions", tag = "evolve", request_body = GateRequest,
    params(("id" = Uuid, Path)),
    responses((status = 200, body = Promotion), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn promote(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    Json(request): Json<GateRequest>,
) -> Result<axum::Json<Promotion>, Problem> {
    Ok(axum::Json(state.use_cases.evolve.promote(&actor, id, request).await?))
}

/// Gives a place back to what held it before the last promotion.
#[utoipa::path(post, path = "/rollbacks", tag = "evolve", request_body = ModelPlace,
    responses((status = 200, body = Promotion), (status = 409, body = Problem)))]
pub(super) async fn roll_back(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(place): Json<ModelPlace>,
) -> Result<axum::Json<Promotion>, Problem> {
    Ok(axum::Json(state.use_cases.evolve.roll_back(&actor, place).await?))
}
