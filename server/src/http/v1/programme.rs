//! How a task is reviewed: its programme and its rubrics.

use crate::http::HttpState;
use crate::http::extract::{Json, Path, Query, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use concord_domain::{DiffLine, Programme, Rubric, RubricPreview, RubricVersion};

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

/// Every version of a task's rubric, newest first.
#[utoipa::path(get, path = "/rubrics/{task}/versions", tag = "review", params(("task" = String, Path)),
    responses((status = 200, body = Vec<RubricVersion>), (status = 403, body = Problem)))]
pub(super) async fn versions(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
) -> Result<axum::Json<Vec<RubricVersion>>, Problem> {
    Ok(axum::Json(state.use_cases.rubrics.versions(&actor, Some(&task)).await?))
}

/// A rubric as the page edits it.
#[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RubricText {
    /// TOML.
    toml: String,
}

/// What publishing a rubric would do: minor or major, and what it ends. Errors name line and field.
#[utoipa::path(post, path = "/rubrics/check", tag = "review", request_body = RubricText,
    responses((status = 200, body = RubricPreview), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn check(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(text): Json<RubricText>,
) -> Result<axum::Json<RubricPreview>, Problem> {
    Ok(axum::Json(state.use_cases.rubrics.preview(&actor, &text.toml).await?))
}

/// Which two versions.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Two {
    /// The older.
    from: String,
    /// The newer.
    to: String,
}

/// Two versions of a task's rubric, line by line.
#[utoipa::path(get, path = "/rubrics/{task}/diff", tag = "review", params(("task" = String, Path), Two),
    responses((status = 200, body = Vec<DiffLine>), (status = 404, body = Problem)))]
pub(super) async fn diff(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
    Query(two): Query<Two>,
) -> Result<axum::Json<Vec<DiffLine>>, Problem> {
    Ok(axum::Json(state.use_cases.rubrics.diff(&actor, &task, &two.from, &two.to).await?))
}

/// Stores a version and makes it current. A stored version never changes; a new major version voids the
/// certificates of its task.
#[utoipa::path(post, path = "/rubrics", tag = "review", request_body = Rubric,
    responses((status = 201, body = RubricVersion), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn publish(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(rubric): Json<Rubric>,
) -> Result<(StatusCode, axum::Json<RubricVersion>), Problem> {
    Ok((StatusCode::CREATED, axum::Json(state.use_cases.rubrics.publish(&actor, rubric).await?)))
}
