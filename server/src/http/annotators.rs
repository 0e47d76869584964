//! The people who label, for leads: a page and its table as CSV.

use super::HttpState;
use super::audit::Visit;
use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use concord_app::audit as pages;

/// The routes of these pages.
pub(super) fn routes() -> Router<HttpState> {
    Router::new().route("/audit/annotators", get(page)).route("/audit/annotators.csv", get(csv))
}

async fn page(State(state): State<HttpState>, visit: Visit) -> Response {
    let people = match state.use_cases.audit.annotators(&visit.actor).await {
        Ok(people) => people,
        Err(error) => return visit.refuse(&error),
    };
    let anchoring = state.use_cases.programmes.anchoring(&visit.actor).await;
    visit.show(anchoring, |reader, anchoring| pages::annotators(reader, &people, &anchoring))
}

async fn csv(State(state): State<HttpState>, visit: Visit) -> Response {
    match state.use_cases.audit.annotators(&visit.actor).await {
        Ok(people) => {
            let headers = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"annotators.csv\""),
            ];
            (headers, pages::csv::annotators(&people)).into_response()
        }
        Err(error) => visit.refuse(&error),
    }
}
