//! The sample pages and the exports page: documents, and a form that starts an export.

use super::HttpState;
use super::audit::{Fields, Visit};
use axum::Router;
use axum::extract::{Path, RawForm, RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use concord_app::{exports as export_pages, samples as sample_pages};
use concord_domain::{Error, ExportPolicy, SampleFilter, TASKS};

/// The routes of these pages.
pub(super) fn routes() -> Router<HttpState> {
    Router::new()
        .route("/samples", get(samples))
        .route("/samples/{id}", get(sample))
        .route("/exports", get(exports).post(start))
}

fn filter(fields: &Fields) -> Result<SampleFilter, Error> {
    let given = |name: &str| Some(fields.one(name).trim().to_owned()).filter(|value| !value.is_empty());
    let after = given("after").map(|id| id.parse()).transpose();
    Ok(SampleFilter {
        task: given("task"),
        text: given("text"),
        user: given("user"),
        lang: given("lang"),
        half: given("half"),
        state: given("state"),
        after: after.map_err(|_| Error::invalid("after", "the id of a sample"))?,
    })
}

async fn samples(State(state): State<HttpState>, visit: Visit, RawQuery(query): RawQuery) -> Response {
    let filter = match filter(&Fields::parse(query.unwrap_or_default().as_bytes())) {
        Ok(filter) => filter,
        Err(error) => return visit.refuse(&error),
    };
    let page = state.use_cases.samples.list(&visit.actor, filter.clone()).await;
    visit.show(page, |reader, page| sample_pages::samples(reader, &filter, page))
}

async fn sample(State(state): State<HttpState>, visit: Visit, Path(id): Path<String>) -> Response {
    let found = match id.parse() {
        Ok(id) => state.use_cases.samples.get(&visit.actor, id).await,
        Err(_) => Err(Error::not_found("sample")),
    };
    visit.show(found, sample_pages::sample)
}

/// The policy that a form says; what it leaves out is as ever.
fn policy(fields: &Fields) -> ExportPolicy {
    let base = ExportPolicy::default();
    let one = |name: &str, other: &str, usual: String| {
        if fields.one(name) == other { other.to_owned() } else { usual }
    };
    ExportPolicy {
        tasks: fields.all("task").into_iter().filter(|task| TASKS.contains(&task.as_str())).collect(),
        languages: fields.all("lang").into_iter().filter(|lang| lang == "en" || lang == "zh").collect(),
        evidence: one("evidence", "final", base.evidence),
        agreement: one("agreement", "majority", base.agreement),
        min_people: fields.one("min_people").parse().unwrap_or(base.min_people),
        require_judge: fields.has("require_judge"),
        redact: fields.has("redact"),
        target: base.target,
    }
}

async fn exports(State(state): State<HttpState>, visit: Visit, RawQuery(query): RawQuery) -> Response {
    let policy = policy(&Fields::parse(query.unwrap_or_default().as_bytes()));
    let cases = &state.use_cases.exports;
    let preview = match cases.preview(&visit.actor, &policy).await {
        Ok(preview) => preview,
        Err(error) => return visit.refuse(&error),
    };
    let exports = cases.list(&visit.actor).await;
    visit.show(exports, |reader, exports| export_pages::exports(reader, policy, preview, exports))
}

/// Starts what was previewed; the policy travels as JSON in one field.
async fn start(State(state): State<HttpState>, visit: Visit, form: RawForm) -> Response {
    let done = match serde_json::from_str(&Fields::of(&form).one("policy")) {
        Ok(policy) => state.use_cases.exports.start(&visit.actor, policy).await,
        Err(why) => Err(Error::invalid("policy", why.to_string())),
    };
    visit.go(done, "/exports")
}
