//! Threads of a history: things of one person that the same people use. Titles alone do not tell that a kettle and a
//! scale belong together; that one person uses both and so do others does.

use crate::PipelineError;
use crate::prompt::{self, Prompt, PromptFile, Template};
use crate::words::pieces;
use concord_domain::{Behaviour, ItemEssentials};
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, HashMap, HashSet};

const FILE: &str = "prompts/threads.toml";
const TEXT: &str = include_str!("../../../../models/prompts/threads.toml");
/// Things of a history that are looked at, the newest first.
pub const THINGS: usize = 200;
/// People of a thing that are read, those of the lowest ids: of two things the same people are looked at.
pub const PEOPLE: usize = 500;
/// Two groups of things are joined from this mean likeness on. Chosen on 12 people of the demo world who are not evaluated: of
/// their 46 interests 39 were what one of the first six threads was about, at .08 to .12 alike, and .96 of its things.
const LINK: f32 = 0.1;
/// People that two things have in common at least, to be alike at all: one is chance. (Where one counted, 44 interests had a
/// thread, but a fifth of its things were others.)
const COMMON: usize = 2;
/// Added to the mean number of people: two in common are little where few used either.
const SHRINK: f32 = 1.0;
/// Things of a thread that are shown to the model.
const SHOWN: usize = 8;
/// From this mean likeness on, a thing of others goes with a thread, looser than [`LINK`]: it is a hint, not evidence.
const BESIDE: f32 = 0.05;
/// People whose things are looked at, those who use the most of a thread's.
const COMPANY: usize = 100;

/// Prompt version.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn version() -> Result<String, PipelineError> {
    Ok(PromptFile::<Template>::read(FILE, TEXT)?.version)
}

/// The titled items behind these behaviours, each once, as many as are looked at.
#[must_use]
pub fn items<'a>(behaviours: impl IntoIterator<Item = &'a Behaviour>) -> Vec<&'a ItemEssentials> {
    let mut seen = HashSet::new();
    let items = behaviours.into_iter().filter_map(|it| it.item.as_ref());
    items.filter(|item| item.title.is_some() && seen.insert(item.id)).take(THINGS).collect()
}

/// Threads of at least two things, those that hang together most first, and in each the things most like the rest first.
/// `people` are the ids of others who used a thing, ascending, at most [`PEOPLE`].
#[must_use]
pub fn threads(items: &[i64], people: &HashMap<i64, Vec<i64>>) -> Vec<Vec<i64>> {
    let none = Vec::new();
    let of = |place: usize| people.get(&items[place]).unwrap_or(&none).as_slice();
    let mut alike = vec![vec![0.0; items.len()]; items.len()];
    for (a, b) in (1..items.len()).flat_map(|a| (0..a).map(move |b| (a, b))) {
        let likeness = likeness(of(a), of(b));
        (alike[a][b], alike[b][a]) = (likeness, likeness);
    }
    let within = |thread: &[usize], place: usize| -> f32 {
        thread.iter().filter(|other| **other != place).map(|other| alike[place][*other]).sum()
    };
    let mut found: Vec<(f32, Vec<usize>)> = joined(&alike)
        .into_iter()
        .filter(|thread| thread.len() > 1)
        .map(|mut thread| {
            let of_each: BTreeMap<usize, f32> = thread.iter().map(|it| (*it, within(&thread, *it))).collect();
            thread.sort_by(|a, b| of_each[b].total_cmp(&of_each[a]).then(a.cmp(b)));
            (of_each.values().sum(), thread)
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    found.into_iter().map(|(_, thread)| thread.into_iter().map(|place| items[place]).collect()).collect()
}

/// Those who use the most of these things: at most 100.
#[must_use]
pub fn company(things: &[i64], people: &HashMap<i64, Vec<i64>>) -> Vec<i64> {
    let mut used: BTreeMap<i64, usize> = BTreeMap::new();
    things.iter().filter_map(|it| people.get(it)).flatten().for_each(|it| *used.entry(*it).or_default() += 1);
    let mut company: Vec<(i64, usize)> = used.into_iter().collect();
    company.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    company.into_iter().take(COMPANY).map(|(person, _)| person).collect()
}

/// Of `others` those that go with these things, the likest first.
#[must_use]
pub fn beside(things: &[i64], others: &[i64], people: &HashMap<i64, Vec<i64>>) -> Vec<i64> {
    let mut alike = by_likeness(others, things, people);
    alike.retain(|(likeness, _)| *likeness >= BESIDE);
    alike.into_iter().map(|(_, it)| it).collect()
}

/// These things, those most like the rest first.
#[must_use]
pub fn foremost(things: &[i64], people: &HashMap<i64, Vec<i64>>) -> Vec<i64> {
    by_likeness(things, things, people).into_iter().map(|(_, it)| it).collect()
}

/// Each of `of` with its mean likeness to the other `things`, the highest first.
fn by_likeness(of: &[i64], things: &[i64], people: &HashMap<i64, Vec<i64>>) -> Vec<(f32, i64)> {
    let people = |it: i64| people.get(&it).map_or(&[][..], Vec::as_slice);
    let mean = |it: i64| {
        let likeness: f32 = things
            .iter()
            .filter(|other| **other != it)
            .map(|other| likeness(people(it), people(*other)))
            .sum();
        #[expect(clippy::cast_precision_loss, reason = "200 things at most")]
        let n = things.len().max(1) as f32;
        likeness / n
    };
    let mut alike: Vec<(f32, i64)> = of.iter().map(|it| (mean(*it), *it)).collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0));
    alike
}

/// Cosine of two things over people, shrunk. Where the people of one were cut off, only ids up to the cut are counted.
fn likeness(a: &[i64], b: &[i64]) -> f32 {
    let cut = |people: &[i64]| if people.len() < PEOPLE { i64::MAX } else { people[people.len() - 1] };
    let end = cut(a).min(cut(b));
    let upto = |people: &[i64]| people.partition_point(|it| *it <= end);
    let (a, b) = (&a[..upto(a)], &b[..upto(b)]);
    let both = a.iter().filter(|it| b.binary_search(it).is_ok()).count();
    if both < COMMON {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "500 people at most")]
    let [both, a, b] = [both, a.len(), b.len()].map(|n| n as f32);
    both / ((a * b).sqrt() + SHRINK)
}

/// Average linkage: the two groups with the highest mean likeness are joined while it is at least [`LINK`].
fn joined(alike: &[Vec<f32>]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = (0..alike.len()).map(|it| vec![it]).collect();
    let mut sums: Vec<Vec<f32>> = alike.to_vec();
    loop {
        #[expect(clippy::cast_precision_loss, reason = "pairs of 200 things")]
        let mean = |a: usize, b: usize| sums[a][b] / (groups[a].len() * groups[b].len()) as f32;
        let pairs = (1..groups.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        let best = pairs.map(|(a, b)| (mean(a, b), a, b)).max_by(|one, other| one.0.total_cmp(&other.0));
        let Some((_, a, b)) = best.filter(|(mean, ..)| *mean >= LINK) else { return groups };
        let (group, row) = (groups.remove(a), sums.remove(a));
        groups[b].extend(group);
        for other in &mut sums {
            let gone = other.remove(a);
            other[b] += gone;
        }
        let rest = row.into_iter().enumerate().filter(|(at, _)| *at != a).map(|(_, sum)| sum);
        for (sum, more) in sums[b].iter_mut().zip(rest) {
            *sum += more;
        }
    }
}

/// The prompt that asks what a thread is about.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn prompt(thread: &[&ItemEssentials], lang: &str) -> Result<Prompt, PipelineError> {
    let file = PromptFile::<Template>::read(FILE, TEXT)?;
    let template = file.language(FILE, lang)?;
    let things: Vec<String> = shown(thread).iter().map(|it| format!("- {it}")).collect();
    Ok(Prompt {
        system: template.system.trim().to_owned(),
        user: prompt::fill(template.user.trim(), &[("things", &things.join("\n"))]),
        schema: json!({
            "type": "object",
            "properties": {
                "interest": {"type": "string", "minLength": 2, "maxLength": 40},
                "reason": {"type": "string", "minLength": 2, "maxLength": 200},
            },
            "required": ["interest", "reason"],
            "additionalProperties": false,
        }),
        max_tokens: 150,
    })
}

/// Each kind of thing once: its title without the brand, and its innermost category.
fn shown(thread: &[&ItemEssentials]) -> Vec<String> {
    let mut kinds = Kinds::default();
    let titles = thread.iter().filter_map(|item| Some((item, kinds.title_of_new(item)?)));
    let texts = titles.map(|(item, title)| {
        let shelf = item.category.last().map(|it| format!(" [{}]", prompt::one_line(it, 48)));
        title + &shelf.unwrap_or_default()
    });
    texts.take(SHOWN).collect()
}

/// Kinds of things that were shown: a colour or size more is no other kind.
#[derive(Debug, Default)]
pub struct Kinds(Vec<HashSet<String>>);

impl Kinds {
    /// The title without the brand, unless something of the kind was shown: more than half of all words in common.
    pub fn title_of_new(&mut self, item: &ItemEssentials) -> Option<String> {
        let title = prompt::unbranded(item);
        let own = pieces(&title);
        let known = self.0.iter().any(|other| own.intersection(other).count() * 2 > own.union(other).count());
        (!known).then(|| {
            self.0.push(own);
            title
        })
    }
}

/// What the model says a thread is about.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Named {
    /// The interest.
    pub interest: String,
    /// Why.
    pub reason: String,
}

/// Reads the model's document.
///
/// # Errors
/// [`PipelineError::BadOutput`].
pub fn parse(output: &str) -> Result<Named, PipelineError> {
    Ok(serde_json::from_str(output)?)
}

#[cfg(test)]
#[path = "threads_tests.rs"]
mod tests;
