//! The page of escalations, and how they end.

use super::HttpState;
use super::audit::{Fields, Visit};
use axum::Router;
use axum::extract::{Path, RawForm, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use concord_app::audit::{self as pages, EscalationEntered};
use concord_domain::{Error, EscalationEnd, EscalationOutcome};
use uuid::Uuid;

/// The routes of this page.
pub(super) fn routes() -> Router<HttpState> {
    Router::new().route("/audit/escalations", get(list)).route("/audit/escalations/{id}", post(end))
}

async fn list(State(state): State<HttpState>, visit: Visit) -> Response {
    show(&state, &visit, None).await
}

async fn show(state: &HttpState, visit: &Visit, refused: Option<(EscalationEntered, Error)>) -> Response {
    let all = state.use_cases.programmes.escalations(&visit.actor, false).await;
    let mut shown = visit.show(all, |reader, all| pages::escalations(reader, &all, refused.as_ref()));
    if let Some((_, error)) = &refused {
        *shown.status_mut() =
            StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    }
    shown
}

async fn end(State(state): State<HttpState>, visit: Visit, Path(id): Path<Uuid>, form: RawForm) -> Response {
    let fields = Fields::of(&form);
    let entered = EscalationEntered {
        id: id.to_string(),
        outcome: fields.one("outcome"),
        note: fields.one("note"),
        rubric: fields.one("rubric"),
    };
    let outcome = if entered.outcome == "wont" { EscalationEnd::Wont } else { EscalationEnd::Guideline };
    let rubric = Some(entered.rubric.trim().to_owned()).filter(|version| !version.is_empty());
    let outcome = EscalationOutcome { outcome, note: entered.note.clone(), rubric };
    match state.use_cases.programmes.resolve_escalation(&visit.actor, id, outcome).await {
        Ok(()) => Redirect::to("/audit/escalations").into_response(),
        Err(Error::Forbidden) => visit.refuse(&Error::Forbidden),
        Err(error) => show(&state, &visit, Some((entered, error))).await,
    }
}
