//! Two judges on the same items: do they differ?

use crate::{binom_cdf, real};
use statrs::function::beta::ln_beta;

/// McNemar's exact two-sided p: of the b + c items on which exactly one of two is right, how unlikely is a
/// split this uneven if neither is better? (McNemar 1947; exact binomial.) `None` where they never differ.
/// Assumes independent items.
#[must_use]
pub fn exact_p(b: u64, c: u64) -> Option<f64> {
    let n = b + c;
    (n > 0).then(|| (2.0 * binom_cdf(b.min(c), n, 0.5)).min(1.0))
}

/// The same as an e-value: a uniform Beta mixture of bets against one half, B(b+1, c+1) / (½)^(b+c). Valid at
/// any stopping time: reject where it reaches 1/α.
#[must_use]
pub fn e_value(b: u64, c: u64) -> f64 {
    (ln_beta(real(b) + 1.0, real(c) + 1.0) + real(b + c) * 2.0_f64.ln()).exp()
}
