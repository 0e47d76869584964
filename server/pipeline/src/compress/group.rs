//! Sequence-level compression in two steps: (period, kind) → things, then things → all their moments.

use super::things;
use concord_domain::{Behaviour, BehaviourKind, HistoryLine, Moment, Period, Thing};
use std::collections::{BTreeMap, HashMap};

/// More things than these on a line would make it useless as evidence: a longer list is several lines.
const THINGS: usize = 8;

/// What was done to one thing, as (place of the thing, place of the behaviour).
type Done = Vec<(usize, usize)>;
/// What was done in one period in one way.
type Group = ((Period, BehaviourKind), Done);
/// A behaviour's place, and when and how it was done.
type Placed = (usize, (Period, BehaviourKind));

/// Lines newest first, not yet numbered.
pub(super) fn lines(newest_first: &[&Behaviour], periods: &[Period]) -> Vec<HistoryLine> {
    let (things, of) = distinct(newest_first);
    // Step 1.
    let mut groups: BTreeMap<(Period, BehaviourKind), Done> = BTreeMap::new();
    for (place, behaviour) in newest_first.iter().enumerate() {
        groups.entry((periods[place], behaviour.kind)).or_default().push((of[place], place));
    }
    // Step 2.
    let mut same: BTreeMap<Vec<usize>, Vec<Group>> = BTreeMap::new();
    for (when, done) in groups {
        let mut list: Vec<usize> = done.iter().map(|(thing, _)| *thing).collect();
        list.sort_unstable();
        list.dedup();
        same.entry(list).or_default().push((when, done));
    }
    let mut lines: Vec<(usize, HistoryLine)> = Vec::new();
    for (mut list, moments) in same {
        // Like things side by side, so that the lines of a long list have each a subject.
        list.sort_by_cached_key(|thing| (category(newest_first, things[*thing].0), *thing));
        let part_of: HashMap<usize, usize> =
            list.iter().enumerate().map(|(n, thing)| (*thing, n / THINGS)).collect();
        let mut placed: Vec<Vec<Placed>> = vec![Vec::new(); list.len().div_ceil(THINGS)];
        for (when, done) in moments {
            for (thing, place) in done {
                placed[part_of[&thing]].push((place, when));
            }
        }
        for (part, placed) in list.chunks(THINGS).zip(placed) {
            lines.push(line(part, placed, &things, newest_first));
        }
    }
    lines.sort_by_key(|(newest, _)| *newest);
    lines.into_iter().map(|(_, line)| line).collect()
}

/// The things acted on, newest first, with the behaviour that first showed each, and each behaviour's
/// thing.
fn distinct(newest_first: &[&Behaviour]) -> (Vec<(usize, Thing)>, Vec<usize>) {
    let mut known: HashMap<(Option<i64>, &str), usize> = HashMap::new();
    let mut things = Vec::new();
    let of = newest_first
        .iter()
        .enumerate()
        .map(|(place, behaviour)| {
            let item = behaviour.item.as_ref().map(|item| item.id);
            let query = if item.is_some() { "" } else { behaviour.query.as_deref().unwrap_or_default() };
            *known.entry((item, query)).or_insert_with(|| {
                things.push((place, things::thing(behaviour)));
                things.len() - 1
            })
        })
        .collect();
    (things, of)
}

fn category<'a>(newest_first: &[&'a Behaviour], place: usize) -> &'a [String] {
    newest_first[place].item.as_ref().map_or(&[], |item| item.category.as_slice())
}

/// One line, and the place of its newest behaviour.
fn line(
    part: &[usize],
    mut placed: Vec<Placed>,
    things: &[(usize, Thing)],
    newest_first: &[&Behaviour],
) -> (usize, HistoryLine) {
    placed.sort_unstable();
    let mut moments: Vec<Moment> = Vec::new();
    for (_, (period, kind)) in &placed {
        match moments.iter_mut().find(|moment| moment.period == *period) {
            None => moments.push(Moment { period: *period, kinds: vec![*kind] }),
            Some(moment) if !moment.kinds.contains(kind) => moment.kinds.push(*kind),
            Some(_) => {}
        }
    }
    for moment in &mut moments {
        moment.kinds.sort_unstable();
    }
    let line = HistoryLine {
        n: 0,
        moments,
        things: part.iter().map(|thing| things[*thing].1.clone()).collect(),
        behaviours: placed.iter().map(|(place, _)| newest_first[*place].id).collect(),
    };
    (placed.first().map_or(usize::MAX, |(place, _)| *place), line)
}
