//! The headers every answer carries, and which answers are not compressed.

use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponseParts, Response, ResponseParts};
use std::convert::Infallible;

/// In an answer: this one holds a secret beside what the request said, so it is not compressed. The length of a
/// compressed answer would tell how much of the secret was guessed in the request (BREACH). No other answer holds
/// a secret that is the same twice: sessions are in cookies, nonces are new with each page, and requests from other
/// sites are told by their headers and need no token in the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Secret;

impl IntoResponseParts for Secret {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        parts.extensions_mut().insert(self);
        Ok(parts)
    }
}

/// Whether an answer may be compressed.
pub(super) fn compressible(_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions) -> bool {
    extensions.get::<Secret>().is_none()
}

/// Whether the browser came over TLS, as the proxy that ended it says.
pub(super) fn came_by_tls(headers: &HeaderMap) -> bool {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    header("x-forwarded-proto") == Some("https")
        || header("origin").is_some_and(|origin| origin.starts_with("https://"))
}

/// What a page may load. Scripts come from here and, where the framework writes them into the page, with
/// the nonce of that page; WebAssembly is compiled; nothing else runs and nothing frames us.
pub(super) fn content_security_policy(nonce: Option<&str>) -> String {
    let nonce = nonce.map(|nonce| format!(" 'nonce-{nonce}'")).unwrap_or_default();
    format!(
        "default-src 'self'; script-src 'self'{nonce} 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
    )
}

/// Adds what the handler has not set. What has no rule of its own is not stored by browsers: answers
/// depend on who asks. Over TLS, browsers are told to come by TLS only.
pub(super) async fn secure(request: Request, next: Next) -> Response {
    let tls = came_by_tls(request.headers());
    let mut response = next.run(request).await;
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().entry(name).or_insert(value);
        }
    };
    set(header::CONTENT_SECURITY_POLICY, &content_security_policy(None));
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Not `no-referrer`: browsers then send forms with the origin `null`, which the cross-site check refuses.
    set(REFERRER_POLICY, "same-origin");
    set(CACHE_CONTROL, "no-store");
    if tls {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}
