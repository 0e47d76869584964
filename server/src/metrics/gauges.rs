//! Gauges over what lies in the database, read when somebody looks and no oftener than they are worth.

use crate::compose::operator;
use concord_domain::api::UseCases;
use concord_domain::{AuditFilter, AuditReport};
use concord_store::metrics::{self, Counts};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A scrape finds numbers no older than this.
const FRESH: Duration = Duration::from_secs(5);
/// Report cards move slowly, and are dearer.
const FRESH_REPORT: Duration = Duration::from_secs(60);
/// A scrape must answer, whatever the database does.
const PATIENCE: Duration = Duration::from_secs(2);

type Float = Gauge<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobState {
    project: String,
    kind: String,
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    project: String,
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Monitor {
    project: String,
    task: String,
    criterion: String,
    judge: String,
    verdict: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Card {
    project: String,
    task: String,
    criterion: String,
    judge: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Whose {
    project: String,
}

/// A project, and what was last read of it.
struct Watched {
    pool: PgPool,
    use_cases: UseCases,
    counts: Option<(Instant, Counts)>,
    report: Option<AuditReport>,
    reported: Option<Instant>,
    up: bool,
}

/// The gauges of every project.
#[derive(Default)]
pub(super) struct Gauges {
    projects: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Watched>>>>,
    jobs: Family<JobState, Gauge>,
    job_age: Family<JobState, Float>,
    open_samples: Family<Whose, Gauge>,
    leases: Family<Whose, Gauge>,
    leases_overdue: Family<Whose, Gauge>,
    leases_expired: Family<Whose, Gauge>,
    drift: Family<Monitor, Gauge>,
    certificates: Family<Status, Gauge>,
    investigations: Family<Whose, Gauge>,
    unsealed_age: Family<Whose, Float>,
    last_backup: Family<Whose, Float>,
    bytes: Family<Whose, Gauge>,
    up: Family<Whose, Gauge>,
    pool: Family<Status, Gauge>,
    agreement: Family<Card, Float>,
    agreement_n: Family<Card, Gauge>,
}

impl Gauges {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let it = Self::default();
        registry.register("jobs", "Jobs that wait, run, hang or failed", it.jobs.clone());
        registry.register("job_age_seconds", "Age of the oldest of them", it.job_age.clone());
        registry.register(
            "open_samples",
            "Samples with a free slot, at most 100000",
            it.open_samples.clone(),
        );
        registry.register("leases", "Samples leased to people", it.leases.clone());
        registry.register("leases_overdue", "Leases run out and not freed yet", it.leases_overdue.clone());
        registry.register("leases_expired", "Assignments whose lease ran out", it.leases_expired.clone());
        registry.register("drift_state", "0 in order, 1 warning, 2 alarm", it.drift.clone());
        registry.register("certificates", "Certificates by status", it.certificates.clone());
        registry.register("investigations_open", "Alarms that nobody has closed", it.investigations.clone());
        registry.register(
            "audit_log_unsealed_age_seconds",
            "Age of the oldest event or label that is not sealed",
            it.unsealed_age.clone(),
        );
        registry.register("last_backup_timestamp_seconds", "When; 0: never", it.last_backup.clone());
        registry.register("database_bytes", "Size of the database", it.bytes.clone());
        registry.register("database_up", "1 while the database answers", it.up.clone());
        registry.register("database_connections", "Connections of this process", it.pool.clone());
        registry.register(
            "agreement",
            "Share of decisions where judge and people agree",
            it.agreement.clone(),
        );
        registry.register("agreement_decisions", "Decisions behind it", it.agreement_n.clone());
        it
    }

    pub(super) fn watch(&self, project: &str, pool: &PgPool, use_cases: &UseCases) {
        let (pool, use_cases) = (pool.clone(), use_cases.clone());
        let watched = Watched { pool, use_cases, counts: None, report: None, reported: None, up: false };
        self.projects().insert(project.to_owned(), Arc::new(tokio::sync::Mutex::new(watched)));
    }

    pub(super) fn forget(&self, project: &str) {
        self.projects().remove(project);
    }

    fn projects(&self) -> MutexGuard<'_, BTreeMap<String, Arc<tokio::sync::Mutex<Watched>>>> {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is old, and shows all of it. A database that does not answer shows as such, with the numbers last
    /// read. One scrape at a time: a second one would find half of the numbers.
    pub(super) async fn refresh(&self) {
        let projects: Vec<_> = self.projects().clone().into_iter().collect();
        let mut read = Vec::new();
        for (project, watched) in projects {
            let mut watched = watched.lock_owned().await;
            watched.read().await;
            read.push((project, watched));
        }
        self.clear();
        for (project, watched) in read {
            self.show(&project, &watched);
        }
    }

    /// What was of a project that is gone, of a job that has ended, or of a certificate that is void, goes.
    fn clear(&self) {
        for gauges in [&self.open_samples, &self.leases, &self.leases_overdue, &self.leases_expired] {
            gauges.clear();
        }
        for gauges in [&self.investigations, &self.bytes, &self.up] {
            gauges.clear();
        }
        self.unsealed_age.clear();
        self.last_backup.clear();
        self.jobs.clear();
        self.job_age.clear();
        self.drift.clear();
        self.certificates.clear();
        self.pool.clear();
        self.agreement.clear();
        self.agreement_n.clear();
    }

    fn show(&self, project: &str, watched: &Watched) {
        let whose = Whose { project: project.to_owned() };
        self.up.get_or_create(&whose).set(i64::from(watched.up));
        self.set_pool(project, &watched.pool);
        if let Some((_, counts)) = &watched.counts {
            self.set(&whose, counts);
        }
        if let Some(report) = &watched.report {
            self.set_agreement(project, report);
        }
    }

    fn set_pool(&self, project: &str, pool: &PgPool) {
        let state = |status: &str| Status { project: project.to_owned(), status: status.to_owned() };
        let idle = i64::try_from(pool.num_idle()).unwrap_or(i64::MAX);
        self.pool.get_or_create(&state("idle")).set(idle);
        self.pool.get_or_create(&state("busy")).set(i64::from(pool.size()) - idle);
        let most = i64::from(pool.options().get_max_connections());
        self.pool.get_or_create(&state("most")).set(most);
    }

    fn set(&self, whose: &Whose, counts: &Counts) {
        let project = &whose.project;
        for job in &counts.jobs {
            let labels =
                JobState { project: project.clone(), kind: job.kind.clone(), state: job.state.clone() };
            self.jobs.get_or_create(&labels).set(job.n);
            self.job_age.get_or_create(&labels).set(job.oldest);
        }
        for (gauge, n) in [
            (&self.open_samples, counts.open_samples),
            (&self.leases, counts.leases),
            (&self.leases_overdue, counts.leases_overdue),
            (&self.leases_expired, counts.leases_expired),
            (&self.investigations, counts.investigations),
            (&self.bytes, counts.bytes),
        ] {
            gauge.get_or_create(whose).set(n);
        }
        for it in &counts.drift {
            let labels = Monitor {
                project: project.clone(),
                task: it.task.clone(),
                criterion: it.criterion.clone(),
                judge: it.judge.clone(),
                verdict: it.verdict.clone(),
            };
            let state = match it.status.as_str() {
                "ok" => 0,
                "warning" => 1,
                _ => 2,
            };
            self.drift.get_or_create(&labels).set(state);
        }
        for (status, n) in &counts.certificates {
            let labels = Status { project: project.clone(), status: status.clone() };
            self.certificates.get_or_create(&labels).set(*n);
        }
        self.unsealed_age.get_or_create(whose).set(counts.unsealed_age);
        self.last_backup.get_or_create(whose).set(counts.last_backup.unwrap_or_default());
    }

    fn set_agreement(&self, project: &str, report: &AuditReport) {
        for card in &report.cards {
            let labels = Card {
                project: project.to_owned(),
                task: card.task.clone(),
                criterion: card.criterion.clone(),
                judge: card.judge.clone(),
            };
            self.agreement_n.get_or_create(&labels).set(i64::try_from(card.n).unwrap_or(i64::MAX));
            // What is not estimable has no number here either.
            if let Some(est) = card.accuracy.est {
                self.agreement.get_or_create(&labels).set(est);
            }
        }
    }
}

impl Watched {
    async fn read(&mut self) {
        if self.counts.as_ref().is_none_or(|(at, _)| at.elapsed() > FRESH) {
            let counting = async { metrics::count(&mut *self.pool.acquire().await?).await };
            match tokio::time::timeout(PATIENCE, counting).await {
                Ok(Ok(counts)) => {
                    self.counts = Some((Instant::now(), counts));
                    self.up = true;
                }
                Ok(Err(error)) => self.down(&error),
                Err(slow) => self.down(&slow),
            }
        }
        if self.reported.is_none_or(|at| at.elapsed() > FRESH_REPORT) {
            let operator = operator();
            let report = self.use_cases.audit.report(&operator, AuditFilter::default());
            if let Ok(Ok(report)) = tokio::time::timeout(PATIENCE, report).await {
                self.report = Some(report);
            }
            // One that takes too long is not asked for again at once: that would only add to the load.
            self.reported = Some(Instant::now());
        }
    }

    fn down(&mut self, error: &dyn std::fmt::Display) {
        tracing::warn!(%error, "metrics: the database does not answer");
        self.up = false;
    }
}
