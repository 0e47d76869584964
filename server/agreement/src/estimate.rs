//! An estimate with what it takes to defend it: interval, level, method and n, or why there is none.

/// A number with its uncertainty. "Not estimable" is a value: `est` is `None` and `why` says the reason;
/// it is never 0, 1 or NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Point estimate.
    pub est: Option<f64>,
    /// Standard error, where the method has one.
    pub se: Option<f64>,
    /// Lower and upper end.
    pub ci: Option<(f64, f64)>,
    /// Confidence level of the interval, e.g. 0.95.
    pub level: f64,
    /// How estimate and interval were made, e.g. `wilson`, `cluster_bootstrap`.
    pub method: &'static str,
    /// What was counted: decisions, units or labels, as the function says.
    pub n: u64,
    /// Why it is not estimable.
    pub why: Option<String>,
}

impl Estimate {
    /// Not estimable, and why.
    #[must_use]
    pub fn none(method: &'static str, n: u64, why: impl Into<String>) -> Self {
        Self { est: None, se: None, ci: None, level: 0.95, method, n, why: Some(why.into()) }
    }

    /// An estimate at the 95 % level.
    #[must_use]
    pub fn at95(method: &'static str, n: u64, est: f64, se: Option<f64>, ci: Option<(f64, f64)>) -> Self {
        Self { est: Some(est), se, ci, level: 0.95, method, n, why: None }
    }
}
