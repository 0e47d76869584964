//! Pages of training runs.

use super::HttpState;
use super::audit::Visit;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use concord_app::training as pages;
use uuid::Uuid;

/// The routes of these pages.
pub(super) fn routes() -> Router<HttpState> {
    Router::new().route("/evolve/runs", get(runs)).route("/evolve/runs/{id}", get(run))
}

async fn runs(State(state): State<HttpState>, visit: Visit) -> Response {
    let found = state.use_cases.evolve.training_runs(&visit.actor, None).await;
    visit.show(found, |reader, found| pages::runs(reader, &found))
}

async fn run(State(state): State<HttpState>, visit: Visit, Path(id): Path<Uuid>) -> Response {
    let found = state.use_cases.evolve.training_runs(&visit.actor, Some(id)).await;
    visit.show(found, |reader, found| found.first().map(|it| pages::run(reader, it)).unwrap_or_default())
}
