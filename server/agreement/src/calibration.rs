//! Calibration: from a judge's score to a probability that people agree with. For display, sampling and
//! combining; a certificate needs none of it.

use crate::len;

/// p = 1 / (1 + exp(a·score + b)).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Platt {
    /// Slope; negative where higher scores pass more often.
    pub a: f64,
    /// Intercept.
    pub b: f64,
}

impl Platt {
    /// Probability of pass at a score.
    #[must_use]
    pub fn probability(&self, score: f64) -> f64 {
        1.0 / (1.0 + (self.a * score + self.b).exp())
    }
}

/// Platt scaling with smoothed targets by Newton's method with backtracking (Platt 1999; Lin, Lin and Weng
/// 2007). `None` unless there are passes and fails.
#[must_use]
pub fn platt(scores: &[f64], passes: &[bool]) -> Option<Platt> {
    let (positive, negative) = split(passes)?;
    let (high, low) = ((len(positive) + 1.0) / (len(positive) + 2.0), 1.0 / (len(negative) + 2.0));
    let targets: Vec<f64> = passes.iter().map(|pass| if *pass { high } else { low }).collect();
    let mut fit = Platt { a: 0.0, b: ((len(negative) + 1.0) / (len(positive) + 1.0)).ln() };
    let mut value = loss(fit, scores, &targets);
    for _ in 0..200 {
        let (gradient, step) = newton(fit, scores, &targets);
        if gradient.0.abs() < 1e-12 && gradient.1.abs() < 1e-12 {
            break;
        }
        let slope = gradient.0 * step.0 + gradient.1 * step.1;
        let mut length = 1.0;
        loop {
            let next = Platt { a: fit.a + length * step.0, b: fit.b + length * step.1 };
            let at = loss(next, scores, &targets);
            if at < value + 1e-4 * length * slope {
                (fit, value) = (next, at);
                break;
            }
            length /= 2.0;
            if length < 1e-12 {
                return Some(fit);
            }
        }
    }
    Some(fit)
}

fn split(passes: &[bool]) -> Option<(usize, usize)> {
    let positive = passes.iter().filter(|pass| **pass).count();
    (positive > 0 && positive < passes.len()).then(|| (positive, passes.len() - positive))
}

/// Negative log likelihood, without overflow.
fn loss(fit: Platt, scores: &[f64], targets: &[f64]) -> f64 {
    scores
        .iter()
        .zip(targets)
        .map(|(score, target)| {
            let f = fit.a * score + fit.b;
            if f >= 0.0 { target * f + (-f).exp().ln_1p() } else { (target - 1.0) * f + f.exp().ln_1p() }
        })
        .sum()
}

/// Gradient, and Newton's step.
fn newton(fit: Platt, scores: &[f64], targets: &[f64]) -> ((f64, f64), (f64, f64)) {
    // A ridge keeps the Hessian invertible where all scores are one.
    let (mut h11, mut h22, mut h21, mut g1, mut g2) = (1e-12, 1e-12, 0.0, 0.0, 0.0);
    for (score, target) in scores.iter().zip(targets) {
        let p = fit.probability(*score);
        let weight = p * (1.0 - p);
        h11 += score * score * weight;
        h22 += weight;
        h21 += score * weight;
        let off = target - p;
        g1 += score * off;
        g2 += off;
    }
    let det = h11 * h22 - h21 * h21;
    ((g1, g2), (-(h22 * g1 - h21 * g2) / det, -(h11 * g2 - h21 * g1) / det))
}

/// Isotonic regression by pooling adjacent violators (Barlow et al. 1972): the fitted probability of each
/// score, in the order given. Equal scores get one value. Wants a thousand labels or so.
#[must_use]
pub fn isotonic(scores: &[f64], passes: &[bool]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..scores.len().min(passes.len())).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    // Blocks: sum, weight, members.
    let mut blocks: Vec<(f64, f64, Vec<usize>)> = Vec::new();
    let mut last = f64::NAN;
    for at in order {
        let pass = f64::from(u8::from(passes[at]));
        match blocks.last_mut() {
            Some(block) if scores[at] == last => {
                block.0 += pass;
                block.1 += 1.0;
                block.2.push(at);
            }
            _ => blocks.push((pass, 1.0, vec![at])),
        }
        last = scores[at];
    }
    let mut pooled: Vec<(f64, f64, Vec<usize>)> = Vec::new();
    for mut block in blocks {
        while let Some(before) = pooled.pop_if(|before| before.0 / before.1 >= block.0 / block.1) {
            block = (before.0 + block.0, before.1 + block.1, [before.2, block.2].concat());
        }
        pooled.push(block);
    }
    let mut fitted = vec![0.0; scores.len().min(passes.len())];
    for (sum, weight, members) in pooled {
        for at in members {
            fitted[at] = sum / weight;
        }
    }
    fitted
}

/// The temperature T at which sigmoid(logit / T) has the least negative log likelihood, by golden section over
/// ln T in −5..5. `None` unless there are passes and fails.
#[must_use]
pub fn temperature(probabilities: &[f64], passes: &[bool]) -> Option<f64> {
    split(passes)?;
    let logits: Vec<f64> = probabilities.iter().map(|p| logit(*p)).collect();
    let targets: Vec<f64> = passes.iter().map(|pass| f64::from(u8::from(*pass))).collect();
    let at = |log_t: f64| loss(Platt { a: -(-log_t).exp(), b: 0.0 }, &logits, &targets);
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (-5.0, 5.0);
    while high - low > 1e-9 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if at(left) < at(right) {
            high = right;
        } else {
            low = left;
        }
    }
    Some(f64::midpoint(low, high).exp())
}

/// ln(p / (1−p)), with p kept off the ends.
#[must_use]
pub fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-9, 1.0 - 1e-9);
    (p / (1.0 - p)).ln()
}

/// Expected calibration error with its bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Ece {
    /// Σ n_b/n · |pass rate − mean probability|; `None` without data.
    pub value: Option<f64>,
    /// n, mean probability and pass rate of each bin that holds something, from low to high.
    pub bins: Vec<(u64, f64, f64)>,
}

/// Expected calibration error over bins of equal width (Naeini et al. 2015).
#[must_use]
pub fn ece(probabilities: &[f64], passes: &[bool], bins: usize) -> Ece {
    let mut sums = vec![(0_u64, 0.0, 0.0); bins.max(1)];
    for (p, pass) in probabilities.iter().zip(passes) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place among the bins")]
        let at = ((p * len(bins)) as usize).min(bins.max(1) - 1);
        sums[at].0 += 1;
        sums[at].1 += p;
        sums[at].2 += f64::from(u8::from(*pass));
    }
    let bins: Vec<(u64, f64, f64)> = sums
        .into_iter()
        .filter(|(n, _, _)| *n > 0)
        .map(|(n, p, pass)| (n, p / crate::real(n), pass / crate::real(n)))
        .collect();
    let n = len(probabilities.len().min(passes.len()));
    let value = bins.iter().map(|(of, p, pass)| crate::real(*of) / n * (pass - p).abs()).sum();
    Ece { value: (n > 0.0).then_some(value), bins }
}

/// Mean squared distance of probability and outcome (Brier 1950). `None` without data.
#[must_use]
pub fn brier(probabilities: &[f64], passes: &[bool]) -> Option<f64> {
    let n = probabilities.len().min(passes.len());
    let square = |(p, pass): (&f64, &bool)| (p - f64::from(u8::from(*pass))).powi(2);
    (n > 0).then(|| probabilities.iter().zip(passes).map(square).sum::<f64>() / len(n))
}

/// Area under the ROC curve: how often a pass scores above a fail, ties half (Mann and Whitney 1947). `None`
/// unless there are passes and fails.
#[must_use]
pub fn auroc(scores: &[f64], passes: &[bool]) -> Option<f64> {
    let (positive, negative) = split(passes)?;
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let (mut at, mut ranks) = (0, 0.0);
    while at < order.len() {
        let tied = order[at..].iter().take_while(|place| scores[**place] == scores[order[at]]).count();
        // Ranks at+1..=at+tied, shared.
        let rank = len(at) + (len(tied) + 1.0) / 2.0;
        ranks += rank * len(order[at..at + tied].iter().filter(|place| passes[**place]).count());
        at += tied;
    }
    let least = len(positive) * (len(positive) + 1.0) / 2.0;
    Some((ranks - least) / (len(positive) * len(negative)))
}

/// A probability learnt where `trained` of the data passed, for a population where `truly` passes (Saerens et
/// al. 2002): needed after rebalancing, else every threshold is wrong.
#[must_use]
pub fn prior_shift(p: f64, trained: f64, truly: f64) -> f64 {
    let pass = p * truly / trained;
    let fail = (1.0 - p) * (1.0 - truly) / (1.0 - trained);
    pass / (pass + fail)
}
