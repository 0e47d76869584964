//! The audit pages: documents. A handler reads the request, calls a use case or two and hands the data to the
//! page; forms are plain posts that redirect to what they did.

mod csv;
mod programme;
mod sampling;
mod webhooks;

use super::HttpState;
use super::access::cookie;
use super::extract::SignedIn;
use super::pages::language;
use axum::Router;
use axum::extract::{FromRequestParts, Path, Query, RawForm, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use concord_app::audit::{self as pages, CardPage};
use concord_app::document::{self, Reader};
use concord_domain::{
    Actor, AuditFilter, CalibrationRequest, Capability, CertificateRequest, DecisionFilter, Error, Statement,
};
use serde::Deserialize;
use uuid::Uuid;

/// The routes of the audit pages.
pub(super) fn routes() -> Router<HttpState> {
    Router::new()
        .route("/audit", get(overview))
        .route("/audit/cards.csv", get(cards_csv))
        .route("/audit/card", get(card))
        .route("/audit/decisions", get(decisions))
        .route("/audit/certificates", get(certificates).post(certify))
        .route("/audit/certificates/{id}/void", post(void))
        .route("/audit/drift", get(drift))
        .route("/audit/investigations/{id}", get(investigation).post(step))
        .route("/audit/investigations/{id}/relabel", post(relabel))
        .route("/audit/investigations/{id}/recalibrate", post(recalibrate))
        .route("/audit/investigations/{id}/certify", post(certify_anew))
        .merge(csv::routes())
        .merge(programme::routes())
        .merge(sampling::routes())
        .merge(webhooks::routes())
}

/// Who reads, in which language and theme, and who that is to the use cases.
pub(super) struct Visit {
    pub(super) actor: Actor,
    pub(super) reader: Reader,
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let SignedIn(actor) =
            SignedIn::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        let theme = cookie(&parts.headers, "theme");
        let reader = Reader::new(actor.clone(), language::of(&parts.headers), theme, parts.uri.path());
        Ok(Self { actor, reader })
    }
}

impl Visit {
    /// A use case's refusal as a page of its status.
    pub(super) fn refuse(&self, error: &Error) -> Response {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Html(document::error(&self.reader, error))).into_response()
    }

    /// The page of what a use case gave, or its refusal.
    pub(super) fn show<T>(
        &self,
        done: Result<T, Error>,
        page: impl FnOnce(&Reader, T) -> String,
    ) -> Response {
        match done {
            Ok(data) => Html(page(&self.reader, data)).into_response(),
            Err(error) => self.refuse(&error),
        }
    }

    /// On to a page once something is done, or its refusal.
    pub(super) fn go<T>(&self, done: Result<T, Error>, to: &str) -> Response {
        match done {
            Ok(_) => Redirect::to(to).into_response(),
            Err(error) => self.refuse(&error),
        }
    }
}

/// A filter whose empty fields do not filter: a form sends every field it has.
fn without_empty(filter: AuditFilter) -> AuditFilter {
    let kept = |value: Option<String>| value.filter(|value| !value.is_empty());
    AuditFilter {
        task: kept(filter.task),
        criterion: kept(filter.criterion),
        judge: kept(filter.judge),
        reference: kept(filter.reference),
    }
}

async fn overview(
    State(state): State<HttpState>,
    visit: Visit,
    Query(filter): Query<AuditFilter>,
) -> Response {
    let filter = without_empty(filter);
    let report = state.use_cases.audit.report(&visit.actor, filter.clone()).await;
    visit.show(report, |reader, report| pages::overview(reader, &report, &filter))
}

async fn cards_csv(State(state): State<HttpState>, visit: Visit) -> Response {
    match state.use_cases.audit.report(&visit.actor, AuditFilter::default()).await {
        Ok(report) => {
            let headers = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"cards.csv\""),
            ];
            (headers, pages::csv::cards(&report)).into_response()
        }
        Err(error) => visit.refuse(&error),
    }
}

/// Which card.
#[derive(Debug, Clone, Deserialize)]
struct Which {
    task: String,
    criterion: String,
    judge: String,
}

async fn card(State(state): State<HttpState>, visit: Visit, Query(which): Query<Which>) -> Response {
    let page = card_page(&state, &visit.actor, &which, None).await;
    visit.show(page, |reader, page| pages::card(reader, &page))
}

async fn card_page(
    state: &HttpState,
    actor: &Actor,
    which: &Which,
    refused: Option<(CertificateRequest, Error)>,
) -> Result<CardPage, Error> {
    let audit = &state.use_cases.audit;
    let (task, criterion, judge) = (which.task.as_str(), which.criterion.as_str(), which.judge.as_str());
    let filter = AuditFilter {
        task: Some(task.to_owned()),
        criterion: Some(criterion.to_owned()),
        judge: Some(judge.to_owned()),
        reference: None,
    };
    let report = audit.report(actor, filter).await?;
    let card = report.cards.into_iter().next().ok_or_else(|| Error::not_found("report card"))?;
    let single = !matches!(criterion, "*" | "all");
    let pairs = audit.pairs(actor, task).await?;
    let certificates = audit.certificates(actor, None).await?;
    Ok(CardPage {
        reliability: if single {
            Some(audit.reliability(actor, task, criterion, judge).await?)
        } else {
            None
        },
        slices: if single { audit.slices(actor, task, criterion, judge).await? } else { Vec::new() },
        pairs: pairs
            .into_iter()
            .filter(|pair| pair.criterion == criterion && (pair.a == judge || pair.b == judge))
            .collect(),
        certificates: certificates
            .into_iter()
            .filter(|it| it.task == task && it.criterion == criterion && it.judge == judge)
            .collect(),
        card,
        refused,
    })
}

async fn decisions(
    State(state): State<HttpState>,
    visit: Visit,
    Query(filter): Query<DecisionFilter>,
) -> Response {
    let rows = state.use_cases.audit.decisions(&visit.actor, filter.clone()).await;
    visit.show(rows, |reader, rows| pages::decisions(reader, &filter, &rows))
}

async fn certificates(State(state): State<HttpState>, visit: Visit) -> Response {
    let all = state.use_cases.audit.certificates(&visit.actor, None).await;
    visit.show(all, |reader, all| pages::certificates(reader, &all))
}

/// A form's fields in order; a name may come more than once.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn of(form: &RawForm) -> Self {
        Self::parse(&form.0)
    }

    /// The same of an address.
    pub(super) fn parse(query: &[u8]) -> Self {
        Self(form_urlencoded::parse(query).into_owned().collect())
    }

    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }

    pub(super) fn one(&self, name: &str) -> String {
        self.all(name).pop().unwrap_or_default()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// What was stated of imported labels, if anything was.
    fn statement(&self) -> Option<Statement> {
        let said = Statement { uniform: self.has("uniform"), blind: self.has("blind") };
        (said.uniform || said.blind).then_some(said)
    }

    /// A number; what is none is refused by the use case, which names the field.
    pub(super) fn number(&self, name: &str) -> f64 {
        self.one(name).trim().parse().unwrap_or(f64::NAN)
    }
}

async fn certify(State(state): State<HttpState>, visit: Visit, form: RawForm) -> Response {
    let fields = Fields::of(&form);
    let request = CertificateRequest {
        task: fields.one("task"),
        criterion: fields.one("criterion"),
        judge: fields.one("judge"),
        verdicts: fields.all("verdict"),
        eps: fields.number("eps"),
        delta: fields.number("delta"),
        unseen_only: fields.has("unseen"),
        statement: fields.statement(),
    };
    match state.use_cases.audit.certify(&visit.actor, request.clone()).await {
        Ok(_) => {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("task", &request.task)
                .append_pair("criterion", &request.criterion)
                .append_pair("judge", &request.judge)
                .finish();
            Redirect::to(&format!("/audit/card?{query}#certificates")).into_response()
        }
        Err(error) => {
            let which = Which {
                task: request.task.clone(),
                criterion: request.criterion.clone(),
                judge: request.judge.clone(),
            };
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            match card_page(&state, &visit.actor, &which, Some((request, error.clone()))).await {
                Ok(page) => (status, Html(pages::card(&visit.reader, &page))).into_response(),
                Err(_) => visit.refuse(&error),
            }
        }
    }
}

async fn void(State(state): State<HttpState>, visit: Visit, Path(id): Path<Uuid>, form: RawForm) -> Response {
    let why = Fields::of(&form).one("why");
    let done = state.use_cases.audit.void(&visit.actor, id, &why).await;
    visit.go(done, "/audit/certificates")
}

async fn drift(State(state): State<HttpState>, visit: Visit) -> Response {
    let audit = &state.use_cases.audit;
    let monitors = match audit.monitors(&visit.actor).await {
        Ok(monitors) => monitors,
        Err(error) => return visit.refuse(&error),
    };
    let opened = audit.investigations(&visit.actor, None).await;
    visit.show(opened, |reader, opened| pages::drift(reader, &monitors, &opened))
}

async fn investigation(State(state): State<HttpState>, visit: Visit, Path(id): Path<Uuid>) -> Response {
    let found = state.use_cases.audit.investigations(&visit.actor, Some(id)).await;
    let found = found.and_then(|mut found| found.pop().ok_or_else(|| Error::not_found("investigation")));
    visit.show(found, |reader, found| pages::investigation(reader, &found))
}

async fn step(State(state): State<HttpState>, visit: Visit, Path(id): Path<Uuid>, form: RawForm) -> Response {
    let fields = Fields::of(&form);
    let done =
        state.use_cases.audit.investigate(&visit.actor, id, &fields.one("step"), &fields.one("note")).await;
    visit.go(done, &format!("/audit/investigations/{id}"))
}

async fn relabel(
    State(state): State<HttpState>,
    visit: Visit,
    Path(id): Path<Uuid>,
    form: RawForm,
) -> Response {
    let n = Fields::of(&form).one("n").trim().parse().unwrap_or(0);
    let done = state.use_cases.audit.relabel(&visit.actor, id, n).await;
    visit.go(done, &format!("/audit/investigations/{id}"))
}

async fn certify_anew(
    State(state): State<HttpState>,
    visit: Visit,
    Path(id): Path<Uuid>,
    form: RawForm,
) -> Response {
    let fields = Fields::of(&form);
    let judge = Some(fields.one("judge")).filter(|judge| !judge.is_empty());
    let done = state.use_cases.audit.certify_anew(&visit.actor, id, judge, fields.statement()).await;
    visit.go(done, &format!("/audit/investigations/{id}"))
}

/// Recalibrates the judge of the task, as its page does, and notes what came of it.
async fn recalibrate(
    State(state): State<HttpState>,
    visit: Visit,
    Path(id): Path<Uuid>,
    form: RawForm,
) -> Response {
    let method = Fields::of(&form).one("method");
    let done = recalibrated(&state, &visit.actor, id, method).await;
    visit.go(done, &format!("/audit/investigations/{id}"))
}

async fn recalibrated(state: &HttpState, actor: &Actor, id: Uuid, method: String) -> Result<(), Error> {
    // All that the steps below need, before the first of them is taken.
    actor.require(Capability::ManageProgramme)?;
    actor.require(Capability::Certify)?;
    let audit = &state.use_cases.audit;
    let found = audit.investigations(actor, Some(id)).await?.pop();
    let of = found.ok_or_else(|| Error::not_found("investigation"))?.monitor;
    let criterion = Some(of.criterion).filter(|criterion| criterion != "all");
    let request = CalibrationRequest { method, criterion };
    let made = state.use_cases.judges.calibrate(actor, &of.task, request).await?;
    let refused = made.refused.iter().map(|(criterion, why)| format!("{criterion}: {why}"));
    let said: Vec<String> =
        std::iter::once(format!("{} ({})", made.judge, made.criteria.join(", "))).chain(refused).collect();
    let note: String = said.join("; ").chars().take(2000).collect();
    audit.investigate(actor, id, "recalibrate", &note).await
}
