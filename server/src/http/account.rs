//! `/account` and `/invitation`: documents of one's sessions, tokens and invitations. What is shown once stands on
//! the answer to the form itself: it is in no address and on no page that can be loaded again.

use super::HttpState;
use super::access::{SESSION_COOKIE, cookie};
use super::audit::{Fields, Visit};
use super::headers::{Secret, came_by_tls};
use super::pages::language;
use axum::Router;
use axum::extract::{Path, Query, RawForm, State};
use axum::http::header::{HOST, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use concord_app::account::{self as pages, AccountPage};
use concord_app::document::Reader;
use concord_domain::{Actor, Capability, Error, NewInvitation, NewToken};
use serde::Deserialize;
use uuid::Uuid;

/// The pages.
pub(super) fn routes() -> Router<HttpState> {
    Router::new()
        .route("/account", get(show))
        .route("/account/sign-out", post(sign_out))
        .route("/account/tokens", post(make_token))
        .route("/account/tokens/{id}/revoke", post(revoke))
        .route("/account/invitations", post(invite))
        .route("/account/invitations/{id}/withdraw", post(withdraw))
        .route("/invitation", get(invitation).post(join))
}

async fn show(State(state): State<HttpState>, visit: Visit) -> Response {
    let page = page(&state, &visit.actor).await;
    visit.show(page, |reader, page| pages::account(reader, &page))
}

async fn page(state: &HttpState, actor: &Actor) -> Result<AccountPage, Error> {
    let accounts = &state.use_cases.accounts;
    let invitations = match actor.can(Capability::ManageAccounts) {
        true => Some(accounts.invitations(actor).await?),
        false => None,
    };
    let (sessions, tokens) = (accounts.sessions(actor).await?, accounts.tokens(actor).await?);
    Ok(AccountPage { sessions, tokens, invitations, ..AccountPage::default() })
}

/// The page again, with what a form has made or why it has not.
async fn answer(state: &HttpState, visit: &Visit, done: Result<AccountPage, Error>) -> Response {
    let (status, made) = match done {
        Ok(made) => (StatusCode::CREATED, made),
        Err(error @ (Error::Invalid { .. } | Error::Conflict { .. })) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, AccountPage { refused: Some(error), ..AccountPage::default() })
        }
        Err(error) => return visit.refuse(&error),
    };
    match page(state, &visit.actor).await {
        Ok(now) => {
            let page = AccountPage {
                sessions: now.sessions,
                tokens: now.tokens,
                invitations: now.invitations,
                ..made
            };
            (status, Secret, Html(pages::account(&visit.reader, &page))).into_response()
        }
        Err(error) => visit.refuse(&error),
    }
}

async fn sign_out(State(state): State<HttpState>, visit: Visit) -> Response {
    let done = state.use_cases.accounts.sign_out_everywhere(&visit.actor).await;
    visit.go(done, "/sign-in")
}

async fn make_token(State(state): State<HttpState>, visit: Visit, form: RawForm) -> Response {
    let fields = Fields::of(&form);
    let new = fields.all("scope").iter().map(|scope| scope.parse()).collect::<Result<_, _>>().map(|scopes| {
        let days = fields.one("days");
        // What is no number is refused by the use case, which names the field.
        let days = (!days.is_empty()).then(|| days.trim().parse().unwrap_or(0));
        NewToken { name: fields.one("name"), scopes, days }
    });
    let done = match new {
        Ok(new) => state.use_cases.accounts.make_token(&visit.actor, new).await,
        Err(error) => Err(error),
    };
    answer(&state, &visit, done.map(|token| AccountPage { token: Some(token), ..AccountPage::default() }))
        .await
}

async fn revoke(State(state): State<HttpState>, visit: Visit, Path(id): Path<Uuid>) -> Response {
    let done = state.use_cases.accounts.revoke_token(&visit.actor, id).await;
    visit.go(done, "/account")
}

async fn invite(State(state): State<HttpState>, visit: Visit, headers: HeaderMap, form: RawForm) -> Response {
    let fields = Fields::of(&form);
    let done = match fields.one("role").parse() {
        Ok(role) => {
            let new = NewInvitation { email: fields.one("email"), role };
            state.use_cases.accounts.invite(&visit.actor, new).await
        }
        Err(error) => Err(error),
    };
    let made = done.map(|made| {
        let link = format!("{}{}", origin(&headers), made.link.unwrap_or_default());
        AccountPage { link: Some((made.email, link)), ..AccountPage::default() }
    });
    answer(&state, &visit, made).await
}

async fn withdraw(State(state): State<HttpState>, visit: Visit, Path(id): Path<Uuid>) -> Response {
    let done = state.use_cases.accounts.withdraw_invitation(&visit.actor, id).await;
    visit.go(done, "/account")
}

/// The link of an invitation.
#[derive(Debug, Default, Deserialize)]
struct Link {
    #[serde(default)]
    code: String,
}

/// The line that gives a browser its session.
pub(super) fn session_cookie(headers: &HeaderMap, secret: &str) -> String {
    let secure = if came_by_tls(headers) { "; Secure" } else { "" };
    format!("{SESSION_COOKIE}={secret}; Path=/; Max-Age=1209600; SameSite=Lax; HttpOnly{secure}")
}

/// The address that a browser sees this server at.
pub(super) fn origin(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    format!("{}://{host}", if came_by_tls(headers) { "https" } else { "http" })
}

/// Somebody who has not signed in.
pub(super) fn stranger(headers: &HeaderMap, path: &str) -> Reader {
    Reader::stranger(language::of(headers), cookie(headers, "theme"), path)
}

async fn invitation(
    State(state): State<HttpState>,
    headers: HeaderMap,
    Query(link): Query<Link>,
) -> Response {
    form(&state, &headers, &link.code, None).await
}

/// The form of an invitation, or that there is none.
async fn form(state: &HttpState, headers: &HeaderMap, code: &str, refused: Option<Error>) -> Response {
    let reader = stranger(headers, "/invitation");
    match state.use_cases.accounts.invited(code).await {
        Ok(of) => {
            let status = refused.as_ref().map_or(200, Error::status);
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Secret, Html(pages::invitation(&reader, code, &of, refused.as_ref()))).into_response()
        }
        Err(_) => (StatusCode::NOT_FOUND, Html(pages::no_invitation(&reader))).into_response(),
    }
}

async fn join(State(state): State<HttpState>, headers: HeaderMap, sent: RawForm) -> Response {
    let fields = Fields::of(&sent);
    let code = fields.one("code");
    match state.use_cases.accounts.join(&code, fields.one("password")).await {
        Ok((_, secret)) => {
            let line = session_cookie(&headers, &secret);
            ([(SET_COOKIE, line)], Redirect::to("/review")).into_response()
        }
        Err(error) => form(&state, &headers, &code, Some(error)).await,
    }
}
