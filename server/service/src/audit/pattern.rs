//! What a cluster adds to a card, small enough to count clusters by it: a million clusters show a few
//! hundred patterns, and a report reads only those.

use concord_agreement::Cells;
use serde::{Deserialize, Serialize};

/// One of the things a cluster adds to a card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Pattern {
    /// To a judge's card: all its verdicts and decisions in the cluster.
    Judge(JudgeCounts),
    /// To the people's card: one labelled decision.
    Unit(Unit),
    /// To the people's card: a decision of this rater.
    Rater(String),
}

/// A judge on the samples of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct JudgeCounts {
    /// Verdicts on all samples, labelled or not: pass, fail, unparsed.
    pub verdicts: [u32; 3],
    /// Decisions with a reference: tp, fp, fn, tn.
    pub cells: [u32; 4],
    /// Decisions with a reference whose verdict could not be read.
    pub unparsed: u32,
    /// Inclusion probability, if it is one for all; else the sums of 1/π by cell stand below.
    pub pi: Option<f64>,
    /// tp, fp, fn, tn as sums of 1/π, where π differs within the cluster.
    pub weighted: Option<[f64; 4]>,
}

impl JudgeCounts {
    /// A verdict on a sample that nobody has labelled, or whose reference is a tie.
    pub(super) fn verdict(&mut self, pass: Option<bool>) {
        self.verdicts[match pass {
            Some(true) => 0,
            Some(false) => 1,
            None => 2,
        }] += 1;
    }

    /// A verdict beside a reference. The verdict itself is counted by [`Self::verdict`].
    pub(super) fn decision(&mut self, judge: Option<bool>, human: bool, pi: f64) {
        let Some(judge) = judge else {
            self.unparsed += 1;
            return;
        };
        let cell = match (judge, human) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        };
        let before = self.weights();
        self.cells[cell] += 1;
        if self.weighted.is_none() && self.pi.is_none_or(|known| known == pi) {
            self.pi = Some(pi);
            return;
        }
        let mut weighted = before;
        weighted[cell] += 1.0 / pi;
        (self.pi, self.weighted) = (None, Some(weighted));
    }

    /// Sums of 1/π by cell.
    pub(super) fn weights(&self) -> [f64; 4] {
        self.weighted.unwrap_or_else(|| self.cells.map(|n| f64::from(n) / self.pi.unwrap_or(1.0)))
    }

    /// Decisions in the cells.
    pub(super) fn n(&self) -> u32 {
        self.cells.iter().sum()
    }
}

/// What people say of one decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Unit {
    /// Raters who pass it.
    pub pass: u32,
    /// Raters who fail it.
    pub fail: u32,
    /// The reference; `None`: tied or ambiguous.
    pub outcome: Option<bool>,
    /// Some of it was labelled elsewhere.
    pub imported: bool,
}

/// The cells as the statistics take them.
pub(super) fn cells(sums: [f64; 4]) -> Cells {
    Cells { tp: sums[0], fp: sums[1], fn_: sums[2], tn: sums[3] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sampling_keeps_counts_and_unequal_sampling_sums_weights() {
        let mut counts = JudgeCounts::default();
        counts.decision(Some(true), true, 0.5);
        counts.decision(Some(true), false, 0.5);
        assert_eq!((counts.pi, counts.weights()), (Some(0.5), [2.0, 2.0, 0.0, 0.0]));
        counts.decision(Some(false), false, 0.25);
        counts.decision(None, false, 0.25);
        assert_eq!((counts.pi, counts.weights()), (None, [2.0, 2.0, 0.0, 4.0]));
        assert_eq!((counts.cells, counts.n(), counts.unparsed), ([1, 1, 0, 1], 3, 1));
    }
}
