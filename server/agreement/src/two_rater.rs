//! Two raters: a judge and the people's reference on binary decisions, and nominal or ordered tables.

use crate::interval::Z95;
use crate::many_rater::{Kind, Unit, Weights, gwet};
use crate::{Estimate, len};

/// The four cells of a judge against people; positive class: pass. Sums of weights where sampling was unequal.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cells {
    /// Judge passes, people pass.
    pub tp: f64,
    /// Judge passes, people fail.
    pub fp: f64,
    /// Judge fails, people pass.
    pub fn_: f64,
    /// Both fail.
    pub tn: f64,
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

impl Cells {
    /// Decisions, or their weight.
    #[must_use]
    pub fn n(&self) -> f64 {
        self.tp + self.fp + self.fn_ + self.tn
    }

    /// As a table of judge by people, pass first.
    #[must_use]
    pub fn table(&self) -> [[f64; 2]; 2] {
        [[self.tp, self.fp], [self.fn_, self.tn]]
    }

    /// Share that people pass: (tp + fn) / n.
    #[must_use]
    pub fn prevalence(&self) -> Option<f64> {
        ratio(self.tp + self.fn_, self.n())
    }

    /// Raw agreement: (tp + tn) / n.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.tp + self.tn, self.n())
    }

    /// tp / (tp + fp).
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        ratio(self.tp, self.tp + self.fp)
    }

    /// Sensitivity: tp / (tp + fn).
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        ratio(self.tp, self.tp + self.fn_)
    }

    /// tn / (tn + fp): bad outputs caught.
    #[must_use]
    pub fn specificity(&self) -> Option<f64> {
        ratio(self.tn, self.tn + self.fp)
    }

    /// Negative predictive value: tn / (tn + fn).
    #[must_use]
    pub fn npv(&self) -> Option<f64> {
        ratio(self.tn, self.tn + self.fn_)
    }

    /// Mean of recall and specificity.
    #[must_use]
    pub fn balanced_accuracy(&self) -> Option<f64> {
        Some(f64::midpoint(self.recall()?, self.specificity()?))
    }

    /// Youden's J: recall + specificity − 1.
    #[must_use]
    pub fn informedness(&self) -> Option<f64> {
        Some(self.recall()? + self.specificity()? - 1.0)
    }

    /// 2 tp / (2 tp + fp + fn).
    #[must_use]
    pub fn f1(&self) -> Option<f64> {
        ratio(2.0 * self.tp, 2.0 * self.tp + self.fp + self.fn_)
    }

    /// Matthews' correlation (1975); `None` where a margin is empty.
    #[must_use]
    pub fn mcc(&self) -> Option<f64> {
        let Self { tp, fp, fn_, tn } = *self;
        let square = (tp + fp) * (tp + fn_) * (tn + fp) * (tn + fn_);
        ratio(tp * tn - fp * fn_, square.sqrt())
    }

    /// Agreement expected of independent raters with these margins.
    fn chance(&self) -> Option<f64> {
        let n = self.n();
        let (judge, people) = (ratio(self.tp + self.fp, n)?, ratio(self.tp + self.fn_, n)?);
        Some(judge * people + (1.0 - judge) * (1.0 - people))
    }

    /// Cohen's κ (1960): (po − pe) / (1 − pe); `None` where both give one and the same answer only.
    #[must_use]
    pub fn kappa(&self) -> Option<f64> {
        over_chance(self.accuracy()?, self.chance()?)
    }

    /// The largest κ these margins allow.
    #[must_use]
    pub fn kappa_max(&self) -> Option<f64> {
        let n = self.n();
        let (judge, people) = (ratio(self.tp + self.fp, n)?, ratio(self.tp + self.fn_, n)?);
        over_chance(judge.min(people) + (1.0 - judge).min(1.0 - people), self.chance()?)
    }

    /// Scott's π (1955): chance from the mean of the margins.
    #[must_use]
    pub fn scott_pi(&self) -> Option<f64> {
        let mean = self.mean_margin()?;
        over_chance(self.accuracy()?, mean * mean + (1.0 - mean) * (1.0 - mean))
    }

    /// Gwet's AC1 (2008): chance 2π(1−π) with the mean margin π. Robust to prevalence, kind to judges that
    /// pass everything.
    #[must_use]
    pub fn ac1(&self) -> Option<f64> {
        let mean = self.mean_margin()?;
        over_chance(self.accuracy()?, 2.0 * mean * (1.0 - mean))
    }

    /// 2 po − 1 (Byrt 1993).
    #[must_use]
    pub fn pabak(&self) -> Option<f64> {
        Some(2.0 * self.accuracy()? - 1.0)
    }

    fn mean_margin(&self) -> Option<f64> {
        ratio(self.tp + f64::midpoint(self.fp, self.fn_), self.n())
    }
}

fn over_chance(observed: f64, chance: f64) -> Option<f64> {
    let room = 1.0 - chance;
    (room > 1e-12).then(|| (observed - chance) / room)
}

/// κ with its standard errors.
#[derive(Debug, Clone, PartialEq)]
pub struct Kappa {
    /// κ, its standard error and interval.
    pub estimate: Estimate,
    /// Standard error if the raters were independent.
    pub se_null: Option<f64>,
    /// The largest value these margins allow.
    pub max: Option<f64>,
}

/// Agreement weights of an ordered scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KappaWeights {
    /// 1 on the diagonal, else 0.
    Identity,
    /// 1 − |i−j|/(q−1).
    Linear,
    /// 1 − ((i−j)/(q−1))².
    Quadratic,
}

impl KappaWeights {
    fn of(self, i: usize, j: usize, q: usize) -> f64 {
        let distance = len(i.abs_diff(j)) / len(q.max(2) - 1);
        match self {
            Self::Identity => f64::from(u8::from(i == j)),
            Self::Linear => 1.0 - distance,
            Self::Quadratic => 1.0 - distance * distance,
        }
    }
}

/// Cohen's κ of a q×q table of counts with the standard error of Fleiss, Cohen and Everitt (1969, Psychological
/// Bulletin 72:323) and est ± z·se. Assumes independent items. Not estimable on an empty table, or where both
/// raters give one and the same answer only.
#[must_use]
pub fn kappa<const Q: usize>(table: &[[f64; Q]; Q]) -> Kappa {
    let rows: Vec<Vec<f64>> = table.iter().map(|row| row.to_vec()).collect();
    weighted_kappa(&rows, KappaWeights::Identity)
}

/// Weighted κ (Cohen 1968), the standard errors of Fleiss, Cohen and Everitt (1969). `table` is square.
#[must_use]
pub fn weighted_kappa(table: &[Vec<f64>], weights: KappaWeights) -> Kappa {
    const METHOD: &str = "fleiss_cohen_everitt";
    let q = table.len();
    let n: f64 = table.iter().flatten().sum();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of counts")]
    let count = n.round() as u64;
    let none = |why: &str| Kappa { estimate: Estimate::none(METHOD, count, why), se_null: None, max: None };
    if n <= 0.0 {
        return none("no decisions");
    }
    let p = |i: usize, j: usize| table[i][j] / n;
    let row: Vec<f64> = (0..q).map(|i| (0..q).map(|j| p(i, j)).sum()).collect();
    let column: Vec<f64> = (0..q).map(|j| (0..q).map(|i| p(i, j)).sum()).collect();
    let w = |i: usize, j: usize| weights.of(i, j, q);
    let sum = |f: &dyn Fn(usize, usize) -> f64| -> f64 {
        (0..q).flat_map(|i| (0..q).map(move |j| (i, j))).map(|(i, j)| f(i, j)).sum()
    };
    let observed = sum(&|i, j| w(i, j) * p(i, j));
    let chance = sum(&|i, j| w(i, j) * row[i] * column[j]);
    let Some(est) = over_chance(observed, chance) else {
        return none("both raters give one and the same answer only");
    };
    // Mean weights of a row and of a column (Fleiss, Cohen and Everitt, eq. 9).
    let row_mean: Vec<f64> = (0..q).map(|i| (0..q).map(|j| column[j] * w(i, j)).sum()).collect();
    let column_mean: Vec<f64> = (0..q).map(|j| (0..q).map(|i| row[i] * w(i, j)).sum()).collect();
    let room = 1.0 - chance;
    let spread =
        sum(&|i, j| p(i, j) * (w(i, j) * room - (row_mean[i] + column_mean[j]) * (1.0 - observed)).powi(2))
            - (observed * chance - 2.0 * chance + observed).powi(2);
    let null =
        sum(&|i, j| row[i] * column[j] * (w(i, j) - row_mean[i] - column_mean[j]).powi(2)) - chance * chance;
    let error = |variance: f64, room: f64| (variance.max(0.0) / n).sqrt() / room;
    let se = error(spread, room * room);
    let best: f64 = (0..q).map(|i| row[i].min(column[i])).sum();
    let ci = ((est - Z95 * se).max(-1.0), (est + Z95 * se).min(1.0));
    Kappa {
        estimate: Estimate::at95(METHOD, count, est, Some(se), Some(ci)),
        se_null: Some(error(null, room)),
        max: (weights == KappaWeights::Identity).then(|| over_chance(best, chance)).flatten(),
    }
}

/// Gwet's AC1 of judge and people with its standard error and Student-t interval (Gwet 2014).
#[must_use]
pub fn ac1_of(cells: &Cells) -> Estimate {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
    let times = |n: f64| n.round() as u64;
    let unit = |counts: [u32; 2], n: f64| Unit { counts: counts.to_vec(), times: times(n) };
    let units = [unit([0, 2], cells.tp), unit([1, 1], cells.fp + cells.fn_), unit([2, 0], cells.tn)];
    gwet(&units, Weights::Identity, Kind::Ac).estimate
}
