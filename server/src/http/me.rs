//! `/me`: one's own work, a document.

use super::HttpState;
use super::audit::Visit;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use concord_app::me as pages;

/// The page.
pub(super) fn routes() -> Router<HttpState> {
    Router::new().route("/me", get(own_work))
}

async fn own_work(State(state): State<HttpState>, visit: Visit) -> Response {
    let work = state.use_cases.programmes.own_work(&visit.actor).await;
    visit.show(work, |reader, work| pages::own_work(reader, &work))
}
