//! The headers every answer carries.

use axum::http::header::{CACHE_CONTROL, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, header};
use axum::response::Response;

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
/// depend on who asks.
pub(super) async fn secure(mut response: Response) -> Response {
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
    response
}
