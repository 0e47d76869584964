//! Amazon Reviews 2023: reviews are behaviours, metadata are items; a JSON object a line, many keys of which say nothing
//! here. The names of the dumps of 2014 and 2018 are understood too.

use super::{
    Kind,
    columns::Column,
    error::Bad,
    json::Json,
    record::{Draft, Reading, Record},
};

/// Puts a review or an item together.
pub(super) fn record(line: &str, reading: &mut Reading) -> Result<Record, Bad> {
    let Json::Object(fields) =
        serde_json::from_str(line).map_err(|why| Bad::row(format!("is not JSON: {why}")))?
    else {
        return Err(Bad::row("is not a JSON object"));
    };
    if reading.kind == Kind::Items { item(fields, reading) } else { review(fields, reading) }
}

/// Variants of a product share a parent, and metadata are the parent's.
fn key(fields: &[(String, Json)]) -> Json {
    let of = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    of("parent_asin").filter(|value| *value != Json::Null).or_else(|| of("asin")).unwrap_or(Json::Null)
}

fn review(fields: Vec<(String, Json)>, reading: &mut Reading) -> Result<Record, Bad> {
    let mut draft = Draft::default();
    draft.set(&Column::Item, key(&fields), reading)?;
    for (name, value) in fields {
        let column = match name.as_str() {
            "user_id" | "reviewerID" => Column::User,
            "rating" | "overall" => Column::Rating,
            "timestamp" | "unixReviewTime" => Column::At,
            _ => continue,
        };
        draft.set(&column, value, reading)?;
    }
    draft.finish(reading)
}

fn item(fields: Vec<(String, Json)>, reading: &mut Reading) -> Result<Record, Bad> {
    let mut draft = Draft::default();
    draft.set(&Column::Item, key(&fields), reading)?;
    let mut main = Json::Null;
    let mut path = Json::Null;
    for (name, value) in fields {
        match name.as_str() {
            "title" => draft.set(&Column::Title, value, reading)?,
            "store" | "brand" => draft.set(&Column::Brand, value, reading)?,
            "price" => draft.set(&Column::Price, price(value), reading)?,
            "main_category" | "main_cat" => main = value,
            "categories" | "category" => path = value,
            "details" => draft.set(&Column::Pairs, details(value)?, reading)?,
            _ => {}
        }
    }
    let empty = matches!(&path, Json::List(list) if list.is_empty()) || path == Json::Null;
    draft.set(&Column::Category, if empty { main } else { path }, reading)?;
    draft.finish(reading)
}

/// Prices are numbers, text with a currency sign, or "None" and ranges, which say no price.
fn price(value: Json) -> Json {
    let Json::Text(text) = value else { return value };
    let digits = text.trim().trim_start_matches(['$', '£', '€', '¥']).replace(',', "");
    if digits.parse::<f64>().is_ok() { Json::Text(digits) } else { Json::Null }
}

/// Details whose value is itself an object (ranks by shelf) say nothing of the item; some dumps write them as text.
fn details(value: Json) -> Result<Json, Bad> {
    let value = match value {
        Json::Text(text) if text.trim_start().starts_with('{') => {
            serde_json::from_str(&text).map_err(|why| Bad::field("details", format!("is not JSON: {why}")))?
        }
        value => value,
    };
    Ok(match value {
        Json::Object(pairs) => Json::Object(
            pairs
                .into_iter()
                .filter(|(_, value)| !matches!(value, Json::Object(_) | Json::List(_)))
                .collect(),
        ),
        other => other,
    })
}
