//! Rounds of self-training.

use crate::http::HttpState;
use crate::http::extract::{Json, Path, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use concord_domain::{Error, Round, RoundPlan, RoundSchedule};
use uuid::Uuid;

/// Rounds, newest first.
#[utoipa::path(get, path = "/rounds", tag = "evolve",
    responses((status = 200, body = Vec<Round>), (status = 403, body = Problem)))]
pub(super) async fn list(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<Round>>, Problem> {
    Ok(axum::Json(state.use_cases.evolve.rounds(&actor, None).await?))
}

/// Starts a round as a job: generate, judge, label, export, train, evaluate, promote or refuse.
#[utoipa::path(post, path = "/rounds", tag = "evolve", request_body = RoundPlan,
    responses((status = 202, body = Round), (status = 422, body = Problem)))]
pub(super) async fn start(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(plan): Json<RoundPlan>,
) -> Result<(StatusCode, axum::Json<Round>), Problem> {
    Ok((StatusCode::ACCEPTED, axum::Json(state.use_cases.evolve.start_round(&actor, plan).await?)))
}

/// A round: what ran, what it waits for, what it cost and what came of it.
#[utoipa::path(get, path = "/rounds/{id}", tag = "evolve", params(("id" = Uuid, Path)),
    responses((status = 200, body = Round), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<axum::Json<Round>, Problem> {
    let found = state.use_cases.evolve.rounds(&actor, Some(id)).await?.pop();
    Ok(axum::Json(found.ok_or_else(|| Error::not_found("round"))?))
}

/// Stops a round where it is; what it made stays.
#[utoipa::path(post, path = "/rounds/{id}/stop", tag = "evolve", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn stop(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    state.use_cases.evolve.stop_round(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The schedule by which rounds start by themselves; null where they do not.
#[utoipa::path(get, path = "/rounds/schedule", tag = "evolve",
    responses((status = 200, body = Option<RoundSchedule>), (status = 403, body = Problem)))]
pub(super) async fn schedule(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Option<RoundSchedule>>, Problem> {
    Ok(axum::Json(state.use_cases.evolve.schedule(&actor).await?))
}

/// Lets rounds start by themselves: every 14 days one that learns the last 14 days of the log, unless said otherwise.
#[utoipa::path(put, path = "/rounds/schedule", tag = "evolve", request_body = RoundSchedule,
    responses((status = 204), (status = 422, body = Problem)))]
pub(super) async fn set_schedule(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(new): Json<RoundSchedule>,
) -> Result<StatusCode, Problem> {
    state.use_cases.evolve.set_schedule(&actor, Some(new)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// No round starts by itself any more.
#[utoipa::path(delete, path = "/rounds/schedule", tag = "evolve", responses((status = 204), (status = 403, body = Problem)))]
pub(super) async fn remove_schedule(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<StatusCode, Problem> {
    state.use_cases.evolve.set_schedule(&actor, None).await?;
    Ok(StatusCode::NO_CONTENT)
}
