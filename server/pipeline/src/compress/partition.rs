//! Periods: as coarse as they are old.

use concord_domain::{Behaviour, Period};
use jiff::{civil::Date, tz::TimeZone};

/// The period of each behaviour, newest first as given.
pub(super) fn periods(newest_first: &[&Behaviour], as_of: Option<Date>) -> Vec<Period> {
    let untimed = newest_first.iter().filter(|b| b.at.is_none()).count();
    let mut rank = 0;
    newest_first
        .iter()
        .map(|behaviour| match (behaviour.at, as_of) {
            (Some(at), Some(now)) => period(at.to_zoned(TimeZone::UTC).date(), now),
            _ => {
                rank += 1;
                Period::Order(u8::try_from((rank - 1) * 10 / untimed).unwrap_or(9))
            }
        })
        .collect()
}

/// Days inside a month, months up to a year, years beyond (paper §2).
fn period(day: Date, now: Date) -> Period {
    let age = day.until(now).map_or(i32::MAX, |span| span.get_days());
    match age {
        ..=31 => Period::Day(day),
        32..=365 => Period::Month(day.year(), day.month()),
        _ => Period::Year(day.year()),
    }
}
