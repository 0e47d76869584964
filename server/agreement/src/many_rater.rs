//! Many raters with missing ratings: Gwet's family, Fleiss' κ, Krippendorff's α. Items are given as counts by
//! category, each with how many items show just that, so a million items cost what their patterns cost.

use crate::bootstrap::cluster_bootstrap;
use crate::{Estimate, len, real};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Items that were rated alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Ratings by category.
    pub counts: Vec<u32>,
    /// Items with these counts.
    pub times: u64,
}

impl Unit {
    fn ratings(&self) -> f64 {
        self.counts.iter().map(|n| f64::from(*n)).sum()
    }
}

/// Agreement weights between categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// 1 on the diagonal, else 0.
    Identity,
    /// 1 − ((k−l)/(q−1))².
    Quadratic,
    /// 1 − C(|k−l|+1, 2) / C(q, 2).
    Ordinal,
}

impl Weights {
    fn of(self, k: usize, l: usize, q: usize) -> f64 {
        let pairs = |m: usize| len(m) * (len(m) - 1.0) / 2.0;
        match self {
            Self::Identity => f64::from(u8::from(k == l)),
            Self::Quadratic => 1.0 - (len(k.abs_diff(l)) / (len(q) - 1.0)).powi(2),
            Self::Ordinal if k == l => 1.0,
            Self::Ordinal => 1.0 - pairs(k.abs_diff(l) + 1) / pairs(q),
        }
    }
}

/// How chance agreement is modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Gwet's AC1, and AC2 with weights.
    Ac,
    /// Generalised Fleiss' κ.
    Fleiss,
    /// Brennan and Prediger: all categories equally likely.
    BrennanPrediger,
}

/// Agreement of many raters.
#[derive(Debug, Clone, PartialEq)]
pub struct ManyRater {
    /// The coefficient with its standard error and interval.
    pub estimate: Estimate,
    /// Observed agreement.
    pub observed: Option<f64>,
    /// Agreement expected by chance.
    pub chance: Option<f64>,
}

/// Chance-corrected agreement with missing ratings and its Student-t interval (Gwet 2014, Handbook of
/// Inter-Rater Reliability, ch. 5). Items with one rating count for the categories' shares only. Assumes
/// independent items. Not estimable without an item that two rated, or where chance leaves no room.
#[must_use]
pub fn gwet(units: &[Unit], weights: Weights, kind: Kind) -> ManyRater {
    const METHOD: &str = "gwet";
    let units: Vec<&Unit> = units.iter().filter(|unit| unit.times > 0 && unit.ratings() > 0.0).collect();
    let items: u64 = units.iter().map(|unit| unit.times).sum();
    let several: u64 = units.iter().filter(|unit| unit.ratings() > 1.0).map(|unit| unit.times).sum();
    let none = |why: &str| ManyRater {
        estimate: Estimate::none(METHOD, several, why),
        observed: None,
        chance: None,
    };
    if several == 0 {
        return none("0 items that two people rated");
    }
    let q = units.iter().map(|unit| unit.counts.len()).max().unwrap_or(0);
    let model = Model::of(&units, weights, kind, q, items, several);
    let room = 1.0 - model.chance;
    if room <= 1e-12 {
        return none("one answer only");
    }
    let est = (model.observed - model.chance) / room;
    let (se, ci) = model.interval(&units, est, items, several);
    let mut estimate = Estimate::at95(METHOD, several, est, se, ci);
    estimate.n = several;
    ManyRater { estimate, observed: Some(model.observed), chance: Some(model.chance) }
}

/// Shares, weights and agreement of a set of items.
struct Model {
    weights: Weights,
    kind: Kind,
    q: usize,
    shares: Vec<f64>,
    total: f64,
    observed: f64,
    chance: f64,
}

impl Model {
    fn of(units: &[&Unit], weights: Weights, kind: Kind, q: usize, items: u64, several: u64) -> Self {
        let mut shares = vec![0.0; q];
        for unit in units {
            for (share, n) in shares.iter_mut().zip(&unit.counts) {
                *share += real(unit.times) * f64::from(*n) / unit.ratings() / real(items);
            }
        }
        let pairs = |f: &dyn Fn(usize, usize) -> f64| -> f64 {
            (0..q).flat_map(|k| (0..q).map(move |l| (k, l))).map(|(k, l)| f(k, l)).sum()
        };
        let total = pairs(&|k, l| weights.of(k, l, q));
        let chance = match kind {
            Kind::Ac => total / (len(q) * (len(q) - 1.0)) * shares.iter().map(|p| p * (1.0 - p)).sum::<f64>(),
            Kind::Fleiss => pairs(&|k, l| weights.of(k, l, q) * shares[k] * shares[l]),
            Kind::BrennanPrediger => total / (len(q) * len(q)),
        };
        let mut model = Self { weights, kind, q, shares, total, observed: 0.0, chance };
        model.observed =
            units.iter().filter_map(|unit| Some(real(unit.times) * model.agreement(unit)?)).sum::<f64>()
                / real(several);
        model
    }

    /// Agreement among the ratings of one item; `None` if there is one rating only.
    fn agreement(&self, unit: &Unit) -> Option<f64> {
        let r = unit.ratings();
        let alike = |k: usize| -> f64 {
            unit.counts.iter().enumerate().map(|(l, n)| self.weights.of(k, l, self.q) * f64::from(*n)).sum()
        };
        let pairs: f64 = unit.counts.iter().enumerate().map(|(k, n)| f64::from(*n) * (alike(k) - 1.0)).sum();
        (r > 1.0).then(|| pairs / (r * (r - 1.0)))
    }

    /// What one item says of chance agreement.
    fn chance_of(&self, unit: &Unit) -> f64 {
        let share = |k: usize| f64::from(unit.counts.get(k).copied().unwrap_or(0)) / unit.ratings();
        let q = self.q;
        match self.kind {
            Kind::Ac => {
                self.total / (len(q) * (len(q) - 1.0))
                    * (0..q).map(|k| share(k) * (1.0 - self.shares[k])).sum::<f64>()
            }
            Kind::Fleiss => (0..q)
                .map(|k| {
                    let near: f64 = (0..q)
                        .map(|l| (self.weights.of(k, l, q) + self.weights.of(l, k, q)) / 2.0 * self.shares[l])
                        .sum();
                    share(k) * near
                })
                .sum(),
            Kind::BrennanPrediger => self.chance,
        }
    }

    /// Standard error by linearisation, and the interval with Student's t of n−1 degrees.
    fn interval(
        &self,
        units: &[&Unit],
        est: f64,
        items: u64,
        several: u64,
    ) -> (Option<f64>, Option<(f64, f64)>) {
        if items < 2 {
            return (None, None);
        }
        let room = 1.0 - self.chance;
        let squares: f64 = units
            .iter()
            .map(|unit| {
                let own = self
                    .agreement(unit)
                    .map_or(0.0, |agreement| real(items) / real(several) * (agreement - self.chance) / room);
                let own = own - 2.0 * (1.0 - est) * (self.chance_of(unit) - self.chance) / room;
                real(unit.times) * (own - est).powi(2)
            })
            .sum();
        let se = (squares / (real(items) * (real(items) - 1.0))).sqrt();
        let t = StudentsT::new(0.0, 1.0, real(items) - 1.0).map_or(f64::NAN, |t| t.inverse_cdf(0.975));
        (Some(se), Some(((est - t * se).max(-1.0), (est + t * se).min(1.0))))
    }
}

/// Fleiss' κ (1971) of items with the same number of ratings each, as a point estimate. `None` where one
/// category holds everything.
#[must_use]
pub fn fleiss_kappa(units: &[Unit]) -> Option<f64> {
    gwet(units, Weights::Identity, Kind::Fleiss).estimate.est
}

/// Distance between values, squared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// 1 between different values.
    Nominal,
    /// By the ratings that lie between.
    Ordinal,
    /// (c−k)².
    Interval,
    /// ((c−k)/(c+k))².
    Ratio,
}

/// Krippendorff's α with missing ratings: 1 − Do/De over all pairable ratings (Krippendorff 2011, Computing
/// Krippendorff's Alpha-Reliability). `values` are the categories' values in their order. The interval resamples
/// items (`replicates` times). Not estimable where nothing is pairable or all ratings are one value.
#[must_use]
pub fn krippendorff(
    units: &[Unit],
    values: &[f64],
    metric: Metric,
    replicates: usize,
    seed: u64,
) -> Estimate {
    const METHOD: &str = "krippendorff";
    let pairable: Vec<&Unit> = units.iter().filter(|unit| unit.times > 0 && unit.ratings() > 1.0).collect();
    let items: u64 = pairable.iter().map(|unit| unit.times).sum();
    if items == 0 {
        return Estimate::none(METHOD, 0, "0 items that two people rated");
    }
    let Some(est) = alpha(&coincidences(&pairable, values.len()), values, metric) else {
        return Estimate::none(METHOD, items, "one answer only");
    };
    let (se, ci) = resample(&pairable, values, metric, replicates, seed);
    Estimate::at95(METHOD, items, est, se, ci)
}

/// Pairs of ratings within items, by value: o_ck, flattened.
fn coincidences(units: &[&Unit], q: usize) -> Vec<f64> {
    let mut table = vec![0.0; q * q];
    for unit in units {
        for (at, pairs) in table.iter_mut().enumerate() {
            *pairs += real(unit.times) * pairs_of(unit, at / q, at % q);
        }
    }
    table
}

fn pairs_of(unit: &Unit, c: usize, k: usize) -> f64 {
    let n = |at: usize| f64::from(unit.counts.get(at).copied().unwrap_or(0));
    let pairs = if c == k { n(c) * (n(c) - 1.0) } else { n(c) * n(k) };
    pairs / (unit.ratings() - 1.0)
}

fn alpha(table: &[f64], values: &[f64], metric: Metric) -> Option<f64> {
    let q = values.len();
    let margin: Vec<f64> = (0..q).map(|c| table[c * q..(c + 1) * q].iter().sum()).collect();
    let n: f64 = margin.iter().sum();
    let (mut observed, mut expected) = (0.0, 0.0);
    for c in 0..q {
        for k in c + 1..q {
            let distance = distance(metric, values, &margin, c, k);
            observed += table[c * q + k] * distance;
            expected += margin[c] * margin[k] * distance;
        }
    }
    (expected > 0.0).then(|| 1.0 - (n - 1.0) * observed / expected)
}

fn distance(metric: Metric, values: &[f64], margin: &[f64], c: usize, k: usize) -> f64 {
    let (a, b) = (values[c], values[k]);
    match metric {
        Metric::Nominal => 1.0,
        Metric::Interval => (a - b).powi(2),
        Metric::Ratio => ((a - b) / (a + b)).powi(2),
        Metric::Ordinal => {
            let between: f64 = margin[c..=k].iter().sum();
            (between - f64::midpoint(margin[c], margin[k])).powi(2)
        }
    }
}

/// Spread over resampled items. Two values, as pass and fail are, take the counted bootstrap; more take one
/// that keeps the whole table of coincidences, up to 8 values.
fn resample(
    units: &[&Unit],
    values: &[f64],
    metric: Metric,
    replicates: usize,
    seed: u64,
) -> (Option<f64>, Option<(f64, f64)>) {
    match values.len() {
        2 => resample_table::<4>(units, values, metric, replicates, seed),
        3..=8 => resample_table::<64>(units, values, metric, replicates, seed),
        _ => (None, None),
    }
}

fn resample_table<const D: usize>(
    units: &[&Unit],
    values: &[f64],
    metric: Metric,
    replicates: usize,
    seed: u64,
) -> (Option<f64>, Option<(f64, f64)>) {
    let q = values.len();
    let patterns: Vec<([f64; D], u64)> = units
        .iter()
        .map(|unit| {
            let mut pairs = [0.0; D];
            for (at, pairs) in pairs.iter_mut().enumerate().take(q * q) {
                *pairs = pairs_of(unit, at / q, at % q);
            }
            (pairs, unit.times)
        })
        .collect();
    let statistic = |table: &[f64; D]| [alpha(&table[..q * q], values, metric)];
    let [found] = cluster_bootstrap(&patterns, statistic, replicates, seed);
    (found.se, found.ci)
}
