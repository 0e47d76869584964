//! Who asks, found out once a request; and what may be asked without being anyone, which is this list.

use super::HttpState;
use super::problem::Problem;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, COOKIE};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use concord_app::ClientAddress;
use concord_domain::api::Result;
use concord_domain::{Actor, Error};
use std::net::{IpAddr, SocketAddr};

/// The cookie with the session's secret.
pub(super) const SESSION_COOKIE: &str = "concord_session";

/// Answered to anyone. Everything else, routes that do not exist included, needs an actor.
fn is_open(path: &str) -> bool {
    path.starts_with("/pkg/")
        || matches!(
            path,
            "/sign-in"
                | "/sign-in/provider"
                | "/sign-in/return"
                | "/rpc/sign_in"
                | "/rpc/set_lang"
                | "/rpc/set_theme"
                | "/invitation"
                | "/favicon.svg"
                | "/favicon.ico"
                | "/healthz"
                | "/readyz"
                // Asks for a token of its own.
                | "/metrics"
                | "/api/v1/openapi.json"
        )
}

/// Puts the actor into the request's extensions, or refuses: pages go to the sign-in page, programs get 401.
pub(super) async fn admit(State(state): State<HttpState>, mut request: Request, next: Next) -> Response {
    let open = is_open(request.uri().path());
    let address = client_address(&request, state.behind_proxy);
    request.extensions_mut().insert(ClientAddress(address));
    match identify(&state, request.headers()).await {
        Ok(Some(actor)) => {
            request.extensions_mut().insert(actor);
        }
        // The probes and the sign-in page must answer whatever the database does.
        _ if open => {}
        Ok(None) if wants_page(&request) => return to_sign_in(&request),
        Ok(None) => return Problem::from(Error::NotSignedIn).into_response(),
        Err(error) => return Problem::from(error).into_response(),
    }
    next.run(request).await
}

/// The address that asks. Behind a proxy it is what the proxy itself has appended; without one nobody is believed.
fn client_address(request: &Request, behind_proxy: bool) -> Option<IpAddr> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    if !behind_proxy {
        return peer;
    }
    let forwarded = request.headers().get_all("x-forwarded-for").iter().next_back();
    let last = forwarded.and_then(|value| value.to_str().ok()).and_then(|list| list.rsplit(',').next());
    last.and_then(|address| address.trim().parse().ok()).or(peer)
}

/// The session's actor, else the bearer token's.
async fn identify(state: &HttpState, headers: &HeaderMap) -> Result<Option<Actor>> {
    let accounts = &state.use_cases.accounts;
    if let Some(secret) = cookie(headers, SESSION_COOKIE)
        && let Some(actor) = accounts.by_session(secret).await?
    {
        return Ok(Some(actor));
    }
    match bearer(headers) {
        Some(token) => accounts.by_token(token).await,
        None => Ok(None),
    }
}

/// The value of a cookie.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
}

/// The bearer token shown.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether a person looks at the answer: a page, or a form sent without the browser's half running.
fn wants_page(request: &Request) -> bool {
    let path = request.uri().path();
    let html = request
        .headers()
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("text/html"));
    !path.starts_with("/api/") && (html || !path.starts_with("/rpc/"))
}

/// To the sign-in page, and from there back to the page that was asked for.
fn to_sign_in(request: &Request) -> Response {
    let asked = request.uri().path_and_query().map_or("/", |asked| asked.as_str());
    let back = request.method() == Method::GET && asked != "/" && !request.uri().path().starts_with("/rpc/");
    let page = if back { format!("/sign-in?next={}", encoded(asked)) } else { "/sign-in".to_owned() };
    Redirect::to(&page).into_response()
}

/// A path as the value of a query: everything but letters, digits and the few harmless signs is escaped.
pub(super) fn encoded(path: &str) -> String {
    path.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_keeps_its_query() {
        assert_eq!(encoded("/samples?task=tag&text=a b"), "/samples%3Ftask%3Dtag%26text%3Da%20b");
    }

    #[test]
    fn only_behind_a_proxy_is_its_word_taken_and_only_the_last() {
        let mut request = Request::builder()
            .header("x-forwarded-for", "198.51.100.7, 203.0.113.9")
            .body(axum::body::Body::empty())
            .expect("request");
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 9))));
        assert_eq!(client_address(&request, false), "192.0.2.1".parse().ok());
        assert_eq!(client_address(&request, true), "203.0.113.9".parse().ok());
        request.headers_mut().insert("x-forwarded-for", "nonsense".parse().expect("header"));
        assert_eq!(client_address(&request, true), "192.0.2.1".parse().ok());
    }

    #[test]
    fn cookies_are_found_by_name() {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, "lang=zh; concord_session=abc".parse().expect("header"));
        assert_eq!(cookie(&headers, SESSION_COOKIE), Some("abc"));
        assert_eq!(cookie(&headers, "session"), None);
    }

    #[test]
    fn nothing_is_open_by_accident() {
        for path in ["/", "/review", "/pkg", "/rpc/submit_answers", "/api/v1/me", "/healthz/", "/favicon"] {
            assert!(!is_open(path), "{path}");
        }
    }
}
