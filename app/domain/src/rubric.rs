//! Rubrics: versioned criteria of a task. Data, not code.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The three tasks of the paper; imported audits may bring tasks of their own.
pub const TASKS: [&str; 3] = ["interest", "tag", "explanation"];

/// Text per language (`en`, `zh`); English is always there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Localised(pub BTreeMap<String, String>);

impl Localised {
    /// The text in that language, else in English, else any, else empty.
    #[must_use]
    pub fn get(&self, lang: &str) -> &str {
        self.0
            .get(lang)
            .or_else(|| self.0.get("en"))
            .or_else(|| self.0.values().next())
            .map_or("", String::as_str)
    }
}

/// A version of a task's criteria.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rubric {
    /// Task it judges.
    pub task: String,
    /// `major.minor`: minor versions keep labels comparable, major ones do not.
    pub version: String,
    /// What it is called.
    pub name: Localised,
    /// Criteria in the order people see them.
    pub criteria: Vec<Criterion>,
}

/// One criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Criterion {
    /// Short stable name, e.g. `relevance`.
    pub name: String,
    /// What people read above the answers.
    pub title: Localised,
    /// The question, worded so that "yes" means pass.
    pub question: Localised,
    /// When it passes.
    pub pass: Localised,
    /// When it fails.
    pub fail: Localised,
    /// The answers; the first passing one is what "pass" stores.
    pub labels: Vec<LabelDef>,
    /// The answers stand in order, best first; else they are names only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ordered: bool,
    /// Worked examples for people and judges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

/// A worked example of a criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Example {
    /// What is judged, with what it rests on.
    pub text: Localised,
    /// The right answer.
    pub label: String,
    /// Why.
    pub why: Localised,
}

/// A version of a task's rubric, as leads see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RubricVersion {
    /// The rubric.
    pub rubric: Rubric,
    /// New samples are reviewed by it.
    pub current: bool,
    /// `concord`, or `imported`: made of what an import named.
    pub origin: String,
    /// Samples under it.
    pub samples: i64,
    /// When it was stored.
    pub created_at: jiff::Timestamp,
}

/// The most criteria of a rubric; each has a row of keys on the review page.
pub const MAX_CRITERIA: usize = 8;
/// The most answers of a criterion.
pub const MAX_LABELS: usize = 8;

/// One answer of a criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LabelDef {
    /// Stored word.
    pub name: String,
    /// Whether it passes.
    pub pass: bool,
    /// Shown word.
    pub title: Localised,
}

impl Rubric {
    /// Major and minor number of the version.
    #[must_use]
    pub fn numbers(&self) -> Option<(u32, u32)> {
        let (major, minor) = self.version.split_once('.')?;
        let number = |text: &str| {
            (text.len() <= 6 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
        };
        Some((number(major)?, number(minor)?))
    }

    /// What makes this rubric unusable, with the field.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`].
    pub fn check(&self) -> Result<(), crate::Error> {
        let invalid = |field: String, why: &str| Err(crate::Error::invalid(field, why));
        if !is_name(&self.task) {
            return invalid("task".into(), "1 to 64 letters, digits and _");
        }
        if self.numbers().is_none() {
            return invalid("version".into(), "two numbers, as in 1.0");
        }
        if self.criteria.is_empty() || self.criteria.len() > MAX_CRITERIA {
            return invalid("criteria".into(), "1 to 8 of them");
        }
        for (place, criterion) in self.criteria.iter().enumerate() {
            let field = |name: &str| format!("criteria[{place}].{name}");
            if !is_name(&criterion.name) || criterion.name == "all" {
                return invalid(field("name"), "1 to 64 letters, digits and _, and not all");
            }
            if self.criteria[..place].iter().any(|other| other.name == criterion.name) {
                return invalid(field("name"), "stands twice");
            }
            criterion.check(&field)?;
        }
        Ok(())
    }

    /// The criterion of that name.
    #[must_use]
    pub fn criterion(&self, name: &str) -> Option<&Criterion> {
        self.criteria.iter().find(|criterion| criterion.name == name)
    }
}

/// Names that are stored and stand in addresses.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl Criterion {
    /// A criterion that an import named and no rubric describes: pass or fail.
    #[must_use]
    pub fn plain(name: &str) -> Self {
        let text = |text: &str| Localised([("en".to_owned(), text.to_owned())].into());
        let label = |name: &str, pass| LabelDef { name: name.into(), pass, title: text(name) };
        Self {
            name: name.into(),
            title: text(&name.replace('_', " ")),
            question: text(&name.replace('_', " ")),
            pass: Localised::default(),
            fail: Localised::default(),
            labels: vec![label("pass", true), label("fail", false)],
            ordered: false,
            examples: Vec::new(),
        }
    }

    fn check(&self, field: &impl Fn(&str) -> String) -> Result<(), crate::Error> {
        let invalid = |name: &str, why: &str| Err(crate::Error::invalid(field(name), why));
        if self.title.get("en").is_empty() || self.question.get("en").is_empty() {
            return invalid("question", "title and question are needed, at least in English");
        }
        if self.labels.len() > MAX_LABELS || self.labels.iter().any(|label| !is_name(&label.name)) {
            return invalid("labels", "at most 8, named by letters, digits and _");
        }
        let twice = |place: usize, name: &str| self.labels[..place].iter().any(|other| other.name == name);
        if self.labels.iter().enumerate().any(|(place, label)| twice(place, &label.name)) {
            return invalid("labels", "a label stands twice");
        }
        if self.first_label(true).is_none() || self.first_label(false).is_none() {
            return invalid("labels", "at least one that passes and one that does not");
        }
        if self.examples.len() > 20 || self.examples.iter().any(|it| self.label(&it.label).is_none()) {
            return invalid("examples", "at most 20, each with one of the labels");
        }
        Ok(())
    }

    /// The label of that name.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&LabelDef> {
        self.labels.iter().find(|label| label.name == name)
    }

    /// The label a bare pass (or fail) is stored as.
    #[must_use]
    pub fn first_label(&self, pass: bool) -> Option<&LabelDef> {
        self.labels.iter().find(|label| label.pass == pass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rubric() -> Rubric {
        let text = |text: &str| Localised([("en".to_owned(), text.to_owned())].into());
        let label = |name: &str, pass| LabelDef { name: name.into(), pass, title: text(name) };
        let criterion = Criterion {
            name: "clear".into(),
            title: text("Clear"),
            question: text("Is it clear?"),
            pass: text("yes"),
            fail: text("no"),
            labels: vec![label("good", true), label("bad", false)],
            ordered: true,
            examples: Vec::new(),
        };
        Rubric { task: "t".into(), version: "1.0".into(), name: text("T"), criteria: vec![criterion] }
    }

    fn field(change: impl Fn(&mut Rubric)) -> String {
        let mut rubric = rubric();
        change(&mut rubric);
        match rubric.check() {
            Err(crate::Error::Invalid { field, .. }) => field,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_field() {
        assert_eq!(rubric().check(), Ok(()));
        assert_eq!(field(|r| r.version = "1".into()), "version");
        assert_eq!(field(|r| r.version = "1.-1".into()), "version");
        assert_eq!(field(|r| r.task = "a b".into()), "task");
        assert_eq!(field(|r| r.criteria.clear()), "criteria");
        assert_eq!(field(|r| r.criteria.push(r.criteria[0].clone())), "criteria[1].name");
        assert_eq!(field(|r| r.criteria[0].name = "all".into()), "criteria[0].name");
        assert_eq!(field(|r| r.criteria[0].labels.truncate(1)), "criteria[0].labels");
        assert_eq!(field(|r| r.criteria[0].labels[1].name = "good".into()), "criteria[0].labels");
    }
}
