//! One's own tokens and sessions, and invitations. For people who have signed in: a token makes no tokens.

use crate::http::HttpState;
use crate::http::extract::{Json, Path, SignedIn};
use crate::http::headers::Secret;
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use concord_domain::{Invitation, NewInvitation, NewToken, Token};
use uuid::Uuid;

/// One's own tokens that have not ended, newest first, without their secrets.
#[utoipa::path(get, path = "/tokens", tag = "account",
    responses((status = 200, body = Vec<Token>), (status = 403, body = Problem, description = "asked by a token")))]
pub(super) async fn tokens(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<Token>>, Problem> {
    Ok(axum::Json(state.use_cases.accounts.tokens(&actor).await?))
}

/// Makes a token. This answer alone holds its secret.
#[utoipa::path(post, path = "/tokens", tag = "account", request_body = NewToken,
    responses((status = 201, body = Token), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn make_token(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(new): Json<NewToken>,
) -> Result<(StatusCode, Secret, axum::Json<Token>), Problem> {
    let made = state.use_cases.accounts.make_token(&actor, new).await?;
    Ok((StatusCode::CREATED, Secret, axum::Json(made)))
}

/// Takes a token of one's own back, at once.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "account", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn revoke_token(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    state.use_cases.accounts.revoke_token(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends every session of one's account.
#[utoipa::path(delete, path = "/me/sessions", tag = "account",
    responses((status = 204), (status = 403, body = Problem)))]
pub(super) async fn sign_out_everywhere(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<StatusCode, Problem> {
    state.use_cases.accounts.sign_out_everywhere(&actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Invitations that wait, newest first.
#[utoipa::path(get, path = "/invitations", tag = "account",
    responses((status = 200, body = Vec<Invitation>), (status = 403, body = Problem)))]
pub(super) async fn invitations(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<Invitation>>, Problem> {
    Ok(axum::Json(state.use_cases.accounts.invitations(&actor).await?))
}

/// Invites somebody. This answer alone holds the link, which works once, for seven days.
#[utoipa::path(post, path = "/invitations", tag = "account", request_body = NewInvitation,
    responses((status = 201, body = Invitation), (status = 409, body = Problem, description = "`account_exists`")))]
pub(super) async fn invite(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(new): Json<NewInvitation>,
) -> Result<(StatusCode, Secret, axum::Json<Invitation>), Problem> {
    let made = state.use_cases.accounts.invite(&actor, new).await?;
    Ok((StatusCode::CREATED, Secret, axum::Json(made)))
}

/// Withdraws an invitation.
#[utoipa::path(delete, path = "/invitations/{id}", tag = "account", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn withdraw(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    state.use_cases.accounts.withdraw_invitation(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
