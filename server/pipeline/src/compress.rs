//! Behaviour compression (paper §2): thousands of behaviours become numbered lines of moments and
//! things that fit a token budget.
//!
//! 1. Time is cut into days inside a month, months up to a year and years beyond; a log without times
//!    into tenths of its order ([`partition`]).
//! 2. Behaviours are grouped by (period, kind) into lists of things, then reversed: periods and kinds
//!    with the same list become one line ([`group`]).
//! 3. Lines that do not fit the budget are left out, the least telling first ([`budget`]).

mod budget;
mod group;
mod partition;
mod render;
mod things;

pub use render::render;

use concord_domain::{Behaviour, History, HistoryLine};
use jiff::{civil::Date, tz::TimeZone};

/// Compresses behaviours into a history of at most `budget` tokens, as `count` counts them.
///
/// Give reliable behaviours only; items without a title and plain views are never shown. Counts of what
/// was read are those of the slice; a caller who read more sets [`History::behaviours`]. Without
/// `as_of` a log that has times is seen from its newest day.
#[must_use]
pub fn compress(
    behaviours: &[Behaviour],
    as_of: Option<Date>,
    budget: usize,
    count: &dyn Fn(&str) -> usize,
) -> History {
    compress_telling(behaviours, as_of, budget, count).0
}

/// The same, with the lines that were left out, newest first and not numbered.
#[must_use]
pub fn compress_telling(
    behaviours: &[Behaviour],
    as_of: Option<Date>,
    budget: usize,
    count: &dyn Fn(&str) -> usize,
) -> (History, Vec<HistoryLine>) {
    let total = u32::try_from(behaviours.len()).unwrap_or(u32::MAX);
    let mut newest_first: Vec<&Behaviour> = behaviours.iter().filter(|b| is_shown(b)).collect();
    newest_first.sort_by_key(|b| std::cmp::Reverse((b.at, b.position, b.id)));
    let newest = newest_first.first().and_then(|b| b.at);
    let as_of = newest.and_then(|at| as_of.or_else(|| Some(at.to_zoned(TimeZone::UTC).date())));
    let periods = partition::periods(&newest_first, as_of);
    let lines = group::lines(&newest_first, &periods);
    let (kept, dropped) = budget::fit(lines, as_of, budget, count);
    let history = History {
        as_of,
        dropped_lines: u32::try_from(dropped.len()).unwrap_or(u32::MAX),
        dropped_behaviours: dropped.iter().map(behind).sum(),
        lines: kept,
        behaviours: total,
        reliable: total,
    };
    (history, dropped)
}

/// The tokens of behaviours told one by one, as they stand in the log: what a model would read without compression.
#[must_use]
pub fn uncompressed_tokens(behaviours: &[Behaviour], count: &dyn Fn(&str) -> usize) -> usize {
    behaviours.iter().map(|behaviour| count(&render::event(behaviour))).sum()
}

fn is_shown(behaviour: &Behaviour) -> bool {
    let named = behaviour.query.is_some()
        || behaviour
            .item
            .as_ref()
            .is_some_and(|item| item.title.as_ref().is_some_and(|t| !t.trim().is_empty()));
    behaviour.kind.is_reliable() && named
}

fn behind(line: &HistoryLine) -> u32 {
    u32::try_from(line.behaviours.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "compress/tests.rs"]
mod tests;
