//! The exports page: a document whose form builds a policy, and a form that starts it.

use super::HttpState;
use super::audit::{Fields, Visit};
use axum::Router;
use axum::extract::{RawForm, RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use concord_app::exports as pages;
use concord_domain::{Balance, Error, ExportPolicy};

/// The routes of this page.
pub(super) fn routes() -> Router<HttpState> {
    Router::new().route("/exports", get(exports).post(start))
}

/// The policy that an address says. Without the form's own mark it is the usual one, with what the address names.
fn policy(fields: &Fields) -> ExportPolicy {
    let base = ExportPolicy::default();
    let given = |name: &str| Some(fields.one(name).trim().to_owned()).filter(|value| !value.is_empty());
    let words = |name: &str, usual: &[String]| {
        let said = fields.all(name);
        if said.is_empty() { usual.to_vec() } else { said }
    };
    let list = |name: &str| -> Vec<String> {
        fields.one(name).split([',', ' ', '，']).filter(|it| !it.is_empty()).map(str::to_owned).collect()
    };
    let number = |name: &str, usual: u32| given(name).map_or(usual, |it| it.parse().unwrap_or(u32::MAX));
    let real = |name: &str, usual: f64| given(name).map_or(usual, |it| it.parse().unwrap_or(f64::NAN));
    let balance = Balance::default();
    ExportPolicy {
        target: given("target").unwrap_or(base.target),
        layouts: words("layout", &base.layouts),
        formats: words("format", &base.formats),
        tasks: fields.all("task"),
        rounds: list("rounds").iter().map(|it| it.parse().unwrap_or(0)).collect(),
        rubrics: list("rubrics"),
        evidence: words("evidence", &base.evidence).into_iter().filter(|it| it != "none").collect(),
        min_people: number("min_people", base.min_people),
        agreement: given("agreement").unwrap_or(base.agreement),
        min_agreement: given("min_agreement").map(|it| it.parse().unwrap_or(f64::NAN)),
        require_judge: fields.has("require_judge"),
        languages: fields.all("lang"),
        cap_user: number("cap_user", 0),
        cap_category: number("cap_category", 0),
        balance: fields.has("balance").then(|| Balance {
            ratio: real("ratio", balance.ratio),
            rounds: number("minority_rounds", balance.rounds),
            half_life_days: real("half_life_days", balance.half_life_days),
        }),
        hold_out: real("hold_out", base.hold_out),
        seed: number("seed", base.seed),
        redact: fields.has("redact"),
    }
}

async fn exports(State(state): State<HttpState>, visit: Visit, RawQuery(query): RawQuery) -> Response {
    let policy = policy(&Fields::parse(query.unwrap_or_default().as_bytes()));
    let cases = &state.use_cases.exports;
    let preview = cases.preview(&visit.actor, &policy).await;
    // What is wrong with a policy is said where it can be mended; who may not export sees no form.
    if let Err(error @ (Error::Forbidden | Error::NotSignedIn | Error::Internal { .. })) = &preview {
        return visit.refuse(error);
    }
    let toml = toml::to_string(&policy).unwrap_or_default();
    let exports = cases.list(&visit.actor).await;
    visit.show(exports, |reader, exports| pages::exports(reader, &policy, &toml, preview, exports))
}

/// Starts what was previewed; the policy travels as JSON in one field.
async fn start(State(state): State<HttpState>, visit: Visit, form: RawForm) -> Response {
    let done = match serde_json::from_str(&Fields::of(&form).one("policy")) {
        Ok(policy) => state.use_cases.exports.start(&visit.actor, policy).await,
        Err(why) => Err(Error::invalid("policy", why.to_string())),
    };
    visit.go(done, "/exports")
}
