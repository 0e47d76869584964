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
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// A scrape finds numbers no older than this.
const FRESH: Duration = Duration::from_secs(5);
/// Report cards move slowly, and are dearer.
const FRESH_REPORT: Duration = Duration::from_secs(60);
/// A scrape must answer, whatever the database does.
const PATIENCE: Duration = Duration::from_secs(2);

type Float = Gauge<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobState {
    kind: String,
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Monitor {
    task: String,
    criterion: String,
    judge: String,
    verdict: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Card {
    task: String,
    criterion: String,
    judge: String,
}

/// The gauges, and when they were read.
#[derive(Default)]
pub(super) struct Gauges {
    jobs: Family<JobState, Gauge>,
    job_age: Family<JobState, Float>,
    open_samples: Gauge,
    leases: Gauge,
    leases_overdue: Gauge,
    leases_expired: Gauge,
    drift: Family<Monitor, Gauge>,
    certificates: Family<Status, Gauge>,
    investigations: Gauge,
    unsealed_age: Float,
    last_backup: Float,
    bytes: Gauge,
    up: Gauge,
    pool: Family<Status, Gauge>,
    agreement: Family<Card, Float>,
    agreement_n: Family<Card, Gauge>,
    read: Mutex<Option<Instant>>,
    reported: Mutex<Option<Instant>>,
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

    /// Reads what is old. A database that does not answer shows as such, with the numbers last read.
    pub(super) async fn refresh(&self, pool: &PgPool, use_cases: &UseCases) {
        self.set_pool(pool);
        let mut read = self.read.lock().await;
        if read.is_none_or(|at| at.elapsed() > FRESH) {
            let counting = async { metrics::count(&mut *pool.acquire().await?).await };
            match tokio::time::timeout(PATIENCE, counting).await {
                Ok(Ok(counts)) => {
                    self.set(&counts);
                    *read = Some(Instant::now());
                }
                Ok(Err(error)) => self.down(&error),
                Err(slow) => self.down(&slow),
            }
        }
        drop(read);
        let mut reported = self.reported.lock().await;
        if reported.is_none_or(|at| at.elapsed() > FRESH_REPORT) {
            let operator = operator();
            let report = use_cases.audit.report(&operator, AuditFilter::default());
            if let Ok(Ok(report)) = tokio::time::timeout(PATIENCE, report).await {
                self.set_agreement(&report);
            }
            // One that takes too long is not asked for again at once: that would only add to the load.
            *reported = Some(Instant::now());
        }
    }

    fn down(&self, error: &dyn std::fmt::Display) {
        tracing::warn!(%error, "metrics: the database does not answer");
        self.up.set(0);
    }

    fn set_pool(&self, pool: &PgPool) {
        let state = |status: &str| Status { status: status.to_owned() };
        let idle = i64::try_from(pool.num_idle()).unwrap_or(i64::MAX);
        self.pool.get_or_create(&state("idle")).set(idle);
        self.pool.get_or_create(&state("busy")).set(i64::from(pool.size()) - idle);
        let most = i64::from(pool.options().get_max_connections());
        self.pool.get_or_create(&state("most")).set(most);
    }

    fn set(&self, counts: &Counts) {
        self.jobs.clear();
        self.job_age.clear();
        for job in &counts.jobs {
            let labels = JobState { kind: job.kind.clone(), state: job.state.clone() };
            self.jobs.get_or_create(&labels).set(job.n);
            self.job_age.get_or_create(&labels).set(job.oldest);
        }
        self.open_samples.set(counts.open_samples);
        self.leases.set(counts.leases);
        self.leases_overdue.set(counts.leases_overdue);
        self.leases_expired.set(counts.leases_expired);
        self.drift.clear();
        for it in &counts.drift {
            let labels = Monitor {
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
        self.certificates.clear();
        for (status, n) in &counts.certificates {
            self.certificates.get_or_create(&Status { status: status.clone() }).set(*n);
        }
        self.investigations.set(counts.investigations);
        self.unsealed_age.set(counts.unsealed_age);
        self.last_backup.set(counts.last_backup.unwrap_or_default());
        self.bytes.set(counts.bytes);
        self.up.set(1);
    }

    fn set_agreement(&self, report: &AuditReport) {
        self.agreement.clear();
        self.agreement_n.clear();
        for card in &report.cards {
            let labels = Card {
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
