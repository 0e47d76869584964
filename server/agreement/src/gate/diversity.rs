//! How various a model's samples are: means a user, and how evenly things spread over categories.

use super::{Compared, REPLICATES, estimate};
use crate::bootstrap::{Resampled, cluster_bootstrap, summary};
use crate::{len, real};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Values of one user, added up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sum {
    /// Their sum.
    pub total: f64,
    /// How many.
    pub n: u64,
}

/// A mean of both models and the difference, users resampled.
#[must_use]
pub fn means(name: &str, users: &[(Sum, Sum)], seed: u64) -> Compared {
    let patterns: Vec<([f64; 4], u64)> =
        users.iter().map(|(old, new)| ([old.total, real(old.n), new.total, real(new.n)], 1)).collect();
    let mean = |total: f64, n: f64| (n > 0.0).then(|| total / n);
    let gain = |sums: &[f64; 4]| Some(mean(sums[2], sums[3])? - mean(sums[0], sums[1])?);
    let total = patterns.iter().fold([0.0; 4], |mut total, (sums, _)| {
        total.iter_mut().zip(sums).for_each(|(total, it)| *total += it);
        total
    });
    let [spread] = cluster_bootstrap(&patterns, |sums| [gain(sums)], REPLICATES, seed);
    let (old, new) = (mean(total[0], total[1]), mean(total[2], total[3]));
    Compared {
        name: name.to_owned(),
        old,
        new,
        gain: estimate(old, new, spread, users.len(), "one of the two has none"),
    }
}

/// How evenly things spread over categories: entropy over its highest value, 0 for one category (Pielou 1966).
#[must_use]
pub fn spread(counts: &[u64]) -> f64 {
    let n: u64 = counts.iter().sum();
    let kinds = counts.iter().filter(|it| **it > 0).count();
    if kinds < 2 {
        return 0.0;
    }
    let shares = counts.iter().filter(|it| **it > 0).map(|it| real(*it) / real(n));
    shares.map(|it| -it * it.ln()).sum::<f64>() / len(kinds).ln()
}

/// Entropy of what users have in each category, over the highest that `kinds` categories allow: a model that leaves
/// categories out does not look even for it.
fn evenness(counts: &[u64], kinds: usize) -> Option<f64> {
    let n: u64 = counts.iter().sum();
    let present = counts.iter().filter(|it| **it > 0).count();
    (n > 0).then(|| if kinds < 2 { 0.0 } else { spread(counts) * len(present.max(1)).ln() / len(kinds).ln() })
}

/// The spread of both models over the same categories and the difference, users resampled. A user: counts a category
/// of the old model, of the new one.
#[must_use]
pub fn spreads(name: &str, users: &[(Vec<u64>, Vec<u64>)], seed: u64) -> Compared {
    let kinds = users.iter().map(|(old, new)| old.len().max(new.len())).max().unwrap_or(0);
    let all: Vec<usize> = (0..users.len()).collect();
    let sum = |of: &[usize]| {
        let (mut old, mut new) = (vec![0; kinds], vec![0; kinds]);
        for user in of {
            old.iter_mut().zip(&users[*user].0).for_each(|(sum, it)| *sum += it);
            new.iter_mut().zip(&users[*user].1).for_each(|(sum, it)| *sum += it);
        }
        (old, new)
    };
    let (old, new) = sum(&all);
    let used = old.iter().zip(&new).filter(|(old, new)| **old + **new > 0).count();
    let (old, new) = (evenness(&old, used), evenness(&new, used));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut gains = Vec::new();
    if users.len() >= 2 {
        for _ in 0..REPLICATES {
            let drawn: Vec<usize> = all.iter().map(|_| rng.random_range(0..users.len())).collect();
            let (old, new) = sum(&drawn);
            gains.extend(evenness(&new, used).zip(evenness(&old, used)).map(|(new, old)| new - old));
        }
    }
    let spread = if users.len() < 2 { Resampled::default() } else { summary(gains, REPLICATES) };
    Compared {
        name: name.to_owned(),
        old,
        new,
        gain: estimate(old, new, spread, users.len(), "one of the two has none"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_is_one_where_all_are_alike_and_nothing_where_one_has_all() {
        assert!((spread(&[5, 5, 5]) - 1.0).abs() < 1e-12);
        assert!(spread(&[15, 0, 0]).abs() < 1e-12 && spread(&[14, 1]) < 0.5);
    }

    #[test]
    fn a_model_that_leaves_categories_out_has_fallen() {
        let users: Vec<(Vec<u64>, Vec<u64>)> =
            (0..20).map(|_| (vec![1, 1, 1, 1], vec![2, 2, 0, 0])).collect();
        let found = spreads("categories", &users, 1);
        assert!((found.old.unwrap() - 1.0).abs() < 1e-12 && (found.new.unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(found.gain.ci, Some((-0.5, -0.5)));
        assert_eq!(spreads("categories", &[], 1).gain.est, None);
    }

    #[test]
    fn a_mean_weighs_every_value_alike() {
        let one = (Sum { total: 1.0, n: 1 }, Sum { total: 6.0, n: 3 });
        let two = (Sum { total: 9.0, n: 3 }, Sum { total: 2.0, n: 1 });
        let found = means("x", &[one, two], 1);
        assert_eq!((found.old, found.new), (Some(2.5), Some(2.0)));
        assert!(found.gain.ci.is_some_and(|(low, high)| low < -0.5 && high > -0.5));
        assert_eq!(means("x", &[(Sum::default(), one.1); 4], 1).gain.est, None);
    }
}
