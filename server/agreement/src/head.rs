//! A cheap judge's head: logistic regression on what frozen models say of a sample (logits, similarities), for one
//! criterion.
//!
//! People fail little, so it is trained on rebalanced labels (paper §6); its probabilities are then of that balance, and
//! are moved back to the share of passes before it (Saerens, Latinne and Decaestecker 2002, see
//! [`crate::calibration::prior_shift`]). What is still off is mended by Platt's two parameters, fitted on all labels,
//! each scored by a head that has not seen its cluster.

mod solve;

use crate::calibration::{Platt, logit, platt, prior_shift};
use crate::calibrator::Point;
use crate::sampling::a_res;
use crate::{len, real};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

const STEPS: usize = 60;
/// Labels of either side that are asked for before anything is trained.
pub const LEAST: usize = 16;
/// Labels of either side that must be left when a fold is held out.
const LEAST_IN_FOLD: usize = 8;
const FOLDS: usize = 5;
/// A feature that is the same everywhere has no spread.
const LEVEL: f64 = 1e-12;

/// A labelled sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Unit of sampling.
    pub cluster: i64,
    /// Features; `None` where a frozen model said nothing, which counts as the mean.
    pub features: Vec<Option<f64>>,
    /// Age of the label in days.
    pub days: f64,
    /// People pass it.
    pub pass: bool,
}

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// Penalty of the squared weights.
    pub ridge: f64,
    /// Labels of the more frequent side for each of the rarer side.
    pub ratio: f64,
    /// Days after which a label of the more frequent side is half as likely to be kept.
    pub half_life: f64,
    /// Decides the draw and the folds.
    pub seed: u64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self { ridge: 1.0, ratio: 1.5, half_life: 30.0, seed: 1 }
    }
}

/// A trained head.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Mean and spread of every feature where it was trained.
    pub scale: Vec<(f64, f64)>,
    /// Constant, then a weight a feature.
    pub weights: Vec<f64>,
    /// Share of passes it was trained on.
    pub trained: f64,
    /// Share of passes before rebalancing.
    pub truly: f64,
    /// Labels it was trained on.
    pub kept: u64,
    /// Slope and intercept on the log-odds of what the above gives.
    pub platt: Platt,
}

/// Why there is no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoHead {
    /// Fewer labels of a side than are needed.
    TooFew,
    /// Features of different lengths, or numbers that are none.
    BadFeatures,
    /// On labels it has not seen it is no better than chance.
    NothingLearnt,
}

/// Places of the rows to train on: all of the rarer side, and of the other so many times as many, drawn without
/// replacement, newer ones first (Efraimidis and Spirakis 2006).
#[must_use]
pub fn rebalance(rows: &[Row], recipe: &Recipe) -> Vec<usize> {
    let of = |pass: bool| -> Vec<usize> { (0..rows.len()).filter(|at| rows[*at].pass == pass).collect() };
    let (passes, fails) = (of(true), of(false));
    let (rare, often) = if passes.len() < fails.len() { (passes, fails) } else { (fails, passes) };
    let weights: Vec<f64> =
        often.iter().map(|at| 2_f64.powf(-rows[*at].days.max(0.0) / recipe.half_life)).collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of labels")]
    let keep = (recipe.ratio * len(rare.len())).ceil() as usize;
    let mut kept: Vec<usize> =
        a_res(&weights, keep, recipe.seed).into_iter().map(|place| often[place]).chain(rare).collect();
    kept.sort_unstable();
    kept
}

impl Head {
    /// Trains a head on all rows, and gives what heads that had not seen a row's cluster said of it, before Platt.
    ///
    /// # Errors
    /// [`NoHead`].
    pub fn train(rows: &[Row], recipe: &Recipe) -> Result<(Self, Vec<Point>), NoHead> {
        let mut head = Self::fit(rows, recipe, LEAST)?;
        let unseen = out_of_fold(rows, recipe)?;
        let logits: Vec<f64> = unseen.iter().map(|it| logit(it.p)).collect();
        let passes: Vec<bool> = unseen.iter().map(|it| it.pass).collect();
        let fitted = platt(&logits, &passes).ok_or(NoHead::TooFew)?;
        if fitted.a >= 0.0 {
            return Err(NoHead::NothingLearnt);
        }
        head.platt = fitted;
        Ok((head, unseen))
    }

    /// Ridge-penalised maximum likelihood on the rebalanced rows, by Newton's method; features scaled to mean 0 and
    /// spread 1, the constant not penalised.
    fn fit(rows: &[Row], recipe: &Recipe, least: usize) -> Result<Self, NoHead> {
        let passes = rows.iter().filter(|row| row.pass).count();
        if passes.min(rows.len() - passes) < least {
            return Err(NoHead::TooFew);
        }
        let width = rows.first().map_or(0, |row| row.features.len());
        let whole =
            |row: &Row| row.features.len() == width && row.features.iter().flatten().all(|it| it.is_finite());
        if width == 0 || !rows.iter().all(whole) {
            return Err(NoHead::BadFeatures);
        }
        let kept: Vec<&Row> = rebalance(rows, recipe).into_iter().map(|at| &rows[at]).collect();
        let scale: Vec<(f64, f64)> = (0..width).map(|at| moments(&kept, at)).collect();
        let scaled: Vec<Vec<f64>> = kept.iter().map(|row| with_constant(&row.features, &scale)).collect();
        let sides: Vec<bool> = kept.iter().map(|row| row.pass).collect();
        let mut weights = vec![0.0; width + 1];
        for _ in 0..STEPS {
            let step = solve::newton(&scaled, &sides, &weights, recipe.ridge).ok_or(NoHead::BadFeatures)?;
            weights.iter_mut().zip(&step).for_each(|(weight, step)| *weight += step);
            if step.iter().all(|it| it.abs() < 1e-10) {
                break;
            }
        }
        let kept_passes = sides.iter().filter(|pass| **pass).count();
        Ok(Self {
            scale,
            weights,
            trained: real(kept_passes as u64) / len(sides.len()),
            truly: real(passes as u64) / len(rows.len()),
            kept: sides.len() as u64,
            platt: Platt { a: -1.0, b: 0.0 },
        })
    }

    /// Log-odds of pass, as trained: of the rebalanced labels.
    #[must_use]
    pub fn score(&self, features: &[Option<f64>]) -> f64 {
        with_constant(features, &self.scale).iter().zip(&self.weights).map(|(x, w)| x * w).sum()
    }

    /// Probability of pass at the share of passes before rebalancing.
    #[must_use]
    pub fn shifted(&self, features: &[Option<f64>]) -> f64 {
        prior_shift(sigmoid(self.score(features)), self.trained, self.truly)
    }

    /// Probability of pass.
    #[must_use]
    pub fn probability(&self, features: &[Option<f64>]) -> f64 {
        self.platt.probability(logit(self.shifted(features)))
    }
}

/// Every row scored by a head that has not seen its cluster.
fn out_of_fold(rows: &[Row], recipe: &Recipe) -> Result<Vec<Point>, NoHead> {
    let mut clusters: Vec<i64> = rows.iter().map(|row| row.cluster).collect();
    clusters.sort_unstable();
    clusters.dedup();
    clusters.shuffle(&mut ChaCha8Rng::seed_from_u64(recipe.seed));
    let mut fold_of: Vec<(i64, usize)> =
        clusters.into_iter().enumerate().map(|(at, cluster)| (cluster, at % FOLDS)).collect();
    fold_of.sort_unstable();
    let fold =
        |row: &Row| fold_of.binary_search_by_key(&row.cluster, |it| it.0).map_or(0, |at| fold_of[at].1);
    let mut points: Vec<Point> =
        rows.iter().map(|row| Point { cluster: row.cluster, p: 0.5, pass: row.pass }).collect();
    for held in 0..FOLDS {
        let rest: Vec<Row> = rows.iter().filter(|row| fold(row) != held).cloned().collect();
        let head = Head::fit(&rest, recipe, LEAST_IN_FOLD)?;
        for (row, point) in rows.iter().zip(&mut points).filter(|(row, _)| fold(row) == held) {
            point.p = head.shifted(&row.features);
        }
    }
    Ok(points)
}

fn moments(rows: &[&Row], at: usize) -> (f64, f64) {
    let known: Vec<f64> = rows.iter().filter_map(|row| row.features[at]).collect();
    if known.is_empty() {
        return (0.0, 1.0);
    }
    let mean = known.iter().sum::<f64>() / len(known.len());
    let spread = (known.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / len(known.len())).sqrt();
    (mean, if spread > LEVEL { spread } else { 1.0 })
}

fn with_constant(features: &[Option<f64>], scale: &[(f64, f64)]) -> Vec<f64> {
    let scaled = features.iter().zip(scale).map(|(x, (mean, spread))| x.map_or(0.0, |x| (x - mean) / spread));
    std::iter::once(1.0).chain(scaled).collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::{auroc, brier};
    use rand::Rng;

    /// Two features that tell, one that does not; passes by a known law, a row a cluster.
    fn world(n: usize, seed: u64) -> Vec<Row> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..n)
            .map(|at| {
                let x: Vec<f64> = (0..3).map(|_| rng.random_range(-2.0..2.0)).collect();
                let pass = rng.random_bool(sigmoid(1.7 + 1.5 * x[0] - x[1]));
                let features = x.into_iter().map(Some).collect();
                Row { cluster: i64::try_from(at).unwrap(), features, days: rng.random_range(0.0..90.0), pass }
            })
            .collect()
    }

    fn columns(rows: &[Row], of: impl Fn(&[Option<f64>]) -> f64) -> (Vec<f64>, Vec<bool>) {
        rows.iter().map(|row| (of(&row.features), row.pass)).unzip()
    }

    #[test]
    fn the_law_is_found() {
        let recipe = Recipe { ridge: 1e-6, ..Recipe::default() };
        let head = Head::fit(&world(8_000, 1), &recipe, LEAST).unwrap();
        let raw: Vec<f64> = (0..3).map(|at| head.weights[at + 1] / head.scale[at].1).collect();
        for (found, true_weight) in raw.iter().zip([1.5, -1.0, 0.0]) {
            assert!((found - true_weight).abs() < 0.12, "{raw:?}");
        }
    }

    #[test]
    fn all_of_the_rarer_side_is_kept_and_of_the_other_the_newer() {
        let rows = world(4_000, 2);
        let recipe = Recipe::default();
        let kept = rebalance(&rows, &recipe);
        assert_eq!(kept, rebalance(&rows, &recipe), "the seed decides");
        assert_ne!(kept, rebalance(&rows, &Recipe { seed: 2, ..recipe }));
        let fails = rows.iter().filter(|row| !row.pass).count();
        let kept: Vec<&Row> = kept.into_iter().map(|at| &rows[at]).collect();
        assert_eq!(kept.iter().filter(|row| !row.pass).count(), fails);
        let passes: Vec<&&Row> = kept.iter().filter(|row| row.pass).collect();
        assert!(passes.len().abs_diff(fails * 3 / 2) <= 1, "{} {fails}", passes.len());
        let age = passes.iter().map(|row| row.days).sum::<f64>() / len(passes.len());
        assert!(age < 40.0, "the mean of all is 45, of these {age}");
    }

    #[test]
    fn trained_on_a_rebalanced_half_it_is_right_about_the_whole() {
        let (head, _) = Head::train(&world(6_000, 2), &Recipe { ratio: 1.0, ..Recipe::default() }).unwrap();
        assert!((head.trained - 0.5).abs() < 0.01 && head.truly > 0.7);
        let fresh = world(8_000, 3);
        let (as_trained, passes) = columns(&fresh, |x| sigmoid(head.score(x)));
        let (shifted, _) = columns(&fresh, |x| head.shifted(x));
        let (whole, _) = columns(&fresh, |x| head.probability(x));
        let share = len(passes.iter().filter(|it| **it).count()) / 8_000.0;
        let mean = |of: &[f64]| of.iter().sum::<f64>() / 8_000.0;
        assert!((mean(&as_trained) - share).abs() > 0.1, "uncorrected it is off by far");
        assert!((mean(&shifted) - share).abs() < 0.02 && (mean(&whole) - share).abs() < 0.02);
        assert!(brier(&shifted, &passes) < brier(&as_trained, &passes));
        assert!(auroc(&whole, &passes) > Some(0.8));
    }

    #[test]
    fn calibration_mends_a_head_that_is_too_sure() {
        // Twelve features of noise and few labels: without a penalty the weights are too long.
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let noisy = |n: usize, seed: u64, rng: &mut ChaCha8Rng| -> Vec<Row> {
            let mut rows = world(n, seed);
            for row in &mut rows {
                row.features.extend((0..12).map(|_| Some(rng.random_range(-1.0..1.0))));
            }
            rows
        };
        let (few, fresh) = (noisy(150, 4, &mut rng), noisy(6_000, 5, &mut rng));
        let (head, unseen) = Head::train(&few, &Recipe { ridge: 1e-3, ..Recipe::default() }).unwrap();
        assert_eq!(unseen.len(), 150);
        let (before, passes) = columns(&fresh, |x| head.shifted(x));
        let (after, _) = columns(&fresh, |x| head.probability(x));
        assert!(brier(&after, &passes) < brier(&before, &passes));
    }

    #[test]
    fn what_a_model_did_not_say_counts_as_the_mean() {
        let mut rows = world(600, 6);
        rows.iter_mut().step_by(3).for_each(|row| row.features[1] = None);
        let (head, _) = Head::train(&rows, &Recipe::default()).unwrap();
        let mean = head.scale[1].0;
        let known = [Some(0.3), Some(mean), Some(0.1)];
        assert!((head.score(&known) - head.score(&[known[0], None, known[2]])).abs() < 1e-12);
    }

    #[test]
    fn too_little_and_nothing_to_learn_are_said() {
        assert_eq!(Head::train(&world(20, 4), &Recipe::default()).unwrap_err(), NoHead::TooFew);
        let mut rows = world(500, 5);
        rows[3].features[1] = Some(f64::NAN);
        assert_eq!(Head::train(&rows, &Recipe::default()).unwrap_err(), NoHead::BadFeatures);
        // Features that say nothing of the labels: whatever it is fitted to, it is not learnt.
        let blind = (0..40).filter(|seed| {
            let mut rows = world(80, 100 + seed);
            let sides: Vec<bool> = world(80, 200 + seed).iter().map(|row| row.pass).collect();
            rows.iter_mut().zip(sides).for_each(|(row, pass)| row.pass = pass);
            Head::train(&rows, &Recipe::default()).is_err_and(|why| why == NoHead::NothingLearnt)
        });
        assert!(blind.count() > 15, "mostly it is no better than chance on what it has not seen");
    }
}
