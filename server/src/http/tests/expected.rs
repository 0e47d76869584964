//! Who may do what: a line a route, what it needs, and a request that is well formed, so that a refusal is about who
//! asks and nothing else.

use concord_domain::Capability::{self, *};

/// What a route needs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Needs {
    /// Nobody in particular.
    Nothing,
    /// Somebody: a session or any token.
    Anyone,
    /// All of these capabilities, by role and by scope.
    May(&'static [Capability]),
    /// The same, and a session: no token does it.
    Person(&'static [Capability]),
}
use Needs::{Anyone, May, Nothing, Person};

/// Method, path as registered, query, body, needs.
pub(super) type Line = (&'static str, &'static str, &'static str, &'static str, Needs);

/// The pages people live in, and the probes.
const PAGES: &[Line] = &[
    ("GET", "/", "", "", May(&[ReadOwn])),
    ("GET", "/review", "", "", May(&[Review, ReadOwn])),
    ("GET", "/samples", "", "", May(&[ReadOwn])),
    ("GET", "/samples/{id}", "", "", May(&[ReadOwn])),
    ("GET", "/exports", "", "", May(&[Export])),
    ("POST", "/exports", "", "policy=%7B%7D", May(&[Export])),
    ("GET", "/recommend", "", "", May(&[ReadAll])),
    ("GET", "/recommend/{id}", "", "", May(&[ReadAll])),
    ("GET", "/sign-in", "", "", Nothing),
    ("GET", "/sign-in/provider", "", "", Nothing),
    ("GET", "/sign-in/return", "state=x&code=y", "", Nothing),
    ("GET", "/healthz", "", "", Nothing),
    ("GET", "/readyz", "", "", Nothing),
];

const FUNCTIONS: &[Line] = &[
    ("POST", "/rpc/sign_in", "", "email=a%40b&password=wrong", Nothing),
    ("POST", "/rpc/set_lang", "", "lang=zh", Nothing),
    ("POST", "/rpc/set_theme", "", "theme=dark", Nothing),
    ("POST", "/rpc/sign_out", "", "", Anyone),
    ("GET", "/rpc/get_overview", "", "", May(&[ReadOwn])),
    ("POST", "/rpc/start_generation", "", "users=1&seed=1", May(&[Generate])),
    ("POST", "/rpc/cancel_job", "", "id=00000000-0000-0000-0000-000000000000", May(&[Generate])),
    ("POST", "/rpc/next_samples", "", r#"{"task":"","count":1}"#, May(&[Review])),
    ("POST", "/rpc/submit_answers", "", SUBMIT, May(&[Review])),
    ("POST", "/rpc/reveal_verdicts", "", NIL, May(&[Review])),
    ("POST", "/rpc/skip_sample", "", SKIP, May(&[Review])),
    ("POST", "/rpc/reopen_sample", "", NIL, May(&[Review])),
    ("GET", "/rpc/list_recent", "", "", May(&[Review])),
    ("GET", "/rpc/get_progress", "", "", May(&[ReadOwn])),
];

const HEAD_FORM: &str = "ratio=1.5&half_life_days=30&ridge=1&kappa_margin=.05&seed=1&similarities=on";
const NIL: &str = r#"{"id":"00000000-0000-0000-0000-000000000000"}"#;
const SKIP: &str = r#"{"id":"00000000-0000-0000-0000-000000000000","reason":"x","escalate":false}"#;
const SUBMIT: &str =
    r#"{"id":"00000000-0000-0000-0000-000000000000","key":"k","submission":{"phase":"blind","answers":[]}}"#;
const CARD: &str = "task=tag&criterion=relevance&judge=j";

const DOCUMENTS: &[Line] = &[
    ("GET", "/account", "", "", Person(&[])),
    ("POST", "/account/tokens", "", "name=t&scope=nothing", Person(&[])),
    ("POST", "/account/tokens/{id}/revoke", "", "", Person(&[])),
    ("POST", "/account/invitations", "", "email=&role=lead", Person(&[ManageAccounts])),
    ("POST", "/account/invitations/{id}/withdraw", "", "", Person(&[ManageAccounts])),
    ("POST", "/account/sign-out", "", "", Person(&[])),
    ("GET", "/invitation", "code=x", "", Nothing),
    ("POST", "/invitation", "", "code=x&password=y", Nothing),
    ("GET", "/me", "", "", May(&[ReadOwn])),
    ("GET", "/audit", "", "", May(&[ReadAll])),
    ("GET", "/audit/cards.csv", "", "", May(&[ReadAll])),
    ("GET", "/audit/card", CARD, "", May(&[ReadAll])),
    ("GET", "/audit/decisions", CARD, "", May(&[ReadAll])),
    ("GET", "/audit/certificates", "", "", May(&[ReadAll])),
    (
        "POST",
        "/audit/certificates",
        "",
        "task=tag&criterion=relevance&judge=j&verdict=pass&eps=.1&delta=.1",
        May(&[Certify]),
    ),
    ("POST", "/audit/certificates/{id}/void", "", "why=x", May(&[Certify])),
    ("GET", "/audit/drift", "", "", May(&[ReadAll])),
    ("GET", "/audit/investigations/{id}", "", "", May(&[ReadAll])),
    ("POST", "/audit/investigations/{id}", "", "step=close&note=x", May(&[Certify])),
    ("POST", "/audit/investigations/{id}/relabel", "", "n=1", May(&[Certify])),
    ("POST", "/audit/investigations/{id}/certify", "", "judge=j", May(&[Certify])),
    ("GET", "/audit/programme", "", "", May(&[ReadAll])),
    ("POST", "/audit/programme", "", "task=tag&overlap=0", May(&[ManageProgramme])),
    ("GET", "/audit/gold/{sample}", "", "", May(&[ReadAll, ReadOwn])),
    ("POST", "/audit/gold/{sample}", "", "label.relevance=x", May(&[ManageProgramme])),
    ("POST", "/audit/gold/{sample}/retire", "", "", May(&[ManageProgramme])),
    ("GET", "/audit/sampling", "", "", May(&[ReadAll])),
    ("POST", "/audit/sampling", "", "task=tag&rate_pass=1&rate_fail=1&floor=.1", May(&[ManageProgramme])),
    ("GET", "/audit/webhooks", "", "", May(&[Certify])),
    ("POST", "/audit/webhooks", "", "url=gopher:x&event=x", May(&[Certify])),
    ("POST", "/audit/webhooks/{id}/ping", "", "", May(&[Certify])),
    ("POST", "/audit/webhooks/{id}/remove", "", "", May(&[Certify])),
    ("GET", "/audit/cases", "", "", May(&[ReadAll])),
    (
        "POST",
        "/audit/cases",
        "",
        "case=00000000-0000-0000-0000-000000000000%2Frelevance&outcome=pass&reason=slip",
        May(&[Adjudicate, ReadAll]),
    ),
    ("GET", "/audit/cases.csv", "", "", May(&[ReadAll])),
    ("GET", "/audit/cases/{sample}/{criterion}", "", "", May(&[ReadAll])),
    ("POST", "/audit/cases/{sample}/{criterion}", "", "decision=pass&reason=slip", May(&[Adjudicate])),
    ("GET", "/judges", "", "", May(&[ReadAll])),
    ("POST", "/judges/{task}/examples", "", "per_side=0&sets=1&seed=1", May(&[ManageProgramme])),
    ("POST", "/judges/{task}/calibration", "", "method=platt&criterion=", May(&[ManageProgramme])),
    ("POST", "/judges/{task}/rejudge", "", "", May(&[Generate])),
    ("POST", "/judges/{task}/senior", "", "strong=.8&share=.7", May(&[ManageProgramme])),
    ("GET", "/judges/{task}/probes", "", "", May(&[ReadAll])),
    ("POST", "/judges/{task}/probes", "", "samples=40&seed=1", May(&[Generate])),
    ("GET", "/judges/{task}/heads", "", "", May(&[ReadAll])),
    ("POST", "/judges/{task}/heads", "", HEAD_FORM, May(&[ManageProgramme])),
    ("POST", "/judges/{task}/heads/drop", "", "", May(&[ManageProgramme])),
    ("GET", "/rubrics", "", "", May(&[ReadAll])),
    ("GET", "/rubrics/new", "", "", May(&[ManageProgramme])),
    ("POST", "/rubrics/check", "", "toml=x", May(&[ManageProgramme])),
    ("POST", "/rubrics/publish", "", "toml=x", May(&[ManageProgramme])),
];

const MORE_DOCUMENTS: &[Line] = &[
    ("GET", "/audit/card/judges.csv", CARD, "", May(&[ReadAll])),
    ("GET", "/audit/card/reliability.csv", CARD, "", May(&[ReadAll])),
    ("GET", "/audit/card/slices.csv", CARD, "", May(&[ReadAll])),
    ("GET", "/audit/decisions.csv", CARD, "", May(&[ReadAll])),
    (
        "POST",
        "/audit/investigations/{id}/recalibrate",
        "",
        "method=platt",
        May(&[ManageProgramme, Certify, ReadAll]),
    ),
    ("GET", "/audit/annotators", "", "", May(&[ReadAll])),
    ("GET", "/audit/annotators.csv", "", "", May(&[ReadAll])),
    ("GET", "/audit/escalations", "", "", May(&[ReadAll])),
    ("POST", "/audit/escalations/{id}", "", "outcome=wont&note=x", May(&[ManageProgramme])),
    ("GET", "/evolve", "", "", May(&[ReadAll])),
    ("GET", "/evolve/runs", "", "", May(&[ReadAll])),
    ("GET", "/evolve/runs/{id}", "", "", May(&[ReadAll])),
    ("POST", "/evolve/rounds", "", "users=0", May(&[Generate])),
    ("POST", "/evolve/schedule", "", "every_days=0", May(&[ReadAll, Generate])),
    ("GET", "/evolve/rounds/{id}", "", "", May(&[ReadAll])),
    ("POST", "/evolve/rounds/{id}/stop", "", "", May(&[Generate])),
    ("POST", "/evolve/models/{id}/promote", "", "", May(&[Generate])),
    ("POST", "/evolve/rollback", "", "role=generator", May(&[Generate])),
    ("GET", "/rubrics/{task}/diff", "from=1.0&to=1.0", "", May(&[ReadAll])),
    ("GET", "/rubrics/{task}/{version}", "", "", May(&[ReadAll])),
    ("GET", "/rubrics/{task}/{version}/edit", "", "", May(&[ReadAll])),
];

const RUBRIC: &str = r#"{"task":"tag","version":"1.0","name":{"en":"x"},"criteria":[]}"#;
const PROGRAMME: &str = r#"{"overlap":1,"lease_seconds":600,"gold_rate":0}"#;
const CERTIFY: &str =
    r#"{"task":"tag","criterion":"relevance","judge":"j","verdicts":["pass"],"eps":0.1,"delta":0.1}"#;
const SAMPLING: &str = r#"{"rate_pass":1,"rate_fail":1,"floor":0.1}"#;
const DECIDE: &str = r#"{"sample":"00000000-0000-0000-0000-000000000000","criterion":"relevance","outcome":"pass","reason":"slip"}"#;

const API_OF_ANNOTATORS: &[Line] = &[
    ("GET", "/api/v1/openapi.json", "", "", Nothing),
    ("GET", "/api/v1/me", "", "", Anyone),
    ("GET", "/api/v1/me/work", "", "", May(&[ReadOwn])),
    ("DELETE", "/api/v1/me/sessions", "", "", Person(&[])),
    ("GET", "/api/v1/tokens", "", "", Person(&[])),
    ("POST", "/api/v1/tokens", "", r#"{"name":""}"#, Person(&[])),
    ("DELETE", "/api/v1/tokens/{id}", "", "", Person(&[])),
    ("GET", "/api/v1/invitations", "", "", Person(&[ManageAccounts])),
    ("POST", "/api/v1/invitations", "", r#"{"email":"x","role":"lead"}"#, Person(&[ManageAccounts])),
    ("DELETE", "/api/v1/invitations/{id}", "", "", Person(&[ManageAccounts])),
    ("GET", "/api/v1/overview", "", "", May(&[ReadOwn])),
    ("POST", "/api/v1/queue/next", "", "{}", May(&[Review])),
    ("GET", "/api/v1/assignments/{id}", "", "", May(&[Review])),
    ("POST", "/api/v1/assignments/{id}/labels", "", r#"{"phase":"blind","answers":[]}"#, May(&[Review])),
    ("POST", "/api/v1/assignments/{id}/reveal", "", "", May(&[Review])),
    ("POST", "/api/v1/assignments/{id}/skip", "", r#"{"reason":"x"}"#, May(&[Review])),
    ("POST", "/api/v1/assignments/{id}/escalate", "", r#"{"reason":"x"}"#, May(&[Review])),
    ("GET", "/api/v1/samples", "", "", May(&[ReadOwn])),
    ("GET", "/api/v1/samples/{id}", "", "", May(&[ReadOwn])),
    ("GET", "/api/v1/rubrics/{task}", "", "", May(&[ReadOwn])),
];

const API_OF_LEADS: &[Line] = &[
    ("GET", "/api/v1/erasures", "", "", May(&[ManageAccounts])),
    ("POST", "/api/v1/erasures", "", r#"{"user":"nobody"}"#, May(&[ManageAccounts])),
    ("GET", "/api/v1/annotators", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/tasks/{task}/programme", "", "", May(&[ReadAll])),
    ("PUT", "/api/v1/tasks/{task}/programme", "", PROGRAMME, May(&[ManageProgramme])),
    ("GET", "/api/v1/rubrics/{task}/versions", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/rubrics/{task}/diff", "from=1.0&to=1.0", "", May(&[ReadAll])),
    ("POST", "/api/v1/rubrics", "", RUBRIC, May(&[ManageProgramme])),
    ("POST", "/api/v1/rubrics/check", "", r#"{"toml":"x"}"#, May(&[ManageProgramme])),
    ("GET", "/api/v1/labels", "", "", May(&[ReadAll])),
    ("PUT", "/api/v1/samples/{id}/gold", "", "{}", May(&[ManageProgramme])),
    ("DELETE", "/api/v1/samples/{id}/gold", "", "", May(&[ManageProgramme])),
    ("GET", "/api/v1/gold", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/gold/records", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/escalations", "", "", May(&[ReadAll])),
    (
        "POST",
        "/api/v1/escalations/{id}/resolve",
        "",
        r#"{"outcome":"wont","note":"x"}"#,
        May(&[ManageProgramme]),
    ),
    ("GET", "/api/v1/anchoring", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/audit", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/audit/decisions", CARD, "", May(&[ReadAll])),
    ("GET", "/api/v1/audit/reliability", CARD, "", May(&[ReadAll])),
    ("GET", "/api/v1/audit/slices", CARD, "", May(&[ReadAll])),
    ("GET", "/api/v1/audit/judges/{task}", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/cases", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/cases/{id}/{criterion}", "", "", May(&[ReadAll])),
    ("POST", "/api/v1/adjudications", "", DECIDE, May(&[Adjudicate])),
    ("GET", "/api/v1/certificates", "", "", May(&[ReadAll])),
    ("POST", "/api/v1/certificates", "", CERTIFY, May(&[Certify])),
    ("POST", "/api/v1/certificates/{id}/void", "", r#"{"why":"x"}"#, May(&[Certify])),
    ("GET", "/api/v1/drift", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/drift/replay", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/investigations", "", "", May(&[ReadAll])),
    ("POST", "/api/v1/investigations/{id}/steps", "", r#"{"step":"close","note":"x"}"#, May(&[Certify])),
    ("POST", "/api/v1/investigations/{id}/relabel", "", r#"{"n":1}"#, May(&[Certify])),
    ("POST", "/api/v1/investigations/{id}/certify", "", "{}", May(&[Certify])),
    ("GET", "/api/v1/tasks/{task}/audit-sampling", "", "", May(&[ReadAll])),
    ("PUT", "/api/v1/tasks/{task}/audit-sampling", "", SAMPLING, May(&[ManageProgramme])),
    ("GET", "/api/v1/tasks/{task}/audit-sampling/plan", "budget=10", "", May(&[ReadAll])),
    ("GET", "/api/v1/webhooks", "", "", May(&[Certify])),
    ("POST", "/api/v1/webhooks", "", r#"{"url":"gopher:x","events":[]}"#, May(&[Certify])),
    ("DELETE", "/api/v1/webhooks/{id}", "", "", May(&[Certify])),
    ("POST", "/api/v1/webhooks/{id}/ping", "", "", May(&[Certify])),
    ("GET", "/api/v1/webhooks/{id}/deliveries", "", "", May(&[Certify])),
    ("GET", "/api/v1/judges", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/judges/{task}", "", "", May(&[ReadAll])),
    ("POST", "/api/v1/judges/{task}/examples", "", r#"{"per_side":0}"#, May(&[ManageProgramme])),
    ("POST", "/api/v1/judges/{task}/calibration", "", r#"{"method":"platt"}"#, May(&[ManageProgramme])),
    ("POST", "/api/v1/judges/{task}/rejudge", "", "{}", May(&[Generate])),
    ("GET", "/api/v1/judges/{task}/probes", "", "", May(&[ReadAll])),
    ("POST", "/api/v1/judges/{task}/probes", "", "{}", May(&[Generate])),
    ("GET", "/api/v1/judges/{task}/heads", "", "", May(&[ReadAll])),
    ("POST", "/api/v1/judges/{task}/heads", "", "{}", May(&[ManageProgramme])),
    ("DELETE", "/api/v1/judges/{task}/heads", "", "", May(&[ManageProgramme])),
    ("PUT", "/api/v1/judges/{task}/senior", "", "{}", May(&[ManageProgramme])),
    ("GET", "/api/v1/generations", "", "", May(&[ReadAll])),
    ("POST", "/api/v1/generations", "", r#"{"users":1}"#, May(&[Generate])),
    ("GET", "/api/v1/generations/{id}", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/jobs", "", "", May(&[ReadAll])),
    ("POST", "/api/v1/jobs/{id}/cancel", "", "", May(&[Generate])),
    ("GET", "/api/v1/users/{id}/recommendations", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/exports", "", "", May(&[Export])),
    ("POST", "/api/v1/exports", "", "{}", May(&[Export])),
    ("POST", "/api/v1/exports/preview", "", "{}", May(&[Export])),
    ("GET", "/api/v1/exports/{id}/files/{name}", "", "", May(&[Export])),
    ("GET", "/api/v1/samples/{id}/lineage", "", "", May(&[Export])),
    ("GET", "/api/v1/models", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/training/runs", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/training/runs/{id}", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/promotions", "", "", May(&[ReadAll])),
    ("POST", "/api/v1/models/{id}/promotions", "", "{}", May(&[Generate])),
    ("POST", "/api/v1/rollbacks", "", r#"{"role":"generator"}"#, May(&[Generate])),
    ("GET", "/api/v1/rounds", "", "", May(&[ReadAll])),
    ("POST", "/api/v1/rounds", "", r#"{"users":0}"#, May(&[Generate])),
    ("GET", "/api/v1/rounds/schedule", "", "", May(&[ReadAll])),
    ("PUT", "/api/v1/rounds/schedule", "", r#"{"every_days":0}"#, May(&[Generate])),
    ("DELETE", "/api/v1/rounds/schedule", "", "", May(&[Generate])),
    ("GET", "/api/v1/rounds/{id}", "", "", May(&[ReadAll])),
    ("POST", "/api/v1/rounds/{id}/stop", "", "", May(&[Generate])),
    ("POST", "/api/v1/import/{kind}", "format=jsonl", r#"{"user":"u"}"#, May(&[Import])),
];

const OF_THE_PIPELINE: &[Line] = &[
    ("GET", "/pipeline", "", "", May(&[ReadAll])),
    ("POST", "/pipeline/batches/{id}", "", "action=pause", May(&[Generate])),
    ("GET", "/pipeline/interests", "", "", May(&[ReadAll])),
    ("POST", "/pipeline/interests", "", "name=knitting&lang=en", May(&[ManageProgramme])),
    ("POST", "/pipeline/interests/build", "", "", May(&[ManageProgramme])),
    ("POST", "/pipeline/interests/{id}", "", "active=false", May(&[ManageProgramme])),
    ("GET", "/api/v1/preset-interests", "", "", May(&[ReadAll])),
    ("POST", "/api/v1/preset-interests", "", r#"{"name":"knitting","lang":"en"}"#, May(&[ManageProgramme])),
    ("POST", "/api/v1/preset-interests/build", "", "", May(&[ManageProgramme])),
    ("PATCH", "/api/v1/preset-interests/{id}", "", "{}", May(&[ManageProgramme])),
    ("GET", "/api/v1/phi", "", "", May(&[ReadAll])),
    ("GET", "/api/v1/users/{user}/explanations", "items=a", "", May(&[ReadAll])),
    ("POST", "/api/v1/explanations/build", "", "{}", May(&[Generate])),
    ("GET", "/api/v1/batches", "", "", May(&[ReadAll])),
    ("POST", "/api/v1/batches/{id}/steer", "", r#"{"action":"pause"}"#, May(&[Generate])),
];

/// Every line.
pub(super) fn lines() -> Vec<Line> {
    [PAGES, FUNCTIONS, DOCUMENTS, MORE_DOCUMENTS, API_OF_ANNOTATORS, API_OF_LEADS, OF_THE_PIPELINE].concat()
}
