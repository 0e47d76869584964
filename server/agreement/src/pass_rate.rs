//! Pass rates from many verdicts and few labels: what share would people pass?

use crate::interval::Z95;
use crate::{Cells, Estimate, len, proportion, real};

fn normal(method: &'static str, n: u64, est: f64, variance: f64) -> Estimate {
    let se = variance.max(0.0).sqrt();
    Estimate::at95(method, n, est, Some(se), Some((est - Z95 * se, est + Z95 * se)))
}

/// People alone: the share of labels that pass, by Wilson.
#[must_use]
pub fn classical(passes: u64, n: u64) -> Estimate {
    proportion(passes, n)
}

/// Post-stratified by verdict, the default: θ = Σ W_v p_v, with W_v the share of verdict v in the whole pool and
/// p_v the pass rate among labels of that verdict. Right for uniform samples and for samples drawn by verdict;
/// for binary verdicts asymptotically the best there is.
///
/// Var = Σ W_v² p_v(1−p_v)/n_v: the pool is the population, as a generation's samples are. `pool` and `labelled`
/// are numbers of (pass, fail) verdicts; `cells` are labels beside verdicts, or their weights. The interval is on
/// the logit scale. Not estimable where a verdict that occurs has no label.
#[must_use]
pub fn post_stratified(pool: (u64, u64), cells: &Cells, labelled: (u64, u64)) -> Estimate {
    const METHOD: &str = "post_stratified";
    let n = labelled.0 + labelled.1;
    let all = real(pool.0 + pool.1);
    if n == 0 || all == 0.0 {
        return Estimate::none(METHOD, n, "0 labels beside a verdict");
    }
    let strata = [
        (real(pool.0) / all, cells.tp, cells.tp + cells.fp, labelled.0, "pass"),
        (real(pool.1) / all, cells.fn_, cells.fn_ + cells.tn, labelled.1, "fail"),
    ];
    let (mut est, mut variance) = (0.0, 0.0);
    for (share, passes, labels, count, verdict) in strata {
        if share == 0.0 {
            continue;
        }
        if labels <= 0.0 || count == 0 {
            return Estimate::none(METHOD, n, format!("0 labels on {verdict} verdicts"));
        }
        let rate = passes / labels;
        est += share * rate;
        variance += share * share * rate * (1.0 - rate) / real(count);
    }
    let se = variance.sqrt();
    Estimate::at95(METHOD, n, est, Some(se), logit_interval(est, se))
}

/// est ± z·se on the logit scale, so that it stays within 0..1. At 0 and 1 there is no spread to transform.
fn logit_interval(est: f64, se: f64) -> Option<(f64, f64)> {
    if est <= 0.0 || est >= 1.0 {
        return None;
    }
    let logit = (est / (1.0 - est)).ln();
    let half = Z95 * se / (est * (1.0 - est));
    let back = |x: f64| 1.0 / (1.0 + (-x).exp());
    Some((back(logit - half), back(logit + half)))
}

/// Sensitivity and specificity where labels were drawn by verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct TwoPhase {
    /// Pass rate.
    pub pass_rate: Estimate,
    /// Judge passes, of what people pass.
    pub sensitivity: Estimate,
    /// Judge fails, of what people fail.
    pub specificity: Estimate,
}

/// Verification-bias correction (Begg and Greenes 1983) with logit-delta intervals: `pool` and labelled counts by
/// verdict, (labels, passes) each. Not estimable where a verdict has no label, or a rate is 0 or 1.
#[must_use]
pub fn two_phase(pool: (u64, u64), of_pass: (u64, u64), of_fail: (u64, u64)) -> TwoPhase {
    const METHOD: &str = "begg_greenes";
    let rate = |(n, k): (u64, u64)| if n == 0 { f64::NAN } else { real(k) / real(n) };
    let (p1, p0) = (rate(of_pass), rate(of_fail));
    let all = real(pool.0 + pool.1);
    let (w1, w0) = (real(pool.0) / all, real(pool.1) / all);
    let cells = Cells {
        tp: real(of_pass.1),
        fp: real(of_pass.0 - of_pass.1),
        fn_: real(of_fail.1),
        tn: real(of_fail.0 - of_fail.1),
    };
    let variance = |p: f64, n: u64| p * (1.0 - p) / real(n);
    let (v1, v0) = (variance(p1, of_pass.0), variance(p0, of_fail.0));
    let estimate = |part: f64, rest: f64, log_variance: f64| {
        let n = of_pass.0 + of_fail.0;
        let est = part / (part + rest);
        if !est.is_finite() || est <= 0.0 || est >= 1.0 || !log_variance.is_finite() {
            return Estimate::none(METHOD, n, "a verdict without labels, or labels of one kind only");
        }
        let se = est * (1.0 - est) * log_variance.sqrt();
        Estimate::at95(METHOD, n, est, Some(se), logit_interval(est, se))
    };
    TwoPhase {
        pass_rate: post_stratified(pool, &cells, (of_pass.0, of_fail.0)),
        sensitivity: estimate(w1 * p1, w0 * p0, v1 / (p1 * p1) + v0 / (p0 * p0)),
        specificity: estimate(
            w0 * (1.0 - p0),
            w1 * (1.0 - p1),
            v1 / ((1.0 - p1) * (1.0 - p1)) + v0 / ((1.0 - p0) * (1.0 - p0)),
        ),
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = len(values.len());
    values.sum::<f64>() / n
}

/// Variance with `less` degrees of freedom taken off.
fn variance(values: &[f64], less: usize) -> f64 {
    let centre = mean(values.iter().copied());
    values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / len(values.len() - less)
}

/// Prediction-powered inference with a power λ (Angelopoulos et al. 2023): θ = λ·mean(F of the unlabelled) +
/// mean(Y − λF of the labelled). λ = 0 is people alone, 1 the first PPI. Labels and predictions of one population.
/// Not estimable without two labels and two unlabelled predictions.
#[must_use]
pub fn ppi(labels: &[f64], predicted: &[f64], unlabelled: &[f64], lambda: f64) -> Estimate {
    let n = labels.len().min(predicted.len());
    if n < 2 || unlabelled.len() < 2 {
        return Estimate::none("ppi", n as u64, "fewer than 2 labels or unlabelled verdicts");
    }
    let rest: Vec<f64> = labels.iter().zip(predicted).map(|(y, f)| y - lambda * f).collect();
    let scaled: Vec<f64> = unlabelled.iter().map(|f| lambda * f).collect();
    let est = mean(scaled.iter().copied()) + mean(rest.iter().copied());
    normal("ppi", n as u64, est, variance(&scaled, 0) / len(scaled.len()) + variance(&rest, 0) / len(n))
}

/// The λ of least variance: Cov(Y, F) / ((1 + n/N) Var(F)), clipped to 0..1 (Angelopoulos, Duchi and Zrnic 2023,
/// PPI++), with the variance over labelled and unlabelled predictions together.
#[must_use]
pub fn best_lambda(labels: &[f64], predicted: &[f64], unlabelled: &[f64]) -> f64 {
    let n = labels.len().min(predicted.len());
    let (y, f) = (mean(labels.iter().copied()), mean(predicted.iter().copied()));
    let covariance = labels.iter().zip(predicted).map(|(a, b)| (a - y) * (b - f)).sum::<f64>() / len(n);
    let pooled: Vec<f64> = predicted.iter().chain(unlabelled).copied().collect();
    let spread = variance(&pooled, 1);
    if spread == 0.0 {
        0.0
    } else {
        (covariance / ((1.0 + len(n) / len(unlabelled.len())) * spread)).clamp(0.0, 1.0)
    }
}

/// [`ppi`] with [`best_lambda`]: never much worse than people alone.
#[must_use]
pub fn ppi_plus_plus(labels: &[f64], predicted: &[f64], unlabelled: &[f64]) -> Estimate {
    if labels.len() < 2 || unlabelled.len() < 2 {
        return Estimate::none("ppi++", labels.len() as u64, "fewer than 2 labels or unlabelled verdicts");
    }
    let found = ppi(labels, predicted, unlabelled, best_lambda(labels, predicted, unlabelled));
    Estimate { method: "ppi++", ..found }
}

/// One stratum of [`stratified_ppi`].
#[derive(Debug, Clone, PartialEq)]
pub struct Stratum {
    /// People's answers.
    pub labels: Vec<f64>,
    /// The judge's on the same items.
    pub predicted: Vec<f64>,
    /// The judge's on the others.
    pub unlabelled: Vec<f64>,
}

/// PPI++ a stratum, weighted by stratum size (Fisch et al. 2024). λ is fitted in each with n−1 in all moments and
/// not clipped. Not estimable where a stratum has fewer than two of either kind.
#[must_use]
pub fn stratified_ppi(strata: &[Stratum]) -> Estimate {
    const METHOD: &str = "stratified_ppi++";
    let size = |stratum: &Stratum| len(stratum.labels.len() + stratum.unlabelled.len());
    let n: usize = strata.iter().map(|stratum| stratum.labels.len()).sum();
    if strata.is_empty() || strata.iter().any(|it| it.labels.len() < 2 || it.unlabelled.len() < 2) {
        return Estimate::none(METHOD, n as u64, "a stratum with fewer than 2 labels or unlabelled verdicts");
    }
    let total: f64 = strata.iter().map(size).sum();
    let (mut est, mut spread) = (0.0, 0.0);
    for stratum in strata {
        let share = size(stratum) / total;
        let (theta, variance) = stratum_ppi(stratum);
        est += share * theta;
        spread += share * share * variance;
    }
    normal(METHOD, n as u64, est, spread)
}

fn stratum_ppi(stratum: &Stratum) -> (f64, f64) {
    let Stratum { labels, predicted, unlabelled } = stratum;
    let n = labels.len();
    let (y, f) = (mean(labels.iter().copied()), mean(predicted.iter().copied()));
    let covariance = labels.iter().zip(predicted).map(|(a, b)| (a - y) * (b - f)).sum::<f64>() / len(n - 1);
    let pooled: Vec<f64> = predicted.iter().chain(unlabelled).copied().collect();
    let lambda = covariance / ((1.0 + len(n) / len(unlabelled.len())) * variance(&pooled, 1));
    let rest: Vec<f64> = labels.iter().zip(predicted).map(|(y, f)| y - lambda * f).collect();
    let scaled: Vec<f64> = unlabelled.iter().map(|f| lambda * f).collect();
    let theta = mean(scaled.iter().copied()) + mean(rest.iter().copied());
    (theta, variance(&scaled, 1) / len(scaled.len()) + variance(&rest, 1) / len(n))
}

/// Active statistical inference (Zrnic and Candès 2024): items are labelled with known probabilities π, and
/// θ = mean(λF + ξ(Y − λF)/π) over all items, ξ saying whether an item was labelled; λ of least variance.
/// Not estimable with fewer than two items.
#[must_use]
pub fn active(labels: &[Option<f64>], predicted: &[f64], pi: &[f64]) -> Estimate {
    const METHOD: &str = "active";
    let n = labels.len();
    let labelled = labels.iter().flatten().count() as u64;
    if n < 2 || labelled == 0 {
        return Estimate::none(METHOD, labelled, "fewer than 2 items, or 0 labels");
    }
    // θ = mean(a + λ b), with a the weighted labels and b what the predictions add.
    let weighted: Vec<f64> = labels.iter().zip(pi).map(|(y, pi)| y.map_or(0.0, |y| y / pi)).collect();
    let added: Vec<f64> = labels
        .iter()
        .zip(predicted.iter().zip(pi))
        .map(|(y, (f, pi))| f * (1.0 - f64::from(u8::from(y.is_some())) / pi))
        .collect();
    let (a, b) = (mean(weighted.iter().copied()), mean(added.iter().copied()));
    let covariance: f64 = weighted.iter().zip(&added).map(|(x, y)| (x - a) * (y - b)).sum();
    let squares: f64 = added.iter().map(|y| (y - b).powi(2)).sum();
    let lambda = if squares > 0.0 { -covariance / squares } else { 0.0 };
    let values: Vec<f64> = weighted.iter().zip(&added).map(|(x, y)| x + lambda * y).collect();
    normal(METHOD, labelled, mean(values.iter().copied()), variance(&values, 1) / len(n))
}

/// What is known of a judge, from labels that may come from another population.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JudgeRates {
    /// Specificity, and the labels that fail it rests on.
    pub specificity: (f64, u64),
    /// Sensitivity, and the labels that pass it rests on.
    pub sensitivity: (f64, u64),
}

/// The least informedness a judge must have for [`rogan_gladen`].
const LEAST_INFORMEDNESS: f64 = 0.2;

/// Rogan and Gladen (1978): θ = (p + q₀ − 1)/(q₀ + q₁ − 1), with the interval of Lee et al. (2025). For labels
/// of another population than the verdicts, where sensitivity and specificity carry over and prevalence does not.
/// Refused where q₀ + q₁ − 1 is below 0.2 or its interval touches 0: the answer would be noise.
#[must_use]
pub fn rogan_gladen(judge_pass: f64, n: u64, rates: JudgeRates) -> Estimate {
    const METHOD: &str = "rogan_gladen";
    let ((q0, m0), (q1, m1)) = (rates.specificity, rates.sensitivity);
    let labels = m0 + m1;
    if n == 0 || m0 == 0 || m1 == 0 {
        return Estimate::none(METHOD, labels, "0 verdicts, or 0 labels of one kind");
    }
    let informed = q0 + q1 - 1.0;
    let spread = (q0 * (1.0 - q0) / real(m0) + q1 * (1.0 - q1) / real(m1)).sqrt();
    if informed < LEAST_INFORMEDNESS || informed - Z95 * spread <= 0.0 {
        return Estimate::none(
            METHOD,
            labels,
            "the judge hardly tells pass from fail: correct by labels of this population",
        );
    }
    let z2 = Z95 * Z95;
    let est = ((judge_pass + q0 - 1.0) / informed).clamp(0.0, 1.0);
    let (n, m0, m1) = (real(n), real(m0), real(m1));
    let p = (n * judge_pass + z2 / 2.0) / (n + z2);
    let (s0, s1) = ((m0 * q0 + 1.0) / (m0 + 2.0), (m1 * q1 + 1.0) / (m1 + 2.0));
    let slope = s0 + s1 - 1.0;
    let t = (p + s0 - 1.0) / slope;
    let (v0, v1) = (s0 * (1.0 - s0) / (m0 + 2.0), s1 * (1.0 - s1) / (m1 + 2.0));
    let shift = 2.0 * z2 * (-(1.0 - t) * v0 + t * v1);
    let se = (p * (1.0 - p) / (n + z2) + (1.0 - t).powi(2) * v0 + t * t * v1).sqrt() / slope;
    let ci = ((t + shift - Z95 * se).clamp(0.0, 1.0), (t + shift + Z95 * se).clamp(0.0, 1.0));
    Estimate::at95(METHOD, labels, est, Some(se), Some(ci))
}
