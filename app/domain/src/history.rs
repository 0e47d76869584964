//! A user's behaviour, compressed as in the paper (§2): what the generator reads and a person sees.

use crate::BehaviourKind;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// A compressed history: lines newest first, each with the number that evidence cites.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct History {
    /// The day it is seen from; `None` where the log has no times.
    pub as_of: Option<Date>,
    /// Lines, newest first, numbered from 1.
    pub lines: Vec<HistoryLine>,
    /// Behaviours read, before anything was dropped.
    pub behaviours: u32,
    /// Reliable behaviours among them.
    pub reliable: u32,
    /// Lines left out because the token budget was full.
    pub dropped_lines: u32,
    /// Behaviours in those lines.
    pub dropped_behaviours: u32,
}

/// One line: the moments at which the same things were acted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HistoryLine {
    /// Number, from 1; evidence cites it.
    pub n: u32,
    /// When and how, newest first.
    pub moments: Vec<Moment>,
    /// The items or queries, as shown.
    pub things: Vec<Thing>,
    /// The behaviours behind the line.
    pub behaviours: Vec<i64>,
}

/// A period and what was done in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Moment {
    /// When, as coarse as its age.
    pub period: Period,
    /// What was done, in [`BehaviourKind`] order.
    pub kinds: Vec<BehaviourKind>,
}

/// A partition of time: days inside a month, months up to a year, years beyond (paper §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Period {
    /// The log has no times: order only; 0 is the newest tenth of the sequence, 9 the oldest.
    Order(u8),
    /// A year.
    Year(i16),
    /// A month of a year.
    Month(i16, i8),
    /// A day.
    Day(Date),
}

/// An item or a query, as shown to a model and to a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Thing {
    /// Item key; `None` for a query.
    pub item: Option<String>,
    /// Essentials in one line, or the query.
    pub text: String,
}

impl Period {
    /// Relative words in English or Chinese: "3 days ago", "2 months ago", "2023", "earliest".
    #[must_use]
    pub fn words(self, as_of: Option<Date>, chinese: bool) -> String {
        match (self, as_of) {
            (Self::Order(rank), _) => order_words(rank, chinese),
            (Self::Day(day), Some(now)) => {
                let days = day.until(now).map_or(0, |span| span.get_days());
                match (days, chinese) {
                    (0, true) => "今天".into(),
                    (0, false) => "today".into(),
                    (1, true) => "昨天".into(),
                    (1, false) => "yesterday".into(),
                    (n, true) => format!("{n} 天前"),
                    (n, false) => format!("{n} days ago"),
                }
            }
            (Self::Month(year, month), Some(now)) => {
                let n = (i32::from(now.year()) - i32::from(year)) * 12 + i32::from(now.month())
                    - i32::from(month);
                match (n, chinese) {
                    (0, true) => "本月".into(),
                    (0, false) => "this month".into(),
                    (1, true) => "上个月".into(),
                    (1, false) => "last month".into(),
                    (n, true) => format!("{n} 个月前"),
                    (n, false) => format!("{n} months ago"),
                }
            }
            (Self::Year(year), Some(now)) => match (now.year() - year, chinese) {
                (0, true) => "今年".into(),
                (0, false) => "this year".into(),
                (1, true) => "去年".into(),
                (1, false) => "last year".into(),
                (n, true) => format!("{n} 年前"),
                (n, false) => format!("{n} years ago"),
            },
            (Self::Day(day), None) => day.to_string(),
            (Self::Month(year, month), None) => format!("{year}-{month:02}"),
            (Self::Year(year), None) => year.to_string(),
        }
    }
}

fn order_words(rank: u8, chinese: bool) -> String {
    match (rank, chinese) {
        (0, true) => "最近".into(),
        (0, false) => "most recent".into(),
        (1..=3, true) => "较近".into(),
        (1..=3, false) => "recent".into(),
        (4..=6, true) => "较早".into(),
        (4..=6, false) => "earlier".into(),
        (_, true) => "最早".into(),
        (_, false) => "earliest".into(),
    }
}
