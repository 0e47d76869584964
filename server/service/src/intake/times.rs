//! Times: seconds, milliseconds or ISO, told apart once a file.

use super::{error::Bad, json::Json};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::Serialize;

/// How a file writes its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Unix seconds.
    Seconds,
    /// Unix milliseconds.
    Milliseconds,
    /// RFC 3339, or a date with or without a time of day, read as UTC.
    Iso,
}

impl TimeUnit {
    /// The unit in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Seconds => "Unix seconds",
            Self::Milliseconds => "Unix milliseconds",
            Self::Iso => "ISO 8601 (UTC where no offset is given)",
        }
    }
}

/// 1995-01-01T00:00:00Z.
const EARLIEST: i64 = 788_918_400_000_000;
const DAY: i64 = 86_400_000_000;

/// Reads the times of one file. The first time that makes sense decides how all are read.
#[derive(Debug)]
pub(super) struct Times {
    pub(super) unit: Option<TimeUnit>,
    latest: i64,
}

impl Times {
    /// Times later than a day from now are rejects.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { unit: None, latest: now.as_microsecond() + DAY }
    }

    /// Microseconds since 1970; `None` where the row has no time.
    pub(super) fn read(&mut self, value: Json) -> Result<Option<i64>, Bad> {
        let text = match value {
            Json::Null => return Ok(None),
            Json::Number(number) => return self.number(number.as_f64().unwrap_or(f64::NAN)).map(Some),
            Json::Text(text) => text,
            Json::Bool(_) | Json::List(_) | Json::Object(_) => {
                return Err(Bad::field("at", "is not a time"));
            }
        };
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse::<f64>() {
            Ok(number) => self.number(number).map(Some),
            Err(_) => self.iso(text).map(Some),
        }
    }

    fn number(&mut self, number: f64) -> Result<i64, Bad> {
        if !number.is_finite() {
            return Err(Bad::field("at", format!("{number} is not a time")));
        }
        let fits = |unit| self.inside(micros(number, unit)).then_some(unit);
        let unit = match self.unit {
            Some(TimeUnit::Iso) => {
                return Err(Bad::field("at", format!("{number} is a number, but this file's times are ISO")));
            }
            Some(unit) => unit,
            None => fits(TimeUnit::Seconds)
                .or_else(|| fits(TimeUnit::Milliseconds))
                .ok_or_else(|| self.outside(&number.to_string(), "seconds or milliseconds"))?,
        };
        let at = micros(number, unit);
        if !self.inside(at) {
            return Err(self.outside(&number.to_string(), unit.words()));
        }
        self.unit = Some(unit);
        Ok(at)
    }

    fn iso(&mut self, text: &str) -> Result<i64, Bad> {
        let parsed = text.parse::<Timestamp>().ok().or_else(|| {
            let civil: DateTime = text.parse().ok()?;
            TimeZone::UTC.to_ambiguous_timestamp(civil).compatible().ok()
        });
        let Some(at) = parsed.map(Timestamp::as_microsecond) else {
            return Err(Bad::field("at", "is not a time: neither seconds, milliseconds nor RFC 3339"));
        };
        if matches!(self.unit, Some(TimeUnit::Seconds | TimeUnit::Milliseconds)) {
            return Err(Bad::field("at", "is ISO text, but this file's times are numbers"));
        }
        if !self.inside(at) {
            return Err(self.outside(text, TimeUnit::Iso.words()));
        }
        self.unit = Some(TimeUnit::Iso);
        Ok(at)
    }

    fn inside(&self, at: i64) -> bool {
        (EARLIEST..=self.latest).contains(&at)
    }

    fn outside(&self, text: &str, unit: &str) -> Bad {
        let latest =
            Timestamp::from_microsecond(self.latest).map_or_else(|_| String::new(), |t| t.to_string());
        let day = latest.get(..10).unwrap_or_default();
        Bad::field("at", format!("{text} is outside 1995-01-01 to {day}, read as {unit}"))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, and what saturates is outside the range")]
fn micros(number: f64, unit: TimeUnit) -> i64 {
    let scale = if unit == TimeUnit::Milliseconds { 1e3 } else { 1e6 };
    (number * scale).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn times() -> Times {
        Times::new("2026-06-01T00:00:00Z".parse().expect("a time"))
    }

    fn read(times: &mut Times, text: &str) -> Result<Option<i64>, Bad> {
        times.read(Json::Text(text.to_owned()))
    }

    #[test]
    fn the_first_time_decides() {
        for (first, unit) in [
            ("1600000000", TimeUnit::Seconds),
            ("1600000000000", TimeUnit::Milliseconds),
            ("2020-09-13T12:26:40Z", TimeUnit::Iso),
            ("2020-09-13 12:26:40", TimeUnit::Iso),
        ] {
            let mut times = times();
            assert_eq!(read(&mut times, first), Ok(Some(1_600_000_000_000_000)));
            assert_eq!(times.unit, Some(unit));
        }
        assert_eq!(read(&mut times(), "2020-09-13").map(|at| at.is_some()), Ok(true));
    }

    #[test]
    fn a_time_that_makes_no_sense_decides_nothing() {
        let mut times = times();
        assert!(read(&mut times, "5").is_err());
        assert!(read(&mut times, "NaN").is_err());
        assert!(read(&mut times, "2030-01-01T00:00:00Z").is_err());
        assert_eq!(times.unit, None);
        assert!(read(&mut times, "1600000000000").is_ok());
        assert!(read(&mut times, "1600000000").is_err(), "seconds in a file of milliseconds");
        assert!(read(&mut times, "2020-01-01").is_err());
    }

    proptest! {
        #[test]
        fn nothing_outside_the_range_is_read(text in "\\PC{0,30}|-?[0-9]{1,20}|[0-9]{4}-[0-9]{2}-[0-9]{2}") {
            let mut times = times();
            if let Ok(Some(at)) = read(&mut times, &text) {
                prop_assert!(times.inside(at));
            }
        }
    }
}
