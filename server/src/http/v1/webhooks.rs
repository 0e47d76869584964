//! Webhooks: who is told of certificates and alarms.

use crate::http::HttpState;
use crate::http::extract::{Json, Path, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use concord_domain::{Delivery, NewWebhook, Webhook};
use uuid::Uuid;

/// Registered addresses, oldest first, without their secrets.
#[utoipa::path(get, path = "/webhooks", tag = "audit", responses((status = 200, body = Vec<Webhook>)))]
pub(super) async fn list(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
) -> Result<axum::Json<Vec<Webhook>>, Problem> {
    Ok(axum::Json(state.use_cases.webhooks.list(&actor).await?))
}

/// Registers an address. This answer alone holds the secret that signs its messages (Standard Webhooks: HMAC-SHA256
/// over `webhook-id.webhook-timestamp.body`, in the header `webhook-signature`).
#[utoipa::path(post, path = "/webhooks", tag = "audit", request_body = NewWebhook,
    responses((status = 201, body = Webhook), (status = 422, body = Problem)))]
pub(super) async fn add(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Json(new): Json<NewWebhook>,
) -> Result<(StatusCode, axum::Json<Webhook>), Problem> {
    Ok((StatusCode::CREATED, axum::Json(state.use_cases.webhooks.add(&actor, new).await?)))
}

/// Takes an address off; what waits for it is given up.
#[utoipa::path(delete, path = "/webhooks/{id}", tag = "audit", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn remove(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    state.use_cases.webhooks.remove(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends an address a ping.
#[utoipa::path(post, path = "/webhooks/{id}/ping", tag = "audit", params(("id" = Uuid, Path)),
    responses((status = 202), (status = 404, body = Problem)))]
pub(super) async fn ping(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    state.use_cases.webhooks.ping(&actor, id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The newest messages of an address, and what became of each.
#[utoipa::path(get, path = "/webhooks/{id}/deliveries", tag = "audit", params(("id" = Uuid, Path)),
    responses((status = 200, body = Vec<Delivery>)))]
pub(super) async fn deliveries(
    State(state): State<HttpState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<axum::Json<Vec<Delivery>>, Problem> {
    Ok(axum::Json(state.use_cases.webhooks.deliveries(&actor, Some(id)).await?))
}
