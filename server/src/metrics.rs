//! What Concord measures of itself, in the OpenMetrics text format for Prometheus.
//!
//! Counting costs a lock and a few atomic additions a request. What is counted in the database is read when
//! somebody looks, and at most every five seconds.

mod gauges;
mod models;

pub use models::{MeteredEmbedder, MeteredModel};

use concord_domain::api::UseCases;
use concord_service::jobs::JobMeter;
use gauges::Gauges;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Upper ends of the buckets of a request, in seconds: the limits that people feel lie between 10 and 250 ms.
const REQUEST: [f64; 12] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 5.0, 30.0];
/// The same of a model call or a job.
const SLOW: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0];

/// A route as registered, never an address with ids in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: String,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    project: String,
    method: String,
    route: String,
    status: u16,
}

/// `generator`, `judge` or `embedder`, and what it was asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    role: &'static str,
    call: &'static str,
}

/// `prompt`, `cached`, `output` or `forced`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    role: &'static str,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabels {
    project: String,
    kind: String,
    outcome: &'static str,
}

type Timer<L> = Family<L, Histogram, fn() -> Histogram>;

/// Every metric of this process.
pub struct Metrics {
    registry: Registry,
    requests: Timer<RouteLabels>,
    answers: Family<AnswerLabels, Counter>,
    calls: Timer<CallLabels>,
    call_errors: Family<CallLabels, Counter>,
    tokens: Family<TokenLabels, Counter>,
    jobs: Family<JobLabels, Counter>,
    job_seconds: Timer<JobLabels>,
    gauges: Gauges,
    scrape: Mutex<()>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("concord");
        let requests = Timer::new_with_constructor(|| Histogram::new(REQUEST));
        let calls = Timer::new_with_constructor(|| Histogram::new(SLOW));
        let job_seconds = Timer::new_with_constructor(|| Histogram::new(SLOW));
        let (answers, call_errors) = (Family::default(), Family::default());
        let (tokens, jobs) = (Family::default(), Family::default());
        registry.register("http_request_seconds", "Time until an answer begins, by route", requests.clone());
        registry.register("http_answers", "Answers by route and status", answers.clone());
        registry.register("model_call_seconds", "Time of a model call, queueing included", calls.clone());
        registry.register("model_call_errors", "Model calls that failed", call_errors.clone());
        registry.register(
            "model_tokens",
            "Tokens by kind; `cached` ones were not prefilled again",
            tokens.clone(),
        );
        registry.register("jobs_ended", "Jobs this process ran, by outcome", jobs.clone());
        registry.register("job_seconds", "Time of a job's try", job_seconds.clone());
        let gauges = Gauges::register(&mut registry);
        Self {
            registry,
            requests,
            answers,
            calls,
            call_errors,
            tokens,
            jobs,
            job_seconds,
            gauges,
            scrape: Mutex::default(),
        }
    }

    /// Shows what lies in this project's database, from now on.
    pub fn watch(&self, project: &str, pool: &PgPool, use_cases: &UseCases) {
        self.gauges.watch(project, pool, use_cases);
    }

    /// No longer does.
    pub fn forget(&self, project: &str) {
        self.gauges.forget(project);
    }

    /// What counts the jobs of a project.
    #[must_use]
    pub fn of(self: &Arc<Self>, project: &str) -> Arc<dyn JobMeter> {
        Arc::new(OfProject { metrics: Arc::clone(self), project: project.to_owned() })
    }

    /// Counts an answered request.
    pub fn answered(&self, project: &str, method: &str, route: &str, status: u16, took: Duration) {
        let labels = RouteLabels { method: method.to_owned(), route: route.to_owned() };
        self.requests.get_or_create(&labels).observe(took.as_secs_f64());
        let (RouteLabels { method, route }, project) = (labels, project.to_owned());
        self.answers.get_or_create(&AnswerLabels { project, method, route, status }).inc();
    }

    fn called(&self, role: &'static str, call: &'static str, took: Duration, ok: bool) {
        let labels = CallLabels { role, call };
        self.calls.get_or_create(&labels).observe(took.as_secs_f64());
        if !ok {
            self.call_errors.get_or_create(&labels).inc();
        }
    }

    fn count_tokens(&self, role: &'static str, kind: &'static str, n: usize) {
        self.tokens.get_or_create(&TokenLabels { role, kind }).inc_by(n as u64);
    }

    /// Everything as text, with what the database says read anew where it is old.
    ///
    /// # Errors
    /// Never in practice: writing to a string does not fail.
    pub async fn text(&self) -> Result<String, std::fmt::Error> {
        let _alone = self.scrape.lock().await;
        self.gauges.refresh().await;
        let mut text = String::with_capacity(16 * 1024);
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Counts the jobs of one project.
struct OfProject {
    metrics: Arc<Metrics>,
    project: String,
}

impl JobMeter for OfProject {
    fn ended(&self, kind: &str, outcome: &'static str, took: Duration) {
        let labels = JobLabels { project: self.project.clone(), kind: kind.to_owned(), outcome };
        self.metrics.jobs.get_or_create(&labels).inc();
        self.metrics.job_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }
}
