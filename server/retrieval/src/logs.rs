//! What the models learn from: items with features, and what each user did with them, in order.

use crate::{Result, RetrievalError};
use std::collections::HashMap;

/// An item of the catalogue. What a log does not say is empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Item {
    /// The importer's key.
    pub key: String,
    /// Row id in the database; 0 for files.
    pub id: i64,
    /// Title.
    pub title: String,
    /// Categories; an item may have several.
    pub categories: Vec<String>,
    /// Brand.
    pub brand: Option<String>,
    /// Price.
    pub price: Option<f64>,
}

/// Something done to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Number of the item.
    pub item: u32,
    /// Number of the kind.
    pub kind: u8,
}

/// A user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// The importer's key.
    pub key: String,
    /// Row id in the database; 0 for files.
    pub id: i64,
    /// Events, oldest first.
    pub events: Vec<Event>,
}

/// Users, items and events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Logs {
    /// The catalogue.
    pub items: Vec<Item>,
    /// The people.
    pub users: Vec<User>,
    /// Names of the kinds of events.
    pub kinds: Vec<String>,
    /// Whether an item's categories are levels of one, the widest first, and not several side by side.
    pub levels: bool,
}

impl Logs {
    /// The categories of an item that measures compare: those side by side as they are; of levels the innermost alone,
    /// with its path, as φ names it.
    #[must_use]
    pub fn classes(&self, item: &Item) -> Vec<String> {
        if self.levels && !item.categories.is_empty() {
            vec![item.categories.join(" > ")]
        } else {
            item.categories.clone()
        }
    }

    /// Events in all.
    #[must_use]
    pub fn events(&self) -> usize {
        self.users.iter().map(|user| user.events.len()).sum()
    }

    /// Whether the catalogue has categories: without them L_cate, HR@30 and category diversity are not estimable.
    #[must_use]
    pub fn has_categories(&self) -> bool {
        self.items.iter().any(|item| !item.categories.is_empty())
    }

    /// Holds each user's last item out, with all that was done to it directly before: a view and the purchase that
    /// ends it are one visit. Where the item was met earlier too it cannot be recommended anew, so that user is not
    /// measured but learned from, and counted in `dropped`.
    #[must_use]
    pub fn leave_last_out(&self) -> Split {
        let mut split = Split::default();
        for user in &self.users {
            let (train, target) = last_visit(&user.events);
            split.dropped += usize::from(target.is_none());
            split.train.push(train.to_vec());
            split.target.push(target);
        }
        split
    }

    /// Learns from all events and holds out what another file says comes next: (user, item) numbers.
    #[must_use]
    pub fn with_targets(&self, targets: &HashMap<usize, u32>) -> Split {
        let mut split = Split::default();
        for (number, user) in self.users.iter().enumerate() {
            let target = targets.get(&number).copied();
            let new = target.filter(|item| !user.events.iter().any(|event| event.item == *item));
            split.dropped += usize::from(target.is_some() && new.is_none());
            split.train.push(user.events.clone());
            split.target.push(new.filter(|_| !user.events.is_empty()));
        }
        split
    }
}

/// What is learned from, and for each user the item held out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// Events by user, oldest first.
    pub train: Vec<Vec<Event>>,
    /// The item held out; `None`: this user is not measured.
    pub target: Vec<Option<u32>>,
    /// Users whose held-out item they had met before, or with a single item.
    pub dropped: usize,
}

impl Split {
    /// The validation split inside this one: the last item of what is learned from is held out. Only users who are
    /// measured in the outer one are measured here, so that both speak of the same people.
    #[must_use]
    pub fn validation(&self) -> Self {
        let mut inner = Self::default();
        for (events, outer) in self.train.iter().zip(&self.target) {
            let (train, target) = last_visit(events);
            let target = target.filter(|_| outer.is_some());
            inner.dropped += usize::from(target.is_none());
            inner.train.push(if target.is_some() { train.to_vec() } else { events.clone() });
            inner.target.push(target);
        }
        inner
    }

    /// How often each item occurs in what is learned from.
    #[must_use]
    pub fn counts(&self, items: usize) -> Vec<u32> {
        let mut counts = vec![0; items];
        for event in self.train.iter().flatten() {
            counts[event.item as usize] += 1;
        }
        counts
    }

    /// Users who are measured.
    #[must_use]
    pub fn measured(&self) -> Vec<usize> {
        (0..self.target.len()).filter(|user| self.target[*user].is_some()).collect()
    }
}

/// The events before the last visit, and its item; everything and `None` where it is no new item.
fn last_visit(events: &[Event]) -> (&[Event], Option<u32>) {
    let Some(last) = events.last() else { return (events, None) };
    let before = events.iter().rposition(|event| event.item != last.item).map_or(0, |at| at + 1);
    let (earlier, _) = events.split_at(before);
    if earlier.is_empty() || earlier.iter().any(|event| event.item == last.item) {
        return (events, None);
    }
    (earlier, Some(last.item))
}

/// Puts logs together from rows in any order.
#[derive(Debug, Default)]
pub struct LogsBuilder {
    logs: Logs,
    items: HashMap<String, u32>,
    users: HashMap<String, usize>,
    kinds: HashMap<String, u8>,
    rows: Vec<Vec<(i64, i64, Event)>>,
}

impl LogsBuilder {
    /// For a catalogue whose items have one category each, given as its levels.
    #[must_use]
    pub fn with_levels() -> Self {
        Self { logs: Logs { levels: true, ..Logs::default() }, ..Self::default() }
    }

    /// Adds an item; of two with one key the later one's features count.
    pub fn item(&mut self, item: Item) {
        let number = self.item_number(&item.key);
        self.logs.items[number as usize] = item;
    }

    /// Adds an event. Order is by time, then position, then as the events come; what has neither comes first.
    ///
    /// # Errors
    /// More kinds than there can be.
    pub fn event(
        &mut self,
        user: (&str, i64),
        item: (&str, i64),
        kind: &str,
        order: (Option<i64>, Option<i64>),
    ) -> Result<()> {
        let number = self.item_number(item.0);
        self.logs.items[number as usize].id = item.1;
        let kind = self.kind(kind)?;
        let user = self.user(user.0, user.1);
        let (at, position) = order;
        let event = Event { item: number, kind };
        self.rows[user].push((at.unwrap_or(i64::MIN), position.unwrap_or(i64::MIN), event));
        Ok(())
    }

    /// The number of a user, who is added where there is none.
    pub fn user(&mut self, key: &str, id: i64) -> usize {
        if let Some(number) = self.users.get(key) {
            return *number;
        }
        self.users.insert(key.to_owned(), self.rows.len());
        self.logs.users.push(User { key: key.to_owned(), id, events: Vec::new() });
        self.rows.push(Vec::new());
        self.rows.len() - 1
    }

    /// How many events a user has so far.
    #[must_use]
    pub fn events_of(&self, user: usize) -> usize {
        self.rows.get(user).map_or(0, Vec::len)
    }

    /// Forgets a user's events: a longer sequence of the same person has come.
    pub fn clear(&mut self, user: usize) {
        self.rows[user].clear();
    }

    /// The number of an item, if there is one.
    #[must_use]
    pub fn find_item(&self, key: &str) -> Option<u32> {
        self.items.get(key).copied()
    }

    /// The number of a user, if there is one.
    #[must_use]
    pub fn find_user(&self, key: &str) -> Option<usize> {
        self.users.get(key).copied()
    }

    /// The logs, each user's events in order.
    ///
    /// # Errors
    /// Without a single event.
    pub fn finish(mut self) -> Result<Logs> {
        for (user, mut rows) in self.logs.users.iter_mut().zip(self.rows) {
            rows.sort_by_key(|(at, position, _)| (*at, *position));
            user.events = rows.into_iter().map(|(_, _, event)| event).collect();
        }
        if self.logs.events() == 0 {
            return Err(RetrievalError::Empty(
                "there are no events on items: import behaviours first".into(),
            ));
        }
        Ok(self.logs)
    }

    fn item_number(&mut self, key: &str) -> u32 {
        if let Some(number) = self.items.get(key) {
            return *number;
        }
        let number = u32::try_from(self.logs.items.len()).unwrap_or(u32::MAX);
        self.items.insert(key.to_owned(), number);
        self.logs.items.push(Item { key: key.to_owned(), ..Item::default() });
        number
    }

    fn kind(&mut self, name: &str) -> Result<u8> {
        if let Some(kind) = self.kinds.get(name) {
            return Ok(*kind);
        }
        let kind = u8::try_from(self.kinds.len())
            .map_err(|_| RetrievalError::Empty("more than 256 kinds of events".into()))?;
        self.kinds.insert(name.to_owned(), kind);
        self.logs.kinds.push(name.to_owned());
        Ok(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(sequences: &[&[u32]]) -> Logs {
        let mut builder = LogsBuilder::default();
        for (user, items) in sequences.iter().enumerate() {
            for (at, item) in (0..).zip(*items) {
                let (user, item) = (user.to_string(), item.to_string());
                builder.event((&user, 0), (&item, 0), "view", (Some(at), None)).expect("few kinds");
            }
        }
        builder.finish().expect("some events")
    }

    #[test]
    fn the_last_item_is_held_out_with_its_whole_visit() {
        let split = logs(&[&[0, 1, 2], &[0, 1, 1], &[0, 1, 0], &[3]]).leave_last_out();
        assert_eq!(split.target, [Some(2), Some(1), None, None]);
        assert_eq!(split.train.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 3, 1]);
        assert_eq!(split.dropped, 2);
        let inner = split.validation();
        assert_eq!(inner.target, [Some(1), None, None, None]);
        assert_eq!(inner.train[0].len(), 1);
        assert_eq!(inner.train[1].len(), 1, "who cannot be validated is learned from whole");
    }

    #[test]
    fn events_are_ordered_by_time_whatever_the_order_of_rows() {
        let mut builder = LogsBuilder::default();
        for (item, at) in [("c", 3), ("a", 1), ("b", 2)] {
            builder.event(("u", 7), (item, 0), "view", (Some(at), None)).expect("few kinds");
        }
        builder.event(("u", 7), ("first", 0), "view", (None, None)).expect("few kinds");
        let logs = builder.finish().expect("events");
        let order: Vec<&str> =
            logs.users[0].events.iter().map(|event| logs.items[event.item as usize].key.as_str()).collect();
        assert_eq!(order, ["first", "a", "b", "c"]);
        assert_eq!(logs.users[0].id, 7);
    }

    #[test]
    fn of_levels_the_innermost_is_compared_and_side_by_side_each() {
        let item = Item { categories: vec!["Home".into(), "Kettles".into()], ..Item::default() };
        assert_eq!(Logs { levels: true, ..Logs::default() }.classes(&item), ["Home > Kettles"]);
        assert_eq!(Logs::default().classes(&item), ["Home", "Kettles"]);
        assert!(Logs { levels: true, ..Logs::default() }.classes(&Item::default()).is_empty());
    }

    #[test]
    fn targets_of_another_file_leave_out_what_was_seen() {
        let logs = logs(&[&[0, 1, 2], &[0, 1]]);
        let split = logs.with_targets(&HashMap::from([(0, 1), (1, 2)]));
        assert_eq!((split.target, split.dropped), (vec![None, Some(2)], 1));
    }
}
