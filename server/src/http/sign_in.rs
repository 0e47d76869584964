//! `/sign-in`: the form, and the way to an OpenID Connect provider and back.

use super::HttpState;
use super::access::{SESSION_COOKIE, cookie, encoded};
use super::account::{origin, session_cookie, stranger};
use super::headers::came_by_tls;
use axum::Extension;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use concord_app::sign_in::{self as pages, SignInPage};
use concord_app::{ClientAddress, own_page};
use concord_domain::{Arrival, Error};
use serde::Deserialize;

/// What the browser keeps while the person is at the provider.
const AWAY_COOKIE: &str = "concord_away";
/// Where the provider sends the person back to.
const RETURN: &str = "/sign-in/return";

/// The pages.
pub(super) fn routes() -> Router<HttpState> {
    Router::new()
        .route("/sign-in", get(form))
        .route("/sign-in/provider", get(depart))
        .route(RETURN, get(arrive))
}

/// What may stand in the address of the form.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    next: String,
    /// Why the form was refused, as the framework writes it.
    #[serde(rename = "__err")]
    refused: Option<String>,
}

async fn form(State(state): State<HttpState>, headers: HeaderMap, Query(asked): Query<Asked>) -> Response {
    let refused = asked.refused.as_deref().map(pages::of_address);
    page(&state, &headers, StatusCode::OK, SignInPage { next: asked.next, refused, provider: None })
}

fn page(state: &HttpState, headers: &HeaderMap, status: StatusCode, page: SignInPage) -> Response {
    let page = SignInPage { provider: state.use_cases.accounts.provider(), ..page };
    (status, Html(pages::form(&stranger(headers, "/sign-in"), &page))).into_response()
}

/// The form again, with why the provider's way did not lead in.
fn refuse(state: &HttpState, headers: &HeaderMap, next: String, error: Error) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    page(state, headers, status, SignInPage { next, refused: Some(error.into()), provider: None })
}

async fn depart(State(state): State<HttpState>, headers: HeaderMap, Query(asked): Query<Asked>) -> Response {
    let back = format!("{}{RETURN}", origin(&headers));
    match state.use_cases.accounts.depart(&back).await {
        Ok(departure) => {
            let next = own_page(&asked.next).unwrap_or_default();
            let kept = format!("{}.{}", departure.secret, encoded(next));
            ([(SET_COOKIE, away_cookie(&headers, &kept, 600))], Redirect::to(&departure.to)).into_response()
        }
        Err(error) => refuse(&state, &headers, asked.next, error),
    }
}

/// Lax, not strict: the browser must send it when the provider leads back here.
fn away_cookie(headers: &HeaderMap, kept: &str, seconds: u32) -> String {
    let secure = if came_by_tls(headers) { "; Secure" } else { "" };
    format!("{AWAY_COOKIE}={kept}; Path={RETURN}; Max-Age={seconds}; SameSite=Lax; HttpOnly{secure}")
}

/// What the provider leads back with.
#[derive(Debug, Default, Deserialize)]
struct Answer {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
    iss: Option<String>,
    error: Option<String>,
}

async fn arrive(
    State(state): State<HttpState>,
    Extension(ClientAddress(from)): Extension<ClientAddress>,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Response {
    let (secret, next) = kept(cookie(&headers, AWAY_COOKIE).unwrap_or_default());
    let accounts = &state.use_cases.accounts;
    let arrived = if answer.error.is_some() {
        Err(Error::conflict("provider_refused", "the provider let nobody in"))
    } else {
        let back = format!("{}{RETURN}", origin(&headers));
        let arrival = Arrival { secret, state: answer.state, code: answer.code, issuer: answer.iss, back };
        accounts.arrive(arrival, from).await
    };
    // Whatever came of it, this departure is over.
    let over = away_cookie(&headers, "", 0);
    let session = match arrived {
        Ok((_, session)) => session,
        Err(error) => {
            return (AppendHeaders([(SET_COOKIE, over)]), refuse(&state, &headers, next, error))
                .into_response();
        }
    };
    // A session that was there ends: signing in changes the secret.
    if let Some(old) = cookie(&headers, SESSION_COOKIE)
        && let Err(error) = accounts.sign_out(old).await
    {
        return refuse(&state, &headers, next, error);
    }
    let cookies = [(SET_COOKIE, over), (SET_COOKIE, session_cookie(&headers, &session))];
    (AppendHeaders(cookies), Redirect::to(own_page(&next).unwrap_or("/review"))).into_response()
}

/// The secret and the page to go on to, from the cookie.
fn kept(cookie: &str) -> (String, String) {
    let mut parts = cookie.splitn(3, '.');
    let secret = [parts.next(), parts.next()].map(Option::unwrap_or_default).join(".");
    let next = format!("next={}", parts.next().unwrap_or_default());
    let next = form_urlencoded::parse(next.as_bytes()).next().map(|(_, next)| next.into_owned());
    (secret, next.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_browser_keeps_comes_back_as_it_was() {
        let next = "/samples?task=tag&text=a.b+c";
        let cookie = format!("abc_-1.1700000000.{}", encoded(next));
        assert_eq!(kept(&cookie), ("abc_-1.1700000000".into(), next.into()));
        assert_eq!(kept(""), (".".into(), String::new()));
    }
}
