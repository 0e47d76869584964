//! What people look at: the rates of audit sampling by verdict, and what a number of labels should be spent on.

use crate::error::OrInternal;
use concord_agreement::{self as agreement, sampling::neyman};
use concord_domain::api::Result;
use concord_domain::{Actor, AllocatedStratum, AuditAllocation, AuditSampling, Error};
use concord_store::acceptance::{self, Stratum};
use concord_store::events;
use sqlx::PgPool;

/// Least labels a verdict, so that its own error rate can be told.
const LEAST: u64 = 20;
/// Least spread: a class that looks pure in few labels still gets some.
const SPREAD_LEAST: f64 = 0.1;
/// Of a class that nobody has looked at.
const SPREAD_UNKNOWN: f64 = 0.5;

/// How a task's audit is drawn now.
pub(super) async fn now(pool: &PgPool, task: &str) -> Result<AuditSampling> {
    let mut conn = pool.acquire().await.or_internal()?;
    acceptance::sampling(&mut conn, task).await.or_internal()?.ok_or_else(|| Error::not_found("task"))
}

/// Changes it for samples opened from now on.
pub(super) async fn set(
    pool: &PgPool,
    actor: &Actor,
    task: &str,
    to: AuditSampling,
) -> Result<AuditSampling> {
    for (field, rate) in [("rate_pass", to.rate_pass), ("rate_fail", to.rate_fail)] {
        if !(rate > 0.0 && rate <= 1.0) {
            return Err(Error::invalid(field, "above 0 and at most 1"));
        }
    }
    if !(0.02..=1.0).contains(&to.floor) {
        return Err(Error::invalid("floor", "between 0.02 and 1"));
    }
    let mut tx = pool.begin().await.or_internal()?;
    if !acceptance::set_sampling(&mut tx, task, &to).await.or_internal()? {
        return Err(Error::not_found("task"));
    }
    let detail = serde_json::json!(to);
    events::append(&mut tx, Some(actor.account), "audit_sampling", task, &detail).await.or_internal()?;
    tx.commit().await.or_internal()?;
    Ok(to)
}

/// Neyman's allocation of `budget` labels to what the judge passes and fails.
pub(super) async fn allocate(pool: &PgPool, task: &str, budget: u64) -> Result<AuditAllocation> {
    if !(1..=1_000_000).contains(&budget) {
        return Err(Error::invalid("budget", "between 1 and 1000000 labels"));
    }
    super::catch_up(pool).await?;
    let mut conn = pool.acquire().await.or_internal()?;
    let known =
        acceptance::sampling(&mut conn, task).await.or_internal()?.ok_or_else(|| Error::not_found("task"))?;
    let strata = acceptance::strata(&mut conn, task).await.or_internal()?;
    if strata.is_empty() {
        return Err(Error::conflict(
            "nothing_judged",
            "no sample of the audit half has a verdict on every criterion yet",
        ));
    }
    Ok(spend(budget, &strata, known.floor))
}

fn spend(budget: u64, strata: &[Stratum], floor: f64) -> AuditAllocation {
    let whole = |n: i64| u64::try_from(n).unwrap_or(0);
    let sizes: Vec<u64> = strata.iter().map(|it| whole(it.size)).collect();
    let rates: Vec<agreement::Estimate> =
        strata.iter().map(|it| agreement::proportion(whole(it.passed), whole(it.labelled))).collect();
    let spreads: Vec<f64> = rates
        .iter()
        .map(|rate| rate.est.map_or(SPREAD_UNKNOWN, |p| (p * (1.0 - p)).sqrt().max(SPREAD_LEAST)))
        .collect();
    let least = LEAST.min(budget / strata.len().max(1) as u64);
    let labels = neyman(&sizes, &spreads, budget, least);
    let mut sampling = AuditSampling { rate_pass: 1.0, rate_fail: 1.0, floor };
    let mut lines = Vec::with_capacity(strata.len());
    for (at, rate) in rates.into_iter().enumerate() {
        let share = ratio(labels[at], sizes[at]);
        *(if strata[at].pass { &mut sampling.rate_pass } else { &mut sampling.rate_fail }) = share;
        lines.push(AllocatedStratum {
            verdict: if strata[at].pass { "pass" } else { "fail" }.to_owned(),
            size: sizes[at],
            pass_rate: super::card::estimate(rate),
            spread: spreads[at],
            labels: labels[at],
            rate: share,
        });
    }
    AuditAllocation { budget, strata: lines, sampling }
}

/// Labels a sample: above 0, or the class could never be looked at again.
#[expect(clippy::cast_precision_loss, reason = "counts of samples are far below 2^52")]
fn ratio(labels: u64, size: u64) -> f64 {
    (labels.max(1) as f64 / size.max(1) as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_go_where_people_differ_most() {
        let strata = [
            Stratum { pass: true, size: 9000, labelled: 200, passed: 190 },
            Stratum { pass: false, size: 1000, labelled: 40, passed: 20 },
        ];
        let found = spend(300, &strata, 0.05);
        // 9000·√(.95·.05) = 1961.5 and 1000·.5 = 500, on top of 20 each: 260·1961.5/2461.5 = 207.2.
        let labels: Vec<u64> = found.strata.iter().map(|it| it.labels).collect();
        assert_eq!(labels, [227, 73]);
        assert_eq!((found.sampling.rate_pass, found.sampling.rate_fail), (227.0 / 9000.0, 73.0 / 1000.0));
        let unknown = [Stratum { pass: true, size: 10, labelled: 0, passed: 0 }];
        let found = spend(300, &unknown, 0.05);
        assert_eq!((found.strata[0].labels, found.strata[0].rate, found.strata[0].spread), (10, 1.0, 0.5));
        assert!(found.strata[0].pass_rate.est.is_none() && found.strata[0].pass_rate.why.is_some());
    }
}
