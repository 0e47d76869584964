//! The cluster bootstrap over counted patterns: a million clusters cost as many steps a replicate as there are
//! different things that clusters show.

use crate::{len, real};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution};

/// The spread of a statistic over replicates.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Resampled {
    /// Standard deviation.
    pub se: Option<f64>,
    /// 2.5 % and 97.5 % quantiles.
    pub ci: Option<(f64, f64)>,
    /// Replicates in which the statistic was not defined.
    pub undefined: usize,
}

/// Share of replicates in which a statistic may be undefined before its interval is withheld: what is left
/// would be conditioned on being defined.
const MOST_UNDEFINED: f64 = 0.05;

/// Resamples clusters with replacement and computes statistics of their sum (Field and Welsh 2007, JRSS-B
/// 69:369; percentile interval).
///
/// `patterns` are what clusters add to the sum and how many clusters add just that. A replicate draws as many
/// clusters as there are, multinomially over patterns, by conditional binomials. Assumes clusters are
/// independent and alike; within one anything may hold. With fewer than two clusters, or a statistic undefined
/// in more than 5 % of replicates, there is no interval. The same seed gives the same result.
pub fn cluster_bootstrap<const D: usize, const S: usize>(
    patterns: &[([f64; D], u64)],
    statistics: impl Fn(&[f64; D]) -> [Option<f64>; S],
    replicates: usize,
    seed: u64,
) -> [Resampled; S] {
    let clusters: u64 = patterns.iter().map(|(_, times)| times).sum();
    if clusters < 2 || replicates < 2 {
        return [Resampled::default(); S];
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut values: [Vec<f64>; S] = std::array::from_fn(|_| Vec::with_capacity(replicates));
    // With hardly more clusters than patterns, drawing clusters one by one is the cheaper way.
    let each: Option<Vec<usize>> = (patterns.len() as u64 * 2 > clusters).then(|| {
        let of = |(place, (_, times)): (usize, &([f64; D], u64))| (0..*times).map(move |_| place);
        patterns.iter().enumerate().flat_map(of).collect()
    });
    for _ in 0..replicates {
        let sum = match &each {
            Some(each) => draw_each(patterns, each, &mut rng),
            None => draw_counts(patterns, clusters, &mut rng),
        };
        for (values, value) in values.iter_mut().zip(statistics(&sum)) {
            values.extend(value.filter(|value| value.is_finite()));
        }
    }
    values.map(|values| summary(values, replicates))
}

fn draw_each<const D: usize>(patterns: &[([f64; D], u64)], each: &[usize], rng: &mut ChaCha8Rng) -> [f64; D] {
    let mut sum = [0.0; D];
    for _ in 0..each.len() {
        let (pattern, _) = patterns[each[rng.random_range(0..each.len())]];
        for (sum, value) in sum.iter_mut().zip(pattern) {
            *sum += value;
        }
    }
    sum
}

fn draw_counts<const D: usize>(
    patterns: &[([f64; D], u64)],
    clusters: u64,
    rng: &mut ChaCha8Rng,
) -> [f64; D] {
    let mut sum = [0.0; D];
    let (mut left, mut clusters_left) = (clusters, clusters);
    for (pattern, times) in patterns {
        if left == 0 {
            break;
        }
        let share = real(*times) / real(clusters_left);
        let drawn = if share >= 1.0 { left } else { binomial(left, share, rng) };
        for (sum, value) in sum.iter_mut().zip(pattern) {
            *sum += value * real(drawn);
        }
        left -= drawn;
        clusters_left -= times;
    }
    sum
}

fn binomial(n: u64, p: f64, rng: &mut ChaCha8Rng) -> u64 {
    Binomial::new(n, p).map_or(0, |distribution| distribution.sample(rng))
}

pub(crate) fn summary(mut values: Vec<f64>, replicates: usize) -> Resampled {
    let undefined = replicates - values.len();
    if len(undefined) > MOST_UNDEFINED * len(replicates) || values.len() < 2 {
        return Resampled { undefined, ..Resampled::default() };
    }
    values.sort_by(f64::total_cmp);
    let mean = values.iter().sum::<f64>() / len(values.len());
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Resampled {
        se: Some((squares / len(values.len() - 1)).sqrt()),
        ci: Some((quantile(&values, 0.025), quantile(&values, 0.975))),
        undefined,
    }
}

/// Linear interpolation between order statistics (type 7 of Hyndman and Fan 1996). `sorted` is not empty.
pub(crate) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * len(sorted.len() - 1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the slice")]
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - place.floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(sum: &[f64; 2]) -> [Option<f64>; 1] {
        [(sum[1] > 0.0).then(|| sum[0] / sum[1])]
    }

    #[test]
    fn a_mean_has_its_textbook_standard_error_however_many_clusters_there_are() {
        // 70 % of single decisions: √(p(1−p)/n).
        for clusters in [100_u64, 1_000_000] {
            let patterns = [([1.0, 1.0], clusters * 7 / 10), ([0.0, 1.0], clusters * 3 / 10)];
            let [found] = cluster_bootstrap(&patterns, mean, 2000, 1);
            let expected = (0.21 / real(clusters)).sqrt();
            assert!((found.se.unwrap() / expected - 1.0).abs() < 0.06, "{clusters}: {found:?}");
        }
    }

    #[test]
    fn drawing_one_by_one_and_by_counts_agree() {
        let clusters: Vec<([f64; 2], u64)> = (0..40).map(|k| ([f64::from(k % 5), 4.0], 1)).collect();
        let grouped: Vec<([f64; 2], u64)> = (0..5).map(|k| ([f64::from(k), 4.0], 8)).collect();
        let [one] = cluster_bootstrap(&clusters, mean, 4000, 3);
        let [two] = cluster_bootstrap(&grouped, mean, 4000, 4);
        assert!((one.se.unwrap() / two.se.unwrap() - 1.0).abs() < 0.06, "{one:?} {two:?}");
    }

    #[test]
    fn one_cluster_has_no_interval_and_neither_has_what_is_often_undefined() {
        assert_eq!(cluster_bootstrap(&[([1.0, 2.0], 1)], mean, 100, 1)[0].ci, None);
        let rare = |sum: &[f64; 1]| [(sum[0] > 0.0).then_some(1.0)];
        let [found] = cluster_bootstrap(&[([1.0], 1), ([0.0], 9)], rare, 500, 1);
        assert!(found.ci.is_none() && found.undefined > 100, "{found:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let patterns = [([3.0, 5.0], 10), ([1.0, 5.0], 20)];
        assert_eq!(cluster_bootstrap(&patterns, mean, 300, 9), cluster_bootstrap(&patterns, mean, 300, 9));
    }
}
