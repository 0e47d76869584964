//! What an alarm opens: relabel, recalibrate or retrain, certify anew, as one plan whose steps do something.

use super::{certify, drift};
use crate::error::OrInternal;
use concord_domain::api::Result;
use concord_domain::{
    Actor, CertificateRequest, Error, Investigation, InvestigationStep, Relabelled, Statement,
};
use concord_store::certificates;
use concord_store::decisions;
use concord_store::drift::{self as monitors, InvestigationRow, MonitorRow};
use concord_store::events;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Most samples given to people again in one step.
const RELABEL_MOST: u32 = 500;

/// Investigations with their monitor's chart, their certificate, and how far the plan is.
pub(super) async fn list(pool: &PgPool, id: Option<Uuid>) -> Result<Vec<Investigation>> {
    let mut conn = pool.acquire().await.or_internal()?;
    let rows = monitors::investigations(&mut conn, id).await.or_internal()?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        found.push(with_plan(&mut conn, row).await?);
    }
    Ok(found)
}

async fn with_plan(conn: &mut PgConnection, row: InvestigationRow) -> Result<Investigation> {
    let monitor = monitor(conn, row.monitor).await?;
    let certificate = match row.certificate {
        Some(id) => certificates::list(conn, None, None, Some(id)).await.or_internal()?.pop(),
        None => None,
    };
    let [asked, answered, judge, first] =
        monitors::relabelled(conn, row.id, monitor.of()).await.or_internal()?;
    let attempts = certificates::list(conn, Some(&monitor.task), None, None).await.or_internal()?;
    Ok(Investigation {
        id: row.id,
        relabelled: Relabelled { asked, answered, judge, first },
        attempts: attempts
            .into_iter()
            .map(|(_, attempt)| attempt)
            .filter(|it| it.criterion == monitor.criterion && it.shown.verdict == monitor.verdict)
            .filter(|it| it.at > row.opened_at)
            .collect(),
        monitor: drift::with_chart(&monitor),
        certificate: certificate.map(|(_, certificate)| certificate),
        opened_at: row.opened_at,
        steps: row.steps,
        closed_at: row.closed_at,
    })
}

async fn monitor(conn: &mut PgConnection, id: Uuid) -> Result<MonitorRow> {
    let found = monitors::list(conn, Some(id), false).await.or_internal()?;
    found.into_iter().next().ok_or_else(|| Error::not_found("monitor"))
}

/// The investigation, if it is open, and its monitor.
async fn open(conn: &mut PgConnection, id: Uuid) -> Result<(InvestigationRow, MonitorRow)> {
    let row = monitors::investigations(conn, Some(id)).await.or_internal()?.pop();
    let row =
        row.filter(|row| row.closed_at.is_none()).ok_or_else(|| Error::not_found("open investigation"))?;
    let monitor = monitor(conn, row.monitor).await?;
    Ok((row, monitor))
}

/// Gives `n` samples that the monitor has read to one more person each.
pub(super) async fn relabel(pool: &PgPool, actor: &Actor, id: Uuid, n: u32) -> Result<u64> {
    if !(1..=RELABEL_MOST).contains(&n) {
        return Err(Error::invalid("n", format!("between 1 and {RELABEL_MOST}")));
    }
    let mut tx = pool.begin().await.or_internal()?;
    let (_, of) = open(&mut tx, id).await?;
    let given =
        monitors::relabel(&mut tx, id, of.of(), of.verdict == "pass", of.threshold, i64::from(n)).await;
    let given = given.or_internal()?;
    if given == 0 {
        return Err(Error::conflict(
            "nothing_to_relabel",
            "every sample with a text that this monitor has read is with people already",
        ));
    }
    note(&mut tx, actor, id, "relabel", &format!("{given} samples given to one more person each")).await?;
    tx.commit().await.or_internal()?;
    Ok(given)
}

/// Attempts a certificate like the suspended one on labels that no attempt has read, for the same judge or the one
/// that took its place.
pub(super) async fn certify(
    pool: &PgPool,
    actor: &Actor,
    id: Uuid,
    judge: Option<String>,
    statement: Option<Statement>,
) -> Result<concord_domain::Certificate> {
    let mut conn = pool.acquire().await.or_internal()?;
    let (row, of) = open(&mut conn, id).await?;
    let before = row.certificate.ok_or_else(|| Error::not_found("certificate"))?;
    let before = certificates::list(&mut conn, None, None, Some(before)).await.or_internal()?.pop();
    let (_, before) = before.ok_or_else(|| Error::not_found("certificate"))?;
    drop(conn);
    let request = CertificateRequest {
        task: of.task,
        criterion: of.criterion,
        judge: judge.unwrap_or(of.judge),
        verdicts: vec![of.verdict],
        eps: before.shown.eps,
        delta: before.shown.delta,
        unseen_only: true,
        statement,
    };
    let made = certify::certify(pool, actor, &request).await?.pop();
    let made = made.ok_or_else(|| Error::not_found("attempt"))?;
    let why = made.shown.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    let said = format!("{} · {}{why}", request.judge, made.shown.status);
    let mut tx = pool.begin().await.or_internal()?;
    note(&mut tx, actor, id, "certify", &said).await?;
    tx.commit().await.or_internal()?;
    Ok(made)
}

/// Notes a step of the plan that was done elsewhere; closing starts the monitor anew from here.
pub(super) async fn step(pool: &PgPool, actor: &Actor, id: Uuid, step: &str, said: &str) -> Result<()> {
    if !matches!(step, "relabel" | "recalibrate" | "certify" | "close") {
        return Err(Error::invalid("step", "one of relabel, recalibrate, certify, close"));
    }
    let said = said.trim();
    if said.is_empty() || said.chars().count() > 2000 {
        return Err(Error::invalid("note", "1 to 2000 characters"));
    }
    let mut tx = pool.begin().await.or_internal()?;
    note(&mut tx, actor, id, step, said).await?;
    if step == "close" {
        restart(&mut tx, id).await?;
    }
    tx.commit().await.or_internal()
}

async fn note(conn: &mut PgConnection, actor: &Actor, id: Uuid, step: &str, said: &str) -> Result<()> {
    let done = InvestigationStep {
        step: step.to_owned(),
        by: actor.email.clone(),
        at: jiff::Timestamp::now(),
        note: said.to_owned(),
    };
    let close = (step == "close").then_some(actor.account);
    if !monitors::step(conn, id, &done, close).await.or_internal()? {
        return Err(Error::not_found("open investigation"));
    }
    let detail = serde_json::json!({"step": step, "note": said});
    events::append(conn, Some(actor.account), "investigation", &id.to_string(), &detail).await.or_internal()
}

/// A monitor of its own for what comes now; a newer certificate has brought one already.
async fn restart(conn: &mut PgConnection, investigation: Uuid) -> Result<()> {
    let rows = monitors::investigations(conn, Some(investigation)).await.or_internal()?;
    let Some(row) = rows.first() else { return Ok(()) };
    let open = monitors::list(conn, None, true).await.or_internal()?;
    let Some(rang) = open.iter().find(|monitor| monitor.id == row.monitor) else { return Ok(()) };
    let settled = decisions::settled(conn).await.or_internal()?;
    let fresh = drift::new_monitor(rang.of(), &rang.verdict, rang.p0, settled);
    monitors::open(conn, &fresh).await.or_internal()
}
