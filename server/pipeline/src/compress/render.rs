//! A history as text: `3 | 2 months ago (purchase), 2 years ago (favourite) | Item A, Item B`.

use concord_domain::{Behaviour, BehaviourKind, History, HistoryLine};
use jiff::civil::Date;

/// The lines of a history, in English or, for `zh`, Chinese.
#[must_use]
pub fn render(history: &History, lang: &str) -> String {
    let lines: Vec<String> = history.lines.iter().map(|l| line(l, history.as_of, lang)).collect();
    lines.join("\n")
}

/// A behaviour as the log has it: time, kind, and all that is known of the thing.
pub(super) fn event(behaviour: &Behaviour) -> String {
    let when = behaviour.at.map_or_else(String::new, |at| at.strftime("%Y-%m-%d %H:%M").to_string());
    let what = match (&behaviour.item, &behaviour.query) {
        (Some(item), _) => {
            let mut parts = vec![item.title.clone().unwrap_or_else(|| item.key.clone())];
            parts.extend((!item.category.is_empty()).then(|| item.category.join(" > ")));
            parts.extend(item.brand.clone());
            parts.extend(item.attributes.iter().map(|(name, value)| format!("{name}: {value}")));
            parts.join(" | ")
        }
        (None, query) => query.clone().unwrap_or_default(),
    };
    format!("{when} | {} | {what}\n", word(behaviour.kind, false))
}

/// One line.
pub(super) fn line(line: &HistoryLine, as_of: Option<Date>, lang: &str) -> String {
    let chinese = lang.starts_with("zh");
    let (comma, stop) = if chinese { ("、", "；") } else { (", ", "; ") };
    let moments: Vec<String> = line
        .moments
        .iter()
        .map(|moment| {
            let kinds: Vec<&str> = moment.kinds.iter().map(|kind| word(*kind, chinese)).collect();
            format!("{} ({})", moment.period.words(as_of, chinese), kinds.join(comma))
        })
        .collect();
    let things: Vec<String> = line
        .things
        .iter()
        .map(|thing| if thing.item.is_some() { thing.text.clone() } else { format!("\"{}\"", thing.text) })
        .collect();
    // Titles hold commas, so things are set apart by semicolons.
    format!("{} | {} | {}", line.n, moments.join(comma), things.join(stop))
}

fn word(kind: BehaviourKind, chinese: bool) -> &'static str {
    match (kind, chinese) {
        (BehaviourKind::Search, false) => "search",
        (BehaviourKind::View, false) => "view",
        (BehaviourKind::DetailView, false) => "detail view",
        (BehaviourKind::ReviewRead, false) => "review read",
        (BehaviourKind::Favourite, false) => "favourite",
        (BehaviourKind::Cart, false) => "cart",
        (BehaviourKind::Purchase, false) => "purchase",
        (BehaviourKind::Search, true) => "搜索",
        (BehaviourKind::View, true) => "浏览",
        (BehaviourKind::DetailView, true) => "看详情",
        (BehaviourKind::ReviewRead, true) => "看评价",
        (BehaviourKind::Favourite, true) => "收藏",
        (BehaviourKind::Cart, true) => "加购",
        (BehaviourKind::Purchase, true) => "购买",
    }
}
