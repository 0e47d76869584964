//! Certificates: which verdicts may stand alone. A plan is stored before a label is read; every attempt is a
//! row and pays for itself; what is found certain is issued, else it is said what is missing.

use crate::error::OrInternal;
use concord_agreement::certificate::{
    Selection, choose_threshold, choose_threshold_weighted, grid_from, labels_needed, starts_at,
};
use concord_domain::api::Result;
use concord_domain::{Actor, Certificate, CertificateRequest, Error, Statement};
use concord_store::certificates::{self, NewCertificate, Outcome, Plan};
use concord_store::decisions::{self, Labelled, Of};
use concord_store::{audit, events};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sqlx::PgPool;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Below this many unlabelled verdicts their quantiles are too coarse for a grid.
const SMALLEST_POOL: usize = 200;
/// Coverage at which chains start (judge-science §3.3: where they start matters more than n).
const STARTS: [f64; 4] = [0.1, 0.2, 0.4, 0.7];
/// Why imported labels alone certify nothing; no label has been read then.
const UNSTATED: &str =
    "imported labels certify nothing until a lead states that they are a uniform sample and were given blind";
/// The monitor of a certificate rings falsely once in this many labels at most (average run length).
pub(super) const ALARM_AT: f64 = 1000.0;

/// Attempts a certificate for each verdict class asked for; δ is shared between them.
pub(super) async fn certify(
    pool: &PgPool,
    actor: &Actor,
    request: &CertificateRequest,
) -> Result<Vec<Certificate>> {
    check(request)?;
    super::fold(pool).await.or_internal()?;
    let (major, rubric_version) = newest(pool, request).await?;
    let mut ids = Vec::new();
    for verdict in &request.verdicts {
        let share = request.delta / count(request.verdicts.len());
        let attempt =
            Attempt { pool, actor, request, verdict, delta: share, major, rubric_version: &rubric_version };
        ids.push(attempt.run().await?);
    }
    let mut conn = pool.acquire().await.or_internal()?;
    let mut made = Vec::with_capacity(ids.len());
    for id in ids {
        let found = certificates::list(&mut conn, None, None, Some(id)).await.or_internal()?;
        made.extend(found.into_iter().map(|(_, certificate)| certificate));
    }
    Ok(made)
}

fn check(request: &CertificateRequest) -> Result<()> {
    for (field, value) in [("eps", request.eps), ("delta", request.delta)] {
        if !(value > 0.0 && value < 0.5) {
            return Err(Error::invalid(field, "between 0 and 0.5, both excluded"));
        }
    }
    let mut classes = request.verdicts.clone();
    classes.sort_unstable();
    classes.dedup();
    let known = classes.iter().all(|verdict| matches!(verdict.as_str(), "pass" | "fail"));
    if !known || classes.is_empty() || classes.len() != request.verdicts.len() {
        return Err(Error::invalid("verdicts", "pass, fail, or both, each once"));
    }
    if request.criterion == super::POOLED {
        return Err(Error::invalid(
            "criterion",
            "a criterion, or all: pooled decisions say nothing of one verdict",
        ));
    }
    Ok(())
}

/// The newest major version with labels and verdicts of this judge.
async fn newest(pool: &PgPool, request: &CertificateRequest) -> Result<(i32, String)> {
    let mut conn = pool.acquire().await.or_internal()?;
    let cards = audit::cards(&mut conn).await.or_internal()?;
    cards
        .into_iter()
        .filter(|card| {
            card.judge.as_deref() == Some(&*request.judge)
                && card.task == request.task
                && card.criterion == request.criterion
        })
        .max_by_key(|card| card.major)
        .map(|card| (card.major, card.rubric_version))
        .ok_or_else(|| Error::not_found("verdicts of this judge on this task and criterion"))
}

/// One attempt at one verdict class.
struct Attempt<'a> {
    pool: &'a PgPool,
    actor: &'a Actor,
    request: &'a CertificateRequest,
    verdict: &'a str,
    delta: f64,
    major: i32,
    rubric_version: &'a str,
}

/// What was planned, as the rest needs it.
struct Planned {
    id: Uuid,
    grid: Vec<f64>,
    starts: Vec<usize>,
    delta_spent: f64,
    labels_after: i64,
    seed: u64,
    unlabelled: Vec<f64>,
}

impl Attempt<'_> {
    fn of(&self) -> Of<'_> {
        Of {
            task: &self.request.task,
            criterion: &self.request.criterion,
            judge: &self.request.judge,
            major: self.major,
        }
    }

    fn passes(&self) -> bool {
        self.verdict == "pass"
    }

    async fn run(&self) -> Result<Uuid> {
        let planned = self.plan().await?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let stated = self.request.statement.is_some_and(|said| said.uniform && said.blind);
        if !stated && decisions::any_imported(&mut conn, self.of()).await.or_internal()? {
            let outcome = Outcome { why: Some(UNSTATED.to_owned()), ..Outcome::default() };
            certificates::finish(&mut conn, planned.id, &outcome).await.or_internal()?;
            return Ok(planned.id);
        }
        let through = decisions::settled(&mut conn).await.or_internal()?;
        certificates::read_through(&mut conn, planned.id, through).await.or_internal()?;
        let labelled =
            decisions::labelled(&mut conn, self.of(), planned.labels_after, through).await.or_internal()?;
        drop(conn);
        self.conclude(planned, labelled, through).await
    }

    /// Stores grid, starts and what may be spent, before any label is read.
    async fn plan(&self) -> Result<Planned> {
        let mut tx = self.pool.begin().await.or_internal()?;
        certificates::lock(&mut tx).await.or_internal()?;
        let unlabelled =
            decisions::unlabelled_confidences(&mut tx, self.of(), self.passes()).await.or_internal()?;
        let from_data = unlabelled.len() >= SMALLEST_POOL;
        let grid = if from_data { grid_from(&unlabelled) } else { fixed_grid() };
        let starts = if from_data { starts_at(&grid, &unlabelled, &STARTS) } else { fixed_starts(&grid) };
        let (earlier, through) =
            certificates::earlier(&mut tx, self.of(), self.verdict).await.or_internal()?;
        let unseen = self.request.unseen_only && earlier > 0;
        let attempt = if unseen { 0 } else { i32::try_from(earlier + 1).unwrap_or(i32::MAX) };
        let planned = Planned {
            id: Uuid::now_v7(),
            delta_spent: if unseen { self.delta } else { self.delta * 0.5_f64.powi(attempt) },
            labels_after: if unseen { through } else { 0 },
            seed: rand::rng().random::<u32>().into(),
            grid,
            starts,
            unlabelled,
        };
        let starts: Vec<i32> =
            planned.starts.iter().map(|at| i32::try_from(*at).unwrap_or(i32::MAX)).collect();
        let plan = Plan {
            id: planned.id,
            of: self.of(),
            rubric_version: self.rubric_version,
            verdict: self.verdict,
            eps: self.request.eps,
            delta: self.delta,
            attempt,
            delta_spent: planned.delta_spent,
            labels_after: planned.labels_after,
            seed: i64::try_from(planned.seed).unwrap_or(0),
            grid: &planned.grid,
            starts: &starts,
            pool: i64::try_from(planned.unlabelled.len()).unwrap_or(i64::MAX),
            grid_from: if from_data { "unlabelled" } else { "fixed" },
            statement: self.request.statement.as_ref().map(|said| statement(said, self.actor)),
            by: self.actor.account,
        };
        certificates::plan(&mut tx, &plan).await.or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(planned)
    }

    /// Tests, and stores what came of it.
    async fn conclude(&self, planned: Planned, labelled: Vec<Labelled>, through: i64) -> Result<Uuid> {
        let of_class: Vec<Labelled> = labelled
            .into_iter()
            .filter(|label| label.judge == self.passes() && label.human.is_some())
            .collect();
        let calibration = one_a_cluster(of_class, planned.seed);
        let (outcome, selection) = if calibration.is_empty() {
            let why = format!("0 labelled {} verdicts of this judge", self.verdict);
            (Outcome { why: Some(why), ..Outcome::default() }, None)
        } else {
            self.test(&planned, &calibration)
        };
        let mut tx = self.pool.begin().await.or_internal()?;
        // The watch opens monitors under the same lock: two open ones of a class are refused by the database.
        certificates::lock(&mut tx).await.or_internal()?;
        certificates::finish(&mut tx, planned.id, &outcome).await.or_internal()?;
        if let Some(found) = selection.and_then(|selection| selection.certified) {
            let sure: Vec<f64> = calibration.iter().map(confidence).collect();
            let covered = if planned.unlabelled.is_empty() { &sure } else { &planned.unlabelled };
            let new = NewCertificate {
                id: planned.id,
                threshold: found.threshold,
                n: i64::try_from(found.n).unwrap_or(i64::MAX),
                errors: i64::try_from(found.errors).unwrap_or(i64::MAX),
                ucb: found.ucb,
                coverage: share(covered, found.threshold),
            };
            certificates::issue(&mut tx, new).await.or_internal()?;
            super::drift::watch(&mut tx, self.of(), self.verdict, &new, self.request.eps, through).await?;
        }
        let detail = serde_json::json!({"task": self.request.task, "criterion": self.request.criterion,
            "judge": self.request.judge, "verdict": self.verdict, "eps": self.request.eps, "delta": self.delta,
            "certified": outcome.why.is_none()});
        events::append(&mut tx, Some(self.actor.account), "certificate", &planned.id.to_string(), &detail)
            .await
            .or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(planned.id)
    }

    fn test(&self, planned: &Planned, calibration: &[Labelled]) -> (Outcome, Option<Selection>) {
        let wrong = |label: &Labelled| label.human != Some(label.judge);
        let equal = calibration.windows(2).all(|two| two[0].pi == two[1].pi);
        let (eps, delta) = (self.request.eps, planned.delta_spent);
        let selection = if equal {
            let points: Vec<(f64, bool)> =
                calibration.iter().map(|label| (confidence(label), wrong(label))).collect();
            choose_threshold(&points, &planned.grid, &planned.starts, eps, delta)
        } else {
            let points: Vec<(f64, bool, f64)> =
                calibration.iter().map(|label| (confidence(label), wrong(label), label.pi)).collect();
            choose_threshold_weighted(&points, &planned.grid, &planned.starts, eps, delta)
        };
        let errors = calibration.iter().filter(|label| wrong(label)).count() as u64;
        let n = calibration.len() as u64;
        let chains: Vec<(Option<f64>, u64, u64, f64)> = selection
            .tried
            .iter()
            .map(|chain| (chain.threshold, chain.n, chain.errors, chain.p_value))
            .collect();
        let why = selection.certified.is_none().then(|| "nothing certifiable".to_owned());
        // The most promising chain: the least errors a label where it stopped.
        let needed = selection
            .tried
            .iter()
            .filter(|chain| chain.n > 0)
            .min_by(|a, b| (count64(a.errors) * count64(b.n)).total_cmp(&(count64(b.errors) * count64(a.n))))
            .and_then(|chain| {
                let at = labels_needed(chain.errors, chain.n, eps, delta / count(planned.starts.len()))?;
                // In all: as many as give that many at this threshold, if the shares stay.
                Some((count64(at) * count64(n) / count64(chain.n)).ceil())
            })
            .filter(|_| why.is_some())
            .map(whole);
        (Outcome { n, errors, chains, labels_needed: needed, why }, Some(selection))
    }
}

fn confidence(label: &Labelled) -> f64 {
    decisions::confidence(label.judge, label.p_pass)
}

/// The test takes errors to be independent, so of a user with several decisions one is drawn.
fn one_a_cluster(mut labelled: Vec<Labelled>, seed: u64) -> Vec<Labelled> {
    labelled.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let drawn: BTreeMap<i64, Labelled> = labelled.into_iter().map(|label| (label.cluster, label)).collect();
    drawn.into_values().collect()
}

/// Without a pool to draw quantiles from: round thresholds, which no data has chosen.
fn fixed_grid() -> Vec<f64> {
    (50..=100_u32).rev().map(|percent| f64::from(percent) / 100.0).collect()
}

/// And starts spread over them.
fn fixed_starts(grid: &[f64]) -> Vec<usize> {
    STARTS.iter().map(|at| whole((at * count(grid.len())).floor()) as usize).collect()
}

fn share(confidences: &[f64], threshold: f64) -> f64 {
    let covered = confidences.iter().filter(|confidence| **confidence >= threshold).count();
    if confidences.is_empty() { 0.0 } else { count(covered) / count(confidences.len()) }
}

fn statement(said: &Statement, actor: &Actor) -> serde_json::Value {
    serde_json::json!({"uniform": said.uniform, "blind": said.blind, "by": actor.email})
}

/// Ends a certificate by a lead's decision.
pub(super) async fn void(pool: &PgPool, actor: &Actor, id: Uuid, why: &str) -> Result<()> {
    let mut tx = pool.begin().await.or_internal()?;
    if !certificates::end(&mut tx, id, "void", why).await.or_internal()? {
        return Err(Error::not_found("live certificate"));
    }
    let detail = serde_json::json!({"why": why});
    events::append(&mut tx, Some(actor.account), "certificate_void", &id.to_string(), &detail)
        .await
        .or_internal()?;
    tx.commit().await.or_internal()
}

#[expect(clippy::cast_precision_loss, reason = "counts of labels are far below 2^52")]
fn count(n: usize) -> f64 {
    n as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts of labels are far below 2^52")]
fn count64(n: u64) -> f64 {
    n as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rounded count, not negative")]
fn whole(n: f64) -> u64 {
    n as u64
}
