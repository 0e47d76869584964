//! Drift: one detector a judge, criterion and verdict class reads the first blind label of every audited sample
//! in the order of the log. The same log gives the same statistic, alarm and hash, however often it is replayed.

use super::certify::{ALARM_AT, confidence};
use crate::error::OrInternal;
use concord_agreement::confidence_sequence::beta_binomial;
use concord_agreement::drift::Detector;
use concord_domain::api::Result;
use concord_domain::{Actor, CardDrift, DriftMonitor, Error, Investigation, InvestigationStep};
use concord_store::certificates::{self, NewCertificate};
use concord_store::decisions::{self, Labelled, Of};
use concord_store::drift::{self, MonitorRow};
use concord_store::events;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// What a judge without a certificate is held to.
const P0: f64 = 0.9;
/// Bets; those of 1/(1 − p0) or more are left out. With them a fall from .93 to .80 takes a median of 55 labels.
const BETS: [f64; 4] = [0.5, 1.0, 2.0, 4.0];
/// Points of a chart.
const POINTS: usize = 120;

fn bets(p0: f64) -> Vec<f64> {
    BETS.iter().copied().filter(|bet| *bet < 1.0 / (1.0 - p0)).collect()
}

fn detector(p0: f64, alarm_at: f64) -> Detector {
    Detector::new(p0, &bets(p0), alarm_at)
}

fn new_monitor(of: Of<'_>, verdict: &str, p0: f64, from: i64) -> MonitorRow {
    MonitorRow {
        id: Uuid::now_v7(),
        task: of.task.to_owned(),
        criterion: of.criterion.to_owned(),
        judge: of.judge.to_owned(),
        major: of.major,
        verdict: verdict.to_owned(),
        certificate: None,
        threshold: 0.0,
        p0,
        alarm_at: ALARM_AT,
        started_at: from,
        read_to: from,
        state: detector(p0, ALARM_AT).state(),
        n: 0,
        agreed: 0,
        prefix_hash: Sha256::digest(b"").to_vec(),
        status: "ok".to_owned(),
        alarmed_at: None,
        investigation: None,
    }
}

/// Watches what a new certificate accepts, from the labels it has not read on.
pub(super) async fn watch(
    conn: &mut PgConnection,
    of: Of<'_>,
    verdict: &str,
    certificate: &NewCertificate,
    eps: f64,
    from: i64,
) -> Result<()> {
    let row = MonitorRow {
        certificate: Some(certificate.id),
        threshold: certificate.threshold,
        ..new_monitor(of, verdict, 1.0 - eps, from)
    };
    drift::open(conn, &row).await.or_internal()
}

/// Opens missing monitors and reads every one up to the end of the settled log. An alarm suspends the
/// certificate and opens an investigation, in the transaction that stores it.
///
/// # Errors
/// The database's.
pub(super) async fn advance(pool: &PgPool) -> Result<()> {
    // Before the fold: what is below this mark is then folded.
    let settled = decisions::settled(&mut *pool.acquire().await.or_internal()?).await.or_internal()?;
    super::fold(pool).await.or_internal()?;
    let mut tx = pool.begin().await.or_internal()?;
    certificates::lock(&mut tx).await.or_internal()?;
    for (task, criterion, judge, major) in drift::unmonitored(&mut tx).await.or_internal()? {
        let of = Of { task: &task, criterion: &criterion, judge: &judge, major };
        for verdict in ["pass", "fail"] {
            drift::open(&mut tx, &new_monitor(of, verdict, P0, 0)).await.or_internal()?;
        }
    }
    for mut row in drift::list(&mut tx, None, true).await.or_internal()? {
        if row.read_to < settled {
            read(&mut tx, &mut row, settled).await?;
        }
    }
    tx.commit().await.or_internal()
}

async fn read(conn: &mut PgConnection, row: &mut MonitorRow, settled: i64) -> Result<()> {
    let labelled = decisions::labelled(conn, row.of(), row.read_to, settled).await.or_internal()?;
    let mut run = Run::resume(row);
    for label in labelled.iter().filter(|label| counts(row, label)) {
        run.push(label);
    }
    row.read_to = settled;
    let rang = run.store(row);
    drift::save(conn, row).await.or_internal()?;
    if rang && row.certificate.is_some() {
        alarm(conn, row, run.detector.e_sr()).await?;
    }
    Ok(())
}

/// Whether a monitor reads this label: its verdict class, at least as sure as the certificate asks.
fn counts(row: &MonitorRow, label: &Labelled) -> bool {
    label.judge == (row.verdict == "pass") && confidence(label) >= row.threshold
}

async fn alarm(conn: &mut PgConnection, row: &MonitorRow, statistic: f64) -> Result<()> {
    let investigation = Uuid::now_v7();
    drift::investigate(conn, investigation, row, statistic).await.or_internal()?;
    if let Some(id) = row.certificate {
        let why = format!("the drift alarm rang after {} labels", row.n);
        certificates::end(conn, id, "suspended", &why).await.or_internal()?;
        let detail = serde_json::json!({"why": why, "monitor": row.id, "investigation": investigation});
        events::append(conn, None, "certificate_suspended", &id.to_string(), &detail).await.or_internal()?;
    }
    Ok(())
}

/// A detector on its way through the log.
struct Run {
    detector: Detector,
    n: i64,
    agreed: i64,
    hash: Vec<u8>,
}

impl Run {
    fn resume(row: &MonitorRow) -> Self {
        Self {
            detector: Detector::from_state(row.p0, &bets(row.p0), row.alarm_at, &row.state),
            n: row.n,
            agreed: row.agreed,
            hash: row.prefix_hash.clone(),
        }
    }

    fn push(&mut self, label: &Labelled) {
        let agrees = label.judge == label.first_pass;
        self.detector.push(agrees);
        self.n += 1;
        self.agreed += i64::from(agrees);
        let mut chain = Sha256::new_with_prefix(&self.hash);
        chain.update(label.first_seq.to_le_bytes());
        chain.update([u8::from(agrees)]);
        self.hash = chain.finalize().to_vec();
    }

    /// Writes itself into the row; gives whether the alarm rings now.
    fn store(&self, row: &mut MonitorRow) -> bool {
        row.state = self.detector.state();
        (row.n, row.agreed, row.prefix_hash) = (self.n, self.agreed, self.hash.clone());
        let before = row.status == "alarm";
        row.status = if before || self.detector.alarmed() {
            "alarm"
        } else if self.detector.warned() {
            "warning"
        } else {
            "ok"
        }
        .to_owned();
        !before && row.status == "alarm"
    }
}

/// What a card shows of a monitor.
pub(super) fn shown(row: &MonitorRow) -> CardDrift {
    let detector = Run::resume(row).detector;
    CardDrift {
        verdict: row.verdict.clone(),
        p0: row.p0,
        statistic: detector.e_sr(),
        alarm_at: row.alarm_at,
        state: row.status.clone(),
        n: u64::try_from(row.n).unwrap_or(0),
    }
}

/// The open monitors with their charts, replayed from the log.
pub(super) async fn monitors(pool: &PgPool) -> Result<Vec<DriftMonitor>> {
    let mut conn = pool.acquire().await.or_internal()?;
    let rows = drift::list(&mut conn, None, false).await.or_internal()?;
    let mut monitors = Vec::with_capacity(rows.len());
    for row in rows {
        monitors.push(with_chart(&mut conn, &row).await?);
    }
    Ok(monitors)
}

async fn with_chart(conn: &mut PgConnection, row: &MonitorRow) -> Result<DriftMonitor> {
    let labelled = decisions::labelled(conn, row.of(), row.started_at, row.read_to).await.or_internal()?;
    let of = row.of();
    let start = MonitorRow {
        certificate: row.certificate,
        threshold: row.threshold,
        ..new_monitor(of, &row.verdict, row.p0, row.started_at)
    };
    let mut run = Run::resume(&start);
    let read: Vec<&Labelled> = labelled.iter().filter(|label| counts(row, label)).collect();
    let every = read.len().div_ceil(POINTS).max(1);
    let mut points = Vec::with_capacity(POINTS + 1);
    for (place, label) in read.iter().enumerate() {
        run.push(label);
        if place % every == every - 1 || place + 1 == read.len() {
            let (n, agreed) = (whole(run.n), whole(run.agreed));
            let (low, high) = beta_binomial(agreed, n, 0.05);
            points.push((n, run.detector.e_sr(), low, high));
        }
    }
    let (n, agreed) = (whole(row.n), whole(row.agreed));
    Ok(DriftMonitor {
        id: row.id,
        task: row.task.clone(),
        criterion: row.criterion.clone(),
        judge: row.judge.clone(),
        shown: shown(row),
        e_process: Run::resume(row).detector.e_process(),
        agreed,
        ci: (n > 0).then(|| beta_binomial(agreed, n, 0.05)),
        certificate: row.certificate,
        threshold: row.threshold,
        prefix_hash: row.prefix_hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        alarmed_at: row.alarmed_at,
        investigation: row.investigation,
        points,
    })
}

/// Investigations with their monitor's chart and certificate.
pub(super) async fn investigations(pool: &PgPool, id: Option<Uuid>) -> Result<Vec<Investigation>> {
    let mut conn = pool.acquire().await.or_internal()?;
    let rows = drift::investigations(&mut conn, id).await.or_internal()?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let monitors = drift::list(&mut conn, Some(row.monitor), false).await.or_internal()?;
        let monitor = monitors.first().ok_or_else(|| Error::not_found("monitor"))?;
        let certificate = match row.certificate {
            Some(id) => certificates::list(&mut conn, None, None, Some(id)).await.or_internal()?.pop(),
            None => None,
        };
        found.push(Investigation {
            id: row.id,
            monitor: with_chart(&mut conn, monitor).await?,
            certificate: certificate.map(|(_, certificate)| certificate),
            opened_at: row.opened_at,
            steps: row.steps,
            closed_at: row.closed_at,
        });
    }
    Ok(found)
}

/// Notes a step of the plan; closing starts the monitor anew from here.
pub(super) async fn step(pool: &PgPool, actor: &Actor, id: Uuid, step: &str, note: &str) -> Result<()> {
    if !matches!(step, "relabel" | "recalibrate" | "certify" | "close") {
        return Err(Error::invalid("step", "one of relabel, recalibrate, certify, close"));
    }
    let note = note.trim();
    if note.is_empty() || note.chars().count() > 2000 {
        return Err(Error::invalid("note", "1 to 2000 characters"));
    }
    let mut tx = pool.begin().await.or_internal()?;
    let done = InvestigationStep {
        step: step.to_owned(),
        by: actor.email.clone(),
        at: jiff::Timestamp::now(),
        note: note.to_owned(),
    };
    let close = (step == "close").then_some(actor.account);
    if !drift::step(&mut tx, id, &done, close).await.or_internal()? {
        return Err(Error::not_found("open investigation"));
    }
    if close.is_some() {
        restart(&mut tx, id).await?;
    }
    let detail = serde_json::json!({"step": step, "note": note});
    events::append(&mut tx, Some(actor.account), "investigation", &id.to_string(), &detail)
        .await
        .or_internal()?;
    tx.commit().await.or_internal()
}

/// A monitor of its own for what comes now; a newer certificate has brought one already.
async fn restart(conn: &mut PgConnection, investigation: Uuid) -> Result<()> {
    let rows = drift::investigations(conn, Some(investigation)).await.or_internal()?;
    let Some(row) = rows.first() else { return Ok(()) };
    let open = drift::list(conn, None, true).await.or_internal()?;
    let Some(rang) = open.iter().find(|monitor| monitor.id == row.monitor) else { return Ok(()) };
    let settled = decisions::settled(conn).await.or_internal()?;
    drift::open(conn, &new_monitor(rang.of(), &rang.verdict, rang.p0, settled)).await.or_internal()
}

fn whole(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
