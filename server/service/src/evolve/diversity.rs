//! How different explanations are from each other, and over how many categories tags spread, user by user.

use concord_agreement::gate::{Compared, Sum, means, spreads};
use concord_domain::GenerationId;
use concord_pipeline::rouge::rouge_l;
use concord_store::gate::Written;
use std::collections::{BTreeMap, BTreeSet};

/// Every explanation is compared with so many that follow it, other users' among them: a model that says one thing to
/// all is not various, however it varies within a user.
const NEIGHBOURS: usize = 8;

/// The measures of both generations that have something to measure.
pub(super) fn compare(texts: &[Written], new: GenerationId, seed: u64) -> Vec<Compared> {
    let mut found = Vec::new();
    if texts.iter().any(|it| it.task == "explanation") {
        let users = paired(unlikeness(texts, new, false), unlikeness(texts, new, true));
        found.push(means("diversity of explanations (1 - ROUGE-L)", &users, seed));
    }
    if texts.iter().any(|it| it.task == "tag" && it.category.is_some()) {
        found.push(spreads("spread of tags over categories", &categories(texts, new), seed));
    }
    found
}

fn paired(old: BTreeMap<i64, Sum>, new: BTreeMap<i64, Sum>) -> Vec<(Sum, Sum)> {
    let users: BTreeSet<i64> = old.keys().chain(new.keys()).copied().collect();
    let of = |sums: &BTreeMap<i64, Sum>, user| sums.get(user).copied().unwrap_or_default();
    users.iter().map(|user| (of(&old, user), of(&new, user))).collect()
}

/// 1 less ROUGE-L of each explanation and those that follow it in a ring, added up by user.
fn unlikeness(texts: &[Written], new: GenerationId, of_new: bool) -> BTreeMap<i64, Sum> {
    let mine: Vec<&Written> =
        texts.iter().filter(|it| it.task == "explanation" && (it.generation == new) == of_new).collect();
    let mut sums: BTreeMap<i64, Sum> = BTreeMap::new();
    for (at, it) in mine.iter().enumerate() {
        for step in 1..=NEIGHBOURS.min(mine.len().saturating_sub(1)) {
            let other = mine[(at + step) % mine.len()];
            let sum = sums.entry(it.user).or_default();
            sum.total += 1.0 - rouge_l(&it.text, &other.text);
            sum.n += 1;
        }
    }
    sums
}

/// Tags a category of each user: the old model's, the new one's.
fn categories(texts: &[Written], new: GenerationId) -> Vec<(Vec<u64>, Vec<u64>)> {
    let tags =
        || texts.iter().filter(|it| it.task == "tag").filter_map(|it| Some((it, it.category.as_deref()?)));
    let names: Vec<&str> = tags().map(|(_, name)| name).collect::<BTreeSet<_>>().into_iter().collect();
    let mut users: BTreeMap<i64, (Vec<u64>, Vec<u64>)> = BTreeMap::new();
    for (tag, name) in tags() {
        let (old, of_new) =
            users.entry(tag.user).or_insert_with(|| (vec![0; names.len()], vec![0; names.len()]));
        let counts = if tag.generation == new { of_new } else { old };
        if let Ok(at) = names.binary_search(&name) {
            counts[at] += 1;
        }
    }
    users.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn text(generation: GenerationId, user: i64, task: &str, text: &str, category: Option<&str>) -> Written {
        Written { generation, user, task: task.into(), text: text.into(), category: category.map(Into::into) }
    }

    #[test]
    fn one_line_for_everybody_is_no_diversity() {
        let (old, new) = (GenerationId(Uuid::from_u128(1)), GenerationId(Uuid::from_u128(2)));
        let lines =
            ["boots keep water out", "a lamp for late readers", "tea from high hills", "rope holds firm"];
        let mut texts = Vec::new();
        for (user, line) in (0..).zip(lines) {
            texts.push(text(old, user, "explanation", line, None));
            texts.push(text(new, user, "explanation", "you will love this", None));
            texts.push(text(old, user, "tag", "t", Some(if user % 2 == 0 { "a" } else { "b" })));
            texts.push(text(new, user, "tag", "t", Some("a")));
        }
        let found = compare(&texts, new, 1);
        assert_eq!(found.len(), 2);
        assert!(found[0].old.unwrap() > 0.8 && found[0].new.unwrap() < 1e-9, "{found:?}");
        assert_eq!((found[1].old, found[1].new), (Some(1.0), Some(0.0)));
        assert!(compare(&texts[..0], new, 1).is_empty());
    }
}
