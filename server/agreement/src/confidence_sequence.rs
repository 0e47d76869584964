//! Confidence sequences: intervals that hold at all times at once, so one may look whenever one likes.

use crate::interval::bisect;
use crate::{len, real};
use statrs::function::beta::ln_beta;

/// Confidence sequence of a probability after `successes` in `n` trials, at level 1 − alpha, by the uniform
/// Beta mixture: the p at which B(1+S, 1+n−S) / (p^S (1−p)^(n−S)) < 1/alpha (Robbins 1970; exact for Bernoulli
/// trials). (0, 1) before the first trial.
#[must_use]
pub fn beta_binomial(successes: u64, n: u64, alpha: f64) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (s, f) = (real(successes.min(n)), real(n - successes.min(n)));
    let mixture = ln_beta(1.0 + s, 1.0 + f);
    let log = |count: f64, p: f64| if count == 0.0 { 0.0 } else { count * p.ln() };
    let outside = |p: f64| mixture - log(s, p) - log(f, 1.0 - p) >= -alpha.ln();
    let mode = s / (s + f);
    let low = if s == 0.0 { 0.0 } else { mode * bisect(|at| !outside(at * mode)) };
    let high =
        if f == 0.0 { 1.0 } else { mode + (1.0 - mode) * bisect(|at| outside(mode + at * (1.0 - mode))) };
    (low, high)
}

/// Hedged betting confidence sequence of the mean of values in [0, 1] at level 1 − alpha (Waudby-Smith and
/// Ramdas 2024, JRSS-B): predictable bets for and against each mean of a grid; the interval after the last value.
/// Nothing is assumed of the values but a common conditional mean.
#[must_use]
pub fn betting(values: &[f64], alpha: f64, grid: usize) -> (f64, f64) {
    let bets = bets(values, alpha);
    let kept: Vec<f64> = (0..=grid)
        .map(|at| len(at) / len(grid))
        .filter(|mean| !excluded(values, &bets, *mean, alpha))
        .collect();
    match (kept.first(), kept.last()) {
        (Some(low), Some(high)) => (*low, *high),
        _ => (0.0, 1.0),
    }
}

/// λ_t = √(2 ln(2/α) / (σ²_{t−1} t ln(1+t))), from values before t only.
fn bets(values: &[f64], alpha: f64) -> Vec<f64> {
    let (mut sum, mut squares, mut variance) = (0.0, 0.25, 0.25_f64);
    let mut bets = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        let t = len(at + 1);
        bets.push((2.0 * (2.0 / alpha).ln() / (variance * t * (1.0 + t).ln())).sqrt());
        sum += value;
        let mean = (0.5 + sum) / (t + 1.0);
        squares += (value - mean).powi(2);
        variance = squares / (t + 1.0);
    }
    bets
}

/// Whether the wealth of betting against this mean has reached 1/alpha.
fn excluded(values: &[f64], bets: &[f64], mean: f64, alpha: f64) -> bool {
    const CAP: f64 = 0.5;
    let (mut above, mut below) = (0.0_f64, 0.0_f64);
    for (value, bet) in values.iter().zip(bets) {
        above += (bet.min(CAP / mean) * (value - mean)).ln_1p();
        below += (-bet.min(CAP / (1.0 - mean)) * (value - mean)).ln_1p();
    }
    above.max(below) - 2.0_f64.ln() >= -alpha.ln()
}
