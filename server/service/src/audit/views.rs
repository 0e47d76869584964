//! What stands behind a card: single decisions, reliability, slices, and judges side by side.

use super::tally::POOLED;
use crate::error::OrInternal;
use concord_agreement::{self as agreement, calibration};
use concord_domain::api::Result;
use concord_domain::{
    Actor, CellCounts, Decision, DecisionFilter, Error, Estimate, JudgePair, Reliability, ReliabilityBin,
    Slice,
};
use concord_store::decisions::{self, Labelled, Of};
use concord_store::{audit, review};
use sqlx::{PgConnection, PgPool};

/// Bins of the reliability diagram.
const BINS: usize = 10;

/// A page of decisions. Whoever reads it has seen these samples' verdicts, so is never given them blind.
pub(super) async fn decisions(
    pool: &PgPool,
    actor: &Actor,
    filter: &DecisionFilter,
) -> Result<Vec<Decision>> {
    if !matches!(filter.cell.as_str(), "" | "tp" | "fp" | "fn" | "tn") {
        return Err(Error::invalid("cell", "one of tp, fp, fn, tn"));
    }
    if filter.skip > 10_000 {
        return Err(Error::invalid("skip", "at most 10000: narrow the filter"));
    }
    super::catch_up(pool).await?;
    let mut tx = pool.begin().await.or_internal()?;
    let criterion = if filter.criterion.is_empty() { POOLED } else { &filter.criterion };
    let rows = match newest(&mut tx, &filter.task, criterion, &filter.judge).await {
        Ok(major) => decisions::page(&mut tx, filter, major).await.or_internal()?,
        Err(Error::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    let seen: Vec<_> = rows.iter().map(|row| row.sample).collect();
    review::log_views(&mut tx, actor.account, &seen).await.or_internal()?;
    tx.commit().await.or_internal()?;
    Ok(rows)
}

/// The newest major version of a card.
async fn newest(conn: &mut PgConnection, task: &str, criterion: &str, judge: &str) -> Result<i32> {
    let cards = audit::cards(conn).await.or_internal()?;
    cards
        .iter()
        .filter(|card| {
            card.task == task && card.criterion == criterion && card.judge.as_deref() == Some(judge)
        })
        .map(|card| card.major)
        .max()
        .ok_or_else(|| Error::not_found("report card"))
}

/// How sure a judge says it is against how often people pass.
pub(super) async fn reliability(
    pool: &PgPool,
    task: &str,
    criterion: &str,
    judge: &str,
) -> Result<Reliability> {
    super::catch_up(pool).await?;
    let mut conn = pool.acquire().await.or_internal()?;
    let major = newest(&mut conn, task, criterion, judge).await?;
    let of = Of { task, criterion, judge, major };
    let labelled = decisions::labelled(&mut conn, of, 0, i64::MAX).await.or_internal()?;
    let points: Vec<(f64, bool)> = labelled.iter().filter_map(point).collect();
    let (scores, passes): (Vec<f64>, Vec<bool>) = points.iter().copied().unzip();
    Ok(Reliability {
        bins: bins(&points),
        ece: calibration::ece(&scores, &passes, BINS).value,
        brier: calibration::brier(&scores, &passes),
        auroc: calibration::auroc(&scores, &passes),
        n: points.len() as u64,
    })
}

fn point(label: &Labelled) -> Option<(f64, bool)> {
    Some((label.p_pass?, label.human?))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a probability times a few bins"
)]
fn bins(points: &[(f64, bool)]) -> Vec<ReliabilityBin> {
    (0..BINS)
        .filter_map(|bin| {
            let inside: Vec<&(f64, bool)> =
                points.iter().filter(|(p, _)| ((p * BINS as f64) as usize).min(BINS - 1) == bin).collect();
            if inside.is_empty() {
                return None;
            }
            let passes = inside.iter().filter(|(_, pass)| *pass).count() as u64;
            Some(ReliabilityBin {
                range: (bin as f64 / BINS as f64, (bin + 1) as f64 / BINS as f64),
                mean_p: inside.iter().map(|(p, _)| p).sum::<f64>() / inside.len() as f64,
                pass: super::card::estimate(agreement::proportion(passes, inside.len() as u64)),
            })
        })
        .collect()
}

/// A card by category, language, generator and annotator.
pub(super) async fn slices(pool: &PgPool, task: &str, criterion: &str, judge: &str) -> Result<Vec<Slice>> {
    super::catch_up(pool).await?;
    let mut conn = pool.acquire().await.or_internal()?;
    let major = newest(&mut conn, task, criterion, judge).await?;
    let rows = decisions::slices(&mut conn, Of { task, criterion, judge, major }).await.or_internal()?;
    Ok(rows
        .into_iter()
        .map(|(by, value, cells)| {
            let [tp, fp, fn_, tn] = cells.map(|n| u64::try_from(n).unwrap_or(0));
            Slice {
                by,
                value,
                cells: CellCounts { tp, fp, fn_, tn },
                accuracy: share(tp + tn, tp + fp + fn_ + tn),
                specificity: share(tn, fp + tn),
            }
        })
        .collect())
}

fn share(k: u64, n: u64) -> Estimate {
    super::card::estimate(agreement::proportion(k, n))
}

/// Every two judges of a task on the same decisions, by McNemar's exact test.
pub(super) async fn pairs(pool: &PgPool, task: &str) -> Result<Vec<JudgePair>> {
    super::catch_up(pool).await?;
    let mut conn = pool.acquire().await.or_internal()?;
    let rows = decisions::pairs(&mut conn, task).await.or_internal()?;
    Ok(rows
        .into_iter()
        .map(|(criterion, a, b, counts)| {
            let [both, only_a, only_b, neither] = counts.map(|n| u64::try_from(n).unwrap_or(0));
            let p = agreement::mcnemar::exact_p(only_a, only_b);
            JudgePair { criterion, a, b, both, only_a, only_b, neither, p }
        })
        .collect())
}
