//! What a column or key means: one list of names for every format.

use super::{Kind, error::ImportError};

/// What the values of a column are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    User,
    Item,
    /// A sequence of items in one row (RecBole).
    Items,
    Did,
    Query,
    At,
    Position,
    Rating,
    Title,
    Category,
    Brand,
    Price,
    Lang,
    /// An object of attributes or of a profile.
    Pairs,
    /// One attribute, or one line of a profile.
    Pair(String),
    Ignored(String),
}

impl Column {
    /// The meaning of a column's name in files of this kind. Pairs keep the name as written.
    pub(super) fn named(kind: Kind, name: &str) -> Self {
        let name = name.trim();
        let lower = name.to_ascii_lowercase();
        let word = lower.as_str();
        match (kind, word) {
            (Kind::Users | Kind::Behaviours, "user" | "user_id" | "userid" | "uid" | "reviewerid") => {
                Self::User
            }
            (
                Kind::Items | Kind::Behaviours,
                "item" | "item_id" | "itemid" | "iid" | "asin" | "product_id",
            ) => Self::Item,
            (Kind::Users, "profile") | (Kind::Items, "attributes") => Self::Pairs,
            (Kind::Users, _) => Self::Pair(name.to_owned()),
            (
                Kind::Behaviours,
                "kind" | "behavior" | "behaviour" | "behavior_type" | "event" | "event_type" | "action",
            ) => Self::Did,
            (Kind::Behaviours, "query" | "keyword" | "search_query") => Self::Query,
            (
                Kind::Behaviours,
                "at" | "time" | "timestamp" | "datetime" | "date" | "ts" | "unixreviewtime",
            ) => Self::At,
            (Kind::Behaviours, "position") => Self::Position,
            (Kind::Behaviours, "rating" | "score" | "stars" | "overall") => Self::Rating,
            (Kind::Behaviours, _) => Self::Ignored(name.to_owned()),
            (Kind::Items, "title" | "name" | "item_title" | "item_name" | "product_name" | "movie_title") => {
                Self::Title
            }
            (Kind::Items, "category" | "categories" | "class" | "genre" | "genres") => Self::Category,
            (Kind::Items, "brand") => Self::Brand,
            (Kind::Items, "price") => Self::Price,
            (Kind::Items, "lang" | "language") => Self::Lang,
            (Kind::Items, _) => Self::Pair(name.to_owned()),
            (Kind::Samples | Kind::Labels | Kind::Verdicts, _) => Self::Ignored(name.to_owned()),
        }
    }
}

/// What a header of this kind must have.
pub(super) fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Users => "user, and a column for each line of the profile",
        Kind::Items => "item, title; if known category, brand, price, lang, and a column for each attribute",
        Kind::Behaviours => "user, item or query; if known kind, at, position, rating",
        Kind::Samples => "sample, text, task; if known context, user, item, parent, cluster, lang, generator",
        Kind::Labels => {
            "sample, task, criterion, rater, label; if known pass, phase, stream, pi, cluster, rubric, at"
        }
        Kind::Verdicts => {
            "sample, task, criterion, judge; if known status, label, pass, p_pass, logits, rationale, cluster, at"
        }
    }
}

/// Refuses a header of samples, labels or verdicts without their key, or with a column twice. The task may be
/// given for the whole file.
pub(super) fn check_judged(kind: Kind, names: &[String], found: &str) -> Result<(), ImportError> {
    let refuse = |why: String| Err(ImportError::Columns { why, found: shorten(found), wanted: wanted(kind) });
    let needed: &[&str] = match kind {
        Kind::Samples => &["sample", "text"],
        Kind::Labels => &["sample", "criterion", "rater", "label"],
        _ => &["sample", "criterion", "judge"],
    };
    if let Some(missing) = needed.iter().find(|name| !names.iter().any(|known| known == *name)) {
        return refuse(format!("the column {missing} is missing"));
    }
    match names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        Some((_, name)) => refuse(format!("the column {name} is there twice")),
        None => Ok(()),
    }
}

/// Refuses a header that lacks what the kind needs, or has it twice.
pub(super) fn check(kind: Kind, columns: &[Column], found: &str) -> Result<(), ImportError> {
    let has = |column: &Column| columns.contains(column);
    let missing = match kind {
        Kind::Users => (!has(&Column::User)).then_some("no user"),
        Kind::Items if !has(&Column::Item) => Some("no item"),
        Kind::Items => (!has(&Column::Title)).then_some("no title"),
        Kind::Behaviours if !has(&Column::User) => Some("no user"),
        Kind::Behaviours => {
            let thing = has(&Column::Item) || has(&Column::Query) || has(&Column::Items);
            (!thing).then_some("neither item nor query")
        }
        // Checked by their names as written.
        Kind::Samples | Kind::Labels | Kind::Verdicts => None,
    };
    let twice = columns
        .iter()
        .enumerate()
        .find(|(place, column)| !matches!(column, Column::Ignored(_)) && columns[..*place].contains(column));
    let why = match (missing, twice) {
        (Some(missing), _) => missing.to_owned(),
        (None, Some((place, _))) => format!("column {} means the same as one before it", place + 1),
        (None, None) => return Ok(()),
    };
    Err(ImportError::Columns { why, found: shorten(found), wanted: wanted(kind) })
}

/// A header for a message: not longer than a few lines of a terminal.
pub(super) fn shorten(header: &str) -> String {
    let short: String = header.chars().take(200).flat_map(printable).collect();
    if header.chars().nth(200).is_some() { short + "…" } else { short }
}

/// Control characters as escapes, tabs as spaces.
fn printable(c: char) -> Vec<char> {
    match c {
        '\t' => vec![' '],
        c if c.is_control() => c.escape_default().collect(),
        c => vec![c],
    }
}
