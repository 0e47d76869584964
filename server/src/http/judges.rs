//! The judge pages: documents, and forms that redirect to what they did.

use super::HttpState;
use super::audit::{Fields, Visit};
use axum::Router;
use axum::extract::{Path, Query, RawForm, State};
use axum::response::Response;
use axum::routing::{get, post};
use concord_app::judges as pages;
use concord_domain::{CalibrationRequest, DrawRequest, Error, HeadRequest, ProbeRequest, SeniorRule};
use serde::Deserialize;

/// The routes of the judge pages.
pub(super) fn routes() -> Router<HttpState> {
    Router::new()
        .route("/judges", get(overview))
        .route("/judges/{task}/examples", post(draw))
        .route("/judges/{task}/calibration", post(calibrate))
        .route("/judges/{task}/rejudge", post(rejudge))
        .route("/judges/{task}/senior", post(senior))
        .route("/judges/{task}/probes", get(probes).post(probe))
        .route("/judges/{task}/heads", get(heads).post(train_head))
        .route("/judges/{task}/heads/drop", post(drop_heads))
}

/// What a form has just done, said once.
#[derive(Debug, Deserialize)]
struct Said {
    said: Option<String>,
}

async fn overview(State(state): State<HttpState>, visit: Visit, Query(query): Query<Said>) -> Response {
    let judges = state.use_cases.judges.judges(&visit.actor, None).await;
    visit.show(judges, |reader, judges| pages::overview(reader, &judges, query.said.as_deref()))
}

/// A whole number of a form; what is none is refused here, with the field.
fn whole<T: std::str::FromStr>(fields: &Fields, name: &str) -> Result<T, Error> {
    fields.one(name).trim().parse().map_err(|_| Error::invalid(name, "a whole number, not negative"))
}

async fn draw(
    State(state): State<HttpState>,
    visit: Visit,
    Path(task): Path<String>,
    form: RawForm,
) -> Response {
    let fields = Fields::of(&form);
    let request = || {
        Ok(DrawRequest {
            per_side: whole(&fields, "per_side")?,
            sets: whole(&fields, "sets")?,
            seed: whole(&fields, "seed")?,
        })
    };
    let done = match request() {
        Ok(request) => state.use_cases.judges.draw(&visit.actor, &task, request).await,
        Err(error) => Err(error),
    };
    visit.go(done, "/judges")
}

async fn calibrate(
    State(state): State<HttpState>,
    visit: Visit,
    Path(task): Path<String>,
    form: RawForm,
) -> Response {
    let fields = Fields::of(&form);
    let criterion = Some(fields.one("criterion")).filter(|name| !name.is_empty());
    let request = CalibrationRequest { method: fields.one("method"), criterion };
    let done = state.use_cases.judges.calibrate(&visit.actor, &task, request).await;
    visit.go(done, "/judges?said=calibrated")
}

async fn rejudge(
    State(state): State<HttpState>,
    visit: Visit,
    Path(task): Path<String>,
    form: RawForm,
) -> Response {
    let labelled_only = Fields::of(&form).has("labelled_only");
    let done = state.use_cases.judges.rejudge(&visit.actor, &task, labelled_only).await;
    visit.go(done, "/judges?said=queued")
}

async fn senior(
    State(state): State<HttpState>,
    visit: Visit,
    Path(task): Path<String>,
    form: RawForm,
) -> Response {
    let fields = Fields::of(&form);
    let rule = SeniorRule { strong: fields.number("strong"), share: fields.number("share") };
    let done = state.use_cases.judges.set_senior(&visit.actor, &task, rule).await;
    visit.go(done, "/judges")
}

async fn probes(State(state): State<HttpState>, visit: Visit, Path(task): Path<String>) -> Response {
    let runs = state.use_cases.judges.probes(&visit.actor, &task).await;
    visit.show(runs, |reader, runs| pages::probes(reader, &task, &runs))
}

async fn probe(
    State(state): State<HttpState>,
    visit: Visit,
    Path(task): Path<String>,
    form: RawForm,
) -> Response {
    let fields = Fields::of(&form);
    let request = || Ok(ProbeRequest { samples: whole(&fields, "samples")?, seed: whole(&fields, "seed")? });
    let done = match request() {
        Ok(request) => state.use_cases.judges.probe(&visit.actor, &task, request).await,
        Err(error) => Err(error),
    };
    let to =
        done.as_ref().map_or_else(|_| "/judges".to_owned(), |run| format!("/judges/{}/probes", run.task));
    visit.go(done, &to)
}

async fn heads(State(state): State<HttpState>, visit: Visit, Path(task): Path<String>) -> Response {
    let runs = state.use_cases.judges.heads(&visit.actor, &task).await;
    visit.show(runs, |reader, runs| pages::heads(reader, &task, &runs))
}

async fn train_head(
    State(state): State<HttpState>,
    visit: Visit,
    Path(task): Path<String>,
    form: RawForm,
) -> Response {
    let fields = Fields::of(&form);
    let request = || {
        Ok(HeadRequest {
            ridge: fields.number("ridge"),
            ratio: fields.number("ratio"),
            half_life_days: fields.number("half_life_days"),
            similarities: fields.has("similarities"),
            kappa_margin: fields.number("kappa_margin"),
            seed: whole(&fields, "seed")?,
        })
    };
    let done = match request() {
        Ok(request) => state.use_cases.judges.train_head(&visit.actor, &task, request).await,
        Err(error) => Err(error),
    };
    let to = done.as_ref().map_or_else(|_| "/judges".to_owned(), |run| format!("/judges/{}/heads", run.task));
    visit.go(done, &to)
}

async fn drop_heads(State(state): State<HttpState>, visit: Visit, Path(task): Path<String>) -> Response {
    let done = state.use_cases.judges.drop_heads(&visit.actor, &task).await;
    visit.go(done, "/judges")
}
