//! The pages of the pipeline: batches, and the preset interest pool.

use super::HttpState;
use super::audit::{Fields, Visit};
use axum::Router;
use axum::extract::{Path, RawForm, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use concord_app::pipeline::{self as pages, BatchesPage, PoolPage};
use concord_domain::{Error, NewPreset, PresetChange, Steer};

/// The routes of these pages.
pub(super) fn routes() -> Router<HttpState> {
    Router::new()
        .route("/pipeline", get(batches))
        .route("/pipeline/batches/{id}", post(steer))
        .route("/pipeline/interests", get(pool).post(add))
        .route("/pipeline/interests/build", post(build))
        .route("/pipeline/interests/{id}", post(change))
}

async fn batches(State(state): State<HttpState>, visit: Visit) -> Response {
    let cases = &state.use_cases.pipeline;
    let page = match cases.batches(&visit.actor, None).await {
        // Without the embedder's weights there is no φ, and the batches are shown all the same.
        Ok(batches) => Ok(BatchesPage { batches, phi: cases.phi(&visit.actor).await }),
        Err(error) => Err(error),
    };
    visit.show(page, |reader, page| pages::batches(reader, &page))
}

async fn steer(
    State(state): State<HttpState>,
    visit: Visit,
    Path(id): Path<String>,
    form: RawForm,
) -> Response {
    let fields = Fields::of(&form);
    let steer = match fields.one("action").as_str() {
        "resume" => Steer::Resume,
        "cancel" => Steer::Cancel,
        "priority" => Steer::Priority { priority: fields.one("priority").trim().parse().unwrap_or(-1) },
        _ => Steer::Pause,
    };
    let done = match id.parse() {
        Ok(id) => state.use_cases.pipeline.steer(&visit.actor, id, steer).await,
        Err(_) => Err(Error::not_found("generation")),
    };
    visit.go(done, "/pipeline")
}

async fn pool(State(state): State<HttpState>, visit: Visit, RawQuery(query): RawQuery) -> Response {
    let built = Fields::parse(query.unwrap_or_default().as_bytes()).one("built").parse().ok();
    show(&state, &visit, StatusCode::OK, built, None).await
}

async fn show(
    state: &HttpState,
    visit: &Visit,
    status: StatusCode,
    built: Option<i64>,
    refused: Option<(String, Error)>,
) -> Response {
    let presets = state.use_cases.pipeline.presets(&visit.actor).await;
    match presets {
        Ok(presets) => {
            let page = PoolPage { presets, built, refused };
            (status, Html(pages::pool(&visit.reader, &page))).into_response()
        }
        // Who may change the pool and not read it is told why all the same.
        Err(error) => visit.refuse(&refused.map_or(error, |(_, why)| why)),
    }
}

/// What was entered stays on the page where it was refused.
async fn or_again<T>(state: &HttpState, visit: &Visit, entered: String, done: Result<T, Error>) -> Response {
    match done {
        Err(error @ (Error::Invalid { .. } | Error::Conflict { .. })) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            show(state, visit, status, None, Some((entered, error))).await
        }
        done => visit.go(done, "/pipeline/interests"),
    }
}

async fn add(State(state): State<HttpState>, visit: Visit, form: RawForm) -> Response {
    let fields = Fields::of(&form);
    let new = NewPreset { name: fields.one("name"), lang: fields.one("lang") };
    let entered = new.name.clone();
    let done = state.use_cases.pipeline.add_preset(&visit.actor, new).await;
    or_again(&state, &visit, entered, done).await
}

async fn change(
    State(state): State<HttpState>,
    visit: Visit,
    Path(id): Path<String>,
    form: RawForm,
) -> Response {
    let fields = Fields::of(&form);
    let change = PresetChange {
        name: fields.has("name").then(|| fields.one("name")),
        active: fields.has("active").then(|| fields.one("active") == "true"),
    };
    let entered = fields.one("name");
    let done = state.use_cases.pipeline.change_preset(&visit.actor, id.parse().unwrap_or(0), change).await;
    or_again(&state, &visit, entered, done).await
}

async fn build(State(state): State<HttpState>, visit: Visit) -> Response {
    let done = state.use_cases.pipeline.build_presets(&visit.actor).await;
    match done {
        Ok(new) => visit.go(Ok::<_, Error>(()), &format!("/pipeline/interests?built={new}")),
        Err(error) => or_again::<()>(&state, &visit, String::new(), Err(error)).await,
    }
}
