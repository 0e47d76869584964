//! Generations: runs of a generator over some users.

use crate::http::HttpState;
use crate::http::extract::{Json, Path, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use concord_domain::{Generation, GenerationId, GenerationRequest};

/// Starts a generation; its samples are judged as they come.
#[utoipa::path(post, path = "/generations", tag = "generations", request_body = GenerationRequest,
    responses((status = 202, body = Generation), (status = 403, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn start(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(request): Json<GenerationRequest>,
) -> Result<(StatusCode, axum::Json<Generation>), Problem> {
    let generation = state.use_cases.work.generate(&actor, request).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(generation)))
}

/// Generations, newest first.
#[utoipa::path(get, path = "/generations", tag = "generations",
    responses((status = 200, body = Vec<Generation>), (status = 403, body = Problem)))]
pub(super) async fn list(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<Generation>>, Problem> {
    Ok(axum::Json(state.use_cases.work.generations(&actor).await?))
}

/// How far a generation is.
#[utoipa::path(get, path = "/generations/{id}", tag = "generations", params(("id" = GenerationId, Path)),
    responses((status = 200, body = Generation), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<GenerationId>,
) -> Result<axum::Json<Generation>, Problem> {
    Ok(axum::Json(state.use_cases.work.generation(&actor, id).await?))
}
