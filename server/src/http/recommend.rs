//! The recommendation pages: documents.

use super::HttpState;
use super::audit::{Fields, Visit};
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use concord_app::recommend as pages;
use concord_domain::RecommendRequest;

/// The routes of these pages.
pub(super) fn routes() -> Router<HttpState> {
    Router::new().route("/recommend", get(people)).route("/recommend/{id}", get(person))
}

async fn people(State(state): State<HttpState>, visit: Visit, RawQuery(query): RawQuery) -> Response {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let user = fields.one("user").trim().to_owned();
    if !user.is_empty() {
        let encoded: String = form_urlencoded::byte_serialize(user.as_bytes()).collect();
        // In a path a plus sign is one, and no space.
        return Redirect::to(&format!("/recommend/{}", encoded.replace('+', "%20"))).into_response();
    }
    visit.show(state.use_cases.recommend.people(&visit.actor).await, pages::people)
}

async fn person(State(state): State<HttpState>, visit: Visit, Path(user): Path<String>) -> Response {
    let request = RecommendRequest::default();
    visit.show(state.use_cases.recommend.recommend(&visit.actor, &user, request).await, pages::person)
}
