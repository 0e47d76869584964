//! One log line, one span and one count a request: method, route as registered, status and time; never an address with ids in it,
//! a query or a header, which may hold personal text.

use super::HttpState;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONNECTION;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use std::time::Instant;
use tracing::Instrument;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request an id, a span that has it, and the line at its end. While the server drains, connections
/// are closed after their answer, so that clients come back elsewhere.
pub(super) async fn request(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("http", request.id = %id, otel.name = %format_args!("{method} {route}"),
        http.response.status_code = tracing::field::Empty);
    let began = Instant::now();
    async move {
        let mut response = next.run(request).await;
        let status = response.status().as_u16();
        let took = began.elapsed();
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        state.metrics.answered(&state.project, method.as_str(), &route, status, took);
        tracing::Span::current().record("http.response.status_code", status);
        tracing::info!(project = &*state.project, %method, route, status, duration_ms, "answered");
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        if state.stop.is_cancelled() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
    .instrument(span)
    .await
}
