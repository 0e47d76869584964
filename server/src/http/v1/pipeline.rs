//! The pipeline: preset interests, φ, explanations looked up, batches.

use crate::http::HttpState;
use crate::http::extract::{Json, Path, Query, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use concord_domain::{
    Batch, ExplainRequest, GenerationId, JobId, NewPreset, PhiReport, PresetChange, PresetInterest,
    ShownExplanation, Steer,
};
use serde::{Deserialize, Serialize};

/// The preset interest pool, those taken out too.
#[utoipa::path(get, path = "/preset-interests", tag = "pipeline",
    responses((status = 200, body = Vec<PresetInterest>), (status = 403, body = Problem)))]
pub(super) async fn presets(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<PresetInterest>>, Problem> {
    Ok(axum::Json(state.use_cases.pipeline.presets(&actor).await?))
}

/// Adds a preset interest.
#[utoipa::path(post, path = "/preset-interests", tag = "pipeline", request_body = NewPreset,
    responses((status = 201, body = PresetInterest), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn add_preset(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(new): Json<NewPreset>,
) -> Result<(StatusCode, axum::Json<PresetInterest>), Problem> {
    Ok((StatusCode::CREATED, axum::Json(state.use_cases.pipeline.add_preset(&actor, new).await?)))
}

/// Renames a preset interest, takes it out or brings it back.
#[utoipa::path(patch, path = "/preset-interests/{id}", tag = "pipeline", params(("id" = String, Path)), request_body = PresetChange,
    responses((status = 200, body = PresetInterest), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn change_preset(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<String>,
    Json(change): Json<PresetChange>,
) -> Result<axum::Json<PresetInterest>, Problem> {
    // What is no number is no preset's.
    let id = id.parse().unwrap_or(0);
    Ok(axum::Json(state.use_cases.pipeline.change_preset(&actor, id, change).await?))
}

/// How many were new.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Built {
    new: u64,
}

/// Adds a preset interest for each category of the catalogue that has none.
#[utoipa::path(post, path = "/preset-interests/build", tag = "pipeline",
    responses((status = 200, body = Built), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn build_presets(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Built>, Problem> {
    Ok(axum::Json(Built { new: state.use_cases.pipeline.build_presets(&actor).await? }))
}

/// φ for the embedder there is; `null` before it is trained.
#[utoipa::path(get, path = "/phi", tag = "pipeline",
    responses((status = 200, body = Option<PhiReport>), (status = 403, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn phi(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Option<PhiReport>>, Problem> {
    Ok(axum::Json(state.use_cases.pipeline.phi(&actor).await?))
}

/// Items to look up.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ItemsQuery {
    /// Item keys, divided by commas; at most 200.
    items: String,
}

/// The best stored line for each of these items for a user; items without one are left out. No model is asked.
#[utoipa::path(get, path = "/users/{user}/explanations", tag = "pipeline", params(("user" = String, Path), ItemsQuery),
    responses((status = 200, body = Vec<ShownExplanation>), (status = 404, body = Problem)))]
pub(super) async fn explanations(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(user): Path<String>,
    Query(query): Query<ItemsQuery>,
) -> Result<axum::Json<Vec<ShownExplanation>>, Problem> {
    let items = query.items.split(',').map(str::to_owned).filter(|key| !key.is_empty()).collect();
    Ok(axum::Json(state.use_cases.pipeline.explanations(&actor, &user, items).await?))
}

/// A job that was queued.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Queued {
    job: JobId,
}

/// Queues the building of the interest-item-explanation table; pairs that have a line are left as they are.
#[utoipa::path(post, path = "/explanations/build", tag = "pipeline", request_body = ExplainRequest,
    responses((status = 202, body = Queued), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn build_explanations(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(request): Json<ExplainRequest>,
) -> Result<(StatusCode, axum::Json<Queued>), Problem> {
    let job = state.use_cases.pipeline.build_explanations(&actor, request).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(Queued { job })))
}

/// Generations as batches: state, rate, time left; newest first.
#[utoipa::path(get, path = "/batches", tag = "pipeline",
    responses((status = 200, body = Vec<Batch>), (status = 403, body = Problem)))]
pub(super) async fn batches(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<Batch>>, Problem> {
    Ok(axum::Json(state.use_cases.pipeline.batches(&actor, None).await?))
}

/// Pauses a batch, goes on with it, stops it, or changes its place in the queue.
#[utoipa::path(post, path = "/batches/{id}/steer", tag = "pipeline", params(("id" = GenerationId, Path)), request_body = Steer,
    responses((status = 200, body = Batch), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn steer(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<GenerationId>,
    Json(steer): Json<Steer>,
) -> Result<axum::Json<Batch>, Problem> {
    Ok(axum::Json(state.use_cases.pipeline.steer(&actor, id, steer).await?))
}
