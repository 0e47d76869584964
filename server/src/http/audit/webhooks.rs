//! The page of webhooks.

use super::{Fields, Visit};
use crate::http::HttpState;
use axum::Router;
use axum::extract::{Path, RawForm, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use concord_app::audit::{self as pages, WebhooksPage};
use concord_domain::{Actor, Error, NewWebhook};
use uuid::Uuid;

pub(super) fn routes() -> Router<HttpState> {
    Router::new()
        .route("/audit/webhooks", get(show).post(add))
        .route("/audit/webhooks/{id}/ping", post(ping))
        .route("/audit/webhooks/{id}/remove", post(remove))
}

async fn show(State(state): State<HttpState>, visit: Visit) -> Response {
    let page = page(&state, &visit.actor).await;
    visit.show(page, |reader, page| pages::webhooks(reader, &page))
}

async fn page(state: &HttpState, actor: &Actor) -> Result<WebhooksPage, Error> {
    let webhooks = &state.use_cases.webhooks;
    Ok(WebhooksPage {
        webhooks: webhooks.list(actor).await?,
        deliveries: webhooks.deliveries(actor, None).await?,
        ..WebhooksPage::default()
    })
}

/// The secret stands on the answer to the form itself: it is in no address and on no page that can be loaded again.
async fn add(State(state): State<HttpState>, visit: Visit, form: RawForm) -> Response {
    let fields = Fields::of(&form);
    let new = NewWebhook { url: fields.one("url"), events: fields.all("event") };
    let (status, added, refused) = match state.use_cases.webhooks.add(&visit.actor, new.clone()).await {
        Ok(added) => (StatusCode::CREATED, Some(added), None),
        Err(error @ (Error::Invalid { .. } | Error::Conflict { .. })) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, None, Some((new, error)))
        }
        Err(error) => return visit.refuse(&error),
    };
    let page = page(&state, &visit.actor).await.map(|page| WebhooksPage { added, refused, ..page });
    match page {
        Ok(page) => (status, Html(pages::webhooks(&visit.reader, &page))).into_response(),
        Err(error) => visit.refuse(&error),
    }
}

async fn ping(State(state): State<HttpState>, visit: Visit, Path(id): Path<Uuid>) -> Response {
    let done = state.use_cases.webhooks.ping(&visit.actor, id).await;
    visit.go(done, "/audit/webhooks")
}

async fn remove(State(state): State<HttpState>, visit: Visit, Path(id): Path<Uuid>) -> Response {
    let done = state.use_cases.webhooks.remove(&visit.actor, id).await;
    visit.go(done, "/audit/webhooks")
}
