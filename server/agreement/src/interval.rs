//! Intervals of proportions.

use crate::{Estimate, real};
use statrs::distribution::{ContinuousCDF, Normal};
use statrs::function::beta::beta_reg;

/// 97.5 % quantile of the standard normal distribution.
pub const Z95: f64 = 1.959_963_984_540_054;

/// Two-sided normal quantile of a confidence level.
pub(crate) fn z(level: f64) -> f64 {
    Normal::standard().inverse_cdf(0.5 + level / 2.0)
}

/// Wilson's score interval of a proportion.
///
/// With p = k/n and z the normal quantile of the level, the interval is
/// `(p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)` (Wilson 1927, JASA 22:209). Assumes n independent
/// trials of one probability. `None` when n = 0: not estimable. `k` above `n` is taken as `n`.
#[must_use]
pub fn wilson(k: u64, n: u64, level: f64) -> Option<(f64, f64)> {
    if n == 0 {
        return None;
    }
    let z = z(level);
    let (k, n, z2) = (real(k.min(n)), real(n), z * z);
    let p = k / n;
    let centre = p + z2 / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    // At the ends the formula is exactly 0 or 1; rounding must not hide it.
    let low = if k == 0.0 { 0.0 } else { (centre - half) / scale };
    let high = if k == n { 1.0 } else { (centre + half) / scale };
    Some((low.max(0.0), high.min(1.0)))
}

/// [`wilson`] at 95 %.
#[must_use]
pub fn wilson95(k: u64, n: u64) -> Option<(f64, f64)> {
    wilson(k, n, 0.95)
}

/// A proportion with its Wilson interval at 95 %; not estimable when n = 0.
#[must_use]
pub fn proportion(k: u64, n: u64) -> Estimate {
    let Some(ci) = wilson95(k, n) else { return Estimate::none("wilson", 0, "nothing seen") };
    let p = real(k.min(n)) / real(n);
    Estimate::at95("wilson", n, p, Some((p * (1.0 - p) / real(n)).sqrt()), Some(ci))
}

/// The difference p₁ − p₂ of two independent proportions with Newcombe's hybrid score interval at 95 % (Newcombe 1998,
/// Statistics in Medicine 17:873, method 10): with Wilson's limits l and u of each,
/// `d − √((p₁−l₁)² + (u₂−p₂)²)` to `d + √((u₁−p₁)² + (p₂−l₂)²)`. Each pair is successes and trials; `n` counts both.
/// Not estimable when one side has no trials.
#[must_use]
pub fn difference(first: (u64, u64), second: (u64, u64)) -> Estimate {
    let n = first.1 + second.1;
    let (Some(one), Some(two)) = (wilson95(first.0, first.1), wilson95(second.0, second.1)) else {
        return Estimate::none("newcombe", n, "one side has seen nothing");
    };
    let p = |(k, n): (u64, u64)| real(k.min(n)) / real(n);
    let (p1, p2) = (p(first), p(second));
    let d = p1 - p2;
    let ci = (d - (p1 - one.0).hypot(two.1 - p2), d + (one.1 - p1).hypot(p2 - two.0));
    let se = (p1 * (1.0 - p1) / real(first.1) + p2 * (1.0 - p2) / real(second.1)).sqrt();
    Estimate::at95("newcombe", n, d, Some(se), Some(ci))
}

/// P(X ≤ k) of X binomial with n trials of probability p, by the regularised incomplete beta function.
#[must_use]
pub fn binom_cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    beta_reg(real(n - k), real(k + 1), 1.0 - p)
}

/// Upper Clopper-Pearson bound: the largest rate r at which k or fewer errors in n still have probability
/// delta, i.e. the 1−delta quantile of Beta(k+1, n−k). 1 when k = n or n = 0: nothing is excluded.
#[must_use]
pub fn cp_upper(k: u64, n: u64, delta: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    bisect(|rate| binom_cdf(k, n, rate) < delta)
}

/// Lower Clopper-Pearson bound: the delta quantile of Beta(k, n−k+1). 0 when k = 0.
#[must_use]
pub fn cp_lower(k: u64, n: u64, delta: f64) -> f64 {
    if k == 0 || n == 0 {
        return 0.0;
    }
    let k = k.min(n);
    bisect(|rate| 1.0 - binom_cdf(k - 1, n, rate) >= delta)
}

/// Clopper-Pearson's exact interval of a proportion at a level. `None` when n = 0.
#[must_use]
pub fn clopper_pearson(k: u64, n: u64, level: f64) -> Option<(f64, f64)> {
    let tail = (1.0 - level) / 2.0;
    (n > 0).then(|| (cp_lower(k, n, tail), cp_upper(k, n, tail)))
}

/// The point in 0..1 where a monotone condition turns true, to 1e-13.
pub(crate) fn bisect(above: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    while high - low > 1e-13 {
        let middle = f64::midpoint(low, high);
        if above(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newcombe 1998, table II, examples (a) and (c), method 10.
    #[test]
    fn newcombes_interval_of_a_difference_is_the_published_one() {
        for (first, second, d, low, high) in
            [((56, 70), (48, 80), 0.2, 0.0524, 0.3339), ((9, 10), (3, 10), 0.6, 0.1705, 0.8090)]
        {
            let found = difference(first, second);
            let (from, to) = found.ci.expect("an interval");
            assert!((found.est.expect("a difference") - d).abs() < 1e-9);
            assert!((from - low).abs() < 5e-5 && (to - high).abs() < 5e-5, "{from} {to}");
        }
        assert_eq!(difference((1, 2), (0, 0)).est, None);
    }
}
