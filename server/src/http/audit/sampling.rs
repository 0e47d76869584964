//! The page of audit sampling.

use super::{Fields, Visit};
use crate::http::HttpState;
use axum::Router;
use axum::extract::{Query, RawForm, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use concord_app::audit::{self as pages, SamplingPage};
use concord_domain::{Actor, AuditSampling, Error};
use serde::Deserialize;

pub(super) fn routes() -> Router<HttpState> {
    Router::new().route("/audit/sampling", get(show).post(set))
}

/// Which task, and what to allocate.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    task: Option<String>,
    budget: Option<u64>,
}

async fn show(State(state): State<HttpState>, visit: Visit, Query(asked): Query<Asked>) -> Response {
    let page = page(&state, &visit.actor, asked, None).await;
    visit.show(page, |reader, page| pages::sampling(reader, &page))
}

/// `entered`: what was refused, and why.
async fn page(
    state: &HttpState,
    actor: &Actor,
    asked: Asked,
    entered: Option<(AuditSampling, Error)>,
) -> Result<SamplingPage, Error> {
    let versions = state.use_cases.rubrics.versions(actor, None).await?;
    let mut tasks: Vec<String> = versions.into_iter().map(|it| it.rubric.task).collect();
    tasks.sort_unstable();
    tasks.dedup();
    let audit = &state.use_cases.audit;
    let task = asked.task.filter(|task| !task.is_empty()).or_else(|| tasks.first().cloned());
    let Some(task) = task else {
        let sampling = AuditSampling { rate_pass: 1.0, rate_fail: 1.0, floor: 0.05 };
        return Ok(SamplingPage {
            tasks,
            task: String::new(),
            sampling,
            budget: None,
            allocation: None,
            refused: None,
        });
    };
    let sampling = audit.sampling(actor, &task).await?;
    let (allocation, refused) = match asked.budget {
        None => (None, None),
        Some(budget) => match audit.allocate(actor, &task, budget).await {
            Ok(allocation) => (Some(allocation), None),
            Err(error) => (None, Some(error)),
        },
    };
    let (sampling, refused) = match entered {
        Some((entered, why)) => (entered, Some(why)),
        None => (sampling, refused),
    };
    Ok(SamplingPage { tasks, task, sampling, budget: asked.budget, allocation, refused })
}

async fn set(State(state): State<HttpState>, visit: Visit, form: RawForm) -> Response {
    let fields = Fields::of(&form);
    let task = fields.one("task");
    let to = AuditSampling {
        rate_pass: fields.number("rate_pass"),
        rate_fail: fields.number("rate_fail"),
        floor: fields.number("floor"),
    };
    match state.use_cases.audit.set_sampling(&visit.actor, &task, to).await {
        Ok(_) => {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("task", &task).finish();
            Redirect::to(&format!("/audit/sampling?{query}")).into_response()
        }
        Err(error) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let asked = Asked { task: Some(task), budget: None };
            match page(&state, &visit.actor, asked, Some((to, error.clone()))).await {
                Ok(page) => (status, Html(pages::sampling(&visit.reader, &page))).into_response(),
                Err(_) => visit.refuse(&error),
            }
        }
    }
}
