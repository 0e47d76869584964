//! Agreement statistics, pure: numbers in, estimates with intervals out. "Not estimable" is a value.
//!
//! What a judge, human or machine, is worth: agreement of two raters and of many with missing ratings, the
//! alternative annotator test, aggregation of labels, calibration, certificates for verdicts that may stand
//! alone, pass rates from many verdicts and few labels, anytime-valid drift detection, and sampling. Every
//! function says its formula, its source and what it assumes, and is tested against published values.

pub mod aggregate;
mod alt_test;
mod bootstrap;
pub mod calibration;
pub mod calibrator;
pub mod certificate;
pub mod confidence_sequence;
pub mod drift;
mod estimate;
pub mod gate;
pub mod head;
mod interval;
pub mod judged;
mod many_rater;
pub mod mcnemar;
pub mod pass_rate;
pub mod sampling;
mod two_rater;

pub use alt_test::{AltTest, AltTestHuman, AltTestItem, Score, alt_test};
pub use bootstrap::{Resampled, cluster_bootstrap};
pub use estimate::Estimate;
pub use interval::{
    Z95, binom_cdf, clopper_pearson, cp_lower, cp_upper, difference, proportion, wilson, wilson95,
};
pub use many_rater::{Kind, ManyRater, Metric, Unit, Weights, fleiss_kappa, gwet, krippendorff};
pub use pass_rate::post_stratified;
pub use two_rater::{Cells, Kappa, KappaWeights, ac1_of, kappa, weighted_kappa};

/// A count as a number; counts of labels are far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "counts of labels are far below 2^52")]
pub(crate) fn real(n: u64) -> f64 {
    n as f64
}

/// A length as a number.
pub(crate) fn len(n: usize) -> f64 {
    real(n as u64)
}
