//! The pages of the review programme and its gold questions.

use super::{Fields, Visit};
use crate::http::HttpState;
use axum::Router;
use axum::extract::{Path, RawForm, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use concord_app::audit::{self as pages, GoldPage, ProgrammePage};
use concord_domain::{Actor, Capability, Error, GoldAnswer, GoldRequest, Programme, SampleId, Third};

pub(super) fn routes() -> Router<HttpState> {
    Router::new()
        .route("/audit/programme", get(show).post(set))
        .route("/audit/gold/{sample}", get(gold).post(set_gold))
        .route("/audit/gold/{sample}/retire", post(retire))
}

fn address(task: &str, stored: bool) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("task", task);
    if stored {
        query.append_pair("stored", "1");
    }
    format!("/audit/programme?{}", query.finish())
}

async fn show(State(state): State<HttpState>, visit: Visit, RawQuery(query): RawQuery) -> Response {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let page = page(&state, &visit.actor, asked.one("task"), asked.has("stored"), None).await;
    visit.show(page, |reader, page| pages::programme(reader, &page))
}

/// `entered`: what was refused, and why.
async fn page(
    state: &HttpState,
    actor: &Actor,
    task: String,
    stored: bool,
    entered: Option<(Programme, Error)>,
) -> Result<ProgrammePage, Error> {
    let versions = state.use_cases.rubrics.versions(actor, None).await?;
    let mut tasks: Vec<String> = versions.into_iter().map(|it| it.rubric.task).collect();
    tasks.sort_unstable();
    tasks.dedup();
    let task = if task.is_empty() { tasks.first().cloned().unwrap_or_default() } else { task };
    let (mut programme, mut gold) = (Programme::default(), Vec::new());
    if !task.is_empty() {
        programme = state.use_cases.review.programme(actor, &task).await?;
        gold = state.use_cases.programmes.gold(actor, Some(&task)).await?;
    }
    let (programme, refused) = match entered {
        Some((entered, why)) => (entered, Some(why)),
        None => (programme, None),
    };
    Ok(ProgrammePage { tasks, task, programme, gold, stored, refused })
}

/// What a form says. A number that is none is refused by its field's name.
fn entered(fields: &Fields) -> Result<Programme, Error> {
    let whole = |name: &str| {
        fields.one(name).trim().parse().map_err(|_| Error::invalid(name.to_owned(), "a whole number"))
    };
    Ok(Programme {
        overlap: whole("overlap")?,
        lease_seconds: whole("lease_seconds")?,
        gold_rate: fields.number("gold_rate"),
        audit_share: fields.number("audit_share"),
        repeat_rate: fields.number("repeat_rate"),
        repeat_after_days: whole("repeat_after_days")?,
        third: match fields.one("third").as_str() {
            "never" => Third::Never,
            "tie" => Third::Tie,
            "any" => Third::Any,
            _ => return Err(Error::invalid("third", "one of never, tie, any")),
        },
        assisted: fields.has("assisted"),
        assisted_rate: fields.number("assisted_rate"),
    })
}

async fn set(State(state): State<HttpState>, visit: Visit, form: RawForm) -> Response {
    if let Err(error) = visit.actor.require(Capability::ManageProgramme) {
        return visit.refuse(&error);
    }
    let fields = Fields::of(&form);
    let task = fields.one("task");
    let programme = match entered(&fields) {
        Ok(programme) => programme,
        Err(error) => return visit.refuse(&error),
    };
    match state.use_cases.review.set_programme(&visit.actor, &task, programme.clone()).await {
        Ok(_) => Redirect::to(&address(&task, true)).into_response(),
        Err(error) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            match page(&state, &visit.actor, task, false, Some((programme, error.clone()))).await {
                Ok(page) => (status, Html(pages::programme(&visit.reader, &page))).into_response(),
                Err(_) => visit.refuse(&error),
            }
        }
    }
}

async fn gold(State(state): State<HttpState>, visit: Visit, Path(sample): Path<SampleId>) -> Response {
    let page = gold_page(&state, &visit.actor, sample, None).await;
    visit.show(page, |reader, page| pages::gold(reader, &page))
}

/// `entered`: what was refused, and why.
async fn gold_page(
    state: &HttpState,
    actor: &Actor,
    sample: SampleId,
    entered: Option<(Vec<GoldAnswer>, Error)>,
) -> Result<GoldPage, Error> {
    actor.require(Capability::ReadAll)?;
    let detail = state.use_cases.samples.get(actor, sample).await?;
    let (answers, refused) = match entered {
        Some((answers, why)) => (answers, Some(why)),
        None => {
            let known = state.use_cases.programmes.gold(actor, Some(&detail.sample.task)).await?;
            let known = known.into_iter().find(|question| question.sample == sample);
            (known.map(|question| question.answers).unwrap_or_default(), None)
        }
    };
    Ok(GoldPage { detail, answers, refused })
}

async fn set_gold(
    State(state): State<HttpState>,
    visit: Visit,
    Path(sample): Path<SampleId>,
    form: RawForm,
) -> Response {
    let answers = answers(&Fields::of(&form));
    let request = GoldRequest { answers: answers.clone() };
    match state.use_cases.programmes.set_gold(&visit.actor, sample, request).await {
        Ok(question) => Redirect::to(&address(&question.task, false)).into_response(),
        Err(error) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            match gold_page(&state, &visit.actor, sample, Some((answers, error.clone()))).await {
                Ok(page) => (status, Html(pages::gold(&visit.reader, &page))).into_response(),
                Err(_) => visit.refuse(&error),
            }
        }
    }
}

/// One answer a criterion that the form says anything of.
fn answers(fields: &Fields) -> Vec<GoldAnswer> {
    let mut criteria: Vec<String> = fields
        .names()
        .filter_map(|name| name.strip_prefix("label.").or_else(|| name.strip_prefix("reason.")))
        .map(str::to_owned)
        .collect();
    criteria.sort_unstable();
    criteria.dedup();
    let answer = |criterion: String| GoldAnswer {
        label: fields.one(&format!("label.{criterion}")),
        reason: fields.one(&format!("reason.{criterion}")).trim().to_owned(),
        criterion,
    };
    criteria.into_iter().map(answer).filter(|it| !it.label.is_empty() || !it.reason.is_empty()).collect()
}

async fn retire(
    State(state): State<HttpState>,
    visit: Visit,
    Path(sample): Path<SampleId>,
    form: RawForm,
) -> Response {
    let done = state.use_cases.programmes.retire_gold(&visit.actor, sample).await;
    visit.go(done, &address(&Fields::of(&form).one("task"), true))
}
