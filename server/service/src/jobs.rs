//! The worker: claims jobs, renews their leases, runs them, and decides what a failure means.

use crate::acceptance::{self, AcceptArgs};
use crate::evolve::{RoundArgs, Rounds};
use crate::exports::ExportsService;
use crate::generation::{self, GenerateArgs, Generator};
use crate::judges;
use crate::judging::{self, Judge};
use crate::webhooks::Courier;
use concord_domain::JobId;
use concord_domain::ports::ModelError;
use concord_store::StoreError;
use concord_store::jobs::{self, Claimed};
use concord_store::rounds;
use serde::Deserialize;
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tracing::Instrument;
use uuid::Uuid;

const LEASE_SECONDS: i32 = 60;
const RENEW_EVERY: Duration = Duration::from_secs(15);
const IDLE: Duration = Duration::from_millis(500);
/// Kinds that need a model: run one at a time, as the model does.
pub const MODEL_KINDS: [&str; 7] = ["generate", "judge", "rejudge", "probe", "head", "explain", "rationale"];
/// Kinds that need none: never wait for a model.
pub const LIGHT_KINDS: [&str; 4] = ["export", "accept", "recalibrate", "retain"];
/// Rounds, which train: a loop of their own, because that takes minutes.
pub const ROUND_KINDS: [&str; 1] = ["round"];
/// Messages to elsewhere: they wait for others, and nothing waits for them.
pub const POST_KINDS: [&str; 1] = ["webhook"];

/// Why a job did not finish, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct JobError {
    /// In words a person can act on.
    pub why: String,
    /// Try again after so many seconds; `None`: never.
    pub again_after: Option<i32>,
    /// Whether the try counts: waiting for a part that is missing does not.
    pub counted: bool,
}

impl JobError {
    /// Never again.
    pub fn give_up(why: impl Into<String>) -> Self {
        Self { why: why.into(), again_after: None, counted: true }
    }

    /// Whether the job gets another try.
    fn tries_again(&self, job: &Claimed) -> bool {
        self.again_after.is_some() && (!self.counted || job.attempt < job.max_attempts)
    }

    /// Again after so many seconds; the try counts.
    pub fn again(seconds: i32, why: impl Into<String>) -> Self {
        Self { why: why.into(), again_after: Some(seconds), counted: true }
    }
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        Self::again(5, error.to_string())
    }
}

impl From<sqlx::Error> for JobError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl From<ModelError> for JobError {
    fn from(error: ModelError) -> Self {
        let why = error.to_string();
        match error {
            // The weights may be put in place at any time: wait for them for as long as it takes.
            ModelError::Unavailable { .. } => Self { why, again_after: Some(30), counted: false },
            ModelError::Overloaded => Self { why, again_after: Some(5), counted: false },
            ModelError::BadRequest(_) => Self::give_up(why),
            ModelError::Failed(_) => Self::again(10, why),
        }
    }
}

impl From<concord_pipeline::PipelineError> for JobError {
    fn from(error: concord_pipeline::PipelineError) -> Self {
        Self::again(1, error.to_string())
    }
}

/// Says how far a job is, to whoever looks.
#[derive(Debug, Clone)]
pub struct Progress {
    pool: PgPool,
    id: JobId,
}

impl Progress {
    /// Of work that no job stands for.
    #[must_use]
    pub fn apart(pool: &PgPool) -> Self {
        Self { pool: pool.clone(), id: JobId(Uuid::nil()) }
    }

    /// Steps done, steps in all, and what it is doing now. A lost message is no reason to stop.
    pub async fn say(&self, done: i64, total: i64, message: &str) {
        let said = match self.pool.acquire().await {
            Ok(mut conn) => jobs::progress(&mut conn, self.id, done, total, message).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = said {
            tracing::warn!(job = %self.id, %error, "progress was not stored");
        }
    }
}

/// Counts tries of jobs.
pub trait JobMeter: Send + Sync {
    /// A try of this kind took so long and came to this: `done`, `again`, `failed` or `left`.
    fn ended(&self, kind: &str, outcome: &'static str, took: Duration);
}

/// Counts nothing: where nobody looks.
impl JobMeter for () {
    fn ended(&self, _: &str, _: &'static str, _: Duration) {}
}

/// Runs jobs of some kinds until told to stop.
#[derive(Clone)]
pub struct Worker {
    /// The database.
    pub pool: PgPool,
    /// Runs `generate` and `explain`.
    pub generator: Generator,
    /// Runs `judge`, `rejudge`, `probe` and `rationale`.
    pub judge: Judge,
    /// Runs `export`.
    pub exports: ExportsService,
    /// Runs `round`; `None` where nothing is trained.
    pub rounds: Option<Rounds>,
    /// Runs `webhook`.
    pub courier: Courier,
    /// Is told how each try ended.
    pub meter: Arc<dyn JobMeter>,
}

impl Worker {
    /// Claims and runs until `stop` turns true; the job at hand is put back then.
    pub async fn run(&self, kinds: &[&str], mut stop: watch::Receiver<bool>) {
        let owner = Uuid::now_v7();
        while !*stop.borrow() {
            let claimed = match self.pool.acquire().await {
                Ok(mut conn) => jobs::claim(&mut conn, owner, kinds, LEASE_SECONDS).await,
                Err(error) => Err(error.into()),
            };
            match claimed {
                Ok(Some(job)) => self.run_one(owner, &job, stop.clone()).await,
                Ok(None) => pause(IDLE, &mut stop).await,
                Err(error) => {
                    tracing::warn!(%error, "jobs cannot be claimed; trying again");
                    pause(IDLE * 4, &mut stop).await;
                }
            }
        }
    }

    /// Runs until no job of these kinds is left, `at_once` of them side by side, one at least: what is written side by
    /// side shares each pass over the model's weights.
    ///
    /// # Errors
    /// The database's.
    pub async fn drain(
        &self,
        kinds: &[&str],
        at_once: usize,
        stop: watch::Receiver<bool>,
    ) -> Result<(), StoreError> {
        let lanes = (0..at_once.max(1)).map(|_| self.drain_one_by_one(kinds, stop.clone()));
        futures::future::try_join_all(lanes).await.map(|_| ())
    }

    async fn drain_one_by_one(&self, kinds: &[&str], stop: watch::Receiver<bool>) -> Result<(), StoreError> {
        let owner = Uuid::now_v7();
        loop {
            let mut conn = self.pool.acquire().await?;
            let claimed = jobs::claim(&mut conn, owner, kinds, LEASE_SECONDS).await?;
            let pending = if claimed.is_none() { jobs::pending(&mut conn, kinds).await? } else { 1 };
            drop(conn);
            match claimed {
                Some(job) => self.run_one(owner, &job, stop.clone()).await,
                None if pending == 0 || *stop.borrow() => return Ok(()),
                None => tokio::time::sleep(IDLE).await,
            }
        }
    }

    async fn run_one(&self, owner: Uuid, job: &Claimed, mut stop: watch::Receiver<bool>) {
        let progress = Progress { pool: self.pool.clone(), id: job.id };
        let began = Instant::now();
        let span = tracing::info_span!("job", job = %job.id, otel.name = %format_args!("job {}", job.kind));
        let outcome = tokio::select! {
            outcome = self.dispatch(job, &progress).instrument(span) => Some(outcome),
            () = self.hold(owner, job.id) => None,
            _ = stop.wait_for(|stop| *stop) => {
                Some(Err(JobError { why: "stopped; goes on with the next start".into(), again_after: Some(0), counted: false }))
            }
        };
        let word = match &outcome {
            None => "left",
            Some(Ok(())) => "done",
            Some(Err(error)) if error.tries_again(job) => "again",
            Some(Err(_)) => "failed",
        };
        self.meter.ended(&job.kind, word, began.elapsed());
        let Some(outcome) = outcome else {
            tracing::info!(job = %job.id, kind = job.kind, "job was cancelled or taken over");
            return;
        };
        if let Err(error) = self.settle(owner, job, outcome).await {
            tracing::warn!(job = %job.id, %error, "the outcome was not stored; the lease will run out");
        }
    }

    async fn dispatch(&self, job: &Claimed, progress: &Progress) -> Result<(), JobError> {
        if job.attempt > job.max_attempts {
            return Err(JobError::give_up("its worker died on every try"));
        }
        match job.kind.as_str() {
            "generate" => self.generator.run(args(job)?, progress).await,
            "judge" => self.judge.run(args(job)?, progress).await,
            "rejudge" => self.judge.rejudge(args(job)?, progress).await,
            "recalibrate" => judges::recalibrate(&self.pool, &self.judge.models, args(job)?, progress).await,
            "head" => self.judge.train_head(args(job)?, progress).await,
            "probe" => self.judge.probe(args(job)?, progress).await,
            "explain" => self.generator.build_table(args(job)?, progress).await.map(drop),
            "rationale" => self.judge.rationales(args(job)?).await,
            "export" => self.exports.run(args(job)?).await,
            "retain" => crate::retention::run(&self.pool, args(job)?).await,
            "accept" => acceptance::run(&self.pool, &args::<AcceptArgs>(job)?).await,
            "round" => match &self.rounds {
                Some(rounds) => rounds.run(args(job)?, progress).await,
                None => Err(JobError::give_up("models are not trained in this process")),
            },
            "webhook" => self.courier.run(args(job)?).await,
            other => Err(JobError::give_up(format!("unknown kind of job {other}"))),
        }
    }

    /// Renews the lease; returns when the job is no longer ours.
    async fn hold(&self, owner: Uuid, id: JobId) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            let renewed = match self.pool.acquire().await {
                Ok(mut conn) => jobs::renew(&mut conn, id, owner, LEASE_SECONDS).await,
                Err(error) => Err(error.into()),
            };
            match renewed {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(job = %id, %error, "the lease was not renewed; trying again"),
            }
        }
    }

    async fn settle(
        &self,
        owner: Uuid,
        job: &Claimed,
        outcome: Result<(), JobError>,
    ) -> Result<(), StoreError> {
        let mut conn = self.pool.acquire().await?;
        match outcome {
            Ok(()) => jobs::finish(&mut conn, job.id, owner).await,
            Err(error) if error.tries_again(job) => {
                let JobError { why, again_after, counted } = error;
                let seconds = again_after.unwrap_or_default();
                // Whoever only waits, as a round for people does, says so every two seconds.
                if counted {
                    tracing::warn!(job = %job.id, kind = job.kind, attempt = job.attempt, %why, "job will be tried again");
                } else {
                    tracing::debug!(job = %job.id, kind = job.kind, %why, "job waits");
                }
                jobs::retry(&mut conn, job.id, owner, seconds, counted, &why).await
            }
            Err(JobError { why, .. }) => {
                tracing::error!(job = %job.id, kind = job.kind, %why, "job failed");
                jobs::fail(&mut conn, job.id, owner, &why).await?;
                ended_short(&mut conn, &job.kind, &job.args, &why).await
            }
        }
    }
}

/// What follows when a job is given up or cancelled: the generation says so, and no sample is stranded.
///
/// # Errors
/// The database's.
pub(crate) async fn ended_short(
    conn: &mut PgConnection,
    kind: &str,
    args: &serde_json::Value,
    why: &str,
) -> Result<(), StoreError> {
    if let ("round", Ok(args)) = (kind, RoundArgs::deserialize(args)) {
        let state = if why == "cancelled" { "stopped" } else { "failed" };
        rounds::end(conn, args.round, state, Some(why)).await?;
        return Ok(());
    }
    if kind == "head" {
        return judges::train::ended_short(conn, args, why).await;
    }
    let Ok(args) = GenerateArgs::deserialize(args) else { return Ok(()) };
    match kind {
        "generate" => generation::end_short(conn, args, why).await,
        "judge" => judging::open_unjudged(conn, args).await,
        _ => Ok(()),
    }
}

fn args<T: serde::de::DeserializeOwned>(job: &Claimed) -> Result<T, JobError> {
    serde_json::from_value(job.args.clone())
        .map_err(|error| JobError::give_up(format!("bad arguments: {error}")))
}

async fn pause(time: Duration, stop: &mut watch::Receiver<bool>) {
    let _ = tokio::time::timeout(time, stop.wait_for(|stop| *stop)).await;
}
