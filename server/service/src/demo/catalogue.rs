//! The things of the world: several of each sort, each in one language, titled as a shop would.

use super::sources::Sources;
use rand::{Rng, seq::IndexedRandom, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::collections::HashSet;

/// A thing.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) key: String,
    pub(super) zh: bool,
    pub(super) title: String,
    pub(super) category: String,
    pub(super) brand: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) price: f64,
}

/// All things, and which are of a sort.
#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) items: Vec<Item>,
    /// By sort and language (English, Chinese): places in `items`; never empty.
    of: Vec<[Vec<usize>; 2]>,
}

impl Catalogue {
    /// At least one thing of each sort in each language, however few are asked for.
    pub(super) fn make(sources: &Sources, items: usize, rng: &mut ChaCha8Rng) -> Self {
        let mut slots: Vec<(usize, bool)> =
            (0..sources.sorts.len()).flat_map(|s| [(s, false), (s, true)]).collect();
        slots.shuffle(rng);
        let mut made = Self { items: Vec::new(), of: Vec::new() };
        made.of.resize_with(sources.sorts.len(), Default::default);
        let mut titles = HashSet::new();
        for n in 0..items.max(slots.len()) {
            let (sort, zh) = slots[n % slots.len()];
            let key = format!("demo-i{:05}", n + 1);
            made.of[sort][usize::from(zh)].push(n);
            made.items.push(item(key, sort, zh, sources, &mut titles, rng));
        }
        made
    }

    /// The things of a sort in a language.
    pub(super) fn of(&self, sort: usize, zh: bool) -> &[usize] {
        &self.of[sort][usize::from(zh)]
    }
}

fn item(
    key: String,
    sort: usize,
    zh: bool,
    sources: &Sources,
    titles: &mut HashSet<String>,
    rng: &mut ChaCha8Rng,
) -> Item {
    let sort = &sources.sorts[sort];
    let category = &sources.categories[sort.category];
    let brands = if zh { &sources.brands_zh } else { &sources.brands_en };
    let mut turn = 0;
    loop {
        turn += 1;
        let brand = brands.choose(rng).cloned().unwrap_or_default();
        let attributes: Vec<(String, String)> = category
            .attributes
            .iter()
            .filter_map(|place| {
                let attribute = &sources.attributes[*place];
                let value = attribute.values.choose(rng)?;
                Some((attribute.name.say(zh).to_owned(), value.say(zh).to_owned()))
            })
            .collect();
        let mut title = title(sort.name.say(zh), zh, &brand, &attributes, rng);
        // A sort has a few hundred titles; a very large world numbers them.
        if turn > 20 {
            title = format!("{title} {}{turn}", if zh { "款式" } else { "No. " });
        }
        if titles.insert(title.clone()) {
            let price = (rng.random_range(sort.price.clone()) * 10.0).round() / 10.0;
            return Item {
                key,
                zh,
                title,
                category: category.path.say(zh).to_owned(),
                brand,
                attributes,
                price,
            };
        }
    }
}

fn title(name: &str, zh: bool, brand: &str, attributes: &[(String, String)], rng: &mut ChaCha8Rng) -> String {
    let values: Vec<&str> = attributes.iter().map(|(_, value)| value.as_str()).collect();
    let first = values.first().copied().unwrap_or_default();
    match (zh, rng.random_range(0..3)) {
        (true, 0) => format!("{name} {first} – {brand}"),
        (true, 1) => format!("{brand} {name} {}", values.join(" ")),
        (true, _) => format!("{brand}{name} {first}"),
        (false, 0) => format!("{}, {first} — {brand}", capital(name)),
        (false, 1) => format!("{brand} {name}, {}", values.join(", ")),
        (false, _) => format!("{} — {brand}, {first}", capital(name)),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
