//! Which samples people should look at, with what probability.

use crate::len;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Neyman's allocation (1934) of `n` labels to strata. Each stratum gets `floor` labels, or all it has; the rest
/// is shared in proportion to size times spread, by largest remainder. What a full stratum cannot take goes to
/// the others.
#[must_use]
pub fn neyman(sizes: &[u64], spreads: &[f64], n: u64, floor: u64) -> Vec<u64> {
    let mut given: Vec<u64> = sizes.iter().map(|size| floor.min(*size)).collect();
    let mut left = n.saturating_sub(given.iter().sum());
    loop {
        let open: Vec<usize> = (0..sizes.len()).filter(|at| given[*at] < sizes[*at]).collect();
        if left == 0 || open.is_empty() {
            return given;
        }
        let weights: Vec<f64> =
            open.iter().map(|at| crate::real(sizes[*at]) * spreads[*at].max(1e-9)).collect();
        for (at, share) in open.into_iter().zip(largest_remainder(&weights, left)) {
            let take = share.min(sizes[at] - given[at]);
            given[at] += take;
            left -= take;
        }
    }
}

/// Whole numbers that sum to `n`, in proportion to the weights, which are above 0.
fn largest_remainder(weights: &[f64], n: u64) -> Vec<u64> {
    let total: f64 = weights.iter().sum();
    let scaled: Vec<f64> = weights.iter().map(|it| it / total * crate::real(n)).collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shares of a count")]
    let mut whole: Vec<u64> = scaled.iter().map(|it| it.floor() as u64).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    let rest = |at: usize| scaled[at] - scaled[at].floor();
    order.sort_by(|a, b| rest(*b).total_cmp(&rest(*a)).then(a.cmp(b)));
    let left = usize::try_from(n.saturating_sub(whole.iter().sum())).unwrap_or(0);
    for at in order.into_iter().take(left) {
        whole[at] += 1;
    }
    whole
}

/// Inclusion probabilities of active inference (Zrnic and Candès 2024): proportional to the judge's uncertainty
/// min(p, 1−p), mixed with a uniform share `tau` so that no sample is out of reach; `budget` labels are expected.
#[must_use]
pub fn active_probs(probabilities: &[f64], budget: f64, tau: f64) -> Vec<f64> {
    let n = len(probabilities.len());
    let uncertainty: Vec<f64> = probabilities.iter().map(|p| p.min(1.0 - p)).collect();
    let mean = uncertainty.iter().sum::<f64>() / n;
    let rate = budget / n;
    let eta = if mean > 0.0 { rate / mean } else { 0.0 };
    uncertainty.into_iter().map(|u| ((1.0 - tau) * eta * u + tau * rate).clamp(0.0, 1.0)).collect()
}

/// Weighted reservoir without replacement (Efraimidis and Spirakis 2006, A-Res): keeps the `keep` items with the
/// largest u^(1/w). Gives their places, in order. The same seed keeps the same items.
#[must_use]
pub fn a_res(weights: &[f64], keep: usize, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut keys: Vec<(f64, usize)> = weights
        .iter()
        .enumerate()
        .map(|(at, weight)| {
            let u: f64 = rng.random();
            // ln u / w orders like u^(1/w) and does not underflow.
            (if *weight > 0.0 { u.ln() / weight } else { f64::NEG_INFINITY }, at)
        })
        .collect();
    keys.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut kept: Vec<usize> =
        keys.into_iter().take(keep).filter(|(key, _)| *key > f64::NEG_INFINITY).map(|(_, at)| at).collect();
    kept.sort_unstable();
    kept
}

/// The share of samples worth a person's look where a label costs `human` and a verdict `judge`, the judge's mean
/// squared error is `mse` and the labels' variance `variance`: √(judge/human · mse/(variance − mse)), or 1 where
/// the judge does not pay.
#[must_use]
pub fn cost_optimal_rate(judge: f64, human: f64, mse: f64, variance: f64) -> f64 {
    if mse >= variance * human / (human + judge) {
        return 1.0;
    }
    (judge / human * mse / (variance - mse)).sqrt().min(1.0)
}
