//! The pages of self-training: documents, and forms that redirect to what they did.

use super::HttpState;
use super::audit::{Fields, Visit};
use axum::Router;
use axum::extract::{Path, RawForm, State};
use axum::response::Response;
use axum::routing::{get, post};
use concord_app::evolve::{self as pages, EvolvePage};
use concord_domain::api::Result;
use concord_domain::{
    Actor, Error, GateRequest, GenerationId, LogLesson, ModelPlace, ModelRole, RoundPlan, RoundSchedule,
    RoundTraining,
};
use uuid::Uuid;

/// The routes of these pages.
pub(super) fn routes() -> Router<HttpState> {
    Router::new()
        .route("/evolve", get(overview))
        .route("/evolve/rounds", post(start))
        .route("/evolve/schedule", post(schedule))
        .route("/evolve/rounds/{id}", get(round))
        .route("/evolve/rounds/{id}/stop", post(stop))
        .route("/evolve/models/{id}/promote", post(promote))
        .route("/evolve/rollback", post(roll_back))
}

async fn page(state: &HttpState, actor: &Actor, id: Option<Uuid>) -> Result<EvolvePage> {
    let evolve = &state.use_cases.evolve;
    Ok(EvolvePage {
        rounds: evolve.rounds(actor, id).await?,
        models: evolve.models(actor).await?,
        promotions: evolve.promotions(actor).await?,
        demo: evolve.demo(actor).await?,
        schedule: evolve.schedule(actor).await?,
    })
}

fn id_of(text: &str, what: &str) -> Result<Uuid> {
    text.parse().map_err(|_| Error::not_found(what))
}

async fn overview(State(state): State<HttpState>, visit: Visit) -> Response {
    let found = page(&state, &visit.actor, None).await;
    visit.show(found, |reader, found| pages::evolve(reader, &found))
}

async fn round(State(state): State<HttpState>, visit: Visit, Path(id): Path<String>) -> Response {
    let found = match id_of(&id, "round") {
        Ok(id) => page(&state, &visit.actor, Some(id)).await,
        Err(error) => Err(error),
    };
    visit.show(found, |reader, found| pages::round(reader, &found))
}

/// A whole number of a form, as usual where it is left empty.
fn number(fields: &Fields, name: &str, usual: u32) -> Result<u32> {
    match fields.one(name).trim() {
        "" => Ok(usual),
        text => text.parse().map_err(|_| Error::invalid(name, "a whole number")),
    }
}

/// What the form has; the rest is as usual.
fn plan(fields: &Fields) -> Result<RoundPlan> {
    let from_log = fields.one("learns") == "log";
    let usual = if from_log { RoundPlan::from_log() } else { RoundPlan::default() };
    let number = |name: &str, usual: u32| number(fields, name, usual);
    let log = match &usual.log {
        Some(log) => Some(LogLesson { days: number("days", log.days)?, ..log.clone() }),
        None => None,
    };
    let training =
        RoundTraining { tokens: number("tokens", usual.training.tokens)?, ..usual.training.clone() };
    Ok(RoundPlan {
        users: number("users", usual.users)?,
        audit_users: number("audit_users", usual.audit_users)?,
        seed: number("seed", 1)?.into(),
        training,
        log,
        ..usual
    })
}

async fn start(State(state): State<HttpState>, visit: Visit, form: RawForm) -> Response {
    let done = match plan(&Fields::of(&form)) {
        Ok(plan) => state.use_cases.evolve.start_round(&visit.actor, plan).await,
        Err(error) => Err(error),
    };
    let to =
        done.as_ref().map_or_else(|_| "/evolve".to_owned(), |round| format!("/evolve/rounds/{}", round.id));
    visit.go(done, &to)
}

/// Sets the schedule, or takes it away. What the form does not have stays as it was: a changed interval starts no round.
async fn schedule(State(state): State<HttpState>, visit: Visit, form: RawForm) -> Response {
    let (fields, evolve) = (Fields::of(&form), &state.use_cases.evolve);
    let changed = |there: RoundSchedule| -> Result<RoundSchedule> {
        let log = there.plan.log.clone().unwrap_or_default();
        let plan = RoundPlan {
            users: number(&fields, "users", there.plan.users)?,
            audit_users: number(&fields, "audit_users", there.plan.audit_users)?,
            log: Some(LogLesson { days: number(&fields, "days", log.days)?, ..log }),
            ..there.plan
        };
        Ok(RoundSchedule { plan, every_days: number(&fields, "every_days", there.every_days)?, ..there })
    };
    let new = match evolve.schedule(&visit.actor).await {
        Ok(_) if fields.one("off") == "1" => Ok(None),
        Ok(there) => changed(there.unwrap_or_default()).map(Some),
        Err(error) => Err(error),
    };
    let done = match new {
        Ok(new) => evolve.set_schedule(&visit.actor, new).await,
        Err(error) => Err(error),
    };
    visit.go(done, "/evolve#schedule")
}

async fn stop(State(state): State<HttpState>, visit: Visit, Path(id): Path<String>) -> Response {
    let done = match id_of(&id, "round") {
        Ok(id) => state.use_cases.evolve.stop_round(&visit.actor, id).await,
        Err(error) => Err(error),
    };
    visit.go(done, "/evolve")
}

async fn promote(
    State(state): State<HttpState>,
    visit: Visit,
    Path(id): Path<String>,
    form: RawForm,
) -> Response {
    let fields = Fields::of(&form);
    let generation = |name: &str| match fields.one(name).trim() {
        "" => Ok(None),
        text => text
            .parse()
            .map(|id| Some(GenerationId(id)))
            .map_err(|_| Error::invalid(name, "a generation's id")),
    };
    let request = || {
        let id = id_of(&id, "model")?;
        Ok((id, GateRequest { old: generation("old")?, new: generation("new")?, ..GateRequest::default() }))
    };
    let done = match request() {
        Ok((id, request)) => state.use_cases.evolve.promote(&visit.actor, id, request).await,
        Err(error) => Err(error),
    };
    visit.go(done, "/evolve#decisions")
}

async fn roll_back(State(state): State<HttpState>, visit: Visit, form: RawForm) -> Response {
    let fields = Fields::of(&form);
    let task = Some(fields.one("task")).filter(|task| !task.is_empty());
    let done = match fields.one("role").parse::<ModelRole>() {
        Ok(role) => state.use_cases.evolve.roll_back(&visit.actor, ModelPlace { role, task }).await,
        Err(error) => Err(error),
    };
    visit.go(done, "/evolve#decisions")
}
