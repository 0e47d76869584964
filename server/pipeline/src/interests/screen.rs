//! What code can say of an interest before anyone judges it (paper §2): whether its evidence is there, and whether it is a
//! single action, one burst, a present or a daily consumable.

use crate::PipelineError;
use crate::words::says;
use concord_domain::{Behaviour, BehaviourKind, History};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

const FILE: &str = "prompts/interest-rules.toml";
const TEXT: &str = include_str!("../../../../models/prompts/interest-rules.toml");
/// Behaviours within so many days are one burst.
const BURST_DAYS: i64 = 3;
/// Purchases of one thing from which on it is bought again and again.
const STAPLE: usize = 3;
/// Behaviours behind the things of a thread that are read, the newest.
const OF_ITEMS: usize = 60;

/// What is wrong with the evidence of an interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// No line it cites exists.
    CitesNothing,
    /// One behaviour and no more.
    SingleAction,
    /// All within a few days.
    OneBurst,
    /// Bought for somebody else, by what is said or by a profile that has no use for it.
    Gift,
    /// Things that are bought again and again, and nothing else.
    Consumable,
}

impl Mark {
    /// The word in JSON and the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CitesNothing => "cites_nothing",
            Self::SingleAction => "single_action",
            Self::OneBurst => "one_burst",
            Self::Gift => "gift",
            Self::Consumable => "consumable",
        }
    }
}

/// The rules' own words.
#[derive(Debug, Clone, Deserialize)]
pub struct ScreenWords {
    /// Version, part of the version of the interests' prompt.
    pub version: String,
    gift: Vec<String>,
    consumable: Vec<String>,
    infant: Vec<String>,
    infant_home: Vec<String>,
}

impl ScreenWords {
    /// The words shipped with this version.
    ///
    /// # Errors
    /// [`PipelineError::BadFile`].
    pub fn shipped() -> Result<Self, PipelineError> {
        toml::from_str(TEXT).map_err(|error| PipelineError::BadFile { file: FILE, why: error.to_string() })
    }
}

/// Screens the interests of one user.
#[derive(Debug)]
pub struct Screen<'a> {
    words: &'a ScreenWords,
    history: &'a History,
    behaviours: &'a [Behaviour],
    by_id: HashMap<i64, &'a Behaviour>,
    infant_at_home: bool,
}

/// Evidence that exists: the lines, and the behaviours behind them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Line numbers.
    pub lines: Vec<u32>,
    /// Behaviours by row id.
    pub behaviours: Vec<i64>,
}

impl<'a> Screen<'a> {
    /// For a user with this profile; `behaviours` are those that the history was compressed from, newest first.
    #[must_use]
    pub fn new(
        words: &'a ScreenWords,
        profile: &[(String, String)],
        history: &'a History,
        behaviours: &'a [Behaviour],
    ) -> Self {
        let infant_at_home =
            profile.iter().any(|(_, value)| words.infant_home.iter().any(|word| says(value, word)));
        let by_id = behaviours.iter().map(|behaviour| (behaviour.id, behaviour)).collect();
        Self { words, history, behaviours, by_id, infant_at_home }
    }

    /// What of the cited lines exists.
    #[must_use]
    pub fn evidence(&self, cited: &[u32]) -> Evidence {
        let lines: Vec<u32> =
            cited.iter().copied().filter(|n| self.history.lines.iter().any(|line| line.n == *n)).collect();
        let cited = self.history.lines.iter().filter(|line| lines.contains(&line.n));
        let behaviours = cited.flat_map(|line| line.behaviours.iter().copied()).collect();
        Evidence { lines, behaviours }
    }

    /// What was done with these items, newest first, whether or not its line fitted into the history; and the lines that did.
    #[must_use]
    pub fn of_items(&self, items: &[i64]) -> Evidence {
        let with = |behaviour: &&Behaviour| behaviour.item.as_ref().is_some_and(|it| items.contains(&it.id));
        let behaviours: Vec<i64> =
            self.behaviours.iter().filter(with).map(|it| it.id).take(OF_ITEMS).collect();
        let lines =
            self.history.lines.iter().filter(|line| line.behaviours.iter().any(|id| behaviours.contains(id)));
        Evidence { lines: lines.map(|line| line.n).collect(), behaviours }
    }

    /// What is wrong with this evidence.
    #[must_use]
    pub fn marks(&self, evidence: &Evidence) -> Vec<Mark> {
        let done: Vec<&Behaviour> =
            evidence.behaviours.iter().filter_map(|id| self.by_id.get(id).copied()).collect();
        if done.is_empty() {
            return vec![Mark::CitesNothing];
        }
        let mut marks = Vec::new();
        if done.len() == 1 {
            marks.push(Mark::SingleAction);
        } else if is_burst(&done) {
            marks.push(Mark::OneBurst);
        }
        if self.is_gift(&done) {
            marks.push(Mark::Gift);
        }
        if self.is_consumable(&done) {
            marks.push(Mark::Consumable);
        }
        marks
    }

    /// Lines of consumables, and lines that look like one occasion: what the model is told to be wary of.
    #[must_use]
    pub fn wary(&self) -> (Vec<u32>, Vec<u32>) {
        let (mut consumables, mut gifts) = (Vec::new(), Vec::new());
        for line in &self.history.lines {
            let marks = self.marks(&Evidence { lines: vec![line.n], behaviours: line.behaviours.clone() });
            if marks.contains(&Mark::Consumable) {
                consumables.push(line.n);
            } else if marks.contains(&Mark::Gift) {
                gifts.push(line.n);
            }
        }
        (consumables, gifts)
    }

    /// Most of it is said to be a present, or is for a baby where none lives.
    fn is_gift(&self, done: &[&Behaviour]) -> bool {
        let gift = |behaviour: &&&Behaviour| {
            let text = text_of(behaviour);
            let says_any = |words: &[String]| words.iter().any(|word| says(&text, word));
            says_any(&self.words.gift) || (!self.infant_at_home && says_any(&self.words.infant))
        };
        done.iter().filter(gift).count() * 2 > done.len()
    }

    /// All of it is a household's staples by their names, or one and the same thing bought again and again.
    fn is_consumable(&self, done: &[&Behaviour]) -> bool {
        let mut bought: HashMap<i64, usize> = HashMap::new();
        for behaviour in done {
            if let (BehaviourKind::Purchase, Some(item)) = (behaviour.kind, &behaviour.item) {
                *bought.entry(item.id).or_default() += 1;
            }
        }
        done.iter().all(|behaviour| {
            let text = text_of(behaviour);
            let again = behaviour.item.as_ref().is_some_and(|item| bought.get(&item.id) >= Some(&STAPLE));
            again || self.words.consumable.iter().any(|word| says(&text, word))
        })
    }
}

/// Titles, categories and queries: what a behaviour was about.
fn text_of(behaviour: &Behaviour) -> String {
    match (&behaviour.item, &behaviour.query) {
        (Some(item), _) => {
            format!("{} ; {}", item.title.as_deref().unwrap_or_default(), item.category.join(" ; "))
        }
        (None, query) => query.clone().unwrap_or_default(),
    }
}

/// All on a few days in a row; where the log has no times, all to one thing.
fn is_burst(done: &[&Behaviour]) -> bool {
    let mut days = Vec::with_capacity(done.len());
    for behaviour in done {
        let Some(at) = behaviour.at else {
            let things: HashSet<Option<i64>> = done.iter().map(|b| b.item.as_ref().map(|i| i.id)).collect();
            return things.len() == 1 && !things.contains(&None);
        };
        days.push(at.to_zoned(TimeZone::UTC).date());
    }
    match (days.iter().min(), days.iter().max()) {
        (Some(first), Some(last)) => {
            first.until(*last).is_ok_and(|span| i64::from(span.get_days()) <= BURST_DAYS)
        }
        _ => false,
    }
}

#[cfg(test)]
#[path = "screen_tests.rs"]
mod tests;
