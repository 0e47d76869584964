//! The audit: report cards and what stands behind them, certificates, drift.

use crate::http::HttpState;
use crate::http::extract::{Json, Path, Query, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use concord_domain::{
    AnnotatorReport, AuditAllocation, AuditFilter, AuditReport, AuditSampling, Certificate,
    CertificateRequest, Decision, DecisionFilter, DriftMonitor, Investigation, JudgePair, Reliability,
    Replay, Slice, Statement,
};
use serde::Deserialize;
use uuid::Uuid;

/// One card.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CardQuery {
    /// Task.
    task: String,
    /// Criterion, `*` or `all`.
    criterion: String,
    /// Judge.
    judge: String,
}

/// Report cards.
#[utoipa::path(get, path = "/audit", tag = "audit", params(AuditFilter),
    responses((status = 200, body = AuditReport), (status = 403, body = Problem)))]
pub(super) async fn report(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Query(filter): Query<AuditFilter>,
) -> Result<axum::Json<AuditReport>, Problem> {
    Ok(axum::Json(state.use_cases.audit.report(&actor, filter).await?))
}

/// Single decisions, surest verdicts first. Whoever reads them is never given these samples blind.
#[utoipa::path(get, path = "/audit/decisions", tag = "audit", params(DecisionFilter),
    responses((status = 200, body = Vec<Decision>), (status = 422, body = Problem)))]
pub(super) async fn decisions(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Query(filter): Query<DecisionFilter>,
) -> Result<axum::Json<Vec<Decision>>, Problem> {
    let mut rows = state.use_cases.audit.decisions(&actor, filter).await?;
    rows.truncate(concord_domain::DECISIONS_A_PAGE as usize);
    Ok(axum::Json(rows))
}

/// The reliability diagram of a card.
#[utoipa::path(get, path = "/audit/reliability", tag = "audit", params(CardQuery),
    responses((status = 200, body = Reliability), (status = 404, body = Problem)))]
pub(super) async fn reliability(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Query(of): Query<CardQuery>,
) -> Result<axum::Json<Reliability>, Problem> {
    Ok(axum::Json(state.use_cases.audit.reliability(&actor, &of.task, &of.criterion, &of.judge).await?))
}

/// A card by category, language, generator and annotator.
#[utoipa::path(get, path = "/audit/slices", tag = "audit", params(CardQuery),
    responses((status = 200, body = Vec<Slice>), (status = 404, body = Problem)))]
pub(super) async fn slices(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Query(of): Query<CardQuery>,
) -> Result<axum::Json<Vec<Slice>>, Problem> {
    Ok(axum::Json(state.use_cases.audit.slices(&actor, &of.task, &of.criterion, &of.judge).await?))
}

/// The people who label. Never shown to annotators.
#[utoipa::path(get, path = "/annotators", tag = "audit",
    responses((status = 200, body = Vec<AnnotatorReport>), (status = 403, body = Problem)))]
pub(super) async fn annotators(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<AnnotatorReport>>, Problem> {
    Ok(axum::Json(state.use_cases.audit.annotators(&actor).await?))
}

/// Every two judges of a task on the same decisions.
#[utoipa::path(get, path = "/audit/judges/{task}", tag = "audit", params(("task" = String, Path)),
    responses((status = 200, body = Vec<JudgePair>)))]
pub(super) async fn pairs(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
) -> Result<axum::Json<Vec<JudgePair>>, Problem> {
    Ok(axum::Json(state.use_cases.audit.pairs(&actor, &task).await?))
}

/// Attempts and certificates, newest first.
#[utoipa::path(get, path = "/certificates", tag = "audit", responses((status = 200, body = Vec<Certificate>)))]
pub(super) async fn certificates(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<Certificate>>, Problem> {
    Ok(axum::Json(state.use_cases.audit.certificates(&actor, None).await?))
}

/// Attempts a certificate for each verdict class asked for. An attempt that certifies nothing is stored too.
#[utoipa::path(post, path = "/certificates", tag = "audit", request_body = CertificateRequest,
    responses((status = 201, body = Vec<Certificate>), (status = 422, body = Problem)))]
pub(super) async fn certify(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(request): Json<CertificateRequest>,
) -> Result<(StatusCode, axum::Json<Vec<Certificate>>), Problem> {
    Ok((StatusCode::CREATED, axum::Json(state.use_cases.audit.certify(&actor, request).await?)))
}

/// Why a certificate ends.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Void {
    /// In words.
    why: String,
}

/// Ends a certificate.
#[utoipa::path(post, path = "/certificates/{id}/void", tag = "audit", params(("id" = Uuid, Path)),
    request_body = Void, responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn void(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    Json(void): Json<Void>,
) -> Result<StatusCode, Problem> {
    state.use_cases.audit.void(&actor, id, &void.why).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Drift monitors with their charts.
#[utoipa::path(get, path = "/drift", tag = "audit", responses((status = 200, body = Vec<DriftMonitor>)))]
pub(super) async fn monitors(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<DriftMonitor>>, Problem> {
    Ok(axum::Json(state.use_cases.audit.monitors(&actor).await?))
}

/// What alarms opened, newest first.
#[utoipa::path(get, path = "/investigations", tag = "audit",
    responses((status = 200, body = Vec<Investigation>)))]
pub(super) async fn investigations(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<Investigation>>, Problem> {
    Ok(axum::Json(state.use_cases.audit.investigations(&actor, None).await?))
}

/// A step of an investigation.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// `relabel`, `recalibrate`, `certify` or `close`.
    step: String,
    /// What came of it.
    note: String,
}

/// Notes a step of an investigation.
#[utoipa::path(post, path = "/investigations/{id}/steps", tag = "audit", params(("id" = Uuid, Path)),
    request_body = Step, responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn investigate(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    Json(step): Json<Step>,
) -> Result<StatusCode, Problem> {
    state.use_cases.audit.investigate(&actor, id, &step.step, &step.note).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many samples people are to look at again.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Again {
    /// 1 to 500.
    n: u32,
}

/// How many were given to people.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct Given {
    /// Samples open to one more person each.
    given: u64,
}

/// Gives samples that the alarm's monitor has read to one more person each, drawn evenly.
#[utoipa::path(post, path = "/investigations/{id}/relabel", tag = "audit", params(("id" = Uuid, Path)),
    request_body = Again, responses((status = 201, body = Given), (status = 409, body = Problem)))]
pub(super) async fn relabel(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    Json(again): Json<Again>,
) -> Result<(StatusCode, axum::Json<Given>), Problem> {
    let given = state.use_cases.audit.relabel(&actor, id, again.n).await?;
    Ok((StatusCode::CREATED, axum::Json(Given { given })))
}

/// For whom a certificate is attempted anew.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Anew {
    /// The judge, where another has taken the place of the one that drifted.
    #[serde(default)]
    judge: Option<String>,
    /// What is stated of imported labels.
    #[serde(default)]
    statement: Option<Statement>,
}

/// Attempts a certificate like the suspended one, on labels that no attempt has read.
#[utoipa::path(post, path = "/investigations/{id}/certify", tag = "audit", params(("id" = Uuid, Path)),
    request_body = Anew, responses((status = 201, body = Certificate), (status = 404, body = Problem)))]
pub(super) async fn certify_anew(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    Json(anew): Json<Anew>,
) -> Result<(StatusCode, axum::Json<Certificate>), Problem> {
    let made = state.use_cases.audit.certify_anew(&actor, id, anew.judge, anew.statement).await?;
    Ok((StatusCode::CREATED, axum::Json(made)))
}

/// Replays the label log for every open monitor: `same` says whether it comes to what is stored.
#[utoipa::path(get, path = "/drift/replay", tag = "audit", responses((status = 200, body = Vec<Replay>)))]
pub(super) async fn replay(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<Replay>>, Problem> {
    Ok(axum::Json(state.use_cases.audit.replay(&actor, None).await?))
}

/// How the audit of a task is drawn.
#[utoipa::path(get, path = "/tasks/{task}/audit-sampling", tag = "audit", params(("task" = String, Path)),
    responses((status = 200, body = AuditSampling), (status = 404, body = Problem)))]
pub(super) async fn sampling(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
) -> Result<axum::Json<AuditSampling>, Problem> {
    Ok(axum::Json(state.use_cases.audit.sampling(&actor, &task).await?))
}

/// Changes how the audit of a task is drawn, for samples opened from now on.
#[utoipa::path(put, path = "/tasks/{task}/audit-sampling", tag = "audit", params(("task" = String, Path)),
    request_body = AuditSampling, responses((status = 200, body = AuditSampling), (status = 422, body = Problem)))]
pub(super) async fn set_sampling(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
    Json(to): Json<AuditSampling>,
) -> Result<axum::Json<AuditSampling>, Problem> {
    Ok(axum::Json(state.use_cases.audit.set_sampling(&actor, &task, to).await?))
}

/// How many labels there are to spend.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Budget {
    /// Labelled samples.
    budget: u64,
}

/// What so many labels are best spent on, by Neyman's allocation to verdicts; changes nothing.
#[utoipa::path(get, path = "/tasks/{task}/audit-sampling/plan", tag = "audit",
    params(("task" = String, Path), Budget),
    responses((status = 200, body = AuditAllocation), (status = 409, body = Problem)))]
pub(super) async fn allocate(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(task): Path<String>,
    Query(asked): Query<Budget>,
) -> Result<axum::Json<AuditAllocation>, Problem> {
    Ok(axum::Json(state.use_cases.audit.allocate(&actor, &task, asked.budget).await?))
}
