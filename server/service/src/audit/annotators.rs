//! The people who label, as leads see them: skill, gold, consistency, time, and what they do after the reveal.

use super::card::estimate;
use crate::error::OrInternal;
use crate::programmes;
use concord_agreement::aggregate::{DawidSkene, Prior, Rating, Shape, dawid_skene, one_coin};
use concord_agreement::{self as agreement, Estimate};
use concord_domain::api::Result;
use concord_domain::{AnnotatorReport, CriterionSkill, RaterRecord};
use concord_store::annotators::{self, SharedVotes};
use concord_store::review;
use sqlx::PgPool;
use std::collections::{BTreeMap, HashMap};

/// The newest shared samples and criteria that skill is estimated from.
const SHARED: i64 = 200_000;
/// The newest submissions of a person that times are taken from.
const TIMED: i64 = 2_000;
/// With fewer shared answers a skill says nothing.
const LEAST_SHARED: u64 = 5;

/// Everybody who has answered blind, by name.
pub(super) async fn annotators(pool: &PgPool) -> Result<Vec<AnnotatorReport>> {
    super::catch_up(pool).await?;
    let mut conn = pool.acquire().await.or_internal()?;
    let counts = annotators::counts(&mut conn).await.or_internal()?;
    let shared = annotators::shared_votes(&mut conn, SHARED).await.or_internal()?;
    let seconds: HashMap<String, Vec<f64>> =
        annotators::seconds(&mut conn, TIMED).await.or_internal()?.into_iter().collect();
    let revealed: HashMap<String, (i64, i64)> = annotators::after_reveal(&mut conn)
        .await
        .or_internal()?
        .into_iter()
        .map(|(rater, n, toward)| (rater, (n, toward)))
        .collect();
    let records: HashMap<String, RaterRecord> = review::records(&mut conn, None)
        .await
        .or_internal()?
        .into_iter()
        .map(|row| (row.account.0.to_string(), programmes::record(row)))
        .collect();
    drop(conn);
    // Expectation maximisation over many votes takes its time; other requests go on meanwhile.
    let mut skills = tokio::task::spawn_blocking(move || skills(shared))
        .await
        .map_err(|error| crate::error::internal(&error))?;
    Ok(counts
        .into_iter()
        .map(|count| {
            let by = skills.remove(&count.rater).unwrap_or_default();
            let seconds = seconds.get(&count.rater).map(Vec::as_slice).unwrap_or_default();
            let (differed, toward) = revealed.get(&count.rater).copied().unwrap_or_default();
            let record = records.get(&count.rater);
            let nothing = || estimate(agreement::proportion(0, 0));
            AnnotatorReport {
                rater: count.name,
                labels: natural(count.labels),
                samples: natural(count.samples),
                skill: estimate(pooled(&by)),
                skill_by: by
                    .iter()
                    .map(|skill| CriterionSkill {
                        task: skill.task.clone(),
                        criterion: skill.criterion.clone(),
                        skill: estimate(skill.estimate()),
                    })
                    .collect(),
                gold: record.map_or_else(nothing, |it| it.gold.clone()),
                gold_p: record.and_then(|it| it.gold_p),
                flagged: record.is_some_and(|it| it.flagged),
                consistency: record.map_or_else(nothing, |it| it.consistency.clone()),
                seconds: estimate(median(seconds)),
                hasty: estimate(hasty(seconds)),
                over_reliance: estimate(agreement::proportion(natural(toward), natural(differed))),
            }
        })
        .collect())
}

fn natural(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// A person's skill on one criterion.
struct Skill {
    task: String,
    criterion: String,
    method: &'static str,
    skill: f64,
    n: u64,
    /// The model may have taken wrong for right.
    switched: bool,
}

impl Skill {
    fn estimate(&self) -> Estimate {
        pooled(std::slice::from_ref(self))
    }
}

/// Skills of all criteria as one, by how much was answered. The interval is Wilson's on the expected number of
/// right answers: it takes the model's other estimates as known.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts"
)]
fn pooled(all: &[Skill]) -> Estimate {
    let n: u64 = all.iter().map(|skill| skill.n).sum();
    let three = all.iter().any(|skill| skill.method == "dawid_skene");
    let method = if three { "dawid_skene" } else { "one_coin" };
    if n < LEAST_SHARED {
        return Estimate::none(method, n, format!("fewer than {LEAST_SHARED} answers that others gave too"));
    }
    if all.iter().any(|skill| skill.switched) {
        return Estimate::none(method, n, "people contradict each other more often than not");
    }
    let right: f64 = all.iter().map(|skill| skill.skill * skill.n as f64).sum();
    let est = right / n as f64;
    let ci = agreement::wilson95((right.round() as u64).min(n), n);
    Estimate::at95(method, n, est, Some((est * (1.0 - est) / n as f64).max(0.0).sqrt()), ci)
}

/// Who answered a sample, and what.
type Votes = (Vec<String>, Vec<bool>);

/// Skills by rater, from votes by task and criterion.
fn skills(shared: Vec<SharedVotes>) -> HashMap<String, Vec<Skill>> {
    let mut groups: BTreeMap<(String, String), Vec<Votes>> = BTreeMap::new();
    for it in shared {
        groups.entry((it.task, it.criterion)).or_default().push((it.raters, it.votes));
    }
    let mut found: HashMap<String, Vec<Skill>> = HashMap::new();
    for ((task, criterion), items) in groups {
        let mut names: Vec<&String> = items.iter().flat_map(|(raters, _)| raters).collect();
        names.sort_unstable();
        names.dedup();
        let mut ratings = Vec::new();
        for (item, (raters, votes)) in items.iter().enumerate() {
            for (rater, vote) in raters.iter().zip(votes) {
                if let Ok(rater) = names.binary_search(&rater) {
                    ratings.push(Rating { item, rater, label: usize::from(*vote) });
                }
            }
        }
        let shape = Shape { items: items.len(), raters: names.len(), categories: 2 };
        let (method, model) = model(&ratings, shape);
        let switched = is_switched(&model);
        for (rater, name) in names.iter().enumerate() {
            let n = ratings.iter().filter(|rating| rating.rater == rater).count() as u64;
            let (task, criterion) = (task.clone(), criterion.clone());
            let skill = Skill { task, criterion, method, skill: model.skill(rater), n, switched };
            found.entry((*name).clone()).or_default().push(skill);
        }
    }
    found
}

/// A table of confusions a person needs three people a sample; with fewer one skill a person is estimated.
fn model(ratings: &[Rating], shape: Shape) -> (&'static str, DawidSkene) {
    if ratings.len() >= 3 * shape.items {
        ("dawid_skene", dawid_skene(ratings, shape, Prior::WEAK, &[]))
    } else {
        ("one_coin", one_coin(ratings, shape, Prior::WEAK, &[]))
    }
}

/// Whether people are wrong more often than right by this model, over all of them: pass and fail may have changed
/// places. One person who is says something of that person.
fn is_switched(model: &DawidSkene) -> bool {
    let right: f64 = model.confusion.iter().map(|table| table[0][0] + table[1][1]).sum();
    let people = u32::try_from(model.confusion.len()).unwrap_or(u32::MAX);
    right / 2.0 < 0.5 * f64::from(people)
}

/// The median of sorted values with the distribution-free interval between two order statistics.
fn median(sorted: &[f64]) -> Estimate {
    let n = sorted.len();
    if n == 0 {
        return Estimate::none("order_statistics", 0, "nothing seen");
    }
    let middle = f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2]);
    // The largest rank below which the median lies with at most 2.5 %.
    let rank = (0..n / 2).take_while(|k| agreement::binom_cdf(*k as u64, n as u64, 0.5) <= 0.025).count();
    let ci = (rank > 0).then(|| (sorted[rank - 1], sorted[n - rank]));
    Estimate::at95("order_statistics", n as u64, middle, None, ci)
}

fn hasty(sorted: &[f64]) -> Estimate {
    let n = sorted.len();
    if n == 0 {
        return agreement::proportion(0, 0);
    }
    let floor = f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2]) / 3.0;
    agreement::proportion(sorted.partition_point(|seconds| *seconds < floor) as u64, n as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_has_the_textbook_interval() {
        let all: Vec<f64> = (1..=10).map(f64::from).collect();
        let found = median(&all);
        // n = 10: the 2nd and 9th order statistics cover with 97.9 %.
        assert_eq!((found.est, found.ci), (Some(5.5), Some((2.0, 9.0))));
        assert_eq!(median(&all[..5]).ci, None, "five values have no interval of 95 %");
        assert_eq!(median(&[]).est, None);
    }

    #[test]
    fn hasty_is_less_than_a_third_of_the_own_median() {
        let seconds = [1.0, 2.0, 9.0, 9.0, 9.0, 10.0, 30.0];
        assert_eq!(hasty(&seconds).est, Some(2.0 / 7.0));
    }

    #[test]
    fn the_one_who_differs_has_the_lower_skill() {
        let votes = |n: usize| {
            let truth = n.is_multiple_of(3);
            SharedVotes {
                task: "t".into(),
                criterion: "ok".into(),
                raters: vec!["ann".into(), "bob".into(), "cem".into()],
                votes: vec![truth, truth, truth != n.is_multiple_of(4)],
            }
        };
        let found = skills((0..60).map(votes).collect());
        let skill = |name: &str| pooled(&found[name]);
        assert!(skill("ann").est > Some(0.9) && skill("cem").est < Some(0.85), "{:?}", skill("cem"));
        assert_eq!((skill("cem").method, skill("cem").n), ("dawid_skene", 60));
        let two = skills(
            (0..60)
                .map(|n| SharedVotes {
                    raters: vec!["a".into(), "b".into()],
                    votes: votes(n).votes[1..].to_vec(),
                    ..votes(n)
                })
                .collect(),
        );
        assert_eq!(pooled(&two["a"]).method, "one_coin");
        assert_eq!(pooled(&[]).est, None);
    }
}
