//! What code can hold a tag to (paper §3): two words at least, no word of nothing, no brand or model, in season, nothing of
//! the past month, nothing twice in other words, and a spread over categories.

use crate::PipelineError;
use crate::prompt;
use crate::words::{is_han, says, stems, words};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, HashSet};

const FILE: &str = "prompts/tag-rules.toml";
const TEXT: &str = include_str!("../../../../models/prompts/tag-rules.toml");
/// A brand longer than this many words is not looked for.
const BRAND_WORDS: usize = 4;
/// Nor one longer than this many characters where none are divided.
const BRAND_CHARACTERS: usize = 8;

/// The rules' own words.
#[derive(Debug, Clone, Deserialize)]
pub struct RuleWords {
    /// Version, part of the version of the tags' prompt.
    pub version: String,
    /// Words of nothing in particular.
    pub banned: Vec<String>,
    units: Vec<String>,
    season: Vec<Season>,
}

#[derive(Debug, Clone, Deserialize)]
struct Season {
    months: Vec<i8>,
    words: Vec<String>,
}

impl RuleWords {
    /// The words shipped with this version.
    ///
    /// # Errors
    /// [`PipelineError::BadFile`].
    pub fn shipped() -> Result<Self, PipelineError> {
        toml::from_str(TEXT).map_err(|error| PipelineError::BadFile { file: FILE, why: error.to_string() })
    }
}

/// A tag with what its rules read beside its words.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The tag.
    pub text: String,
    /// Its unit vector; empty where there is no embedder.
    pub vector: Vec<f32>,
    /// Its category by φ, as a number; `None` where the catalogue has no categories.
    pub category: Option<usize>,
}

/// Something clicked, bought or searched in the past month.
#[derive(Debug, Clone, PartialEq)]
pub struct Recent {
    /// Title or query.
    pub text: String,
    /// Its unit vector; empty where there is none.
    pub vector: Vec<f32>,
}

/// Which rule a tag breaks, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", content = "by", rename_all = "snake_case")]
pub enum Broken {
    /// No modifier and core word.
    Bare,
    /// A word of nothing in particular.
    Banned(String),
    /// A brand of the catalogue.
    Brand(String),
    /// A model's number.
    Model(String),
    /// Another season's word.
    Season(String),
    /// Something of the past month.
    Recent(String),
    /// An earlier tag in other words.
    Duplicate(String),
    /// Its category has enough tags.
    Crowded,
    /// It breaks none, but an arbiter or the selection took others.
    NotChosen,
}

/// What tags of one user are held to.
#[derive(Debug)]
pub struct Rules<'a> {
    /// The words.
    pub words: &'a RuleWords,
    /// Brands of the catalogue, as [`brand_key`] writes them.
    pub brands: &'a HashSet<String>,
    /// The past month.
    pub recent: &'a [Recent],
    /// Month of the day the tags are for; `None` where the log has no times.
    pub month: Option<i8>,
    /// Cosine that different things of the catalogue hardly reach.
    pub near: f32,
    /// Tags that a category may have.
    pub per_category: usize,
}

/// A brand as the rules look it up; `None` for one too short or too long to look for.
#[must_use]
pub fn brand_key(brand: &str) -> Option<String> {
    if brand.chars().any(is_han) {
        let flat: String = brand.chars().filter(|c| is_han(*c)).collect();
        let n = flat.chars().count();
        return (2..=BRAND_CHARACTERS).contains(&n).then_some(flat);
    }
    let parts = words(brand);
    let letters: usize = parts.iter().map(String::len).sum();
    (letters >= 3 && parts.len() <= BRAND_WORDS).then(|| parts.join(" "))
}

impl Rules<'_> {
    /// Goes through tags in order and says of each which rule it breaks: by itself, or beside those kept before it.
    #[must_use]
    pub fn screen(&self, candidates: Vec<Candidate>) -> Vec<(Candidate, Option<Broken>)> {
        let mut kept: Vec<Candidate> = Vec::new();
        let mut crowd: HashMap<usize, usize> = HashMap::new();
        let mut out = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let broken = self.alone(&candidate).or_else(|| self.beside(&candidate, &kept)).or_else(|| {
                let full = candidate.category.is_some_and(|it| crowd.get(&it) >= Some(&self.per_category));
                full.then_some(Broken::Crowded)
            });
            if broken.is_none() {
                if let Some(category) = candidate.category {
                    *crowd.entry(category).or_default() += 1;
                }
                kept.push(candidate.clone());
            }
            out.push((candidate, broken));
        }
        out
    }

    /// The rule that a tag breaks whatever else there is.
    #[must_use]
    pub fn alone(&self, candidate: &Candidate) -> Option<Broken> {
        let text = &candidate.text;
        if is_bare(text) {
            return Some(Broken::Bare);
        }
        let banned = self.words.banned.iter().find(|word| says(text, word));
        banned
            .map(|word| Broken::Banned(word.clone()))
            .or_else(|| self.brand(text).map(Broken::Brand))
            .or_else(|| self.model(text).map(Broken::Model))
            .or_else(|| self.out_of_season(text).map(Broken::Season))
            .or_else(|| self.repeated(candidate).map(Broken::Recent))
    }

    /// Tags of one interest share its word and lie nearer than other things do: twins are halfway from `near` to the same.
    /// (Of 34 pairs of such tags, by hand: from .92 on 11 of 17 others were called twins, from .96 on none, and 10 of 17 twins.)
    fn beside(&self, candidate: &Candidate, kept: &[Candidate]) -> Option<Broken> {
        let twins = f32::midpoint(self.near, 1.0);
        let own: BTreeSet<String> = stems(&candidate.text).into_iter().collect();
        let twin = kept.iter().find(|other| {
            alike(&candidate.vector, &other.vector) >= twins
                || stems(&other.text).into_iter().collect::<BTreeSet<_>>() == own
        });
        twin.map(|other| Broken::Duplicate(other.text.clone()))
    }

    fn brand(&self, text: &str) -> Option<String> {
        let parts = words(text);
        for n in 1..=BRAND_WORDS {
            if let Some(found) = parts.windows(n).map(|w| w.join(" ")).find(|key| self.brands.contains(key)) {
                return Some(found);
            }
        }
        let han: Vec<char> = text.chars().filter(|c| is_han(*c)).collect();
        (2..=BRAND_CHARACTERS)
            .flat_map(|n| han.windows(n))
            .map(|window| window.iter().collect::<String>())
            .find(|key| self.brands.contains(key))
    }

    /// A word of letters and at least two digits that is no size.
    fn model(&self, text: &str) -> Option<String> {
        text.split(|c: char| c.is_whitespace() || is_han(c)).map(str::to_lowercase).find(|word| {
            let letters: String = word.chars().filter(char::is_ascii_alphabetic).collect();
            let digits = word.chars().filter(char::is_ascii_digit).count();
            digits >= 2 && !letters.is_empty() && !self.words.units.contains(&letters)
        })
    }

    fn out_of_season(&self, text: &str) -> Option<String> {
        let month = self.month?;
        let wrong = self.words.season.iter().filter(|season| !season.months.contains(&month));
        wrong.flat_map(|season| &season.words).find(|word| says(text, word)).cloned()
    }

    fn repeated(&self, candidate: &Candidate) -> Option<String> {
        let own = stems(&candidate.text);
        let same = |recent: &&Recent| {
            let theirs: HashSet<String> = stems(&recent.text).into_iter().collect();
            alike(&candidate.vector, &recent.vector) >= self.near
                || own.iter().all(|word| {
                    theirs.contains(word) || (word.chars().any(is_han) && recent.text.contains(word.as_str()))
                })
        };
        self.recent.iter().find(same).map(|recent| prompt::one_line(&recent.text, 80))
    }
}

/// One English word, or fewer than three Chinese characters: no modifier and core word.
fn is_bare(text: &str) -> bool {
    let han = text.chars().filter(|c| is_han(*c)).count();
    if han > 0 {
        han + words(text).iter().filter(|w| w.is_ascii()).count() < 3
    } else {
        words(text).len() < 2
    }
}

fn alike(a: &[f32], b: &[f32]) -> f32 {
    if a.len() != b.len() || a.is_empty() {
        return f32::NEG_INFINITY;
    }
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
