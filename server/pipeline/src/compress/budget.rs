//! Fitting the token budget: the least telling lines go first.

use super::render;
use concord_domain::{BehaviourKind, HistoryLine, Period};
use jiff::civil::Date;

/// A line's number is counted as this one: no real one is longer.
const WIDEST: u32 = 99_999;
/// After so many lines in a row that do not fit there is no room worth looking for.
const MISSES: u32 = 64;

/// Splits lines, newest first, into those kept, numbered from 1, and those dropped.
pub(super) fn fit(
    lines: Vec<HistoryLine>,
    as_of: Option<Date>,
    budget: usize,
    count: &dyn Fn(&str) -> usize,
) -> (Vec<HistoryLine>, Vec<HistoryLine>) {
    let mut order: Vec<usize> = (0..lines.len()).collect();
    // Stable: among equals the newer line comes first.
    order.sort_by_cached_key(|place| std::cmp::Reverse(telling(&lines[*place], as_of)));
    let mut keep = vec![false; lines.len()];
    let (mut left, mut misses) = (budget, 0);
    for place in order {
        let mut line = lines[place].clone();
        line.n = WIDEST;
        // Either language may be shown; the dearer one must fit.
        let cost = ["en", "zh"].map(|lang| count(&(render::line(&line, as_of, lang) + "\n")));
        let cost = cost[0].max(cost[1]);
        if cost <= left {
            left -= cost;
            keep[place] = true;
            misses = 0;
        } else if misses == MISSES {
            break;
        } else {
            misses += 1;
        }
    }
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    for (line, keep) in lines.into_iter().zip(keep) {
        if keep { kept.push(line) } else { dropped.push(line) }
    }
    for (n, line) in (1..).zip(&mut kept) {
        line.n = n;
    }
    (kept, dropped)
}

/// How much a line tells: what was done, how often, and how lately.
fn telling(line: &HistoryLine, as_of: Option<Date>) -> i32 {
    let strongest = line.moments.iter().flat_map(|m| &m.kinds).map(|kind| strength(*kind)).max();
    let repeated = line.behaviours.len() > line.things.len();
    let spread = i32::try_from(line.moments.len().min(4)).unwrap_or(4) - 1;
    let age = line.moments.iter().map(|moment| age(moment.period, as_of)).min();
    strongest.unwrap_or(0) + 2 * spread + i32::from(repeated) - age.unwrap_or(0)
}

fn strength(kind: BehaviourKind) -> i32 {
    match kind {
        BehaviourKind::View => 0,
        BehaviourKind::DetailView | BehaviourKind::ReviewRead => 1,
        BehaviourKind::Search => 3,
        BehaviourKind::Cart | BehaviourKind::Favourite => 4,
        BehaviourKind::Purchase => 5,
    }
}

fn age(period: Period, as_of: Option<Date>) -> i32 {
    match (period, as_of) {
        (Period::Order(rank), _) => i32::from(rank) / 2,
        (Period::Day(_), _) => 0,
        (Period::Month(year, month), Some(now)) => {
            let months =
                (i32::from(now.year()) - i32::from(year)) * 12 + i32::from(now.month()) - i32::from(month);
            1 + months / 4
        }
        (Period::Year(year), Some(now)) => 4 + (i32::from(now.year()) - i32::from(year)).clamp(0, 10),
        (Period::Month(..) | Period::Year(_), None) => 4,
    }
}
