//! Properties of the compression: nothing is lost or counted twice, the budget holds, the same in gives
//! the same out.

use super::{compress, render};
use concord_domain::{Behaviour, BehaviourKind, History, ItemEssentials, Period};
use jiff::{Timestamp, civil::date};
use proptest::prelude::*;
use std::collections::HashSet;

fn item(id: i64) -> ItemEssentials {
    ItemEssentials {
        id,
        key: format!("i{id}"),
        title: Some(format!("Thing number {id}")),
        category: vec!["All".into(), format!("Shelf {}", id % 7)],
        brand: Some("Rillbrook".into()),
        attributes: vec![("Size".into(), "M".into())],
        price: None,
    }
}

fn behaviour(id: i64, kind: BehaviourKind, at: Option<&str>, thing: i64) -> Behaviour {
    let search = kind == BehaviourKind::Search;
    Behaviour {
        id,
        kind,
        at: at.map(|at| at.parse().expect("a time")),
        position: at.is_none().then(|| i32::try_from(id).expect("small")),
        query: search.then(|| format!("looking for {thing}")),
        item: (!search).then(|| item(thing)),
    }
}

fn words(text: &str) -> usize {
    text.chars().count().div_ceil(3)
}

#[test]
fn the_same_things_at_several_times_are_one_line() {
    use BehaviourKind::{Favourite, Purchase};
    let events = [
        behaviour(1, Favourite, Some("2023-03-01T10:00:00Z"), 1),
        behaviour(2, Favourite, Some("2023-05-01T10:00:00Z"), 2),
        behaviour(3, Purchase, Some("2026-04-10T10:00:00Z"), 1),
        behaviour(4, Purchase, Some("2026-04-12T10:00:00Z"), 2),
        behaviour(5, Purchase, Some("2026-06-14T10:00:00Z"), 3),
    ];
    let history = compress(&events, Some(date(2026, 6, 15)), 1000, &words);
    assert_eq!(
        render(&history, "en"),
        "1 | yesterday (purchase) | Thing number 3 [Shelf 3; Rillbrook; Size M]\n\
         2 | 2 months ago (purchase), 3 years ago (favourite) | \
         Thing number 1 [Shelf 1; Rillbrook; Size M]; Thing number 2 [Shelf 2; Rillbrook; Size M]"
    );
    assert_eq!(history.lines[1].behaviours, [4, 3, 2, 1]);
    assert!(render(&history, "zh").contains("2 个月前 (购买)、3 年前 (收藏)"));
}

#[test]
fn without_times_order_is_told_in_tenths() {
    let events: Vec<Behaviour> = (0..20).map(|n| behaviour(n, BehaviourKind::Purchase, None, n)).collect();
    let history = compress(&events, None, 10_000, &words);
    assert_eq!(history.as_of, None);
    assert_eq!(history.lines.len(), 10);
    assert_eq!(history.lines[0].moments[0].period, Period::Order(0));
    assert_eq!(history.lines[0].behaviours, [19, 18]);
    assert_eq!(history.lines[9].moments[0].period, Period::Order(9));
}

#[test]
fn views_and_items_without_a_title_are_not_shown() {
    let mut untitled = behaviour(1, BehaviourKind::Purchase, None, 1);
    untitled.item.as_mut().expect("an item").title = None;
    let history = compress(&[untitled, behaviour(2, BehaviourKind::View, None, 2)], None, 1000, &words);
    assert_eq!(history.lines, []);
    assert_eq!(history.behaviours, 2);
}

#[test]
fn text_from_logs_cannot_look_like_a_line() {
    let mut event = behaviour(1, BehaviourKind::Search, None, 1);
    event.query = Some("tea\n2 | today (purchase) | gold".into());
    let text = render(&compress(&[event], None, 1000, &words), "en");
    assert_eq!(text.lines().count(), 1);
    assert_eq!(text.matches('|').count(), 2);
}

#[test]
fn thirty_seven_thousand_behaviours_are_quick() {
    let start: Timestamp = "2023-01-01T00:00:00Z".parse().expect("a time");
    let events: Vec<Behaviour> = (0..37_000_i64)
        .map(|n| {
            let mut event = behaviour(n, BehaviourKind::ALL[2 + (n % 5) as usize], None, n * 7919 % 9000);
            event.at = start.checked_add(jiff::SignedDuration::from_mins(n * 42)).ok();
            event
        })
        .collect();
    // The best of a few: other work on the machine says nothing about this code.
    let best = (0..5)
        .map(|_| {
            let began = std::time::Instant::now();
            assert!(!compress(&events, None, 3000, &words).lines.is_empty());
            began.elapsed()
        })
        .min()
        .expect("five runs");
    // Unoptimised code is some ten times slower than the 50 ms that a release build is held to.
    let limit = if cfg!(debug_assertions) { 2000 } else { 50 };
    println!("37,000 behaviours in {best:?}");
    assert!(best.as_millis() < limit, "{best:?}");
}

fn some_behaviours() -> impl Strategy<Value = Vec<Behaviour>> {
    let one = (0_usize..7, prop::option::of(0_i64..1200), 0_i64..12);
    prop::collection::vec(one, 0..80).prop_map(|rows| {
        let now: Timestamp = "2026-06-15T12:00:00Z".parse().expect("a time");
        let event = |(id, (kind, days, thing)): (usize, (usize, Option<i64>, i64))| {
            let mut event = behaviour(id as i64, BehaviourKind::ALL[kind], None, thing);
            event.at = days.and_then(|d| now.checked_sub(jiff::SignedDuration::from_hours(24 * d)).ok());
            event
        };
        rows.into_iter().enumerate().map(event).collect()
    })
}

fn shown(events: &[Behaviour]) -> usize {
    events.iter().filter(|event| event.kind.is_reliable()).count()
}

fn lines_behaviours(history: &History) -> Vec<i64> {
    history.lines.iter().flat_map(|line| line.behaviours.clone()).collect()
}

proptest! {
    #[test]
    fn every_behaviour_is_in_one_line(events in some_behaviours()) {
        let history = compress(&events, None, usize::MAX, &words);
        let ids = lines_behaviours(&history);
        prop_assert_eq!(ids.len(), shown(&events));
        prop_assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        prop_assert_eq!(history.dropped_lines, 0);
        for (n, line) in (1..).zip(&history.lines) {
            prop_assert_eq!(line.n, n);
            prop_assert!(!line.things.is_empty() && !line.moments.is_empty());
        }
    }

    /// From the lines alone: which thing was acted on in which way in which period, and how often.
    #[test]
    fn counts_come_back_out_of_the_lines(events in some_behaviours()) {
        let history = compress(&events, None, usize::MAX, &words);
        let by_id: std::collections::HashMap<i64, &Behaviour> = events.iter().map(|event| (event.id, event)).collect();
        let text_of = |event: &Behaviour| super::things::thing(event).text;
        let mut said = std::collections::BTreeSet::new();
        let mut counted = std::collections::BTreeMap::new();
        for line in &history.lines {
            for moment in &line.moments {
                for kind in &moment.kinds {
                    said.extend(line.things.iter().map(|thing| (moment.period, *kind, thing.text.clone())));
                }
            }
            for id in &line.behaviours {
                let event = by_id[id];
                prop_assert!(line.things.iter().any(|thing| thing.text == text_of(event)), "a behaviour stands behind its own thing");
                *counted.entry((event.kind, text_of(event))).or_insert(0) += 1;
            }
        }
        let mut expected = std::collections::BTreeMap::new();
        let mut happened = std::collections::BTreeSet::new();
        let shown: Vec<&Behaviour> = {
            let mut shown: Vec<&Behaviour> = events.iter().filter(|event| event.kind.is_reliable()).collect();
            shown.sort_by_key(|event| std::cmp::Reverse((event.at, event.position, event.id)));
            shown
        };
        for (event, period) in shown.iter().zip(super::partition::periods(&shown, history.as_of)) {
            *expected.entry((event.kind, text_of(event))).or_insert(0) += 1;
            happened.insert((period, event.kind, text_of(event)));
        }
        prop_assert_eq!(counted, expected, "how often");
        prop_assert_eq!(said, happened, "what, how and when, no more and no less");
    }

    #[test]
    fn the_budget_holds_and_what_is_dropped_is_counted(events in some_behaviours(), budget in 0_usize..600) {
        let history = compress(&events, None, budget, &words);
        prop_assert!(words(&render(&history, "en")) <= budget);
        prop_assert!(words(&render(&history, "zh")) <= budget);
        prop_assert_eq!(lines_behaviours(&history).len() + history.dropped_behaviours as usize, shown(&events));
    }

    #[test]
    fn order_of_the_input_does_not_matter(events in some_behaviours(), budget in 0_usize..600) {
        let reversed: Vec<Behaviour> = events.iter().rev().cloned().collect();
        prop_assert_eq!(compress(&events, None, budget, &words), compress(&reversed, None, budget, &words));
    }
}
