//! Dawid and Skene's model: each rater has a table of confusions.

use super::{Rating, Shape, shares, softmax};
use crate::len;

/// Pseudo-counts that keep small data off 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// Of every cell of a rater's table.
    pub all: f64,
    /// More of it on the diagonal.
    pub diagonal: f64,
}

impl Prior {
    /// Maximum likelihood.
    pub const NONE: Self = Self { all: 0.0, diagonal: 0.0 };
    /// Dirichlet(1) with a diagonal of 2 more.
    pub const WEAK: Self = Self { all: 1.0, diagonal: 2.0 };
}

/// What the model found.
#[derive(Debug, Clone, PartialEq)]
pub struct DawidSkene {
    /// Probability of each category, an item each.
    pub posterior: Vec<Vec<f64>>,
    /// Share of each category.
    pub priors: Vec<f64>,
    /// Rater, truth, label: how often this rater calls a truth so.
    pub confusion: Vec<Vec<Vec<f64>>>,
    /// ln likelihood (with the prior's part) after each step; never falls.
    pub loglik: Vec<f64>,
    /// The last step gained less than 1e-10 a rating.
    pub converged: bool,
    /// Some rater is right less often than wrong on average: categories may have changed places.
    pub switched: bool,
}

impl DawidSkene {
    /// How often a rater is right, over categories as they occur.
    #[must_use]
    pub fn skill(&self, rater: usize) -> f64 {
        self.priors.iter().enumerate().map(|(k, prior)| prior * self.confusion[rater][k][k]).sum()
    }
}

const STEPS: usize = 2000;

/// Expectation maximisation from vote shares (Dawid and Skene 1979). `gold` pins an item's category. Needs three
/// raters an item or so; with fewer use [`one_coin`].
#[must_use]
pub fn dawid_skene(ratings: &[Rating], shape: Shape, prior: Prior, gold: &[(usize, usize)]) -> DawidSkene {
    run(ratings, shape, gold, |posterior| confusions(ratings, shape, posterior, prior), prior)
}

/// The same with a single skill a rater: right with probability s, else any other category alike. The confusion
/// tables hold s on the diagonal.
#[must_use]
pub fn one_coin(ratings: &[Rating], shape: Shape, prior: Prior, gold: &[(usize, usize)]) -> DawidSkene {
    run(ratings, shape, gold, |posterior| coins(ratings, shape, posterior, prior), prior)
}

fn run(
    ratings: &[Rating],
    shape: Shape,
    gold: &[(usize, usize)],
    tables: impl Fn(&[Vec<f64>]) -> Vec<Vec<Vec<f64>>>,
    prior: Prior,
) -> DawidSkene {
    let mut posterior = shares(ratings, shape);
    pin(&mut posterior, gold);
    let mut loglik = Vec::new();
    let mut converged = false;
    let (mut priors, mut confusion) = (Vec::new(), Vec::new());
    for _ in 0..STEPS {
        priors = category_shares(&posterior);
        confusion = tables(&posterior);
        let gained = expect(ratings, &priors, &confusion, &mut posterior) + prior_part(&confusion, prior);
        pin(&mut posterior, gold);
        let before = loglik.last().copied().unwrap_or(f64::NEG_INFINITY);
        loglik.push(gained);
        if gained - before < 1e-10 * len(ratings.len().max(1)) {
            converged = true;
            break;
        }
    }
    let switched = confusion.iter().any(|table| {
        let k = len(shape.categories);
        let right: f64 = (0..shape.categories).map(|at| table[at][at]).sum::<f64>() / k;
        right < 1.0 / k
    });
    DawidSkene { posterior, priors, confusion, loglik, converged, switched }
}

fn pin(posterior: &mut [Vec<f64>], gold: &[(usize, usize)]) {
    for (item, category) in gold {
        posterior[*item].fill(0.0);
        posterior[*item][*category] = 1.0;
    }
}

/// Shares of categories over items that anybody rated.
fn category_shares(posterior: &[Vec<f64>]) -> Vec<f64> {
    let rated: Vec<&Vec<f64>> = posterior.iter().filter(|item| item.iter().any(|p| *p > 0.0)).collect();
    let k = posterior.first().map_or(0, Vec::len);
    (0..k).map(|at| rated.iter().map(|item| item[at]).sum::<f64>() / len(rated.len().max(1))).collect()
}

fn confusions(ratings: &[Rating], shape: Shape, posterior: &[Vec<f64>], prior: Prior) -> Vec<Vec<Vec<f64>>> {
    let k = shape.categories;
    let start = |truth: usize, label: usize| prior.all + if truth == label { prior.diagonal } else { 0.0 };
    let table = || (0..k).map(|truth| (0..k).map(|label| start(truth, label)).collect()).collect();
    let mut tables: Vec<Vec<Vec<f64>>> = (0..shape.raters).map(|_| table()).collect();
    for rating in ratings {
        for truth in 0..k {
            tables[rating.rater][truth][rating.label] += posterior[rating.item][truth];
        }
    }
    for row in tables.iter_mut().flatten() {
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|n| *n = if sum > 0.0 { *n / sum } else { 1.0 / len(k) });
    }
    tables
}

fn coins(ratings: &[Rating], shape: Shape, posterior: &[Vec<f64>], prior: Prior) -> Vec<Vec<Vec<f64>>> {
    let k = shape.categories;
    let mut right = vec![prior.all + prior.diagonal; shape.raters];
    let mut n = vec![prior.all * 2.0 + prior.diagonal; shape.raters];
    for rating in ratings {
        right[rating.rater] += posterior[rating.item][rating.label];
        n[rating.rater] += 1.0;
    }
    let table = |rater: usize| {
        let skill = if n[rater] > 0.0 { right[rater] / n[rater] } else { 1.0 / len(k) };
        let other = (1.0 - skill) / (len(k) - 1.0);
        (0..k).map(|truth| (0..k).map(|label| if truth == label { skill } else { other }).collect()).collect()
    };
    (0..shape.raters).map(table).collect()
}

const SMALLEST: f64 = 1e-10;

/// New posteriors; gives the ln likelihood of the ratings.
fn expect(
    ratings: &[Rating],
    priors: &[f64],
    confusion: &[Vec<Vec<f64>>],
    posterior: &mut [Vec<f64>],
) -> f64 {
    let mut rated = vec![false; posterior.len()];
    for item in posterior.iter_mut() {
        item.iter_mut().zip(priors).for_each(|(log, prior)| *log = prior.max(SMALLEST).ln());
    }
    for rating in ratings {
        rated[rating.item] = true;
        for (truth, log) in posterior[rating.item].iter_mut().enumerate() {
            *log += confusion[rating.rater][truth][rating.label].max(SMALLEST).ln();
        }
    }
    posterior
        .iter_mut()
        .zip(rated)
        .map(|(item, rated)| {
            let loglik = softmax(item);
            if rated { loglik } else { 0.0 }
        })
        .sum()
}

/// What the pseudo-counts add to the objective.
fn prior_part(confusion: &[Vec<Vec<f64>>], prior: Prior) -> f64 {
    if prior.all == 0.0 && prior.diagonal == 0.0 {
        return 0.0;
    }
    let cell = |truth: usize, label: usize, p: f64| {
        (prior.all + if truth == label { prior.diagonal } else { 0.0 }) * p.max(SMALLEST).ln()
    };
    confusion
        .iter()
        .flat_map(|table| table.iter().enumerate())
        .flat_map(|(truth, row)| row.iter().enumerate().map(move |(label, p)| (truth, label, *p)))
        .map(|(truth, label, p)| cell(truth, label, p))
        .sum()
}
