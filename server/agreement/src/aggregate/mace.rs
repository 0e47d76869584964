//! MACE: a rater either knows the answer or spams.

use super::{Rating, Shape, softmax};
use crate::len;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::function::gamma::digamma;

/// What the model found.
#[derive(Debug, Clone, PartialEq)]
pub struct Mace {
    /// Probability of each category, an item each.
    pub posterior: Vec<Vec<f64>>,
    /// Probability that a rater knows.
    pub knows: Vec<f64>,
    /// ln likelihood of the best run.
    pub loglik: f64,
}

/// Beta prior of knowing and of spamming.
const KNOW: f64 = 0.5;
/// Dirichlet prior of what spammers say.
const SPAM: f64 = 10.0;

/// Variational Bayes for multi-annotator competence estimation (Hovy et al. 2013): a rater gives the truth with
/// probability θ, else a label of its own habit. The best of `restarts` runs by likelihood, each with a seed of its
/// own; in log space, so any number of raters an item. Ratings are sorted first: their order changes nothing.
#[must_use]
pub fn mace(ratings: &[Rating], shape: Shape, restarts: usize, steps: usize, seed: u64) -> Mace {
    let mut ratings = ratings.to_vec();
    ratings.sort_unstable();
    let mut best: Option<Mace> = None;
    for restart in 0..restarts.max(1) {
        let found = run(&ratings, shape, steps, seed.wrapping_add(restart as u64));
        if best.as_ref().is_none_or(|best| found.loglik > best.loglik) {
            best = Some(found);
        }
    }
    best.unwrap_or_else(|| Mace { posterior: Vec::new(), knows: Vec::new(), loglik: f64::NEG_INFINITY })
}

/// Probabilities of a rater: knows, spams, and what it says when it spams.
struct Rater {
    know: f64,
    spam: f64,
    habit: Vec<f64>,
}

fn run(ratings: &[Rating], shape: Shape, steps: usize, seed: u64) -> Mace {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let k = shape.categories;
    let mut raters: Vec<Rater> = (0..shape.raters)
        .map(|_| {
            // About even, and different in every restart.
            let know = 0.5 + 0.1 * (rng.random::<f64>() - 0.5);
            let habit: Vec<f64> = (0..k).map(|_| 1.0 + 0.1 * rng.random::<f64>()).collect();
            let sum: f64 = habit.iter().sum();
            Rater { know, spam: 1.0 - know, habit: habit.into_iter().map(|it| it / sum).collect() }
        })
        .collect();
    let mut found = (Vec::new(), f64::NEG_INFINITY);
    for _ in 0..steps.max(1) {
        let (posterior, loglik) = posteriors(ratings, shape, &raters);
        raters = update(ratings, shape, &raters, &posterior);
        found = (posterior, loglik);
    }
    let knows = raters.iter().map(|rater| rater.know / (rater.know + rater.spam)).collect();
    Mace { posterior: found.0, knows, loglik: found.1 }
}

fn posteriors(ratings: &[Rating], shape: Shape, raters: &[Rater]) -> (Vec<Vec<f64>>, f64) {
    let mut logs = vec![vec![-len(shape.categories).ln(); shape.categories]; shape.items];
    for rating in ratings {
        let rater = &raters[rating.rater];
        for (truth, log) in logs[rating.item].iter_mut().enumerate() {
            let known = if truth == rating.label { rater.know } else { 0.0 };
            *log += (rater.spam * rater.habit[rating.label] + known).max(f64::MIN_POSITIVE).ln();
        }
    }
    let loglik = logs.iter_mut().map(|item| softmax(item)).sum();
    (logs, loglik)
}

fn update(ratings: &[Rating], shape: Shape, raters: &[Rater], posterior: &[Vec<f64>]) -> Vec<Rater> {
    let mut knew = vec![0.0; shape.raters];
    let mut habits = vec![vec![0.0; shape.categories]; shape.raters];
    for rating in ratings {
        let rater = &raters[rating.rater];
        let spam = rater.spam * rater.habit[rating.label];
        // Knowing is possible only where the truth is what was said.
        let known = posterior[rating.item][rating.label] * rater.know / (spam + rater.know);
        knew[rating.rater] += known;
        habits[rating.rater][rating.label] += 1.0 - known;
    }
    knew.into_iter().zip(habits).map(|(knew, habit)| rater(knew, &habit)).collect()
}

/// Geometric means under the posterior: exp ψ(count + prior) over exp ψ(sum). They do not sum to one.
fn rater(knew: f64, habit: &[f64]) -> Rater {
    let spammed: f64 = habit.iter().sum();
    let all = digamma(knew + spammed + 2.0 * KNOW);
    let said = digamma(spammed + SPAM * len(habit.len()));
    Rater {
        know: (digamma(knew + KNOW) - all).exp(),
        spam: (digamma(spammed + KNOW) - all).exp(),
        habit: habit.iter().map(|n| (digamma(n + SPAM) - said).exp()).collect(),
    }
}
