//! How a task is reviewed: its programme and its rubric.

use crate::http::HttpState;
use crate::http::extract::{Json, Path, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use concord_domain::{Programme, Rubric};

/// The programme of a task.
#[utoipa::path(get, path = "/tasks/{task}/programme", tag = "review", params(("task" = String, Path)),
    responses((status = 200, body = Programme), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
) -> Result<axum::Json<Programme>, Problem> {
    Ok(axum::Json(state.use_cases.review.programme(&actor, &task).await?))
}

/// Changes the programme of a task.
#[utoipa::path(put, path = "/tasks/{task}/programme", tag = "review", params(("task" = String, Path)),
    request_body = Programme, responses((status = 200, body = Programme), (status = 422, body = Problem)))]
pub(super) async fn set(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
    Json(programme): Json<Programme>,
) -> Result<axum::Json<Programme>, Problem> {
    Ok(axum::Json(state.use_cases.review.set_programme(&actor, &task, programme).await?))
}

/// The current rubric of a task.
#[utoipa::path(get, path = "/rubrics/{task}", tag = "review", params(("task" = String, Path)),
    responses((status = 200, body = Rubric), (status = 404, body = Problem)))]
pub(super) async fn rubric(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
) -> Result<axum::Json<Rubric>, Problem> {
    Ok(axum::Json(state.use_cases.review.rubric(&actor, &task).await?))
}
