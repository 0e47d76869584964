//! A leased sample: label it, see the verdicts, give it back, go back to it.

use crate::http::HttpState;
use crate::http::extract::{Json, Path, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use concord_domain::{Answer, Assignment, AssignmentId, Error, Reveal, Submission, Submitted};
use serde::{Deserialize, Serialize};

/// An assignment and the answers stored so far.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Reopened {
    /// The assignment.
    assignment: Assignment,
    /// One's own last answers.
    answers: Vec<Answer>,
}

/// An assignment of one's own.
#[utoipa::path(get, path = "/assignments/{id}", tag = "review", params(("id" = AssignmentId, Path)),
    responses((status = 200, body = Reopened), (status = 404, body = Problem)))]
pub(super) async fn reopen(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<AssignmentId>,
) -> Result<axum::Json<Reopened>, Problem> {
    let (assignment, answers) = state.use_cases.review.reopen(&actor, id).await?;
    Ok(axum::Json(Reopened { assignment, answers }))
}

/// Stores one's answers, once a key.
#[utoipa::path(post, path = "/assignments/{id}/labels", tag = "review",
    params(
        ("id" = AssignmentId, Path),
        ("Idempotency-Key" = String, Header, description = "the same key and body again give the same answer"),
    ),
    request_body = Submission,
    responses(
        (status = 201, body = Submitted),
        (status = 404, body = Problem, description = "not an assignment of one's own"),
        (status = 409, body = Problem, description = "`overlap_full`: others have filled the places; the answer is kept as surplus"),
        (status = 422, body = Problem, description = "a criterion is missing, or the key came with another body"),
    ))]
pub(super) async fn submit(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<AssignmentId>,
    headers: HeaderMap,
    Json(submission): Json<Submission>,
) -> Result<(StatusCode, axum::Json<Submitted>), Problem> {
    let key = idempotency_key(&headers)?;
    let submitted = state.use_cases.review.submit(&actor, id, key, submission).await?;
    Ok((StatusCode::CREATED, axum::Json(submitted)))
}

fn idempotency_key(headers: &HeaderMap) -> Result<&str, Error> {
    headers
        .get("idempotency-key")
        .and_then(|value| value.to_str().ok())
        .filter(|key| !key.is_empty())
        .ok_or_else(|| {
            Error::invalid(
                "Idempotency-Key",
                "send this header: 1 to 200 characters, new for each submission",
            )
        })
}

/// Shows the verdicts, once one's blind answers are stored.
#[utoipa::path(post, path = "/assignments/{id}/reveal", tag = "review", params(("id" = AssignmentId, Path)),
    responses(
        (status = 200, body = Reveal),
        (status = 404, body = Problem),
        (status = 409, body = Problem, description = "the blind answers are not stored yet"),
    ))]
pub(super) async fn reveal(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<AssignmentId>,
) -> Result<axum::Json<Reveal>, Problem> {
    Ok(axum::Json(state.use_cases.review.reveal(&actor, id).await?))
}

/// Gives the sample back and asks a lead: the guideline does not decide it.
#[utoipa::path(post, path = "/assignments/{id}/escalate", tag = "review", params(("id" = AssignmentId, Path)),
    request_body = SkipRequest,
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn escalate(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<AssignmentId>,
    Json(request): Json<SkipRequest>,
) -> Result<StatusCode, Problem> {
    state.use_cases.review.escalate(&actor, id, &request.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Why a sample is given back.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SkipRequest {
    /// In words.
    reason: String,
}

/// Gives the sample back.
#[utoipa::path(post, path = "/assignments/{id}/skip", tag = "review", params(("id" = AssignmentId, Path)),
    request_body = SkipRequest, responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn skip(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<AssignmentId>,
    Json(request): Json<SkipRequest>,
) -> Result<StatusCode, Problem> {
    state.use_cases.review.skip(&actor, id, &request.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}
