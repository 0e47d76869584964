//! The world as files: JSON lines of users, items and behaviours, and the truth.

use super::{
    DemoError, World,
    catalogue::{Catalogue, Item},
    life::{Event, Life, To},
    people::Person,
    sources::Sources,
};
use jiff::{Timestamp, civil::Date};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// A world, ready to import.
#[derive(Debug)]
pub struct Files {
    /// JSON lines.
    pub users: String,
    /// JSON lines.
    pub items: String,
    /// JSON lines.
    pub behaviours: String,
    /// What is true of the users.
    pub truths: Vec<Truth>,
}

/// Something true of a user.
#[derive(Debug)]
pub struct Truth {
    /// The user's key.
    pub user: String,
    /// `interest`, `gift` or `necessity`.
    pub kind: &'static str,
    /// Name or occasion in both languages, stage, items.
    pub body: Value,
}

/// Makes the world.
///
/// # Errors
/// When its words cannot be read: a fault of the build.
pub fn files(world: World, until: Date) -> Result<Files, DemoError> {
    let sources = Sources::read()?;
    let mut rng = ChaCha8Rng::seed_from_u64(world.seed);
    let catalogue = Catalogue::make(&sources, world.items as usize, &mut rng);
    let mut files =
        Files { users: String::new(), items: String::new(), behaviours: String::new(), truths: Vec::new() };
    for item in &catalogue.items {
        line(&mut files.items, &ItemLine::from(item))?;
    }
    for n in 1..=world.users {
        // A stream of its own, so that a person does not depend on how many there are.
        let mut rng = ChaCha8Rng::seed_from_u64(world.seed);
        rng.set_stream(u64::from(n));
        let person = Person::make(n, &sources, &mut rng);
        let life = Life::live(&person, &sources, &catalogue, until, &mut rng);
        line(&mut files.users, &UserLine { user: &person.key, profile: Pairs(&person.profile) })?;
        for event in &life.events {
            line(&mut files.behaviours, &EventLine::new(&person, event, &catalogue))?;
        }
        let truth = |(kind, body)| Truth { user: person.key.clone(), kind, body };
        files.truths.extend(life.truths.into_iter().map(truth));
    }
    Ok(files)
}

fn line(file: &mut String, row: &impl Serialize) -> Result<(), DemoError> {
    file.push_str(&serde_json::to_string(row).map_err(|error| DemoError::Refused(error.to_string()))?);
    file.push('\n');
    Ok(())
}

/// Pairs as an object, in their order.
struct Pairs<'a>(&'a [(String, String)]);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[derive(Serialize)]
struct UserLine<'a> {
    user: &'a str,
    profile: Pairs<'a>,
}

#[derive(Serialize)]
struct ItemLine<'a> {
    item: &'a str,
    title: &'a str,
    category: Vec<&'a str>,
    brand: &'a str,
    attributes: Pairs<'a>,
    price: f64,
    lang: &'static str,
}

impl<'a> From<&'a Item> for ItemLine<'a> {
    fn from(item: &'a Item) -> Self {
        Self {
            item: &item.key,
            title: &item.title,
            category: item.category.split(" > ").collect(),
            brand: &item.brand,
            attributes: Pairs(&item.attributes),
            price: item.price,
            lang: if item.zh { "zh" } else { "en" },
        }
    }
}

#[derive(Serialize)]
struct EventLine<'a> {
    user: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    at: String,
}

impl<'a> EventLine<'a> {
    fn new(person: &'a Person, event: &'a Event, catalogue: &'a Catalogue) -> Self {
        let (item, query) = match &event.to {
            To::Item(item) => (Some(catalogue.items[*item].key.as_str()), None),
            To::Query(query) => (None, Some(query.as_str())),
        };
        let at = Timestamp::from_second(event.at).unwrap_or_default().to_string();
        Self { user: &person.key, kind: event.kind.as_str(), item, query, at }
    }
}
