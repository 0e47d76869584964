//! Looking at samples. What an annotator may not know yet, the use case leaves out.

use crate::http::HttpState;
use crate::http::extract::{Path, Query, SignedIn};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use concord_domain::{SampleDetail, SampleFilter, SampleId, SamplePage};

/// A page of samples, newest first.
#[utoipa::path(get, path = "/samples", tag = "samples", params(SampleFilter),
    responses((status = 200, body = SamplePage)))]
pub(super) async fn list(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Query(filter): Query<SampleFilter>,
) -> Result<Json<SamplePage>, Problem> {
    Ok(Json(state.use_cases.samples.list(&actor, filter).await?))
}

/// One sample.
#[utoipa::path(get, path = "/samples/{id}", tag = "samples", params(("id" = SampleId, Path)),
    responses((status = 200, body = SampleDetail), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<SampleId>,
) -> Result<Json<SampleDetail>, Problem> {
    Ok(Json(state.use_cases.samples.get(&actor, id).await?))
}
