//! The tables behind the charts of a card, and its decisions, for spreadsheets.

use super::{Visit, Which};
use crate::http::HttpState;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use concord_app::audit::csv;
use concord_domain::{DECISIONS_A_PAGE, DecisionFilter, Error};

/// The routes of these downloads.
pub(super) fn routes() -> Router<HttpState> {
    Router::new()
        .route("/audit/card/reliability.csv", get(reliability))
        .route("/audit/card/slices.csv", get(slices))
        .route("/audit/card/judges.csv", get(judges))
        .route("/audit/decisions.csv", get(decisions))
}

fn download<T>(
    visit: &Visit,
    name: &str,
    done: Result<T, Error>,
    write: impl FnOnce(&T) -> String,
) -> Response {
    match done {
        Ok(data) => {
            let attached = format!("attachment; filename=\"{name}.csv\"");
            let headers = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
                (header::CONTENT_DISPOSITION, attached),
            ];
            (headers, write(&data)).into_response()
        }
        Err(error) => visit.refuse(&error),
    }
}

async fn reliability(State(state): State<HttpState>, visit: Visit, Query(of): Query<Which>) -> Response {
    let done = state.use_cases.audit.reliability(&visit.actor, &of.task, &of.criterion, &of.judge).await;
    download(&visit, "reliability", done, csv::reliability)
}

async fn slices(State(state): State<HttpState>, visit: Visit, Query(of): Query<Which>) -> Response {
    let done = state.use_cases.audit.slices(&visit.actor, &of.task, &of.criterion, &of.judge).await;
    download(&visit, "slices", done, |all| csv::slices(all))
}

async fn judges(State(state): State<HttpState>, visit: Visit, Query(of): Query<Which>) -> Response {
    let done = state.use_cases.audit.pairs(&visit.actor, &of.task).await;
    download(&visit, "judges", done, |all| csv::pairs(all))
}

/// Every decision behind a cell, page after page.
async fn decisions(
    State(state): State<HttpState>,
    visit: Visit,
    Query(filter): Query<DecisionFilter>,
) -> Response {
    let mut all = Vec::new();
    let mut skip = 0;
    let done = loop {
        let page = DecisionFilter { skip, ..filter.clone() };
        match state.use_cases.audit.decisions(&visit.actor, page).await {
            Ok(mut rows) => {
                let more = rows.len() > DECISIONS_A_PAGE as usize;
                rows.truncate(DECISIONS_A_PAGE as usize);
                all.append(&mut rows);
                skip += DECISIONS_A_PAGE;
                // As far as the page itself goes.
                if !more || skip > 10_000 {
                    break Ok(all);
                }
            }
            Err(error) => break Err(error),
        }
    };
    download(&visit, "decisions", done, |all| csv::decisions(all))
}
