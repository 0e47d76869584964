//! The alternative annotator test: may a judge stand in for a person?

use crate::len;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// How an annotation is compared with those of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Score {
    /// Share of the others who say the same.
    Accuracy,
    /// Negative root mean square distance from the others, for ordered labels.
    NegativeRmse,
}

/// What a judge and some people say of one item; labels as numbers, people by index.
#[derive(Debug, Clone, PartialEq)]
pub struct AltTestItem {
    /// The judge's label.
    pub judge: f64,
    /// Each person's label.
    pub humans: Vec<(usize, f64)>,
}

/// One person in the test.
#[derive(Debug, Clone, PartialEq)]
pub struct AltTestHuman {
    /// Index.
    pub rater: usize,
    /// Items shared with the judge and another person.
    pub n: u64,
    /// Share of items on which the judge is at least as close to the others as this person.
    pub judge_wins: Option<f64>,
    /// Share of items on which this person is at least as close to the others as the judge.
    pub human_wins: Option<f64>,
    /// p value; `None` with fewer than 30 items.
    pub p: Option<f64>,
    /// The judge stands in for this person.
    pub rejected: bool,
}

/// What the test found.
#[derive(Debug, Clone, PartialEq)]
pub struct AltTest {
    /// Everyone with a shared item, by index.
    pub humans: Vec<AltTestHuman>,
    /// Share of tested people whom the judge stands in for: ω.
    pub winning_rate: Option<f64>,
    /// Mean of `judge_wins` over tested people: ρ, to rank judges by.
    pub advantage: Option<f64>,
    /// ω of at least one half.
    pub pass: Option<bool>,
    /// Why it is not estimable.
    pub why: Option<String>,
}

/// Items that a person must share to be tested: the t test's normality.
const FEWEST: usize = 30;

/// The alternative annotator test (Calderon, Reichart and Dror, ACL 2025): leaving each person out in turn, is
/// the judge's agreement with the rest no worse than the person's, less an allowance `eps` for its cheapness?
/// One-sided t tests, Benjamini and Yekutieli at false discovery rate `q`; the judge passes where it stands in
/// for at least half of the people. Assumes independent items. It is relative to the people's own noise, so
/// print their agreement beside it. Not estimable with fewer than two people of 30 shared items each.
#[must_use]
pub fn alt_test(items: &[AltTestItem], score: Score, eps: f64, q: f64) -> AltTest {
    let raters = items.iter().flat_map(|item| &item.humans).map(|(rater, _)| rater + 1).max().unwrap_or(0);
    let mut wins: Vec<Vec<(bool, bool)>> = vec![Vec::new(); raters];
    for item in items {
        for (place, (rater, label)) in item.humans.iter().enumerate() {
            let others: Vec<f64> = item
                .humans
                .iter()
                .enumerate()
                .filter(|(at, _)| *at != place)
                .map(|(_, (_, other))| *other)
                .collect();
            if !others.is_empty() {
                let (judge, human) =
                    (closeness(score, item.judge, &others), closeness(score, *label, &others));
                wins[*rater].push((judge >= human, human >= judge));
            }
        }
    }
    let mut humans: Vec<AltTestHuman> = wins
        .iter()
        .enumerate()
        .filter(|(_, wins)| !wins.is_empty())
        .map(|(rater, wins)| human(rater, wins, eps))
        .collect();
    benjamini_yekutieli(&mut humans, q);
    conclude(humans)
}

fn closeness(score: Score, label: f64, others: &[f64]) -> f64 {
    match score {
        Score::Accuracy => len(others.iter().filter(|other| **other == label).count()) / len(others.len()),
        Score::NegativeRmse => {
            -(others.iter().map(|other| (other - label).powi(2)).sum::<f64>() / len(others.len())).sqrt()
        }
    }
}

fn human(rater: usize, wins: &[(bool, bool)], eps: f64) -> AltTestHuman {
    let n = len(wins.len());
    let share = |which: fn(&(bool, bool)) -> bool| len(wins.iter().filter(|it| which(it)).count()) / n;
    AltTestHuman {
        rater,
        n: wins.len() as u64,
        judge_wins: Some(share(|it| it.0)),
        human_wins: Some(share(|it| it.1)),
        p: (wins.len() >= FEWEST).then(|| p_value(wins, eps)),
        rejected: false,
    }
}

/// P of a mean difference this small if the person were better by `eps` or more.
fn p_value(wins: &[(bool, bool)], eps: f64) -> f64 {
    let n = len(wins.len());
    let differences: Vec<f64> =
        wins.iter().map(|(judge, human)| f64::from(u8::from(*human)) - f64::from(u8::from(*judge))).collect();
    let mean = differences.iter().sum::<f64>() / n;
    let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0);
    if variance == 0.0 {
        return if mean < eps { 0.0 } else { 1.0 };
    }
    let t = (mean - eps) / (variance / n).sqrt();
    StudentsT::new(0.0, 1.0, n - 1.0).map_or(1.0, |student| student.cdf(t))
}

/// Rejects the hypotheses up to the largest p(i) ≤ i/m · q / Σ 1/j: valid under any dependence.
fn benjamini_yekutieli(humans: &mut [AltTestHuman], q: f64) {
    let mut tested: Vec<(f64, usize)> =
        humans.iter().enumerate().filter_map(|(at, human)| Some((human.p?, at))).collect();
    tested.sort_by(|a, b| a.0.total_cmp(&b.0));
    let m = tested.len();
    let harmonic: f64 = (1..=m).map(|i| 1.0 / len(i)).sum();
    let last = (0..m).rev().find(|at| tested[*at].0 <= len(at + 1) / len(m) * q / harmonic);
    for (_, at) in tested.iter().take(last.map_or(0, |last| last + 1)) {
        humans[*at].rejected = true;
    }
}

fn conclude(humans: Vec<AltTestHuman>) -> AltTest {
    let tested: Vec<&AltTestHuman> = humans.iter().filter(|human| human.p.is_some()).collect();
    if tested.len() < 2 {
        let why = format!(
            "{} of {} people share {FEWEST} decisions with another and the judge; 2 are needed",
            tested.len(),
            humans.len()
        );
        return AltTest { humans, winning_rate: None, advantage: None, pass: None, why: Some(why) };
    }
    let n = len(tested.len());
    let rate = len(tested.iter().filter(|human| human.rejected).count()) / n;
    let advantage = tested.iter().filter_map(|human| human.judge_wins).sum::<f64>() / n;
    AltTest {
        winning_rate: Some(rate),
        advantage: Some(advantage),
        pass: Some(rate >= 0.5),
        why: None,
        humans,
    }
}
