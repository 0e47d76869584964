//! The queue of samples to label.

use crate::http::HttpState;
use crate::http::extract::{Json, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use concord_domain::Assignment;
use serde::{Deserialize, Serialize};

/// What to lease.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NextRequest {
    /// Only of this task.
    task: Option<String>,
    /// How many samples, 1 to 4.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 4)]
    count: u32,
}

fn one() -> u32 {
    1
}

/// Leased samples.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct NextResponse {
    /// Those already held and not answered come first.
    assignments: Vec<Assignment>,
}

/// Leases the next samples to oneself.
#[utoipa::path(post, path = "/queue/next", tag = "review", request_body = NextRequest, responses(
    (status = 200, body = NextResponse),
    (status = 204, description = "nothing left to label"),
))]
pub(super) async fn next(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(request): Json<NextRequest>,
) -> Result<Response, Problem> {
    let assignments = state.use_cases.review.next(&actor, request.task.as_deref(), request.count).await?;
    Ok(if assignments.is_empty() {
        StatusCode::NO_CONTENT.into_response()
    } else {
        axum::Json(NextResponse { assignments }).into_response()
    })
}
