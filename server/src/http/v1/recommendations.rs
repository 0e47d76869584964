//! Recommendations for a user of the logs.

use crate::http::HttpState;
use crate::http::extract::{Path, Query, SignedIn};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use concord_domain::{RecommendRequest, Recommendations};

/// Items for a user, with the tags, interests and explanations they rest on; no model is asked for a word.
#[utoipa::path(get, path = "/users/{id}/recommendations", tag = "recommendations",
    params(("id" = String, Path, description = "The importer's key of the user"), RecommendRequest),
    responses((status = 200, body = Recommendations), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "user_unknown: neither the model nor tags know this user"),
        (status = 503, body = Problem, description = "no model is trained and indexed")))]
pub(super) async fn get(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<String>,
    Query(request): Query<RecommendRequest>,
) -> Result<Json<Recommendations>, Problem> {
    Ok(Json(state.use_cases.recommend.recommend(&actor, &id, request).await?))
}
