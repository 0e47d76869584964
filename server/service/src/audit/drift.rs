//! Drift: one detector a judge, criterion and verdict class reads the first blind label of every audited sample
//! in the order of the log. The same log gives the same statistic, alarm and hash, however often it is replayed.

mod run;

use super::certify::ALARM_AT;
use crate::error::OrInternal;
use concord_agreement::confidence_sequence::beta_binomial;
use concord_domain::api::Result;
use concord_domain::{CardDrift, DriftMonitor, Notice, Replay};
use concord_store::certificates::{self, NewCertificate};
use concord_store::decisions::{self, Logged, Of};
use concord_store::drift::{self, MonitorRow};
use concord_store::{events, webhooks};
use run::{Run, detector};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// What a judge without a certificate is held to.
const P0: f64 = 0.9;
pub(super) fn new_monitor(of: Of<'_>, verdict: &str, p0: f64, from: i64) -> MonitorRow {
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
        alarm_n: None,
        alarm_hash: None,
        points: Vec::new(),
        every: 1,
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
pub async fn advance(pool: &PgPool) -> Result<()> {
    super::fold(pool).await.or_internal()?;
    let mut tx = pool.begin().await.or_internal()?;
    let settled = decisions::settled(&mut tx).await.or_internal()?;
    if !is_due(&mut tx, settled).await? {
        return Ok(());
    }
    certificates::lock(&mut tx).await.or_internal()?;
    for (task, criterion, judge, major) in drift::unmonitored(&mut tx).await.or_internal()? {
        let of = Of { task: &task, criterion: &criterion, judge: &judge, major };
        for verdict in ["pass", "fail"] {
            drift::open(&mut tx, &new_monitor(of, verdict, P0, 0)).await.or_internal()?;
        }
    }
    // Both classes of a judge and criterion mostly read the same stretch of the log: it is fetched once.
    let mut fetched: Option<(MonitorRow, Vec<Logged>)> = None;
    for mut row in drift::list(&mut tx, None, true).await.or_internal()? {
        if row.read_to >= settled {
            continue;
        }
        let known = fetched.take().filter(|(other, _)| reads_the_same(other, &row));
        let log = match known {
            Some((_, log)) => log,
            None => decisions::log(&mut tx, row.of(), row.read_to, settled).await.or_internal()?,
        };
        let before = row.clone();
        read(&mut tx, &mut row, &log, settled).await?;
        fetched = Some((before, log));
    }
    tx.commit().await.or_internal()
}

/// Whether there is anything to do: a card without a monitor, or a stretch of the log that one has not read.
async fn is_due(conn: &mut PgConnection, settled: i64) -> Result<bool> {
    if !drift::unmonitored(conn).await.or_internal()?.is_empty() {
        return Ok(true);
    }
    let Some(from) = drift::read_least(conn).await.or_internal()? else { return Ok(false) };
    Ok(from < settled && decisions::has_news(conn, from, settled).await.or_internal()?)
}

fn reads_the_same(a: &MonitorRow, b: &MonitorRow) -> bool {
    (&a.task, &a.criterion, &a.judge, a.major, a.read_to)
        == (&b.task, &b.criterion, &b.judge, b.major, b.read_to)
}

async fn read(conn: &mut PgConnection, row: &mut MonitorRow, log: &[Logged], settled: i64) -> Result<()> {
    let mut run = Run::resume(row);
    for entry in log {
        run.push(row, entry);
    }
    let rang = run.store(row);
    row.read_to = settled;
    drift::save(conn, row).await.or_internal()?;
    if rang && row.certificate.is_some() {
        alarm(conn, row, run.statistic()).await?;
    }
    Ok(())
}

async fn alarm(conn: &mut PgConnection, row: &MonitorRow, statistic: f64) -> Result<()> {
    let investigation = Uuid::now_v7();
    drift::investigate(conn, investigation, row, statistic).await.or_internal()?;
    let at = row.alarm_n.unwrap_or(row.n);
    let data = serde_json::json!({"investigation": investigation, "monitor": row.id, "certificate": row.certificate,
        "task": row.task, "criterion": row.criterion, "judge": row.judge, "verdict": row.verdict,
        "p0": row.p0, "labels": at});
    webhooks::tell(conn, Notice::DriftAlarm, None, &data).await.or_internal()?;
    if let Some(id) = row.certificate {
        let why = format!("the drift alarm rang after {at} labels");
        certificates::end(conn, id, "suspended", &why).await.or_internal()?;
        let detail = serde_json::json!({"why": why, "monitor": row.id, "investigation": investigation});
        events::append(conn, None, "certificate_suspended", &id.to_string(), &detail).await.or_internal()?;
    }
    Ok(())
}

/// What a card shows of a monitor.
pub(super) fn shown(row: &MonitorRow) -> CardDrift {
    CardDrift {
        verdict: row.verdict.clone(),
        p0: row.p0,
        statistic: Run::resume(row).statistic(),
        alarm_at: row.alarm_at,
        state: row.status.clone(),
        n: whole(row.n),
    }
}

/// The open monitors with their charts.
pub(super) async fn monitors(pool: &PgPool) -> Result<Vec<DriftMonitor>> {
    let mut conn = pool.acquire().await.or_internal()?;
    let rows = drift::list(&mut conn, None, false).await.or_internal()?;
    Ok(rows.iter().map(with_chart).collect())
}

pub(super) fn with_chart(row: &MonitorRow) -> DriftMonitor {
    let (n, agreed) = (whole(row.n), whole(row.agreed));
    let ci = (n > 0).then(|| beta_binomial(agreed, n, 0.05));
    let run = Run::resume(row);
    let mut points: Vec<(u64, f64, f64, f64)> = row
        .points
        .chunks_exact(4)
        .map(|point| (run::natural(point[0]), point[1], point[2], point[3]))
        .collect();
    // The chart goes on to where the monitor stands.
    if let Some((low, high)) = ci.filter(|_| points.last().is_none_or(|last| last.0 < n)) {
        points.push((n, run.statistic(), low, high));
    }
    DriftMonitor {
        id: row.id,
        task: row.task.clone(),
        criterion: row.criterion.clone(),
        judge: row.judge.clone(),
        shown: shown(row),
        e_process: run.e_process(),
        agreed,
        ci,
        certificate: row.certificate,
        threshold: row.threshold,
        prefix_hash: hex(&row.prefix_hash),
        alarmed_at: row.alarmed_at,
        alarm_n: row.alarm_n.map(whole),
        alarm_hash: row.alarm_hash.as_deref().map(hex),
        investigation: row.investigation,
        points,
    }
}

/// Reads the log anew for every open monitor, or one, and says whether that comes to what is stored.
pub(super) async fn replay(pool: &PgPool, id: Option<Uuid>) -> Result<Vec<Replay>> {
    let mut tx = pool.begin().await.or_internal()?;
    let rows = drift::list(&mut tx, id, true).await.or_internal()?;
    let mut replays = Vec::with_capacity(rows.len());
    for row in rows {
        let log = decisions::log(&mut tx, row.of(), row.started_at, row.read_to).await.or_internal()?;
        let mut again = MonitorRow {
            id: row.id,
            certificate: row.certificate,
            threshold: row.threshold,
            alarm_at: row.alarm_at,
            ..new_monitor(row.of(), &row.verdict, row.p0, row.started_at)
        };
        let mut run = Run::resume(&again);
        for entry in &log {
            run.push(&row, entry);
        }
        run.store(&mut again);
        let same = (again.n, again.agreed, again.alarm_n, again.every)
            == (row.n, row.agreed, row.alarm_n, row.every)
            && (&again.prefix_hash, &again.alarm_hash, &again.status)
                == (&row.prefix_hash, &row.alarm_hash, &row.status)
            && again.state == row.state
            && again.points == row.points;
        replays.push(Replay {
            monitor: row.id,
            statistic: run.statistic(),
            n: whole(again.n),
            prefix_hash: hex(&again.prefix_hash),
            alarm_n: again.alarm_n.map(whole),
            same,
            task: row.task,
            criterion: row.criterion,
            judge: row.judge,
            verdict: row.verdict,
        });
    }
    Ok(replays)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn whole(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
