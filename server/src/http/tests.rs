//! The router against a real database and the real services; only generation has no models here.

mod cases;
mod expected;
mod hostile;
mod programme;
mod rubrics;
mod surface;
mod walk;

use super::{HttpState, router, v1};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN};
use axum::http::request::Builder;
use axum::http::{Request, StatusCode};
use concord_domain::api::{Result, UseCases, Work};
use concord_domain::ports::{
    EmbedKind, Embedder, GenerateRequest, Generated, LanguageModel, ModelError, ModelInfo, ScoreRequest,
    Scored,
};
use concord_domain::{
    Actor, Capability, Error, Generation, GenerationId, GenerationRequest, Job, JobId, NewToken, Overview,
    Role,
};
use concord_service::accounts::AccountsService;
use concord_service::adjudications::AdjudicationsService;
use concord_service::audit::AuditService;
use concord_service::exports::ExportsService;
use concord_service::judges::JudgesService;
use concord_service::models::Models;
use concord_service::pipeline::PipelineService;
use concord_service::privacy::PrivacyService;
use concord_service::programmes::ProgrammesService;
use concord_service::retrieval::{Backend, RecommendService};
use concord_service::review::ReviewService;
use concord_service::rubrics::RubricsService;
use concord_service::samples::SamplesService;
use concord_service::webhooks::{Reach, WebhooksService};
use leptos::config::LeptosOptions;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// No models: every use case that may be refused is, and the rest is unavailable.
struct NoModels;

fn unavailable<T>(actor: &Actor) -> Result<T> {
    actor.require(Capability::ReadAll)?;
    Err(Error::Unavailable { what: "the model".into(), mend: "run make run".into() })
}

#[async_trait]
impl Work for NoModels {
    async fn overview(&self, actor: &Actor) -> Result<Overview> {
        unavailable(actor)
    }
    async fn generate(&self, actor: &Actor, _: GenerationRequest) -> Result<Generation> {
        unavailable(actor)
    }
    async fn generation(&self, actor: &Actor, _: GenerationId) -> Result<Generation> {
        unavailable(actor)
    }
    async fn generations(&self, actor: &Actor) -> Result<Vec<Generation>> {
        unavailable(actor)
    }
    async fn jobs(&self, _: &Actor) -> Result<Vec<Job>> {
        panic!("a handler that panics")
    }
    async fn cancel(&self, actor: &Actor, _: JobId) -> Result<()> {
        unavailable(actor)
    }
}

/// Weights that are not there.
fn no_models() -> Models {
    let none = Arc::new(NoWeights);
    Models { generator: none.clone(), judge: none.clone(), embedder: none }
}

struct NoWeights;

impl NoWeights {
    fn refuse<T>() -> std::result::Result<T, ModelError> {
        Err(ModelError::Unavailable {
            name: "none".into(),
            why: "no weights".into(),
            mend: "fetch them".into(),
        })
    }
}

#[async_trait]
impl LanguageModel for NoWeights {
    async fn info(&self) -> std::result::Result<ModelInfo, ModelError> {
        Self::refuse()
    }
    async fn count_tokens(&self, _: &str) -> std::result::Result<usize, ModelError> {
        Self::refuse()
    }
    async fn generate(&self, _: GenerateRequest) -> std::result::Result<Generated, ModelError> {
        Self::refuse()
    }
    async fn score(&self, _: ScoreRequest) -> std::result::Result<Scored, ModelError> {
        Self::refuse()
    }
}

#[async_trait]
impl Embedder for NoWeights {
    async fn info(&self) -> std::result::Result<ModelInfo, ModelError> {
        Self::refuse()
    }
    async fn embed(&self, _: EmbedKind, _: Vec<String>) -> std::result::Result<Vec<Vec<f32>>, ModelError> {
        Self::refuse()
    }
}

struct App {
    router: Router,
    accounts: Arc<AccountsService>,
}

impl App {
    fn new(pool: PgPool) -> Self {
        Self::with(pool, Arc::new(NoModels))
    }

    fn with(pool: PgPool, work: Arc<dyn Work>) -> Self {
        let accounts = Arc::new(AccountsService::new(pool.clone()));
        let use_cases = UseCases {
            accounts: accounts.clone(),
            privacy: Arc::new(PrivacyService::new(pool.clone())),
            review: Arc::new(ReviewService::new(pool.clone())),
            programmes: Arc::new(ProgrammesService::new(pool.clone())),
            samples: Arc::new(SamplesService::new(pool.clone())),
            work,
            pipeline: Arc::new(PipelineService::new(pool.clone(), no_models(), Arc::default())),
            audit: Arc::new(AuditService::new(pool.clone())),
            webhooks: Arc::new(WebhooksService::new(pool.clone(), Reach::Public)),
            judges: Arc::new(JudgesService::new(pool.clone(), no_models())),
            adjudications: Arc::new(AdjudicationsService::new(pool.clone())),
            rubrics: Arc::new(RubricsService::new(pool.clone())),
            evolve: Arc::new(concord_service::evolve::EvolveService::new(pool.clone())),
            exports: Arc::new(ExportsService::new(pool.clone(), std::env::temp_dir())),
            recommend: Arc::new(RecommendService::new(pool.clone(), Backend::Auto)),
        };
        let leptos_options = LeptosOptions::builder().output_name("concord").build();
        let state = HttpState {
            project: "default".into(),
            use_cases,
            pool,
            behind_proxy: false,
            leptos_options,
            metrics: Arc::default(),
            metrics_token: None,
            pseudonyms: None,
            stop: CancellationToken::new(),
        };
        Self { router: router(state), accounts }
    }

    async fn token(&self, role: Role) -> String {
        let email = format!("{}@example.org", role.as_str());
        let account = self.accounts.add_account(&email, role, None).await.expect("account");
        let new = NewToken { name: role.as_str().to_owned(), ..NewToken::default() };
        self.accounts.new_token(account.id, None, new).await.expect("token").secret.expect("its secret")
    }

    async fn send(&self, request: Builder, body: impl Into<Body>) -> Answer {
        let request = request.body(body.into()).expect("request");
        let response = self.router.clone().oneshot(request).await.expect("answer");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("body");
        Answer { status: parts.status, headers: parts.headers, body: body.to_vec() }
    }
}

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    /// Checks that this is a problem of that status and code.
    fn is_problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!(self.headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!((self.status.as_u16(), &problem["status"]), (status, &json!(status)), "{problem}");
        assert_eq!(problem["code"], code, "{problem}");
        problem
    }
}

fn get(path: &str) -> Builder {
    Request::get(path)
}

fn post(path: &str, token: &str) -> Builder {
    Request::post(path)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/json")
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_gets_nothing_but_the_open_list(pool: PgPool) {
    let app = App::new(pool);
    for path in ["/healthz", "/readyz", "/api/v1/openapi.json", "/sign-in"] {
        assert_eq!(app.send(get(path), "").await.status, StatusCode::OK, "{path}");
    }
    for path in ["/api/v1/me", "/api/v1/labels", "/api/v1/nothing", "/rpc/overview"] {
        app.send(get(path), "").await.is_problem(401, "not_signed_in");
    }
    let answer = app.send(get("/review?task=tag"), "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.headers[LOCATION], "/sign-in?next=/review%3Ftask%3Dtag");
    assert_eq!(app.send(get("/no/such/page"), "").await.status, StatusCode::SEE_OTHER);
}

#[sqlx::test(migrations = "../migrations")]
async fn every_documented_route_is_there_and_refuses_nobody_in_particular(pool: PgPool) {
    let app = App::new(pool);
    let document = app.send(get("/api/v1/openapi.json"), "").await.json();
    assert!(document["openapi"].as_str().expect("version").starts_with("3.1"));
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() >= 20, "{}", paths.len());
    for (path, item) in paths {
        for method in item.as_object().expect("methods").keys() {
            let concrete = path.replace("{id}", "00000000-0000-0000-0000-000000000000");
            let request = Request::builder().method(method.to_uppercase().as_str()).uri(concrete);
            app.send(request, "").await.is_problem(401, "not_signed_in");
        }
    }
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document["components"]["schemas"][reference].is_object(), "{reference} is not described");
    }
}

#[test]
fn the_document_has_no_route_that_is_not_registered() {
    // Routes and document come from the same annotations; what could go wrong is the import, merged by hand.
    let (_, document) = v1::routes();
    assert!(document.paths.paths.contains_key("/api/v1/import/{kind}"));
    assert!(document.paths.paths.keys().all(|path| path.starts_with("/api/v1/")));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_token_is_who_it_was_issued_to(pool: PgPool) {
    let app = App::new(pool);
    let token = app.token(Role::Annotator).await;
    let me = app.send(get("/api/v1/me").header(AUTHORIZATION, format!("Bearer {token}")), "").await.json();
    assert_eq!((&me["email"], &me["role"]), (&json!("annotator@example.org"), &json!("annotator")));
    let wrong = get("/api/v1/me").header(AUTHORIZATION, "Bearer concord_wrong");
    app.send(wrong, "").await.is_problem(401, "not_signed_in");
    let labels = get("/api/v1/labels").header(AUTHORIZATION, format!("Bearer {token}"));
    app.send(labels, "").await.is_problem(403, "forbidden");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_session_may_not_be_ridden_from_another_site(pool: PgPool) {
    let app = App::new(pool);
    let password = AccountsService::new_password();
    app.accounts
        .add_account("a@example.org", Role::Annotator, Some(password.clone()))
        .await
        .expect("account");
    let form = |origin: &'static str| {
        Request::post("/rpc/sign_in")
            .header(HOST, "concord.example.org")
            .header(ORIGIN, origin)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
    };
    let body = format!("email=A%40example.org&password={password}");
    app.send(form("https://evil.example"), body.clone()).await.is_problem(403, "cross_site");
    let answer = app.send(form("https://concord.example.org"), body).await;
    let cookie =
        answer.headers["set-cookie"].to_str().expect("cookie").split(';').next().expect("pair").to_owned();
    assert!(cookie.starts_with("concord_session="), "{cookie}");
    let me = app.send(get("/api/v1/me").header(COOKIE, &cookie), "").await;
    assert_eq!(me.json()["email"], "a@example.org");
    let ridden =
        Request::post("/api/v1/queue/next").header(COOKIE, &cookie).header("sec-fetch-site", "cross-site");
    app.send(ridden, "{}").await.is_problem(403, "cross_site");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_cannot_be_read_is_a_problem_with_its_place(pool: PgPool) {
    let app = App::new(pool);
    let token = app.token(Role::Lead).await;
    let none = "/api/v1/assignments/00000000-0000-0000-0000-000000000000/labels";
    let answer = app.send(post(none, &token), r#"{"phase":"blind","answers":[]}"#).await;
    assert_eq!(answer.is_problem(422, "invalid")["field"], "Idempotency-Key");
    let answer = app.send(post("/api/v1/queue/next", &token), r#"{"count":5}"#).await;
    assert_eq!(answer.is_problem(422, "invalid")["field"], "count");
    let answer = app.send(post("/api/v1/queue/next", &token), r#"{"size":1}"#).await;
    assert_eq!(answer.is_problem(422, "invalid")["field"], "size");
    app.send(post("/api/v1/queue/next", &token), "{\"count\":").await.is_problem(400, "bad_json");
    let plain = Request::post("/api/v1/queue/next").header(AUTHORIZATION, format!("Bearer {token}"));
    app.send(plain, "{}").await.is_problem(415, "unsupported_media_type");
    app.send(post("/api/v1/nothing", &token), "{}").await.is_problem(404, "not_found");
    app.send(post("/api/v1/me", &token), "{}").await.is_problem(405, "method_not_allowed");
    app.send(post("/api/v1/assignments/7/reveal", &token), "").await.is_problem(404, "not_found");
    let large = vec![b' '; 2 * 1024 * 1024];
    app.send(post("/api/v1/queue/next", &token), large.clone()).await.is_problem(413, "too_large");
    let declared = post("/api/v1/queue/next", &token).header("content-length", large.len());
    app.send(declared, large).await.is_problem(413, "too_large");
    let query = get("/api/v1/samples?colour=red").header(AUTHORIZATION, format!("Bearer {token}"));
    assert_eq!(app.send(query, "").await.is_problem(422, "invalid")["field"], "colour");
    let query = get("/api/v1/labels?after=x").header(AUTHORIZATION, format!("Bearer {token}"));
    assert_eq!(app.send(query, "").await.is_problem(422, "invalid")["field"], "after");
}

#[sqlx::test(migrations = "../migrations")]
async fn faults_are_problems_too(pool: PgPool) {
    let app = App::new(pool.clone());
    let token = app.token(Role::Lead).await;
    let jobs = get("/api/v1/jobs").header(AUTHORIZATION, format!("Bearer {token}"));
    app.send(jobs, "").await.is_problem(500, "internal");
    let models = get("/api/v1/generations").header(AUTHORIZATION, format!("Bearer {token}"));
    app.send(models, "").await.is_problem(503, "unavailable");
    pool.close().await;
    app.send(get("/readyz"), "").await.is_problem(503, "not_ready");
    assert_eq!(app.send(get("/healthz"), "").await.status, StatusCode::OK);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_import_counts_and_tells_its_rejects(pool: PgPool) {
    let app = App::new(pool);
    let token = app.token(Role::Admin).await;
    let body = "{\"user\":\"u1\"}\nnonsense\n{\"user\":\"u2\"}\n";
    let first = app.send(post("/api/v1/import/users", &token), body).await.json();
    assert_eq!(
        (&first["rows"], &first["new"], &first["rejected"]),
        (&json!(3), &json!(2), &json!(1)),
        "{first}"
    );
    assert_eq!(first["rejects"][0]["line"], 2);
    let again = app.send(post("/api/v1/import/users?format=jsonl", &token), body).await.json();
    assert_eq!((&again["new"], &again["duplicate"]), (&json!(0), &json!(2)), "{again}");
    app.send(post("/api/v1/import/users", &token), "").await.is_problem(422, "invalid");
    app.send(post("/api/v1/import/weather", &token), body).await.is_problem(422, "invalid");
}

#[sqlx::test(migrations = "../migrations")]
async fn pages_run_nothing_but_our_own_scripts(pool: PgPool) {
    let app = App::new(pool);
    let token = app.token(Role::Annotator).await;
    let home = || get("/").header(AUTHORIZATION, format!("Bearer {token}"));
    let page = app.send(home(), "").await;
    let policy = page.headers["content-security-policy"].to_str().expect("policy");
    let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("nonce");
    let html = String::from_utf8_lossy(&page.body);
    for script in html.split("<script").skip(1) {
        let tag = script.split('>').next().unwrap_or_default();
        assert!(tag.contains(nonce) || tag.contains("src="), "{tag}");
    }
    let other = app.send(home(), "").await;
    assert_ne!(other.headers["content-security-policy"], page.headers["content-security-policy"]);
    for name in ["x-content-type-options", "referrer-policy", "x-request-id"] {
        assert!(page.headers.contains_key(name), "{name}");
    }
    assert_eq!(page.headers["cache-control"], "no-store");
    // A document runs none at all.
    let sign_in = app.send(get("/sign-in"), "").await;
    assert!(!String::from_utf8_lossy(&sign_in.body).contains("<script"));
    let policy = sign_in.headers["content-security-policy"].to_str().expect("policy");
    assert!(!policy.contains("'nonce-") && !policy.contains("unsafe-inline"), "{policy}");
}

#[sqlx::test(migrations = "../migrations")]
async fn judges_are_for_leads_and_say_which_field_is_wrong(pool: PgPool) {
    let mut conn = pool.acquire().await.expect("a connection");
    for rubric in concord_pipeline::rubrics::shipped().expect("rubrics") {
        concord_store::rubrics::add(&mut conn, &rubric).await.expect("a rubric");
    }
    drop(conn);
    let app = App::new(pool);
    let (ann, lead) = (app.token(Role::Annotator).await, app.token(Role::Lead).await);
    let call = async |token: &str, method: &str, path: &str, body: Value| {
        let request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        let request =
            request.header(AUTHORIZATION, format!("Bearer {token}")).header(CONTENT_TYPE, "application/json");
        app.send(request, body.to_string()).await
    };
    let routes = [
        ("GET", "/api/v1/judges"),
        ("GET", "/api/v1/judges/tag"),
        ("POST", "/api/v1/judges/tag/examples"),
        ("POST", "/api/v1/judges/tag/calibration"),
        ("POST", "/api/v1/judges/tag/rejudge"),
        ("GET", "/api/v1/judges/tag/probes"),
        ("POST", "/api/v1/judges/tag/probes"),
        ("PUT", "/api/v1/judges/tag/senior"),
    ];
    for (method, path) in routes {
        call(&ann, method, path, json!({})).await.is_problem(403, "forbidden");
    }
    let all = call(&lead, "GET", "/api/v1/judges", json!({})).await.json();
    assert_eq!(all.as_array().map(Vec::len), Some(3), "{all}");
    assert_eq!(
        (&all[1]["task"], &all[1]["judge"], &all[1]["senior"]["strong"]),
        (&json!("tag"), &Value::Null, &json!(0.8))
    );
    call(&lead, "GET", "/api/v1/judges/none", json!({})).await.is_problem(404, "not_found");
    let wrong = call(&lead, "POST", "/api/v1/judges/tag/probes", json!({"samples": 0}))
        .await
        .is_problem(422, "invalid");
    assert_eq!(wrong["field"], "samples");
    let wrong = call(&lead, "POST", "/api/v1/judges/tag/calibration", json!({"method": "magic"})).await;
    assert_eq!(wrong.is_problem(422, "invalid")["field"], "method");
    let wrong = call(&lead, "PUT", "/api/v1/judges/tag/senior", json!({"strong": 2, "share": 1})).await;
    assert_eq!(wrong.is_problem(422, "invalid")["field"], "strong");
    call(&lead, "POST", "/api/v1/judges/tag/examples", json!({})).await.is_problem(503, "unavailable");
    let queued = call(&lead, "POST", "/api/v1/judges/tag/probes", json!({"samples": 3})).await;
    assert_eq!((queued.status.as_u16(), &queued.json()["samples"]), (202, &json!(3)));
    let set = call(&lead, "PUT", "/api/v1/judges/tag/senior", json!({"strong": 0.9, "share": 0.5})).await;
    assert_eq!(set.status.as_u16(), 200);
    assert_eq!(call(&lead, "GET", "/api/v1/judges/tag", json!({})).await.json()["senior"]["strong"], 0.9);
}
