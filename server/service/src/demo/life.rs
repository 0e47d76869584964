//! Three years of a person: sessions of each interest, presents, staples, passing fancies.

use super::{
    catalogue::Catalogue,
    people::Person,
    sources::{Sources, Theme},
};
use concord_domain::BehaviourKind::{self, Cart, DetailView, Favourite, Purchase, ReviewRead, Search, View};
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use rand::{Rng, seq::IndexedRandom, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Days of the world.
const DAYS: i64 = 3 * 365;
/// Sessions that an interest has at least: it shows across several things or not at all.
const SESSIONS: usize = 4;

/// Something done.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    /// Unix seconds.
    pub(super) at: i64,
    pub(super) kind: BehaviourKind,
    pub(super) to: To,
}

/// What it was done to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum To {
    Item(usize),
    Query(String),
}

/// What a person did, oldest first, and what is true of them.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) events: Vec<Event>,
    pub(super) truths: Vec<(&'static str, Value)>,
}

impl Life {
    pub(super) fn live(
        person: &Person,
        sources: &Sources,
        catalogue: &Catalogue,
        until: Date,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let mut teller = Teller { person, sources, catalogue, until, rng, events: Vec::new() };
        let mut truths = teller.interests();
        let of_interests = teller.events.len();
        // At least a fifth of what anyone does belongs to no interest; here a quarter to under a half.
        let share = teller.rng.random_range(0.25..0.45);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "some hundred events"
        )]
        let others = (of_interests as f64 * share / (1.0 - share)).ceil() as usize;
        truths.extend(teller.gifts());
        truths.push(teller.necessities(of_interests + others / 2));
        teller.passing(of_interests + others);
        let mut events = teller.events;
        events.sort_by_key(|event| event.at);
        Self { events, truths }
    }
}

struct Teller<'a> {
    person: &'a Person,
    sources: &'a Sources,
    catalogue: &'a Catalogue,
    until: Date,
    rng: &'a mut ChaCha8Rng,
    events: Vec<Event>,
}

impl Teller<'_> {
    fn interests(&mut self) -> Vec<(&'static str, Value)> {
        let spare = self.rng.random_range(2..=12) / self.person.interests.len();
        self.person.interests.iter().map(|place| self.interest(*place, SESSIONS + spare)).collect()
    }

    fn interest(&mut self, place: usize, sessions: usize) -> (&'static str, Value) {
        let theme = &self.sources.interests[place];
        let (stage, since, last) = match self.rng.random_range(0..10) {
            0..=1 => ("new", self.rng.random_range(45..120), 1),
            2..=5 => ("growing", self.rng.random_range(150..500), 1),
            6..=8 => ("settled", self.rng.random_range(600..DAYS), 1),
            _ => ("past", self.rng.random_range(700..DAYS), 300),
        };
        let order = self.varied(theme);
        let mut days: Vec<i64> = (0..sessions).map(|_| self.day(theme, last..since)).collect();
        days.sort_unstable_by(|a, b| b.cmp(a));
        let from = self.events.len();
        for (day, sort) in days.into_iter().zip(order.iter().cycle()) {
            self.session(*sort, day);
        }
        let name = json!({"en": theme.name.en, "zh": theme.name.zh});
        let items = self.keys(from);
        ("interest", json!({"name": name, "stage": stage, "since_days": since, "items": items}))
    }

    /// The sorts of a theme in some order whose first two are of two categories.
    fn varied(&mut self, theme: &Theme) -> Vec<usize> {
        let mut sorts: Vec<usize> = theme.sorts.clone().collect();
        sorts.shuffle(self.rng);
        let category = |sort: usize| self.sources.sorts[sort].category;
        if let Some(other) = sorts.iter().position(|sort| category(*sort) != category(sorts[0])) {
            sorts.swap(1, other);
        }
        sorts
    }

    /// One evening with one sort of thing: a search, looks, and often more.
    fn session(&mut self, sort: usize, day: i64) {
        let mut at = self.evening(day);
        if self.rng.random_bool(0.45) {
            at = self.push(at, Search, To::Query(self.query(sort)));
        }
        let mut seen = self.catalogue.of(sort, self.person.zh).to_vec();
        seen.shuffle(self.rng);
        for item in seen.iter().skip(1).take(self.rng.random_range(0..=2)) {
            at = self.push(at, View, To::Item(*item));
        }
        let chosen = seen[0];
        at = self.push(at, DetailView, To::Item(chosen));
        let bought = self.rng.random_bool(0.45);
        for (kind, chance) in [(ReviewRead, 0.3), (Favourite, 0.25), (Cart, if bought { 0.8 } else { 0.25 })]
        {
            if self.rng.random_bool(chance) {
                at = self.push(at, kind, To::Item(chosen));
            }
        }
        if bought {
            // Some sleep over it.
            let later = if day > 2 && self.rng.random_bool(0.3) { 86_400 } else { 0 };
            self.push(at + later, Purchase, To::Item(chosen));
        }
    }

    /// Presents: one occasion, a day or two, never again.
    fn gifts(&mut self) -> Vec<(&'static str, Value)> {
        let many = self.rng.random_range(1..=2);
        let occasions: Vec<&Theme> = self.sources.gifts.choose_multiple(self.rng, many).collect();
        let mut truths = Vec::new();
        for theme in occasions {
            let day = self.day(theme, 2..DAYS);
            let from = self.events.len();
            let sort = self.varied(theme)[0];
            self.session(sort, day);
            let at = self.evening(day) + 7200;
            if let Some(item) = self.catalogue.of(sort, self.person.zh).choose(self.rng) {
                self.push(at, Purchase, To::Item(*item));
            }
            let occasion = json!({"en": theme.name.en, "zh": theme.name.zh});
            truths.push(("gift", json!({"occasion": occasion, "items": self.keys(from)})));
        }
        truths
    }

    /// Staples, bought again and again, until there are so many events.
    fn necessities(&mut self, events: usize) -> (&'static str, Value) {
        let all: Vec<usize> = self.sources.necessities.clone().collect();
        let mut own: Vec<(usize, i64, i64)> = Vec::new();
        for sort in all.choose_multiple(self.rng, 5) {
            let item = self.catalogue.of(*sort, self.person.zh)[0];
            let every = self.rng.random_range(30..120);
            own.push((item, every, self.rng.random_range(1..every)));
        }
        let from = self.events.len();
        'enough: for turn in 0.. {
            for (item, every, offset) in &own {
                let day = offset + turn * every + self.rng.random_range(0..5);
                if self.events.len() >= events || day >= DAYS {
                    break 'enough;
                }
                let at = self.evening(day);
                self.push(at, Purchase, To::Item(*item));
            }
        }
        ("necessity", json!({"items": self.keys(from)}))
    }

    /// Passing fancies until there are so many events, now and then a glance at what draws others.
    fn passing(&mut self, events: usize) {
        while self.events.len() < events {
            let sort = if self.rng.random_bool(0.2) {
                self.foreign()
            } else {
                self.rng.random_range(self.sources.passing.clone())
            };
            let Some(item) = self.catalogue.of(sort, self.person.zh).choose(self.rng).copied() else {
                continue;
            };
            let day = self.rng.random_range(1..DAYS);
            let at = self.evening(day);
            let kind = match self.rng.random_range(0..100) {
                0..50 => View,
                50..72 => DetailView,
                72..80 => Favourite,
                80..87 => Cart,
                _ => Purchase,
            };
            self.push(at, kind, To::Item(item));
        }
    }

    /// A sort that belongs to an interest of others.
    fn foreign(&mut self) -> usize {
        loop {
            let place = self.rng.random_range(0..self.sources.interests.len());
            if !self.person.interests.contains(&place) {
                return self.rng.random_range(self.sources.interests[place].sorts.clone());
            }
        }
    }

    /// A day of the theme's season, so many days before the end; now and then one out of season.
    fn day(&mut self, theme: &Theme, ago: std::ops::Range<i64>) -> i64 {
        loop {
            let day = self.rng.random_range(ago.clone());
            let month = self.date(day).month();
            if theme.season.is_empty() || theme.season.contains(&month) || self.rng.random_bool(0.1) {
                return day;
            }
        }
    }

    fn date(&self, ago: i64) -> Date {
        self.until.saturating_sub(ago.days())
    }

    /// Unix seconds of some minute after work, so many days before the end.
    fn evening(&mut self, ago: i64) -> i64 {
        let midnight = self.date(ago).to_zoned(TimeZone::UTC).map_or(0, |day| day.timestamp().as_second());
        midnight + self.rng.random_range(17 * 3600..22 * 3600)
    }

    /// What one would type for a sort: its name up to the first detail.
    fn query(&self, sort: usize) -> String {
        let name = self.sources.sorts[sort].name.say(self.person.zh);
        let end = if self.person.zh { name.find(' ') } else { name.find(',') };
        name[..end.unwrap_or(name.len())].to_owned()
    }

    /// Adds an event; gives the time of the next.
    fn push(&mut self, at: i64, kind: BehaviourKind, to: To) -> i64 {
        self.events.push(Event { at, kind, to });
        at + self.rng.random_range(20..300)
    }

    /// Keys of the things acted on since, each once.
    fn keys(&self, from: usize) -> BTreeSet<&str> {
        let key = |event: &Event| match event.to {
            To::Item(item) => Some(self.catalogue.items[item].key.as_str()),
            To::Query(_) => None,
        };
        self.events[from..].iter().filter_map(key).collect()
    }
}
