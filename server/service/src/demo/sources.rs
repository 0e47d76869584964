//! The words of the world, from `models/demo`.

use super::DemoError;
use serde::Deserialize;
use std::{collections::HashMap, ops::Range};

/// Something said in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Both {
    pub(super) en: String,
    pub(super) zh: String,
}

impl Both {
    pub(super) fn say(&self, zh: bool) -> &str {
        if zh { &self.zh } else { &self.en }
    }
}

/// An attribute and the values it takes.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) name: Both,
    pub(super) values: Vec<Both>,
}

/// A shelf of the shop.
#[derive(Debug)]
pub(super) struct Category {
    /// Path, outermost first, divided by ` > `.
    pub(super) path: Both,
    /// Places of the attributes that its things vary in.
    pub(super) attributes: Vec<usize>,
}

/// A sort of thing; the catalogue has several of each.
#[derive(Debug)]
pub(super) struct Sort {
    pub(super) category: usize,
    pub(super) name: Both,
    pub(super) price: Range<f64>,
}

/// What draws a person, or an occasion for a present.
#[derive(Debug)]
pub(super) struct Theme {
    pub(super) name: Both,
    /// Months in which it happens; empty: any.
    pub(super) season: Vec<i8>,
    pub(super) sorts: Range<usize>,
}

/// All words.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) brands_en: Vec<String>,
    pub(super) brands_zh: Vec<String>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) categories: Vec<Category>,
    pub(super) sorts: Vec<Sort>,
    pub(super) interests: Vec<Theme>,
    pub(super) gifts: Vec<Theme>,
    pub(super) necessities: Range<usize>,
    pub(super) passing: Range<usize>,
    pub(super) people: People,
}

/// What profiles say.
#[derive(Debug)]
pub(super) struct People {
    pub(super) age: Vec<Both>,
    pub(super) gender: Vec<Both>,
    pub(super) city: Vec<Both>,
    pub(super) household: Vec<Both>,
    pub(super) infant: Vec<Both>,
    pub(super) work: Vec<Both>,
}

#[derive(Deserialize)]
struct CatalogueFile {
    brands_en: String,
    brands_zh: String,
    attributes: HashMap<String, String>,
    categories: CategoriesFile,
}

#[derive(Deserialize)]
struct CategoriesFile {
    list: String,
}

#[derive(Deserialize)]
struct InterestsFile {
    interest: Vec<ThemeFile>,
}

#[derive(Deserialize)]
struct EverydayFile {
    necessities: String,
    passing: String,
    gift: Vec<ThemeFile>,
}

#[derive(Deserialize)]
struct ThemeFile {
    #[serde(alias = "occasion")]
    name: String,
    #[serde(default)]
    season: Vec<i8>,
    things: String,
}

#[derive(Deserialize)]
struct PeopleFile {
    age: String,
    gender: String,
    city: String,
    household: String,
    infant: String,
    work: String,
}

macro_rules! words {
    ($file:literal) => {
        toml::from_str(include_str!(concat!("../../../../models/demo/", $file)))
            .map_err(|why| DemoError::BadFile { file: $file, why: why.to_string() })
    };
}

impl Sources {
    pub(super) fn read() -> Result<Self, DemoError> {
        let catalogue: CatalogueFile = words!("catalogue.toml")?;
        let interests: InterestsFile = words!("interests.toml")?;
        let everyday: EverydayFile = words!("everyday.toml")?;
        let people: PeopleFile = words!("people.toml")?;
        let mut names: Vec<(&String, &String)> = catalogue.attributes.iter().collect();
        names.sort();
        let attributes = names.iter().map(|(_, line)| attribute(line)).collect::<Result<_, _>>()?;
        let attribute_at = |name: &str| names.iter().position(|(known, _)| *known == name);
        let (mut keys, mut categories) = (Vec::new(), Vec::new());
        for line in catalogue.categories.list.trim().lines() {
            let [key, en, zh, varied] = fields(line, "catalogue.toml")?;
            keys.push(key);
            let attributes: Option<Vec<usize>> = varied.split(',').map(attribute_at).collect();
            categories.push(Category {
                path: Both { en: en.into(), zh: zh.into() },
                attributes: attributes.ok_or_else(|| bad("catalogue.toml", line))?,
            });
        }
        let mut sorts = Vec::new();
        let mut take = |file, things: &str| -> Result<Range<usize>, DemoError> {
            let from = sorts.len();
            for line in things.trim().lines() {
                sorts.push(sort(file, line, &keys)?);
            }
            Ok(from..sorts.len())
        };
        let mut themes = |file, list: Vec<ThemeFile>| -> Result<Vec<Theme>, DemoError> {
            let theme = |ThemeFile { name, season, things }| {
                Ok(Theme { name: both(file, &name, '|')?, season, sorts: take(file, &things)? })
            };
            list.into_iter().map(theme).collect()
        };
        let interests = themes("interests.toml", interests.interest)?;
        let gifts = themes("everyday.toml", everyday.gift)?;
        let necessities = take("everyday.toml", &everyday.necessities)?;
        let passing = take("everyday.toml", &everyday.passing)?;
        let list = |line: &str| list("people.toml", line);
        Ok(Self {
            brands_en: catalogue.brands_en.split(' ').map(|b| b.replace('&', " & ")).collect(),
            brands_zh: catalogue.brands_zh.split(' ').map(str::to_owned).collect(),
            people: People {
                age: list(&people.age)?,
                gender: list(&people.gender)?,
                city: list(&people.city)?,
                household: list(&people.household)?,
                infant: list(&people.infant)?,
                work: list(&people.work)?,
            },
            attributes,
            categories,
            sorts,
            interests,
            gifts,
            necessities,
            passing,
        })
    }
}

fn bad(file: &'static str, line: &str) -> DemoError {
    DemoError::BadFile { file, why: format!("cannot read {line:?}") }
}

fn fields<'a, const N: usize>(line: &'a str, file: &'static str) -> Result<[&'a str; N], DemoError> {
    let fields: Vec<&str> = line.split('|').collect();
    fields.try_into().map_err(|_| bad(file, line))
}

fn both(file: &'static str, text: &str, between: char) -> Result<Both, DemoError> {
    let (en, zh) = text.trim().split_once(between).ok_or_else(|| bad(file, text))?;
    Ok(Both { en: en.to_owned(), zh: zh.to_owned() })
}

fn list(file: &'static str, line: &str) -> Result<Vec<Both>, DemoError> {
    line.split(" | ").map(|pair| both(file, pair, ':')).collect()
}

fn attribute(line: &str) -> Result<Attribute, DemoError> {
    let mut all = list("catalogue.toml", line)?;
    let name = all.remove(0);
    Ok(Attribute { name, values: all })
}

fn sort(file: &'static str, line: &str, keys: &[&str]) -> Result<Sort, DemoError> {
    let [category, en, zh, low, high] = fields(line, file)?;
    let number = |text: &str| text.parse::<f64>().map_err(|_| bad(file, line));
    Ok(Sort {
        category: keys.iter().position(|key| *key == category).ok_or_else(|| bad(file, line))?,
        name: Both { en: en.into(), zh: zh.into() },
        price: number(low)?..number(high)?,
    })
}
