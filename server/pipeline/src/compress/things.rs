//! Item-level compression: an item becomes its essentials in one short text.

use concord_domain::{Behaviour, ItemEssentials, Thing};

/// Longest title shown, in characters.
const TITLE: usize = 100;
/// Attributes shown, and the longest value among them.
const ATTRIBUTES: usize = 3;
const VALUE: usize = 24;

/// What a behaviour was done to: the item's essentials or the query.
pub(super) fn thing(behaviour: &Behaviour) -> Thing {
    match (&behaviour.item, &behaviour.query) {
        (Some(item), _) => Thing { item: Some(item.key.clone()), text: essentials(item) },
        (None, query) => Thing { item: None, text: one_line(query.as_deref().unwrap_or_default(), 200) },
    }
}

/// Title, and in brackets what it does not say already: category, brand, key attributes.
fn essentials(item: &ItemEssentials) -> String {
    let title = one_line(item.title.as_deref().unwrap_or_default(), TITLE);
    let mut extra: Vec<String> = Vec::new();
    let mut add = |text: &str, shown: String| {
        if !text.is_empty() && !title.contains(text) {
            extra.push(shown);
        }
    };
    if let Some(category) = item.category.last() {
        add(category, one_line(category, VALUE * 2));
    }
    if let Some(brand) = &item.brand {
        add(brand, one_line(brand, VALUE));
    }
    for (name, value) in item.attributes.iter().filter(|(_, v)| v.chars().count() <= VALUE).take(ATTRIBUTES) {
        let named = value.to_lowercase().contains(&name.to_lowercase());
        let shown = if named { value.clone() } else { format!("{name} {value}") };
        add(value, one_line(&shown, VALUE * 2));
    }
    if extra.is_empty() { title } else { format!("{title} [{}]", extra.join("; ")) }
}

/// One line of at most `max` characters, without the bar that divides a history line: text from logs
/// must not be able to look like a line of its own.
fn one_line(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max * 4));
    for (place, c) in text.trim().chars().enumerate() {
        if place == max {
            out.push('…');
            break;
        }
        out.push(match c {
            '|' => '/',
            c if c.is_control() || c == '\u{2028}' || c == '\u{2029}' => ' ',
            c => c,
        });
    }
    out
}
