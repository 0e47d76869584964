//! The rubric pages: versions, one of them, the editor, and two line by line.

use super::HttpState;
use super::audit::{Fields, Visit};
use axum::Router;
use axum::extract::{Path, Query, RawForm, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use concord_app::rubrics::{self as pages, Edited};
use concord_domain::{Capability, Error, RubricVersion};
use serde::Deserialize;

/// The routes of the rubric pages.
pub(super) fn routes() -> Router<HttpState> {
    Router::new()
        .route("/rubrics", get(list))
        .route("/rubrics/new", get(new))
        .route("/rubrics/check", post(check))
        .route("/rubrics/publish", post(publish))
        .route("/rubrics/{task}/diff", get(diff))
        .route("/rubrics/{task}/{version}", get(one))
        .route("/rubrics/{task}/{version}/edit", get(edit))
}

async fn list(State(state): State<HttpState>, visit: Visit) -> Response {
    let versions = state.use_cases.rubrics.versions(&visit.actor, None).await;
    visit.show(versions, |reader, versions| pages::list(reader, &versions))
}

#[derive(Debug, Deserialize)]
struct Shown {
    published: Option<String>,
}

async fn one(
    State(state): State<HttpState>,
    visit: Visit,
    Path((task, version)): Path<(String, String)>,
    Query(shown): Query<Shown>,
) -> Response {
    let versions = state.use_cases.rubrics.versions(&visit.actor, Some(&task)).await;
    let found = versions.and_then(|versions: Vec<RubricVersion>| {
        let found = versions.into_iter().find(|it| it.rubric.version == version);
        found.ok_or_else(|| Error::not_found("rubric version"))
    });
    visit.show(found, |reader, found| pages::view(reader, &found, shown.published.is_some()))
}

async fn edit(
    State(state): State<HttpState>,
    visit: Visit,
    Path((task, version)): Path<(String, String)>,
) -> Response {
    let text = state.use_cases.rubrics.toml(&visit.actor, &task, &version).await;
    visit.show(text, |reader, text| pages::edit(reader, &Edited { text, checked: None }))
}

async fn new(visit: Visit) -> Response {
    let may = visit.actor.require(Capability::ManageProgramme);
    let text = pages::TEMPLATE.to_owned();
    visit.show(may, |reader, ()| pages::edit(reader, &Edited { text, checked: None }))
}

/// What was entered. Browsers send line breaks as CRLF, and a text area has one at its start.
fn entered(form: &RawForm) -> String {
    Fields::of(form).one("text").replace("\r\n", "\n").trim_start_matches('\n').to_owned()
}

async fn check(State(state): State<HttpState>, visit: Visit, form: RawForm) -> Response {
    let text = entered(&form);
    match state.use_cases.rubrics.preview(&visit.actor, &text).await {
        Err(Error::Forbidden) => visit.refuse(&Error::Forbidden),
        checked => again(&visit, Edited { text, checked: Some(checked) }),
    }
}

async fn publish(State(state): State<HttpState>, visit: Visit, form: RawForm) -> Response {
    let text = entered(&form);
    match state.use_cases.rubrics.publish_toml(&visit.actor, &text).await {
        Ok(stored) => {
            let rubric = stored.rubric;
            Redirect::to(&format!("/rubrics/{}/{}?published=yes", rubric.task, rubric.version))
                .into_response()
        }
        Err(Error::Forbidden) => visit.refuse(&Error::Forbidden),
        Err(error) => again(&visit, Edited { text, checked: Some(Err(error)) }),
    }
}

/// The editor with what was entered, whatever came of it.
fn again(visit: &Visit, edited: Edited) -> Response {
    let status = match &edited.checked {
        Some(Err(error)) => StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        _ => StatusCode::OK,
    };
    (status, Html(pages::edit(&visit.reader, &edited))).into_response()
}

#[derive(Debug, Deserialize)]
struct Two {
    from: String,
    to: String,
}

async fn diff(
    State(state): State<HttpState>,
    visit: Visit,
    Path(task): Path<String>,
    Query(two): Query<Two>,
) -> Response {
    let lines = state.use_cases.rubrics.diff(&visit.actor, &task, &two.from, &two.to).await;
    visit.show(lines, |reader, lines| pages::diff(reader, &task, &two.from, &two.to, &lines))
}
