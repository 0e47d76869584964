//! Agreement statistics, pure: numbers in, estimates with intervals out. "Not estimable" is a value.

mod estimate;

pub use estimate::Estimate;

/// 97.5 % quantile of the standard normal distribution.
pub const Z95: f64 = 1.959_963_984_540_054;

/// Wilson's score interval of a proportion at 95 %.
///
/// With p = k/n and z the normal quantile, the interval is
/// `(p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)` (Wilson 1927, JASA 22:209). Assumes n
/// independent trials of one probability. `None` when n = 0: not estimable.
///
/// # Panics
/// Never; `k` above `n` is taken as `n`.
#[must_use]
pub fn wilson95(k: u64, n: u64) -> Option<(f64, f64)> {
    if n == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of labels are far below 2^52")]
    let (k, n) = (k.min(n) as f64, n as f64);
    let (p, z2) = (k / n, Z95 * Z95);
    let centre = p + z2 / (2.0 * n);
    let half = Z95 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    Some((((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::wilson95;

    #[test]
    fn matches_published_values() {
        // Newcombe 1998, Statistics in Medicine 17:857, table I, method 3.
        for (k, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (l, h) = wilson95(k, n).unwrap();
            assert!((l - low).abs() < 5e-5 && (h - high).abs() < 5e-5, "{k}/{n}: {l} {h}");
        }
    }

    #[test]
    fn nothing_seen_is_not_estimable() {
        assert_eq!(wilson95(0, 0), None);
    }
}
