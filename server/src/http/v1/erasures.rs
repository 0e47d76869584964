//! Deletion of users: asked for here, done by `concord user delete --requested`, because a server may not.

use crate::http::HttpState;
use crate::http::extract::{Json, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use concord_domain::Erasure;
use serde::{Deserialize, Serialize};

/// Whom to delete.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ErasureRequest {
    /// The user's key. In the body, because addresses end up in logs.
    user: String,
}

/// Deletions, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Erasures {
    /// Each with its receipt once it is done.
    erasures: Vec<Erasure>,
}

/// Asks for a user to be deleted everywhere.
#[utoipa::path(post, path = "/erasures", tag = "privacy", request_body = ErasureRequest, responses(
    (status = 202, body = Erasure),
    (status = 404, body = Problem, description = "there is no such user"),
))]
pub(super) async fn request(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(request): Json<ErasureRequest>,
) -> Result<(StatusCode, axum::Json<Erasure>), Problem> {
    let erasure = state.use_cases.privacy.request_erasure(&actor, &request.user).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(erasure)))
}

/// Deletions asked for and done, with their receipts.
#[utoipa::path(get, path = "/erasures", tag = "privacy", responses((status = 200, body = Erasures)))]
pub(super) async fn list(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Erasures>, Problem> {
    Ok(axum::Json(Erasures { erasures: state.use_cases.privacy.erasures(&actor).await? }))
}
