//! A judge against people by two numbers that a judge who passes everything does not have: specificity and κ, with
//! intervals by resampling users.

use crate::bootstrap::{Resampled, cluster_bootstrap};
use crate::gate::{Judged, kappa, specificity};
use crate::{Estimate, len};

const REPLICATES: usize = 2_000;

/// Specificity and κ of the old and of the new judge, in this order: [old, new] each. Users are the unit of sampling.
#[must_use]
pub fn apart(users: &[Vec<Judged>], seed: u64) -> ([Estimate; 2], [Estimate; 2]) {
    let patterns: Vec<([f64; 8], u64)> = users.iter().map(|user| (crate::gate::cells(user), 1)).collect();
    let total = patterns.iter().fold([0.0; 8], |mut total, (cells, _)| {
        total.iter_mut().zip(cells).for_each(|(total, it)| *total += it);
        total
    });
    let of = |cells: &[f64; 8]| {
        [specificity(&cells[..4]), specificity(&cells[4..]), kappa(&cells[..4]), kappa(&cells[4..])]
    };
    let spreads = cluster_bootstrap(&patterns, of, REPLICATES, seed);
    let n = len(users.iter().map(Vec::len).sum());
    let [a, b, c, d] = std::array::from_fn(|at| {
        let why = if at < 2 { "people fail nothing" } else { "people or the judge always say the same" };
        estimate(of(&total)[at], &spreads[at], n, why)
    });
    ([a, b], [c, d])
}

fn estimate(value: Option<f64>, spread: &Resampled, n: f64, why: &str) -> Estimate {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of labels")]
    let n = n as u64;
    match value {
        Some(value) => Estimate::at95("cluster_bootstrap", n, value, spread.se, spread.ci),
        None => Estimate::none("cluster_bootstrap", n, why),
    }
}

/// Decisions that only the old judge has right, and that only the new one has right.
#[must_use]
pub fn only_right(users: &[Vec<Judged>]) -> (u64, u64) {
    let all = || users.iter().flatten();
    let old = all().filter(|(people, old, new)| old == people && new != people).count();
    let new = all().filter(|(people, old, new)| old != people && new == people).count();
    (old as u64, new as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judge_that_passes_everything_has_neither_and_a_right_one_has_both() {
        let users: Vec<Vec<Judged>> =
            (0..60).map(|n| vec![(n % 3 > 0, true, n % 3 > 0), (n % 4 > 0, true, n % 4 > 0)]).collect();
        let ([old, new], [before, after]) = apart(&users, 1);
        assert_eq!((old.est, new.est), (Some(0.0), Some(1.0)));
        assert_eq!((before.est, after.est, new.n), (Some(0.0), Some(1.0), 120));
        assert_eq!(only_right(&users), (0, 20 + 15));
        let none: Vec<Vec<Judged>> = vec![vec![(true, true, true)]; 9];
        assert!(apart(&none, 1).0[0].why.is_some());
    }
}
