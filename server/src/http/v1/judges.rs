//! Judges: what they are made of, examples, calibration, judging anew, probes, and the senior reviewer's rule.

use crate::http::HttpState;
use crate::http::extract::{Json, Path, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use concord_domain::{
    Calibrated, CalibrationRequest, DrawRequest, Error, HeadRequest, HeadRun, ProbeReport, ProbeRequest,
    SeniorRule, TaskJudge,
};
use serde::Deserialize;

/// The judge of every task.
#[utoipa::path(get, path = "/judges", tag = "judges",
    responses((status = 200, body = Vec<TaskJudge>), (status = 403, body = Problem)))]
pub(super) async fn list(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<TaskJudge>>, Problem> {
    Ok(axum::Json(state.use_cases.judges.judges(&actor, None).await?))
}

/// The judge of a task.
#[utoipa::path(get, path = "/judges/{task}", tag = "judges", params(("task" = String, Path)),
    responses((status = 200, body = TaskJudge), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
) -> Result<axum::Json<TaskJudge>, Problem> {
    let found = state.use_cases.judges.judges(&actor, Some(&task)).await?.pop();
    Ok(axum::Json(found.ok_or_else(|| Error::not_found("task"))?))
}

/// Draws worked examples from what people agree on in the train half. The judge is another one from here on: live
/// certificates of the one before are void.
#[utoipa::path(post, path = "/judges/{task}/examples", tag = "judges", params(("task" = String, Path)),
    request_body = DrawRequest,
    responses((status = 200, body = TaskJudge), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn draw(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
    Json(request): Json<DrawRequest>,
) -> Result<axum::Json<TaskJudge>, Problem> {
    Ok(axum::Json(state.use_cases.judges.draw(&actor, &task, request).await?))
}

/// Fits calibrations on blind labels of the train half; verdicts are read anew from stored logits by a job.
#[utoipa::path(post, path = "/judges/{task}/calibration", tag = "judges", params(("task" = String, Path)),
    request_body = CalibrationRequest,
    responses((status = 200, body = Calibrated), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn calibrate(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
    Json(request): Json<CalibrationRequest>,
) -> Result<axum::Json<Calibrated>, Problem> {
    Ok(axum::Json(state.use_cases.judges.calibrate(&actor, &task, request).await?))
}

/// What to judge anew.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Rejudge {
    /// Only what people have labelled.
    labelled_only: bool,
}

/// Queues the judging of what the task's judge has not judged.
#[utoipa::path(post, path = "/judges/{task}/rejudge", tag = "judges", params(("task" = String, Path)),
    request_body = Rejudge, responses((status = 202), (status = 404, body = Problem)))]
pub(super) async fn rejudge(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
    Json(request): Json<Rejudge>,
) -> Result<StatusCode, Problem> {
    state.use_cases.judges.rejudge(&actor, &task, request.labelled_only).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Runs of probes, newest first.
#[utoipa::path(get, path = "/judges/{task}/probes", tag = "judges", params(("task" = String, Path)),
    responses((status = 200, body = Vec<ProbeReport>), (status = 404, body = Problem)))]
pub(super) async fn probes(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
) -> Result<axum::Json<Vec<ProbeReport>>, Problem> {
    Ok(axum::Json(state.use_cases.judges.probes(&actor, &task).await?))
}

/// Queues a run of probes.
#[utoipa::path(post, path = "/judges/{task}/probes", tag = "judges", params(("task" = String, Path)),
    request_body = ProbeRequest, responses((status = 202, body = ProbeReport), (status = 422, body = Problem)))]
pub(super) async fn probe(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
    Json(request): Json<ProbeRequest>,
) -> Result<(StatusCode, axum::Json<ProbeReport>), Problem> {
    Ok((StatusCode::ACCEPTED, axum::Json(state.use_cases.judges.probe(&actor, &task, request).await?)))
}

/// Changes how verdicts become S, A or B.
#[utoipa::path(put, path = "/judges/{task}/senior", tag = "judges", params(("task" = String, Path)),
    request_body = SeniorRule, responses((status = 200, body = SeniorRule), (status = 422, body = Problem)))]
pub(super) async fn set_senior(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
    Json(rule): Json<SeniorRule>,
) -> Result<axum::Json<SeniorRule>, Problem> {
    Ok(axum::Json(state.use_cases.judges.set_senior(&actor, &task, rule).await?))
}

/// Runs that trained heads, newest first.
#[utoipa::path(get, path = "/judges/{task}/heads", tag = "judges", params(("task" = String, Path)),
    responses((status = 200, body = Vec<HeadRun>), (status = 404, body = Problem)))]
pub(super) async fn heads(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
) -> Result<axum::Json<Vec<HeadRun>>, Problem> {
    Ok(axum::Json(state.use_cases.judges.heads(&actor, &task).await?))
}

/// Queues a run that trains heads on blind labels of the train half and promotes their judge if the audit half says
/// that it is better.
#[utoipa::path(post, path = "/judges/{task}/heads", tag = "judges", params(("task" = String, Path)),
    request_body = HeadRequest,
    responses((status = 202, body = HeadRun), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn train_head(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
    Json(request): Json<HeadRequest>,
) -> Result<(StatusCode, axum::Json<HeadRun>), Problem> {
    Ok((StatusCode::ACCEPTED, axum::Json(state.use_cases.judges.train_head(&actor, &task, request).await?)))
}

/// Takes the heads of the task's judge away.
#[utoipa::path(delete, path = "/judges/{task}/heads", tag = "judges", params(("task" = String, Path)),
    responses((status = 200, body = TaskJudge), (status = 409, body = Problem)))]
pub(super) async fn drop_heads(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
) -> Result<axum::Json<TaskJudge>, Problem> {
    Ok(axum::Json(state.use_cases.judges.drop_heads(&actor, &task).await?))
}
