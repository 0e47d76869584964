//! Whether a new model takes the place of the old one: only where held-out labels say so, with an interval.
//!
//! Both models wrote for, or judged, the same audit users, so the user is the pair and the cluster: users are
//! resampled whole, with what both did for them.

mod diversity;

pub use diversity::{Sum, means, spread, spreads};

use crate::bootstrap::{Resampled, cluster_bootstrap};
use crate::{Estimate, real};

const REPLICATES: usize = 2_000;

/// What one model's samples of one user came to on one criterion, or on all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tallied {
    /// Verdicts of pass and of fail on everything it wrote.
    pub verdicts: (u64, u64),
    /// Of those with a verdict of pass and a person's label: labels, and passes among them.
    pub labelled_pass: (u64, u64),
    /// Of those with a verdict of fail and a person's label: labels, and passes among them.
    pub labelled_fail: (u64, u64),
}

/// A user: the old model, the new one.
pub type Pair = (Tallied, Tallied);

/// How far things may fall.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margins {
    /// A criterion's corrected pass rate.
    pub criterion: f64,
    /// A measure of diversity.
    pub diversity: f64,
    /// A judge's κ.
    pub kappa: f64,
}

impl Default for Margins {
    fn default() -> Self {
        Self { criterion: 0.05, diversity: 0.05, kappa: 0.05 }
    }
}

/// A measure of both models.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// What is measured.
    pub name: String,
    /// The old model.
    pub old: Option<f64>,
    /// The new one.
    pub new: Option<f64>,
    /// New less old.
    pub gain: Estimate,
}

/// Promote or refuse, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Whether the new model takes the place.
    pub promote: bool,
    /// Why not, in words; empty where it does.
    pub refused: Vec<String>,
    /// What was compared.
    pub compared: Vec<Compared>,
}

/// The pass rate that labels correct: post-stratified by verdict (see [`crate::post_stratified`]). `None` where a
/// verdict that was given has no label.
fn corrected(sums: &[f64]) -> Option<f64> {
    let [pass, fail, n1, k1, n0, k0] = sums else { return None };
    let all = pass + fail;
    if all == 0.0 {
        return None;
    }
    let part = |verdicts: f64, n: f64, k: f64| match (verdicts > 0.0, n > 0.0) {
        (false, _) => Some(0.0),
        (true, true) => Some(verdicts / all * k / n),
        (true, false) => None,
    };
    Some(part(*pass, *n1, *k1)? + part(*fail, *n0, *k0)?)
}

fn sums((old, new): &Pair) -> [f64; 12] {
    let of = |it: &Tallied| {
        [
            it.verdicts.0,
            it.verdicts.1,
            it.labelled_pass.0,
            it.labelled_pass.1,
            it.labelled_fail.0,
            it.labelled_fail.1,
        ]
        .map(real)
    };
    let (old, new) = (of(old), of(new));
    std::array::from_fn(|at| if at < 6 { old[at] } else { new[at - 6] })
}

/// The corrected pass rates of both models and their difference, users resampled.
#[must_use]
pub fn pass_rates(name: &str, users: &[Pair], seed: u64) -> Compared {
    let patterns: Vec<([f64; 12], u64)> = users.iter().map(|user| (sums(user), 1)).collect();
    let gain = |sums: &[f64; 12]| Some(corrected(&sums[6..])? - corrected(&sums[..6])?);
    let total = patterns.iter().fold([0.0; 12], |mut total, (sums, _)| {
        total.iter_mut().zip(sums).for_each(|(total, it)| *total += it);
        total
    });
    let (old, new) = (corrected(&total[..6]), corrected(&total[6..]));
    let [spread] = cluster_bootstrap(&patterns, |sums| [gain(sums)], REPLICATES, seed);
    Compared {
        name: name.to_owned(),
        old,
        new,
        gain: estimate(old, new, spread, users.len(), "a verdict without a label"),
    }
}

/// One decision of a person and what two judges said of it: pass or not each.
pub type Judged = (bool, bool, bool);

/// Specificity and κ of two judges on the same decisions, users resampled; in this order.
#[must_use]
pub fn judges(users: &[Vec<Judged>], seed: u64) -> [Compared; 2] {
    let patterns: Vec<([f64; 8], u64)> = users.iter().map(|decisions| (cells(decisions), 1)).collect();
    let total = patterns.iter().fold([0.0; 8], |mut total, (sums, _)| {
        total.iter_mut().zip(sums).for_each(|(total, it)| *total += it);
        total
    });
    let gain = |of: fn(&[f64]) -> Option<f64>| move |sums: &[f64; 8]| Some(of(&sums[4..])? - of(&sums[..4])?);
    let (by_specificity, by_kappa) = (gain(specificity), gain(kappa));
    let [one, two] =
        cluster_bootstrap(&patterns, |sums| [by_specificity(sums), by_kappa(sums)], REPLICATES, seed);
    let compared = |name: &str, of: fn(&[f64]) -> Option<f64>, spread, why| {
        let (old, new) = (of(&total[..4]), of(&total[4..]));
        Compared { name: name.to_owned(), old, new, gain: estimate(old, new, spread, users.len(), why) }
    };
    [
        compared("specificity", specificity, one, "people fail nothing"),
        compared("kappa", kappa, two, "people or a judge always say the same"),
    ]
}

/// Decisions by place, of the old judge and then of the new one.
pub(crate) fn cells(decisions: &[Judged]) -> [f64; 8] {
    let mut cells = [0.0; 8];
    for (human, old, new) in decisions {
        cells[cell(*human, *old)] += 1.0;
        cells[4 + cell(*human, *new)] += 1.0;
    }
    cells
}

/// Place of a decision: both pass, judge alone, human alone, neither.
fn cell(human: bool, judge: bool) -> usize {
    match (human, judge) {
        (true, true) => 0,
        (false, true) => 1,
        (true, false) => 2,
        (false, false) => 3,
    }
}

pub(crate) fn specificity(cells: &[f64]) -> Option<f64> {
    let fails = cells[1] + cells[3];
    (fails > 0.0).then(|| cells[3] / fails)
}

pub(crate) fn kappa(cells: &[f64]) -> Option<f64> {
    let n: f64 = cells.iter().sum();
    if n == 0.0 {
        return None;
    }
    let observed = (cells[0] + cells[3]) / n;
    let (human, judge) = ((cells[0] + cells[2]) / n, (cells[0] + cells[1]) / n);
    let expected = human * judge + (1.0 - human) * (1.0 - judge);
    (expected < 1.0).then(|| (observed - expected) / (1.0 - expected))
}

fn estimate(old: Option<f64>, new: Option<f64>, spread: Resampled, users: usize, why: &str) -> Estimate {
    let n = users as u64;
    match (old, new, spread.ci) {
        (Some(old), Some(new), Some(ci)) => {
            Estimate::at95("cluster_bootstrap", n, new - old, spread.se, Some(ci))
        }
        _ => Estimate::none("cluster_bootstrap", n, format!("{why}, or too few users")),
    }
}

/// Whether a generator is promoted: its corrected pass rate is better and the interval says so, no criterion falls by
/// more than the margin, and no measure of diversity either.
#[must_use]
pub fn generator(
    overall: Compared,
    criteria: Vec<Compared>,
    diversity: Vec<Compared>,
    margins: Margins,
) -> Decision {
    let mut refused = Vec::new();
    better(&overall, &mut refused);
    criteria.iter().for_each(|it| kept(it, margins.criterion, &mut refused));
    diversity.iter().for_each(|it| kept(it, margins.diversity, &mut refused));
    let compared = std::iter::once(overall).chain(criteria).chain(diversity).collect();
    Decision { promote: refused.is_empty(), refused, compared }
}

/// Whether a judge is promoted: it catches more of what people fail and the interval says so, and κ does not fall by more
/// than the margin.
#[must_use]
pub fn judge([specificity, kappa]: [Compared; 2], margins: Margins) -> Decision {
    let mut refused = Vec::new();
    better(&specificity, &mut refused);
    kept(&kappa, margins.kappa, &mut refused);
    Decision { promote: refused.is_empty(), refused, compared: vec![specificity, kappa] }
}

/// It falls by no more than the margin.
fn kept(it: &Compared, margin: f64, refused: &mut Vec<String>) {
    match it.gain.est {
        Some(gain) if gain < -margin => {
            refused.push(format!("{} falls by {:.3}, more than {margin}", it.name, -gain));
        }
        Some(_) => {}
        None => refused.push(unknown(it)),
    }
}

fn better(it: &Compared, refused: &mut Vec<String>) {
    match (it.gain.est, it.gain.ci) {
        (Some(_), Some((low, _))) if low > 0.0 => {}
        (Some(gain), Some((low, high))) => {
            refused.push(format!(
                "{} changes by {gain:+.3} [{low:+.3}, {high:+.3}]: not shown to be better",
                it.name
            ));
        }
        _ => refused.push(unknown(it)),
    }
}

fn unknown(it: &Compared) -> String {
    format!("{} is not estimable: {}", it.name, it.gain.why.as_deref().unwrap_or("too little"))
}

/// Labels a model that show a gain from pass rate `p` with probability `power` at the 95 % level, both models labelled
/// apart (normal approximation, two-sided): n = (z₁ √(2 p̄ q̄) + z₂ √(p q + p′ q′))² / gain². `None` where no pass rate is
/// left to gain.
#[must_use]
pub fn labels_for(p: f64, gain: f64, power: f64) -> Option<u64> {
    use statrs::distribution::{ContinuousCDF, Normal};
    let new = p + gain;
    if !(p > 0.0 && gain > 0.0 && new <= 1.0 && power > 0.0 && power < 1.0) {
        return None;
    }
    let normal = Normal::standard();
    let (one, two) = (normal.inverse_cdf(0.975), normal.inverse_cdf(power));
    let mean = f64::midpoint(p, new);
    let spread = one * (2.0 * mean * (1.0 - mean)).sqrt() + two * (p * (1.0 - p) + new * (1.0 - new)).sqrt();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of labels")]
    Some((spread * spread / (gain * gain)).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Users with eight samples of either model, half of them labelled; a judge that is right on four of five.
    fn planted(old: f64, new: f64, users: usize, seed: u64) -> Vec<Pair> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let tally = |rate: f64, rng: &mut ChaCha8Rng| {
            let mut it = Tallied::default();
            for n in 0..8 {
                let pass = rng.random_bool(rate);
                let said = if rng.random_bool(0.8) { pass } else { !pass };
                let (verdicts, labelled) = if said {
                    (&mut it.verdicts.0, &mut it.labelled_pass)
                } else {
                    (&mut it.verdicts.1, &mut it.labelled_fail)
                };
                *verdicts += 1;
                if n % 2 == 0 {
                    labelled.0 += 1;
                    labelled.1 += u64::from(pass);
                }
            }
            it
        };
        (0..users).map(|_| (tally(old, &mut rng), tally(new, &mut rng))).collect()
    }

    /// Every user has ten of the old model and ten of the new.
    fn flat(name: &str, old: f64, new: f64) -> Compared {
        means(name, &[(Sum { total: 10.0 * old, n: 10 }, Sum { total: 10.0 * new, n: 10 }); 5], 1)
    }

    fn decide(old: f64, new: f64, seed: u64) -> Decision {
        let users = planted(old, new, 80, seed);
        let overall = pass_rates("passes", &users, seed);
        generator(overall.clone(), vec![overall], vec![flat("diversity", 0.7, 0.68)], Margins::default())
    }

    #[test]
    fn a_better_model_is_promoted_an_equal_one_and_a_worse_one_are_refused() {
        let promoted = |old, new| (0..40).filter(|seed| decide(old, new, *seed).promote).count();
        assert!(promoted(0.6, 0.8) >= 36, "better");
        // At the 95 % level one of forty equal ones is let through by chance; three would be one time in a hundred.
        assert!(promoted(0.7, 0.7) <= 3, "equal");
        assert_eq!(promoted(0.8, 0.6), 0, "worse");
        let refused = decide(0.8, 0.6, 1).refused;
        assert!(
            refused[0].contains("not shown to be better") && refused[1].contains("falls by"),
            "{refused:?}"
        );
    }

    #[test]
    fn what_falls_or_cannot_be_known_is_a_reason() {
        let better = pass_rates("passes", &planted(0.5, 0.9, 100, 3), 3);
        let fallen = vec![flat("diversity", 0.7, 0.6)];
        let fallen = generator(better.clone(), Vec::new(), fallen, Margins::default());
        assert_eq!(fallen.refused, ["diversity falls by 0.100, more than 0.05"]);
        let unlabelled = vec![(Tallied { verdicts: (5, 5), ..Tallied::default() }, Tallied::default()); 9];
        let blank =
            generator(better, vec![pass_rates("validity", &unlabelled, 1)], Vec::new(), Margins::default());
        assert!(blank.refused[0].contains("not estimable"), "{:?}", blank.refused);
    }

    #[test]
    fn a_judge_must_catch_more_and_agree_as_well() {
        let decisions = |caught: f64, seed| -> Vec<Vec<Judged>> {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut one = || {
                let human = rng.random_bool(0.7);
                let says = |rng: &mut ChaCha8Rng, caught: f64| {
                    if human { rng.random_bool(0.9) } else { !rng.random_bool(caught) }
                };
                (human, says(&mut rng, 0.4), says(&mut rng, caught))
            };
            (0..60).map(|_| (0..10).map(|_| one()).collect()).collect()
        };
        assert!(judge(judges(&decisions(0.7, 1), 1), Margins::default()).promote);
        assert!(!judge(judges(&decisions(0.4, 2), 2), Margins::default()).promote);
        let worse = judge(judges(&decisions(0.1, 3), 3), Margins::default());
        assert!(worse.refused.iter().any(|why| why.starts_with("kappa falls")), "{:?}", worse.refused);
        // A judge that fails everything catches everything, and agrees with nobody.
        let all: Vec<Vec<Judged>> = decisions(0.4, 4)
            .into_iter()
            .map(|it| it.into_iter().map(|(human, old, _)| (human, old, false)).collect())
            .collect();
        assert!(!judge(judges(&all, 4), Margins::default()).promote);
    }

    #[test]
    fn labels_for_a_gain_are_those_of_the_textbook() {
        // Fleiss, Levin and Paik 2003, table A.4 without continuity correction: .60 to .70 at 80 % needs 356 a group.
        assert_eq!(labels_for(0.6, 0.1, 0.8), Some(356));
        assert!(labels_for(0.6, 0.05, 0.8) > Some(1_400));
        assert_eq!(labels_for(0.95, 0.1, 0.8), None);
    }
}
