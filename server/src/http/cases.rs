//! The pages on which leads decide: a list whose filter stands in the address, a case, and the list as CSV.

use super::HttpState;
use super::audit::{Fields, Visit};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawForm, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use concord_app::audit::{self as pages, CaseNotice, ManyEntered, OneEntered};
use concord_domain::api::Adjudications;
use concord_domain::{
    Actor, CASES_A_PAGE, CaseFilter, CasePage, Error, NewAdjudication, Outcome, Reason, SampleId,
};
use futures::stream::{self, StreamExt};
use std::sync::Arc;

/// Rows read at once for a download.
const CSV_PAGE: u32 = 1000;

/// The routes of these pages.
pub(super) fn routes() -> Router<HttpState> {
    Router::new()
        .route("/audit/cases", get(list).post(decide_many))
        .route("/audit/cases.csv", get(csv))
        .route("/audit/cases/{sample}/{criterion}", get(one).post(decide_one))
}

/// The filter of an address, and how many decisions the page before stored. A form sends every field it has, so
/// an empty one does not filter.
fn read(query: Option<String>) -> (CaseFilter, Option<u32>) {
    let (mut filter, mut decided) = (CaseFilter::default(), None);
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let field = match &*name {
            "state" => &mut filter.state,
            "task" => &mut filter.task,
            "criterion" => &mut filter.criterion,
            "judge" => &mut filter.judge,
            "category" => &mut filter.category,
            "lang" => &mut filter.lang,
            "generator" => &mut filter.generator,
            "annotator" => &mut filter.annotator,
            "half" => &mut filter.half,
            "sort" => &mut filter.sort,
            "after" => &mut filter.after,
            "decided" => {
                decided = value.parse().ok();
                continue;
            }
            _ => continue,
        };
        let value = value.trim();
        *field = (!value.is_empty()).then(|| value.to_owned());
    }
    // What is meant where nothing is said: one address for one list.
    filter.state = filter.state.filter(|state| state != "open");
    filter.sort = filter.sort.filter(|sort| sort != "need");
    (filter, decided)
}

/// An address with the filter, and with how many decisions were just stored.
fn with_decided(path: &str, filter: &CaseFilter, decided: usize) -> String {
    let query = pages::query(filter, true);
    let and = if query.is_empty() { "" } else { "&" };
    format!("{path}?{query}{and}decided={decided}")
}

async fn list(State(state): State<HttpState>, visit: Visit, RawQuery(query): RawQuery) -> Response {
    let (filter, decided) = read(query);
    show(&state, &visit, &filter, CaseNotice { decided, refused: None }).await
}

async fn show(state: &HttpState, visit: &Visit, filter: &CaseFilter, notice: CaseNotice) -> Response {
    let page = match state.use_cases.adjudications.cases(&visit.actor, filter.clone(), CASES_A_PAGE).await {
        Ok(page) => page,
        Err(error) => return visit.refuse(&error),
    };
    let rubrics = state.use_cases.rubrics.versions(&visit.actor, None).await;
    let mut shown =
        visit.show(rubrics, |reader, rubrics| pages::cases(reader, filter, &page, &rubrics, &notice));
    if let Some((_, error)) = &notice.refused {
        *shown.status_mut() =
            StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    }
    shown
}

async fn decide_many(
    State(state): State<HttpState>,
    visit: Visit,
    RawQuery(query): RawQuery,
    form: RawForm,
) -> Response {
    let (filter, _) = read(query);
    let fields = Fields::of(&form);
    let entered = ManyEntered {
        cases: fields.all("case"),
        outcome: fields.one("outcome"),
        reason: fields.one("reason"),
        note: fields.one("note"),
    };
    let done = match many(&entered) {
        Ok(new) => state.use_cases.adjudications.adjudicate(&visit.actor, new).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(done) => Redirect::to(&with_decided("/audit/cases", &filter, done.len())).into_response(),
        // Who may not decide may not look either.
        Err(Error::Forbidden) => visit.refuse(&Error::Forbidden),
        Err(error) => {
            let notice = CaseNotice { decided: None, refused: Some((entered, error)) };
            show(&state, &visit, &filter, notice).await
        }
    }
}

fn many(entered: &ManyEntered) -> Result<Vec<NewAdjudication>, Error> {
    if entered.cases.is_empty() {
        return Err(Error::invalid("case", "select at least one row"));
    }
    let outcome = Outcome::parse(&entered.outcome).ok_or_else(|| Error::invalid("outcome", "choose one"))?;
    let reason = Reason::parse(&entered.reason).ok_or_else(|| Error::invalid("reason", "choose one"))?;
    let note = note(&entered.note);
    let one = |case: &String| {
        let (sample, criterion) = case.split_once('/')?;
        let (sample, criterion) = (sample.parse::<SampleId>().ok()?, criterion.to_owned());
        Some(NewAdjudication { sample, criterion, outcome, label: None, reason, note: note.clone() })
    };
    entered
        .cases
        .iter()
        .map(|case| one(case).ok_or_else(|| Error::invalid("case", "a row of the list")))
        .collect()
}

fn note(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Which case: a sample that does not look like one is not there.
fn parse(sample: &str) -> Result<SampleId, Error> {
    sample.parse().map_err(|_| Error::not_found("sample"))
}

async fn one(
    State(state): State<HttpState>,
    visit: Visit,
    Path((sample, criterion)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let (filter, decided) = read(query);
    let detail = match parse(&sample) {
        Ok(sample) => state.use_cases.adjudications.case(&visit.actor, sample, &criterion).await,
        Err(error) => Err(error),
    };
    visit.show(detail, |reader, detail| pages::case(reader, &filter, &detail, decided, None))
}

async fn decide_one(
    State(state): State<HttpState>,
    visit: Visit,
    Path((sample, criterion)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    form: RawForm,
) -> Response {
    let (filter, _) = read(query);
    let fields = Fields::of(&form);
    let entered = OneEntered {
        decision: fields.one("decision"),
        reason: fields.one("reason"),
        note: fields.one("note"),
    };
    let sample = match parse(&sample) {
        Ok(sample) => sample,
        Err(error) => return visit.refuse(&error),
    };
    let adjudications = &state.use_cases.adjudications;
    let done = match single(sample, &criterion, &entered) {
        Ok(new) => adjudications.adjudicate(&visit.actor, vec![new]).await,
        Err(error) => Err(error),
    };
    let error = match done {
        Ok(_) if fields.one("then") == "next" => return next(&state, &visit, &filter).await,
        Ok(done) => {
            return Redirect::to(&with_decided("/audit/cases", &filter, done.len())).into_response();
        }
        Err(error) => error,
    };
    match adjudications.case(&visit.actor, sample, &criterion).await {
        Ok(detail) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let page = pages::case(&visit.reader, &filter, &detail, None, Some(&(entered, error)));
            (status, Html(page)).into_response()
        }
        Err(_) => visit.refuse(&error),
    }
}

fn single(sample: SampleId, criterion: &str, entered: &OneEntered) -> Result<NewAdjudication, Error> {
    let reason = Reason::parse(&entered.reason).ok_or_else(|| Error::invalid("reason", "choose one"))?;
    let (outcome, label) = match entered.decision.split_once(':') {
        Some((outcome, label)) => (outcome, Some(label.to_owned())),
        None => (entered.decision.as_str(), None),
    };
    let outcome = Outcome::parse(outcome).ok_or_else(|| Error::invalid("decision", "choose one"))?;
    let criterion = criterion.to_owned();
    Ok(NewAdjudication { sample, criterion, outcome, label, reason, note: note(&entered.note) })
}

/// On to the first case of the list that this person may decide; to the list where there is none.
async fn next(state: &HttpState, visit: &Visit, filter: &CaseFilter) -> Response {
    let page = state.use_cases.adjudications.cases(&visit.actor, filter.clone(), CASES_A_PAGE).await;
    let page = match page {
        Ok(page) => page,
        Err(error) => return visit.refuse(&error),
    };
    let to = match page.rows.iter().find(|case| !case.own) {
        Some(case) => {
            let address = pages::case_address(&case.sample.to_string(), &case.criterion, filter);
            let and = if address.contains('?') { '&' } else { '?' };
            format!("{address}{and}decided=1")
        }
        None => with_decided("/audit/cases", filter, 1),
    };
    Redirect::to(&to).into_response()
}

async fn csv(State(state): State<HttpState>, visit: Visit, RawQuery(query): RawQuery) -> Response {
    let (filter, _) = read(query);
    let list = Download { adjudications: state.use_cases.adjudications, actor: visit.actor.clone(), filter };
    // The first page before the first byte, so that a refusal is still a refusal.
    let first = match list.page(None).await {
        Ok(page) => page,
        Err(error) => return visit.refuse(&error),
    };
    let head = pages::csv::cases_head();
    let rest = stream::try_unfold((list, first.next.clone()), async |(list, after)| {
        let Some(after) = after else { return Ok::<_, Error>(None) };
        let page = list.page(Some(after)).await?;
        Ok(Some((pages::csv::cases(&page.rows), (list, page.next))))
    });
    let body = stream::once(async move { Ok(head + &pages::csv::cases(&first.rows)) }).chain(rest);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"cases.csv\""),
    ];
    (headers, Body::from_stream(body)).into_response()
}

/// A list, read page by page while it is sent; an error ends the connection, so that half of it is not taken for
/// all.
struct Download {
    adjudications: Arc<dyn Adjudications>,
    actor: Actor,
    filter: CaseFilter,
}

impl Download {
    async fn page(&self, after: Option<String>) -> Result<CasePage, Error> {
        let filter = CaseFilter { after, ..self.filter.clone() };
        self.adjudications.cases(&self.actor, filter, CSV_PAGE).await
    }
}
