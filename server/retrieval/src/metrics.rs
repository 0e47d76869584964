//! Measures of lists of recommendations, each with its interval and n, or why there is none.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// z of a 95 % interval.
const Z: f64 = 1.959_964;
/// Items outside the most popular ones that have this share of all events are the long tail.
const HEAD_SHARE: f64 = 0.8;

/// An estimate: `est` is null, and `why` says why, where it cannot be estimated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value.
    pub est: Option<f64>,
    /// Its standard error.
    pub se: Option<f64>,
    /// Its interval.
    pub ci: Option<[f64; 2]>,
    /// The interval's level.
    pub level: f64,
    /// How the interval was made.
    pub method: String,
    /// Users it rests on.
    pub n: usize,
    /// Why it is not estimable.
    pub why: Option<String>,
}

impl Estimate {
    /// Not estimable.
    #[must_use]
    pub fn none(method: &str, why: &str) -> Self {
        Self {
            est: None,
            se: None,
            ci: None,
            level: 0.95,
            method: method.into(),
            n: 0,
            why: Some(why.into()),
        }
    }

    /// A proportion, with Wilson's interval.
    #[must_use]
    pub fn proportion(hits: usize, n: usize) -> Self {
        if n == 0 {
            return Self::none("wilson", "no user is measured");
        }
        let (p, n_f) = (hits as f64 / n as f64, n as f64);
        let middle = (p + Z * Z / (2.0 * n_f)) / (1.0 + Z * Z / n_f);
        let half = Z * (p * (1.0 - p) / n_f + Z * Z / (4.0 * n_f * n_f)).sqrt() / (1.0 + Z * Z / n_f);
        Self {
            est: Some(p),
            se: Some((p * (1.0 - p) / n_f).sqrt()),
            ci: Some([(middle - half).max(0.0), (middle + half).min(1.0)]),
            level: 0.95,
            method: "wilson".into(),
            n,
            why: None,
        }
    }

    /// A mean over users, with the normal interval.
    #[must_use]
    pub fn mean(values: &[f64]) -> Self {
        if values.len() < 2 {
            return Self::none("normal", "fewer than two users are measured");
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Self::with_error(mean, (variance / n).sqrt(), values.len(), "normal")
    }

    fn with_error(est: f64, se: f64, n: usize, method: &str) -> Self {
        let ci = [est - Z * se, est + Z * se];
        Self { est: Some(est), se: Some(se), ci: Some(ci), level: 0.95, method: method.into(), n, why: None }
    }
}

/// What lists are measured against.
#[derive(Debug, Clone)]
pub struct Truth {
    /// The held-out item of each measured user.
    pub targets: Vec<u32>,
    /// How often each item occurs in what was learned from.
    pub counts: Vec<u32>,
    /// Categories by item.
    pub categories: Vec<Vec<String>>,
}

/// A system's measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// The system.
    pub name: String,
    /// How it was set.
    pub settings: serde_json::Value,
    /// Share of users whose held-out item is in the first k.
    pub recall: BTreeMap<usize, Estimate>,
    /// The same discounted by place.
    pub ndcg: BTreeMap<usize, Estimate>,
    /// One item is held out, so a hit is a recall of one.
    pub hit: BTreeMap<usize, Estimate>,
    /// Share of the catalogue that is in some list of the largest k.
    pub coverage: Estimate,
    /// Share of places in the lists of the largest k that long-tail items have.
    pub tail_share: Estimate,
    /// Different categories in a list of the largest k.
    pub category_diversity: Estimate,
}

/// Measures lists, best item first, a list a measured user.
#[must_use]
pub fn measure(
    name: &str,
    settings: serde_json::Value,
    lists: &[Vec<u32>],
    truth: &Truth,
    ks: &[usize],
) -> Measures {
    let ranks = ranks(lists, &truth.targets);
    let largest = ks.iter().copied().max().unwrap_or(0);
    let cut: Vec<&[u32]> = lists.iter().map(|list| &list[..list.len().min(largest)]).collect();
    let recall: BTreeMap<usize, Estimate> = ks.iter().map(|k| (*k, recall(&ranks, *k))).collect();
    Measures {
        name: name.to_owned(),
        settings,
        ndcg: ks.iter().map(|k| (*k, Estimate::mean(&gains(&ranks, *k)))).collect(),
        hit: recall.clone(),
        recall,
        coverage: coverage(&cut, truth.counts.len()),
        tail_share: tail_share(&cut, &truth.counts),
        category_diversity: category_diversity(&cut, &truth.categories),
    }
}

/// The place of each user's held-out item, from 0.
#[must_use]
pub fn ranks(lists: &[Vec<u32>], targets: &[u32]) -> Vec<Option<usize>> {
    lists.iter().zip(targets).map(|(list, target)| list.iter().position(|item| item == target)).collect()
}

fn recall(ranks: &[Option<usize>], k: usize) -> Estimate {
    Estimate::proportion(hits(ranks, k), ranks.len())
}

/// Users whose item is in the first k.
#[must_use]
pub fn hits(ranks: &[Option<usize>], k: usize) -> usize {
    ranks.iter().filter(|rank| rank.is_some_and(|rank| rank < k)).count()
}

fn gains(ranks: &[Option<usize>], k: usize) -> Vec<f64> {
    let gain = |rank: &Option<usize>| {
        rank.filter(|rank| *rank < k).map_or(0.0, |rank| 1.0 / (rank as f64 + 2.0).log2())
    };
    ranks.iter().map(gain).collect()
}

/// The difference of two systems' recall on the same users, paired.
#[must_use]
pub fn difference(a: &[Option<usize>], b: &[Option<usize>], k: usize) -> Estimate {
    let hit = |rank: &Option<usize>| f64::from(u8::from(rank.is_some_and(|rank| rank < k)));
    let values: Vec<f64> = a.iter().zip(b).map(|(a, b)| hit(a) - hit(b)).collect();
    let mut it = Estimate::mean(&values);
    it.method = "normal, paired by user".into();
    it
}

/// Distinct items over the catalogue; its error by the jackknife: without a user, the items that only their list has
/// are gone.
fn coverage(lists: &[&[u32]], items: usize) -> Estimate {
    if lists.is_empty() || items == 0 {
        return Estimate::none("jackknife", "no user is measured");
    }
    let mut times: HashMap<u32, u32> = HashMap::new();
    for item in lists.iter().copied().flatten() {
        *times.entry(*item).or_default() += 1;
    }
    let lost: Vec<f64> = lists
        .iter()
        .map(|list| list.iter().filter(|item| times[item] == 1).count() as f64 / items as f64)
        .collect();
    let n = lists.len() as f64;
    let mean = lost.iter().sum::<f64>() / n;
    let se = ((n - 1.0) / n * lost.iter().map(|it| (it - mean).powi(2)).sum::<f64>()).sqrt();
    Estimate::with_error(times.len() as f64 / items as f64, se, lists.len(), "jackknife")
}

/// The items of the long tail: all but the most popular ones that together have [`HEAD_SHARE`] of the events.
#[must_use]
pub fn long_tail(counts: &[u32]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|item| (std::cmp::Reverse(counts[*item]), *item));
    let all: f64 = counts.iter().map(|count| f64::from(*count)).sum();
    let mut tail = vec![true; counts.len()];
    let mut sum = 0.0;
    for item in order {
        if sum >= HEAD_SHARE * all {
            break;
        }
        sum += f64::from(counts[item]);
        tail[item] = false;
    }
    tail
}

fn tail_share(lists: &[&[u32]], counts: &[u32]) -> Estimate {
    let tail = long_tail(counts);
    let share =
        |list: &&[u32]| list.iter().filter(|item| tail[**item as usize]).count() as f64 / list.len() as f64;
    Estimate::mean(&lists.iter().filter(|list| !list.is_empty()).map(share).collect::<Vec<_>>())
}

fn category_diversity(lists: &[&[u32]], categories: &[Vec<String>]) -> Estimate {
    if categories.iter().all(Vec::is_empty) {
        return Estimate::none("normal", "no categories");
    }
    let distinct = |list: &&[u32]| {
        list.iter().flat_map(|item| &categories[*item as usize]).collect::<HashSet<_>>().len() as f64
    };
    Estimate::mean(&lists.iter().map(distinct).collect::<Vec<_>>())
}

/// HR@30 (paper §3): the share of users for whom one of the categories of their first 30 tags is one of the next
/// item's. `tags` are categories, a list a tag, in order; users whose next item has no category are not measured.
#[must_use]
pub fn hr30(tags: &[Vec<Vec<String>>], targets: &[u32], categories: &[Vec<String>]) -> Estimate {
    if categories.iter().all(Vec::is_empty) {
        return Estimate::none("wilson", "no categories");
    }
    let (mut hits, mut n) = (0, 0);
    for (tags, target) in tags.iter().zip(targets) {
        let wanted = &categories[*target as usize];
        if wanted.is_empty() || tags.is_empty() {
            continue;
        }
        n += 1;
        hits += usize::from(tags.iter().take(30).flatten().any(|category| wanted.contains(category)));
    }
    Estimate::proportion(hits, n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth() -> Truth {
        let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Truth {
            targets: vec![3, 0],
            counts: vec![80, 10, 5, 5],
            categories: vec![of(&["a"]), of(&["a", "b"]), of(&[]), of(&["c"])],
        }
    }

    #[test]
    fn measures_by_hand() {
        let lists = vec![vec![1, 3], vec![1, 2]];
        let it = measure("x", serde_json::Value::Null, &lists, &truth(), &[1, 2]);
        assert_eq!((it.recall[&1].est, it.recall[&2].est), (Some(0.0), Some(0.5)));
        assert!((it.ndcg[&2].est.expect("two users") - 0.5 / 3.0_f64.log2()).abs() < 1e-12);
        assert_eq!(it.coverage.est, Some(0.75));
        assert_eq!(it.tail_share.est, Some(1.0), "the first item alone has 80 % of the events");
        assert_eq!(it.category_diversity.est, Some(2.5));
    }

    #[test]
    fn without_categories_it_says_so() {
        let bare = Truth { categories: vec![Vec::new(); 4], ..truth() };
        let it = measure("x", serde_json::Value::Null, &[vec![1], vec![2]], &bare, &[1]);
        assert_eq!(
            (it.category_diversity.est, it.category_diversity.why.as_deref()),
            (None, Some("no categories"))
        );
        let hr = hr30(&[vec![], vec![]], &bare.targets, &bare.categories);
        assert_eq!(hr.why.as_deref(), Some("no categories"));
    }

    #[test]
    fn hr30_reads_thirty_tags_and_users_with_a_categorised_next_item() {
        let truth = truth();
        let tag = |name: &str| vec![name.to_owned()];
        let mut late = vec![tag("z"); 30];
        late.push(tag("c"));
        assert_eq!(hr30(&[late.clone(), vec![tag("a")]], &[3, 0], &truth.categories).est, Some(0.5));
        assert_eq!(hr30(&[late, vec![tag("a")]], &[2, 0], &truth.categories).n, 1);
    }

    #[test]
    fn wilson_agrees_with_a_table() {
        // 10 of 100: .0552 to .1744 (Newcombe 1998, method 3).
        let [low, high] = Estimate::proportion(10, 100).ci.expect("an interval");
        assert!((low - 0.0552).abs() < 5e-5 && (high - 0.1744).abs() < 5e-5, "{low} {high}");
    }
}
