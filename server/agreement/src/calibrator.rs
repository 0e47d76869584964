//! A calibration as a value: fitted once, kept with its parameters, applied to any probability after. All of
//! them are monotone, so the judge's order of samples stays; only what its numbers mean changes.

use crate::bootstrap::quantile;
use crate::calibration::{Platt, auroc, brier, ece, isotonic, logit, platt, temperature};
use crate::{Estimate, len};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How to calibrate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Slope and intercept on the logit: two parameters, for few labels.
    Platt,
    /// One slope: the side of one half never changes.
    Temperature,
    /// Any monotone curve; wants many labels.
    Isotonic,
}

/// A fitted calibration.
#[derive(Debug, Clone, PartialEq)]
pub enum Calibrator {
    /// 1 / (1 + exp(a·logit(p) + b)).
    Platt(Platt),
    /// sigmoid(logit(p) / T).
    Temperature(f64),
    /// Probability and calibrated probability at the steps of the fitted curve, both rising; between them a
    /// straight line, outside them the ends.
    Isotonic(Vec<(f64, f64)>),
}

/// Why nothing could be fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Only passes or only fails.
    OneSided,
    /// The judge's probability does not rise with people's passes: a calibration would turn it round.
    Reversed,
}

/// A judge's probability of pass beside what people said, and the unit of sampling it comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Cluster.
    pub cluster: i64,
    /// Probability of pass.
    pub p: f64,
    /// People pass.
    pub pass: bool,
}

impl Calibrator {
    /// Fits a method to probabilities and outcomes.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn fit(method: Method, points: &[Point]) -> Result<Self, Unfit> {
        let (scores, passes) = columns(points);
        match method {
            Method::Platt => {
                let logits: Vec<f64> = scores.iter().map(|p| logit(*p)).collect();
                let fit = platt(&logits, &passes).ok_or(Unfit::OneSided)?;
                if fit.a < 0.0 { Ok(Self::Platt(fit)) } else { Err(Unfit::Reversed) }
            }
            Method::Temperature => {
                temperature(&scores, &passes).map(Self::Temperature).ok_or(Unfit::OneSided)
            }
            Method::Isotonic => {
                if auroc(&scores, &passes).ok_or(Unfit::OneSided)? <= 0.5 {
                    return Err(Unfit::Reversed);
                }
                let fitted = isotonic(&scores, &passes);
                let mut steps: Vec<(f64, f64)> = scores.into_iter().zip(fitted).collect();
                steps.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
                steps.dedup();
                // Of a level stretch its two ends say everything.
                let inside = |at: usize| {
                    at > 0
                        && at + 1 < steps.len()
                        && steps[at - 1].1 == steps[at].1
                        && steps[at].1 == steps[at + 1].1
                };
                Ok(Self::Isotonic((0..steps.len()).filter(|at| !inside(*at)).map(|at| steps[at]).collect()))
            }
        }
    }

    /// The calibrated probability.
    #[must_use]
    pub fn apply(&self, p: f64) -> f64 {
        match self {
            Self::Platt(fit) => fit.probability(logit(p)),
            Self::Temperature(t) => Platt { a: -1.0 / t, b: 0.0 }.probability(logit(p)),
            Self::Isotonic(steps) => between(steps, p),
        }
    }
}

/// The curve at `p`. Steps are in order of their first number.
fn between(steps: &[(f64, f64)], p: f64) -> f64 {
    let after = steps.partition_point(|(at, _)| *at <= p);
    match (after.checked_sub(1).and_then(|at| steps.get(at)), steps.get(after)) {
        (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * (p - x0) / (x1 - x0),
        (Some((_, y)), None) | (None, Some((_, y))) => *y,
        (None, None) => p,
    }
}

fn columns(points: &[Point]) -> (Vec<f64>, Vec<bool>) {
    points.iter().map(|point| (point.p, point.pass)).unzip()
}

/// Every point calibrated by a fit that has not seen its cluster (k-fold cross-fitting): what a calibration is
/// worth on new data, from the data it is fitted on. The same seed makes the same folds.
///
/// # Errors
/// [`Unfit`] when the rest of a fold cannot be fitted.
pub fn cross_fitted(method: Method, points: &[Point], folds: usize, seed: u64) -> Result<Vec<Point>, Unfit> {
    let mut clusters: Vec<i64> = points.iter().map(|point| point.cluster).collect();
    clusters.sort_unstable();
    clusters.dedup();
    clusters.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let folds = folds.clamp(2, clusters.len().max(2));
    let mut fold_of: Vec<(i64, usize)> =
        clusters.into_iter().enumerate().map(|(at, cluster)| (cluster, at % folds)).collect();
    fold_of.sort_unstable();
    let fold =
        |point: &Point| fold_of.binary_search_by_key(&point.cluster, |it| it.0).map_or(0, |at| fold_of[at].1);
    let mut out = points.to_vec();
    for held in 0..folds {
        let rest: Vec<Point> = points.iter().copied().filter(|point| fold(point) != held).collect();
        if rest.len() == points.len() {
            continue;
        }
        let fit = Calibrator::fit(method, &rest)?;
        for point in out.iter_mut().filter(|point| fold(point) == held) {
            point.p = fit.apply(point.p);
        }
    }
    Ok(out)
}

/// How good probabilities are, each with its interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// Expected calibration error, 10 bins of equal width. With few labels chance alone makes it positive.
    pub ece: Estimate,
    /// Mean squared distance to the outcome.
    pub brier: Estimate,
    /// How often a pass has a higher probability than a fail.
    pub auroc: Estimate,
}

/// Bins of the expected calibration error.
const BINS: usize = 10;
/// Replicates.
const REPLICATES: usize = 1000;

/// ECE, Brier score and AUROC with 95 % percentile intervals of a bootstrap over clusters. The same seed gives
/// the same intervals.
#[must_use]
pub fn assess(points: &[Point], seed: u64) -> Assessment {
    let mut groups: Vec<&Point> = points.iter().collect();
    groups.sort_by_key(|point| point.cluster);
    let groups: Vec<&[&Point]> = groups.chunk_by(|a, b| a.cluster == b.cluster).collect();
    let whole = measures(points);
    let mut drawn: [Vec<f64>; 3] = Default::default();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    if groups.len() > 1 {
        for _ in 0..REPLICATES {
            let sample: Vec<Point> = (0..groups.len())
                .flat_map(|_| groups[rng.random_range(0..groups.len())].iter().map(|point| **point))
                .collect();
            for (values, value) in drawn.iter_mut().zip(measures(&sample)) {
                values.extend(value);
            }
        }
    }
    let n = points.len() as u64;
    let mut estimates = whole.into_iter().zip(drawn).map(|(value, drawn)| match value {
        Some(value) => interval(value, drawn, n),
        None if points.is_empty() => Estimate::none("cluster_bootstrap", 0, "no labels"),
        None => Estimate::none("cluster_bootstrap", n, "people gave one answer only"),
    });
    let mut next = || estimates.next().unwrap_or_else(|| Estimate::none("cluster_bootstrap", 0, "no labels"));
    Assessment { ece: next(), brier: next(), auroc: next() }
}

fn measures(points: &[Point]) -> [Option<f64>; 3] {
    let (scores, passes) = columns(points);
    [ece(&scores, &passes, BINS).value, brier(&scores, &passes), auroc(&scores, &passes)]
}

/// An interval is withheld where the measure is undefined in more than 5 % of replicates.
fn interval(value: f64, mut drawn: Vec<f64>, n: u64) -> Estimate {
    if len(drawn.len()) < 0.95 * len(REPLICATES) {
        return Estimate::at95("cluster_bootstrap", n, value, None, None);
    }
    drawn.sort_by(f64::total_cmp);
    let mean = drawn.iter().sum::<f64>() / len(drawn.len());
    let squares: f64 = drawn.iter().map(|it| (it - mean).powi(2)).sum();
    let se = (squares / len(drawn.len() - 1)).sqrt();
    Estimate::at95(
        "cluster_bootstrap",
        n,
        value,
        Some(se),
        Some((quantile(&drawn, 0.025), quantile(&drawn, 0.975))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A judge too sure of passes: people pass p² of what it gives p.
    fn points(n: i64, seed: u64) -> Vec<Point> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..n)
            .map(|cluster| {
                let p: f64 = rng.random_range(0.02..0.98);
                Point { cluster, p, pass: rng.random::<f64>() < p * p }
            })
            .collect()
    }

    const METHODS: [Method; 3] = [Method::Platt, Method::Temperature, Method::Isotonic];

    #[test]
    fn every_calibration_is_monotone_and_stays_a_probability() {
        for seed in 0..20 {
            for method in METHODS {
                let fit = Calibrator::fit(method, &points(120, seed)).unwrap();
                let curve: Vec<f64> = (0..=1000).map(|k| fit.apply(f64::from(k) / 1000.0)).collect();
                assert!(curve.windows(2).all(|two| two[0] <= two[1] + 1e-12), "{method:?} {seed}");
                assert!(curve.iter().all(|p| (0.0..=1.0).contains(p)), "{method:?} {seed}");
            }
        }
    }

    #[test]
    fn a_calibration_mends_what_it_is_for_on_data_it_has_not_seen() {
        let (train, fresh) = (points(800, 1), points(4000, 2));
        let before = assess(&fresh, 3);
        // Too many passes are promised everywhere: one slope on the logit cannot mend that.
        for method in [Method::Platt, Method::Isotonic] {
            let fit = Calibrator::fit(method, &train).unwrap();
            let after: Vec<Point> =
                fresh.iter().map(|point| Point { p: fit.apply(point.p), ..*point }).collect();
            let after = assess(&after, 3);
            assert!(after.brier.est < before.brier.est, "{method:?}: {:?}", after.brier);
            assert!(
                after.ece.est.unwrap() < 0.05 && before.ece.est.unwrap() > 0.1,
                "{method:?}: {:?}",
                after.ece
            );
        }
    }

    #[test]
    fn temperature_never_changes_a_verdict() {
        let fit = Calibrator::fit(Method::Temperature, &points(200, 5)).unwrap();
        for k in 0..=100 {
            let p = f64::from(k) / 100.0;
            assert_eq!(fit.apply(p) >= 0.5, p >= 0.5, "{p}");
        }
    }

    #[test]
    fn one_answer_or_an_inverted_judge_is_not_fitted() {
        let mut all_pass = points(50, 7);
        all_pass.iter_mut().for_each(|point| point.pass = true);
        let mut inverted = points(400, 7);
        inverted.iter_mut().for_each(|point| point.pass = !point.pass);
        for method in METHODS {
            assert_eq!(Calibrator::fit(method, &all_pass), Err(Unfit::OneSided), "{method:?}");
        }
        for method in [Method::Platt, Method::Isotonic] {
            assert_eq!(Calibrator::fit(method, &inverted), Err(Unfit::Reversed), "{method:?}");
        }
        let empty = assess(&[], 1);
        assert!(empty.ece.est.is_none() && empty.auroc.why.is_some());
    }

    #[test]
    fn cross_fitting_reads_no_outcome_of_the_point_it_calibrates() {
        let mut data = points(60, 9);
        let before = cross_fitted(Method::Platt, &data, 5, 1).unwrap();
        data[10].pass = !data[10].pass;
        let after = cross_fitted(Method::Platt, &data, 5, 1).unwrap();
        assert_eq!(before[10].p, after[10].p);
        assert_ne!(before, after);
    }
}
