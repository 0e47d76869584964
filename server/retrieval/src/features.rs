//! Features of items and words of tags (paper §4): sparse ones by vocabulary, dense ones in buckets.

use crate::logs::{Item, Logs};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Buckets of price and of sales, besides the one for "unknown" or "none".
const BUCKETS: usize = 10;
/// Categories of an item that count; words of a title that count.
const MAX_CATEGORIES: usize = 8;
/// Words of a tag that count.
pub const MAX_WORDS: usize = 24;
/// Words that are known at most, the most frequent first.
const MAX_VOCABULARY: usize = 50_000;

/// Names and their numbers; 0 stands for what is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Vocabulary {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl From<Vec<String>> for Vocabulary {
    fn from(names: Vec<String>) -> Self {
        let numbers = (1..).zip(&names).map(|(number, name)| (name.clone(), number)).collect();
        Self { names, numbers }
    }
}

impl From<Vocabulary> for Vec<String> {
    fn from(vocabulary: Vocabulary) -> Self {
        vocabulary.names
    }
}

impl Vocabulary {
    /// Of these names, the most frequent first and equal ones by the alphabet, at most `limit`.
    fn of(names: impl Iterator<Item = String>, limit: usize) -> Self {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for name in names {
            *counts.entry(name).or_default() += 1;
        }
        let mut sorted: Vec<(String, u64)> = counts.into_iter().collect();
        sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        sorted.truncate(limit);
        sorted.into_iter().map(|(name, _)| name).collect::<Vec<_>>().into()
    }

    /// Rows of a table for it: one a name, and one for the unknown.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.names.len() + 1
    }

    /// Whether it knows nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn number(&self, name: &str) -> u32 {
        self.numbers.get(name).copied().unwrap_or(0)
    }
}

/// How features become numbers; fixed when training begins, stored with the model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Codes {
    /// Categories.
    pub categories: Vocabulary,
    /// Brands.
    pub brands: Vocabulary,
    /// Words of titles.
    pub words: Vocabulary,
    /// Upper ends of the price buckets; empty where no item has a price.
    prices: Vec<f64>,
    /// Upper ends of the buckets of sales.
    sales: Vec<f64>,
}

impl Codes {
    /// From the catalogue, and how often each item occurs in what is learned from.
    #[must_use]
    pub fn new(logs: &Logs, counts: &[u32]) -> Self {
        let titles = logs.items.iter().flat_map(|item| words(&item.title));
        Self {
            categories: Vocabulary::of(
                logs.items.iter().flat_map(|item| item.categories.clone()),
                usize::MAX,
            ),
            brands: Vocabulary::of(logs.items.iter().filter_map(|item| item.brand.clone()), usize::MAX),
            words: Vocabulary::of(titles, MAX_VOCABULARY),
            prices: quantiles(logs.items.iter().filter_map(|item| item.price).collect()),
            sales: quantiles(
                counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count)).collect(),
            ),
        }
    }

    /// Whether items have prices.
    #[must_use]
    pub fn has_prices(&self) -> bool {
        !self.prices.is_empty()
    }

    /// Rows of a table of buckets: each, and one for "unknown".
    #[must_use]
    pub fn bucket_rows() -> usize {
        BUCKETS + 1
    }

    /// An item's features.
    #[must_use]
    pub fn item(&self, item: &Item, count: u32) -> ItemCodes {
        let mut categories: Vec<u32> =
            item.categories.iter().map(|name| self.categories.number(name)).filter(|it| *it > 0).collect();
        categories.truncate(MAX_CATEGORIES);
        ItemCodes {
            categories,
            brand: item.brand.as_deref().map_or(0, |name| self.brands.number(name)),
            price: item.price.map_or(0, |price| bucket(&self.prices, price)),
            sales: if count == 0 { 0 } else { bucket(&self.sales, f64::from(count)) },
        }
    }

    /// The known words of a tag or title.
    #[must_use]
    pub fn tag(&self, text: &str) -> Vec<u32> {
        let known = words(text).into_iter().map(|word| self.words.number(&word)).filter(|number| *number > 0);
        known.take(MAX_WORDS).collect()
    }
}

/// An item's features as numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemCodes {
    /// Numbers of its categories.
    pub categories: Vec<u32>,
    /// Number of its brand; 0: none.
    pub brand: u32,
    /// Bucket of its price; 0: none.
    pub price: u32,
    /// Bucket of its sales; 0: none.
    pub sales: u32,
}

/// Upper ends of buckets with about as many values each.
fn quantiles(mut values: Vec<f64>) -> Vec<f64> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    if values.is_empty() {
        return Vec::new();
    }
    let mut ends: Vec<f64> =
        (1..=BUCKETS).map(|part| values[(values.len() * part / BUCKETS).saturating_sub(1)]).collect();
    ends.dedup();
    ends
}

/// The bucket of a value, from 1.
fn bucket(ends: &[f64], value: f64) -> u32 {
    let at = ends.partition_point(|end| *end < value).min(ends.len().saturating_sub(1));
    u32::try_from(at + 1).unwrap_or(1)
}

/// The words of a text: lower case letters and digits; Chinese and Japanese characters each, and each two that
/// stand together, because those languages put no spaces between words.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut before: Option<char> = None;
    for c in text.chars().flat_map(char::to_lowercase).chain([' ']) {
        if is_ideograph(c) {
            push(&mut found, &mut word);
            if let Some(before) = before {
                found.push([before, c].iter().collect());
            }
            found.push(c.to_string());
            before = Some(c);
            continue;
        }
        before = None;
        if c.is_alphanumeric() {
            word.push(c);
        } else if c != '\'' {
            push(&mut found, &mut word);
        }
    }
    found
}

fn push(found: &mut Vec<String>, word: &mut String) {
    if !word.is_empty() {
        found.push(std::mem::take(word));
    }
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_both_languages() {
        assert_eq!(words("Don't Stop: 2nd-Edition!"), ["dont", "stop", "2nd", "edition"]);
        assert_eq!(words("手冲壶 Pour-over"), ["手", "手冲", "冲", "冲壶", "壶", "pour", "over"]);
        assert!(words(" — ").is_empty());
    }

    #[test]
    fn dense_features_fall_into_buckets_and_unknown_ones_into_their_own() {
        let items: Vec<Item> = (0..100)
            .map(|n| Item { price: (n != 5).then_some(f64::from(n)), title: "A".into(), ..Item::default() })
            .collect();
        let logs = Logs { items, ..Logs::default() };
        let codes = Codes::new(&logs, &vec![3; 100]);
        assert_eq!(
            codes.item(&logs.items[5], 0),
            ItemCodes { categories: vec![], brand: 0, price: 0, sales: 0 }
        );
        assert_eq!(codes.item(&logs.items[0], 3).price, 1);
        assert_eq!(codes.item(&logs.items[99], 3).price, 10);
        let huge = Item { price: Some(1e9), ..Item::default() };
        assert_eq!(codes.item(&huge, 900).price, 10, "beyond the last end is in the last bucket");
        assert_eq!(codes.item(&huge, 900).sales, 1);
        assert_eq!(codes.tag("a b"), [1]);
    }
}
