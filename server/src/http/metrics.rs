//! `GET /metrics`: for Prometheus. Anyone who shows the metrics token may read it; without one, only a program
//! on this machine that no proxy stands before. It holds counts and names of routes, jobs and judges, no text.

use super::HttpState;
use super::access::bearer;
use super::problem::Problem;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;

/// Headers by which a proxy says that it passes somebody else's request on.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// Every metric of this process.
pub(super) async fn metrics(State(state): State<HttpState>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let peer = ConnectInfo::<SocketAddr>::from_request_parts(&mut parts, &state).await.ok();
    let allowed = match &state.metrics_token {
        Some(token) => bearer(&parts.headers).is_some_and(|shown| same(shown, token.expose())),
        None => peer.is_some_and(|peer| peer.0.ip().is_loopback()) && direct(&parts.headers),
    };
    if !allowed {
        let why = "send the metrics token (setting `metrics_token`) as a bearer token";
        return Problem::new(StatusCode::UNAUTHORIZED, "not_signed_in", why).into_response();
    }
    match state.metrics.text().await {
        Ok(text) => ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
            .into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Whether the request was made on this machine for this machine: a page elsewhere that a browser here opens
/// names its own host.
fn direct(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let local = name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback());
    local && FORWARDED.iter().all(|name| !headers.contains_key(*name))
}

/// Compares without telling by its time how much was right.
fn same(shown: &str, token: &str) -> bool {
    shown.len() == token.len() && shown.bytes().zip(token.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_request_of_this_machine_is_direct() {
        let with = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().expect("header"));
            }
            direct(&headers)
        };
        assert!(
            with(&[("host", "127.0.0.1:3000")])
                && with(&[("host", "localhost")])
                && with(&[("host", "[::1]:3000")])
        );
        assert!(!with(&[]) && !with(&[("host", "concord.example.org")]));
        assert!(!with(&[("host", "127.0.0.1:3000"), ("x-forwarded-for", "192.0.2.7")]));
    }

    #[test]
    fn tokens_are_compared_whole() {
        assert!(same("abc", "abc") && !same("abd", "abc") && !same("ab", "abc") && !same("", "abc"));
    }
}
