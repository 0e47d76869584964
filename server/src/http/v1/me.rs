//! Oneself: who, and what is to do.

use crate::http::HttpState;
use crate::http::extract::SignedIn;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use concord_domain::{Account, Overview, OwnWork};

/// The account of this session or token.
#[utoipa::path(get, path = "/me", tag = "account", responses((status = 200, body = Account)))]
pub(super) async fn me(SignedIn(actor): SignedIn) -> Json<Account> {
    Json(Account { id: actor.account, email: actor.email, role: actor.role })
}

/// One's own pace, record on gold questions and repeats until yesterday, and last samples.
#[utoipa::path(get, path = "/me/work", tag = "account", responses((status = 200, body = OwnWork)))]
pub(super) async fn work(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<Json<OwnWork>, Problem> {
    Ok(Json(state.use_cases.programmes.own_work(&actor).await?))
}

/// The counts of the home page; leads see everybody's.
#[utoipa::path(get, path = "/overview", tag = "account", responses((status = 200, body = Overview)))]
pub(super) async fn overview(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<Json<Overview>, Problem> {
    Ok(Json(state.use_cases.work.overview(&actor).await?))
}
