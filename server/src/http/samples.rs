//! The sample pages: documents.

use super::HttpState;
use super::audit::{Fields, Visit};
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use concord_app::samples as sample_pages;
use concord_domain::{Error, SampleFilter};

/// The routes of these pages.
pub(super) fn routes() -> Router<HttpState> {
    Router::new().route("/samples", get(samples)).route("/samples/{id}", get(sample))
}

fn filter(fields: &Fields) -> Result<SampleFilter, Error> {
    let given = |name: &str| Some(fields.one(name).trim().to_owned()).filter(|value| !value.is_empty());
    let after = given("after").map(|id| id.parse()).transpose();
    Ok(SampleFilter {
        task: given("task"),
        text: given("text"),
        user: given("user"),
        lang: given("lang"),
        half: given("half"),
        state: given("state"),
        after: after.map_err(|_| Error::invalid("after", "the id of a sample"))?,
    })
}

async fn samples(State(state): State<HttpState>, visit: Visit, RawQuery(query): RawQuery) -> Response {
    let filter = match filter(&Fields::parse(query.unwrap_or_default().as_bytes())) {
        Ok(filter) => filter,
        Err(error) => return visit.refuse(&error),
    };
    let page = state.use_cases.samples.list(&visit.actor, filter.clone()).await;
    visit.show(page, |reader, page| sample_pages::samples(reader, &filter, page))
}

async fn sample(State(state): State<HttpState>, visit: Visit, Path(id): Path<String>) -> Response {
    let found = match id.parse() {
        Ok(id) => state.use_cases.samples.get(&visit.actor, id).await,
        Err(_) => Err(Error::not_found("sample")),
    };
    visit.show(found, sample_pages::sample)
}
