//! Aggregating labels of several raters. Never let the judge under audit vote in its own reference.

mod crowdlab;
mod dawid_skene;
mod mace;

pub use crowdlab::{Crowdlab, crowdlab};
pub use dawid_skene::{DawidSkene, Prior, dawid_skene, one_coin};
pub use mace::{Mace, mace};

/// One rating: item, rater and category by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rating {
    /// Item.
    pub item: usize,
    /// Rater.
    pub rater: usize,
    /// Category.
    pub label: usize,
}

/// How many items, raters and categories ratings speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Items.
    pub items: usize,
    /// Raters.
    pub raters: usize,
    /// Categories.
    pub categories: usize,
}

/// The category most raters chose, an item each; a tie or no rating is `None`, to be adjudicated.
#[must_use]
pub fn majority(ratings: &[Rating], shape: Shape) -> Vec<Option<usize>> {
    shares(ratings, shape).iter().map(|shares| winner(shares)).collect()
}

fn winner(shares: &[f64]) -> Option<usize> {
    let best = shares.iter().copied().fold(0.0, f64::max);
    let mut at = shares.iter().enumerate().filter(|(_, share)| **share == best).map(|(at, _)| at);
    let first = at.next()?;
    (best > 0.0 && at.next().is_none()).then_some(first)
}

/// Share of votes by item and category; zeros where nobody voted.
pub(crate) fn shares(ratings: &[Rating], shape: Shape) -> Vec<Vec<f64>> {
    let mut votes = vec![vec![0.0; shape.categories]; shape.items];
    for rating in ratings {
        votes[rating.item][rating.label] += 1.0;
    }
    for item in &mut votes {
        let n: f64 = item.iter().sum();
        if n > 0.0 {
            item.iter_mut().for_each(|votes| *votes /= n);
        }
    }
    votes
}

/// exp and normalise a row of logs in place; gives ln of their sum.
pub(crate) fn softmax(logs: &mut [f64]) -> f64 {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logs.iter().map(|log| (log - most).exp()).sum();
    logs.iter_mut().for_each(|log| *log = (*log - most).exp() / sum);
    most + sum.ln()
}
