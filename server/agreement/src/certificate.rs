//! Certificates: above which confidence a judge's verdicts may stand alone.

use crate::{binom_cdf, cp_upper, len, real};

/// A threshold that is certain enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Certified {
    /// From this confidence on.
    pub threshold: f64,
    /// Labels at or above it.
    pub n: u64,
    /// Errors among them.
    pub errors: u64,
    /// Probability of so few errors if the error rate were ε; for weighted samples 1 over the wealth.
    pub p_value: f64,
    /// Upper bound of the error rate at the level a chain has; `None` for weighted samples.
    pub ucb: f64,
}

/// Where a chain stopped: its first test that failed, or its last one if none did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stopped {
    /// Threshold of the failing test; `None`: it went through to the end.
    pub threshold: Option<f64>,
    /// Labels there.
    pub n: u64,
    /// Errors there.
    pub errors: u64,
    /// p value there.
    pub p_value: f64,
}

/// What a selection found and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The threshold of the largest coverage that holds; `None`: accept nothing.
    pub certified: Option<Certified>,
    /// One entry a start.
    pub tried: Vec<Stopped>,
}

/// Chooses the threshold with the largest coverage at which P(error | confidence ≥ threshold) ≤ `eps`, and is
/// wrong about that with probability at most `delta`.
///
/// Multi-start fixed-sequence testing (Angelopoulos et al. 2021, Learn then Test; Jung, Brahman and Choi 2025):
/// from each start, thresholds are tested from strict to loose with the exact binomial p value
/// P(Bin(n, eps) ≤ errors) at level delta / starts; the first failure ends that chain. `grid` descends; grid
/// and starts must be fixed without the labels of `calibration` (confidence, error). Assumes that errors are
/// independent given the confidence and that the sample is uniform among verdicts of its class. Where nothing
/// holds nothing is certified: there is no fall back to the strictest threshold.
#[must_use]
pub fn choose_threshold(
    calibration: &[(f64, bool)],
    grid: &[f64],
    starts: &[usize],
    eps: f64,
    delta: f64,
) -> Selection {
    let level = delta / len(starts.len().max(1));
    let counts = cumulated(calibration, grid);
    select(grid, starts, level, |at| {
        let (n, errors) = counts[at];
        let p_value = if n == 0 { 1.0 } else { binom_cdf(errors, n, eps) };
        Certified { threshold: grid[at], n, errors, p_value, ucb: cp_upper(errors, n, level) }
    })
}

/// The same for a sample with known, unequal inclusion probabilities: `calibration` holds confidence, error, π.
///
/// Counts cannot be tested then, so each threshold is tested by a bet: the wealth is the product over sampled
/// labels at or above it of 1 − ν·(error − eps)/π, with ν = ½·π_min/(1 − eps), so that no factor is below one
/// half. If the error rate is eps or more, (error − eps)/π has a mean of zero or more over the design, the
/// wealth is a supermartingale, and by Ville's inequality it reaches 1/level with probability at most `level`
/// (Waudby-Smith and Ramdas 2024). Reported p values are 1/wealth, capped at 1. `ucb` is `eps`: the test says
/// that and no more.
#[must_use]
pub fn choose_threshold_weighted(
    calibration: &[(f64, bool, f64)],
    grid: &[f64],
    starts: &[usize],
    eps: f64,
    delta: f64,
) -> Selection {
    let level = delta / len(starts.len().max(1));
    let least = calibration.iter().map(|it| it.2).fold(1.0, f64::min);
    let bet = 0.5 * least / (1.0 - eps);
    select(grid, starts, level, |at| {
        let inside = calibration.iter().filter(|it| it.0 >= grid[at]);
        let (mut n, mut errors, mut wealth) = (0, 0, 0.0_f64);
        for (_, error, pi) in inside {
            n += 1;
            errors += u64::from(*error);
            wealth += (-bet * (f64::from(u8::from(*error)) - eps) / pi).ln_1p();
        }
        Certified { threshold: grid[at], n, errors, p_value: (-wealth).exp().min(1.0), ucb: eps }
    })
}

/// Runs the chains. The test at a place of the grid holds where its p value is at most `level`.
fn select(grid: &[f64], starts: &[usize], level: f64, test: impl Fn(usize) -> Certified) -> Selection {
    let mut selection = Selection { certified: None, tried: Vec::with_capacity(starts.len()) };
    for start in starts {
        let mut last = Stopped { threshold: None, n: 0, errors: 0, p_value: 1.0 };
        for at in *start..grid.len() {
            let found = test(at);
            last = Stopped { threshold: None, n: found.n, errors: found.errors, p_value: found.p_value };
            if found.n == 0 || found.p_value > level {
                last.threshold = Some(found.threshold);
                break;
            }
            // Thresholds descend, so a later one of any chain covers more.
            if selection.certified.is_none_or(|best| found.threshold < best.threshold) {
                selection.certified = Some(found);
            }
        }
        selection.tried.push(last);
    }
    selection
}

/// Labels and errors at or above each threshold.
fn cumulated(calibration: &[(f64, bool)], grid: &[f64]) -> Vec<(u64, u64)> {
    let mut sorted = calibration.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut at, mut errors) = (0, 0);
    grid.iter()
        .map(|threshold| {
            while let Some((_, error)) = sorted.get(at).filter(|(confidence, _)| confidence >= threshold) {
                errors += u64::from(*error);
                at += 1;
            }
            (at as u64, errors)
        })
        .collect()
}

/// Thresholds at every percent of coverage of unlabelled confidences, strictest first, each once.
#[must_use]
pub fn grid_from(confidences: &[f64]) -> Vec<f64> {
    let mut sorted = confidences.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let mut grid: Vec<f64> = (1..=100)
        .filter_map(|percent| sorted.get((sorted.len() * percent).div_ceil(100).checked_sub(1)?).copied())
        .collect();
    grid.dedup();
    grid
}

/// The first place of the grid at which each share of the unlabelled confidences is covered; each place once.
#[must_use]
pub fn starts_at(grid: &[f64], confidences: &[f64], coverages: &[f64]) -> Vec<usize> {
    let covered = |threshold: f64| {
        len(confidences.iter().filter(|it| **it >= threshold).count()) / len(confidences.len().max(1))
    };
    let shares: Vec<f64> = grid.iter().map(|threshold| covered(*threshold)).collect();
    let mut starts: Vec<usize> = coverages
        .iter()
        .filter_map(|coverage| shares.iter().position(|share| *share >= *coverage - 1e-12))
        .collect();
    starts.dedup();
    starts
}

/// Labels at which `errors` are few enough: the least n with P(Bin(n, eps) ≤ errors) ≤ delta. `None` beyond
/// ten million.
#[must_use]
pub fn min_n_for(errors: u64, eps: f64, delta: f64) -> Option<u64> {
    let (mut low, mut high) = (errors, 10_000_000);
    if binom_cdf(errors, high, eps) > delta {
        return None;
    }
    while high - low > 1 {
        let middle = u64::midpoint(low, high);
        if binom_cdf(errors, middle, eps) <= delta {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

/// How many labels in all would do if errors stay at the rate seen, `errors` of `n`; `None` where that rate is
/// not below eps: no number of labels would.
#[must_use]
pub fn labels_needed(errors: u64, n: u64, eps: f64, delta: f64) -> Option<u64> {
    let rate = real(errors) / real(n.max(1));
    if n == 0 || rate >= eps {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, not negative")]
    let expected = |labels: u64| (rate * real(labels)).ceil() as u64;
    let (mut low, mut high) = (n.saturating_sub(1), 10_000_000_u64);
    let holds = |labels: u64| binom_cdf(expected(labels), labels, eps) <= delta;
    if !holds(high) {
        return None;
    }
    while high - low > 1 {
        let middle = u64::midpoint(low, high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}
