//! A row put together from its fields, whatever the format, and checked.

use super::{Kind, PseudonymKey, columns::Column, error::Bad, json::Json, text, times::Times};
use concord_domain::BehaviourKind;

/// A checked row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    User {
        key: String,
        profile: Vec<(String, String)>,
    },
    Item(Item),
    Event(Event),
    /// Item keys in order, each followed by a space.
    Sequence {
        user: String,
        kind: BehaviourKind,
        items: String,
        events: u64,
    },
    /// A sample, label or verdict, checked.
    Judged(serde_json::Value),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) key: String,
    pub(super) title: String,
    pub(super) category: Vec<String>,
    pub(super) brand: Option<String>,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) price: Option<f64>,
    pub(super) lang: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) user: String,
    pub(super) kind: BehaviourKind,
    pub(super) item: Option<String>,
    pub(super) query: Option<String>,
    /// Microseconds since 1970.
    pub(super) at: Option<i64>,
    pub(super) position: Option<i32>,
    pub(super) rating: Option<f32>,
    pub(super) reliable: bool,
    /// Category of an item that the log itself introduces (Taobao).
    pub(super) category: Option<String>,
}

/// What rows are read with: the choices of the import and what the file has shown so far.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) kind: Kind,
    /// `--kind`.
    pub(super) did: Option<BehaviourKind>,
    pub(super) min_rating: f32,
    /// Whether a row must say its behaviour (JSON lines do; atomic files mean purchases).
    pub(super) must_say: bool,
    pub(super) times: Times,
    /// Task of rows that name none.
    pub(super) task: Option<String>,
    /// What users are called by instead of their keys.
    pub(super) pseudonyms: Option<PseudonymKey>,
    /// Rows read, from 1: the order where there are no times.
    pub(super) row: u64,
    pub(super) timed: u64,
    pub(super) untimed: u64,
    /// Titles and the like with HTML entities.
    pub(super) decoded: u64,
    /// Names of keys that mean nothing here.
    pub(super) ignored: Vec<String>,
}

impl Reading {
    /// A user's key as it is stored.
    pub(super) fn name(&self, key: String) -> String {
        match &self.pseudonyms {
            Some(pseudonyms) => pseudonyms.of(&key),
            None => key,
        }
    }
}

/// A row being put together.
#[derive(Debug, Default)]
pub(super) struct Draft {
    user: Option<String>,
    item: Option<String>,
    items: Option<String>,
    did: Option<String>,
    query: Option<String>,
    at: Option<Json>,
    position: Option<f64>,
    rating: Option<f64>,
    title: Option<String>,
    category: Vec<String>,
    brand: Option<String>,
    price: Option<f64>,
    lang: Option<String>,
    pairs: Vec<(String, String)>,
}

impl Draft {
    /// Takes a field; null and empty text count as absent.
    pub(super) fn set(&mut self, column: &Column, value: Json, reading: &mut Reading) -> Result<(), Bad> {
        if value == Json::Null {
            return Ok(());
        }
        match column {
            Column::User => self.user = Some(reading.name(text::key("user", id("user", value)?)?)),
            Column::Item => {
                let item = id("item", value)?;
                self.item = if item.trim().is_empty() { None } else { Some(text::key("item", item)?) };
            }
            Column::Items => self.items = Some(one("item_id_list", value)?),
            Column::Did => self.did = Some(one("kind", value)?),
            Column::Query => self.query = shown("query", value, 500, reading)?,
            Column::At => self.at = Some(value),
            Column::Position => self.position = number("position", value)?,
            Column::Rating => self.rating = number("rating", value)?,
            Column::Title => self.title = shown("title", value, 2000, reading)?,
            Column::Category => self.category = path(value, reading)?,
            Column::Brand => self.brand = shown("brand", value, 256, reading)?,
            Column::Price => self.price = number("price", value)?,
            Column::Lang => self.lang = text::bounded("lang", one("lang", value)?, 16)?,
            Column::Pairs => match value {
                Json::Object(pairs) => {
                    for (name, value) in pairs {
                        self.pair(&name, value, reading)?;
                    }
                }
                Json::Text(text) if text.trim().is_empty() => {}
                _ => return Err(Bad::field(pairs_field(reading.kind), "is not an object")),
            },
            Column::Pair(name) => self.pair(name, value, reading)?,
            Column::Ignored(name) => {
                if reading.ignored.len() < 20 && !reading.ignored.contains(name) {
                    reading.ignored.push(name.clone());
                }
            }
        }
        Ok(())
    }

    fn pair(&mut self, name: &str, value: Json, reading: &mut Reading) -> Result<(), Bad> {
        let field = format!("{}.{name}", pairs_field(reading.kind));
        let value = match value {
            Json::List(list) => {
                let words: Option<Vec<String>> = list.into_iter().map(Json::scalar).collect();
                words.ok_or_else(|| Bad::field(&field, "is a list of lists or objects"))?.join(", ")
            }
            Json::Object(_) => return Err(Bad::field(field, "is an object in an object")),
            value => value.scalar().unwrap_or_default(),
        };
        let name = text::key(&field, name.to_owned())?;
        if let Some(value) = text::shown(&field, &value, 2000, &mut reading.decoded)? {
            self.pairs.push((name, value));
        }
        Ok(())
    }

    /// Checks the whole row.
    pub(super) fn finish(self, reading: &mut Reading) -> Result<Record, Bad> {
        match reading.kind {
            Kind::Users => Ok(Record::User { key: needed("user", self.user)?, profile: self.pairs }),
            Kind::Items => self.item(),
            Kind::Behaviours if self.items.is_some() => self.sequence(reading),
            Kind::Behaviours | Kind::Samples | Kind::Labels | Kind::Verdicts => self.event(reading),
        }
    }

    fn item(self) -> Result<Record, Bad> {
        let title = needed("title", self.title)?;
        Ok(Record::Item(Item {
            key: needed("item", self.item)?,
            category: self.category,
            brand: self.brand,
            attributes: self.pairs,
            price: self.price,
            lang: self.lang.unwrap_or_else(|| text::language(&title).to_owned()),
            title,
        }))
    }

    fn event(self, reading: &mut Reading) -> Result<Record, Bad> {
        let user = needed("user", self.user)?;
        let kind = match self.did {
            Some(word) => BehaviourKind::parse(&word)
                .ok_or_else(|| Bad::field("kind", format!("{word:?} is not a kind of behaviour")))?,
            None if self.query.is_some() => BehaviourKind::Search,
            None if reading.must_say && reading.did.is_none() => {
                return Err(Bad::field("kind", "is missing (a default can be given with --kind)"));
            }
            None => reading.did.unwrap_or(BehaviourKind::Purchase),
        };
        match (&self.item, &self.query) {
            (Some(_), Some(_)) => {
                return Err(Bad::row("names both an item and a query; it must be one of them"));
            }
            (None, None) => return Err(Bad::row("names neither an item nor a query")),
            (Some(_), None) if kind == BehaviourKind::Search => {
                return Err(Bad::field("query", "is missing: a search has a query, not an item"));
            }
            (None, Some(_)) if kind != BehaviourKind::Search => {
                return Err(Bad::field(
                    "item",
                    format!("is missing: a {} has an item, not a query", kind.as_str()),
                ));
            }
            _ => {}
        }
        let at = reading.times.read(self.at.unwrap_or(Json::Null))?;
        let position = match self.position {
            Some(position) => Some(whole("position", position)?),
            // No times are made up: the order in the file is what is known.
            None if at.is_none() => Some(
                i32::try_from(reading.row)
                    .map_err(|_| Bad::row("comes after more rows than have a position"))?,
            ),
            None => None,
        };
        reading.timed += u64::from(at.is_some());
        reading.untimed += u64::from(at.is_none());
        #[expect(clippy::cast_possible_truncation, reason = "ratings are small numbers")]
        let rating = self.rating.map(|rating| rating as f32);
        let reliable = kind.is_reliable() && rating.is_none_or(|rating| rating >= reading.min_rating);
        let Self { item, query, category, .. } = self;
        let category = category.into_iter().next();
        Ok(Record::Event(Event { user, kind, item, query, at, position, rating, reliable, category }))
    }

    fn sequence(self, reading: &mut Reading) -> Result<Record, Bad> {
        let mut items = String::new();
        let mut events = 0;
        for item in self.items.as_deref().unwrap_or_default().split_whitespace().chain(self.item.as_deref()) {
            let item = text::key("item_id_list", item.to_owned())?;
            if item.contains(' ') {
                return Err(Bad::field("item", "holds a space, so it cannot be part of a sequence"));
            }
            items.push_str(&item);
            items.push(' ');
            events += 1;
        }
        if events == 0 {
            return Err(Bad::field("item_id_list", "names no item"));
        }
        let kind = reading.did.unwrap_or(BehaviourKind::Purchase);
        reading.untimed += events;
        Ok(Record::Sequence { user: needed("user", self.user)?, kind, items, events })
    }
}

fn pairs_field(kind: Kind) -> &'static str {
    if kind == Kind::Users { "profile" } else { "attributes" }
}

fn needed(field: &str, value: Option<String>) -> Result<String, Bad> {
    value.ok_or_else(|| Bad::field(field, "is missing"))
}

fn one(field: &str, value: Json) -> Result<String, Bad> {
    value.scalar().ok_or_else(|| Bad::field(field, "is not text"))
}

/// A key may be written as a whole number, not as a fraction: 1e3 or 1.0 would be another key.
fn id(field: &str, value: Json) -> Result<String, Bad> {
    match value {
        Json::Text(text) => Ok(text),
        Json::Number(number) if !number.is_f64() => Ok(number.to_string()),
        _ => Err(Bad::field(field, "is not a key: text or a whole number")),
    }
}

fn shown(field: &str, value: Json, max: usize, reading: &mut Reading) -> Result<Option<String>, Bad> {
    text::shown(field, &one(field, value)?, max, &mut reading.decoded)
}

/// A finite number; `None` for empty text.
fn number(field: &str, value: Json) -> Result<Option<f64>, Bad> {
    let text = one(field, value)?;
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Some).ok_or_else(|| {
        Bad::field(field, format!("{:?} is not a finite number", text.chars().take(40).collect::<String>()))
    })
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be a whole number inside i32")]
fn whole(field: &str, number: f64) -> Result<i32, Bad> {
    if number.fract() == 0.0 && (0.0..=f64::from(i32::MAX)).contains(&number) {
        Ok(number as i32)
    } else {
        Err(Bad::field(field, format!("{number} is not a whole number from 0")))
    }
}

/// A category path: a list, or text split at `>`.
fn path(value: Json, reading: &mut Reading) -> Result<Vec<String>, Bad> {
    let parts: Vec<String> = match value {
        Json::List(list) => list
            .into_iter()
            .map(Json::scalar)
            .collect::<Option<_>>()
            .ok_or_else(|| Bad::field("category", "is not a list of text"))?,
        value => one("category", value)?.split('>').map(str::to_owned).collect(),
    };
    let mut path = Vec::with_capacity(parts.len());
    for part in parts {
        path.extend(text::shown("category", &part, 256, &mut reading.decoded)?);
    }
    Ok(path)
}
