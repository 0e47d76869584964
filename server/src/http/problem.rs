//! Errors as problem+json (RFC 9457): ours by their kind, the framework's by their status.

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use concord_domain::Error;
use serde::Serialize;
use std::any::Any;
use tower_http::csrf::ProtectionError;

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A refused or failed request.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Problem {
    /// `about:blank`: the code says what kind it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What happened and what to do.
    detail: String,
    /// Stable machine-readable code.
    code: String,
    /// The field at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Seconds to wait before trying again.
    #[serde(skip)]
    retry_after: Option<u32>,
}

impl Problem {
    /// A problem of that status.
    pub(crate) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.to_owned(),
            field: None,
            retry_after: None,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut problem = Self::new(status, error.code(), error.to_string());
        match error {
            Error::Invalid { field, .. } => problem.field = Some(field),
            Error::Busy { retry_after } => problem.retry_after = Some(retry_after),
            _ => {}
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, PROBLEM)], body).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(
                HeaderName::from_static("www-authenticate"),
                HeaderValue::from_static("Bearer realm=\"concord\""),
            );
        }
        response
    }
}

/// Says in a problem what the framework says in plain words or only by its status: no such route, wrong
/// method, too large, too slow. Pages and problems pass as they are.
pub(crate) async fn dress(mut response: Response) -> Response {
    let status = response.status();
    let spoken =
        response.headers().get(CONTENT_TYPE).is_some_and(|kind| !kind.as_bytes().starts_with(b"text/plain"));
    if spoken || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => ("not_found", "there is nothing at this address"),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", "not with this method; see the header Allow")
        }
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "the body is larger than this route takes"),
        StatusCode::SERVICE_UNAVAILABLE => ("timeout", "this took too long and was stopped; try again"),
        _ if status.is_server_error() => {
            ("internal", "something went wrong here; nothing you entered is lost")
        }
        _ => ("bad_request", "the request cannot be read"),
    };
    let (parts, body) = Problem::new(status, code, detail).into_response().into_parts();
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().extend(parts.headers);
    *response.body_mut() = body;
    response
}

/// A request that changes something and comes from a page of another site.
pub(crate) fn cross_site(_: ProtectionError) -> Response {
    Problem::new(StatusCode::FORBIDDEN, "cross_site", "requests from other sites are refused").into_response()
}

/// A handler that panicked: a fault of ours.
pub(crate) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let reference = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
    let said =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(%reference, panic = said.unwrap_or("of an unknown kind"), "a handler panicked");
    Problem::from(Error::Internal { reference }).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_too_early_is_told_when_to_come_again() {
        let response = Problem::from(Error::Busy { retry_after: 5 }).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "5");
    }
}
