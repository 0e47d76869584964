//! What a new rubric changes beside an older one, and what publishing it would do.

use crate::Rubric;
use serde::{Deserialize, Serialize};

/// What publishing a rubric would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RubricPreview {
    /// The rubric as it was read.
    pub rubric: Rubric,
    /// The current version of its task.
    pub current: Option<String>,
    /// `first` of its task, `same` as a stored one, `minor` or `major`, as its version says.
    pub kind: String,
    /// What makes labels given under it incomparable with those of the current version.
    pub breaks: Vec<String>,
    /// Certificates that end at once.
    pub voids: Vec<VoidedCertificate>,
    /// Samples nobody has been given yet, which take the new version.
    pub samples: u64,
    /// Line by line beside the current version.
    pub diff: Vec<DiffLine>,
}

/// A certificate that a new major version ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VoidedCertificate {
    /// Its id.
    pub id: uuid::Uuid,
    /// Criterion.
    pub criterion: String,
    /// `pass` or `fail`.
    pub verdict: String,
    /// Judge.
    pub judge: String,
}

/// A line of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiffLine {
    /// `=` in both, `-` only in the older, `+` only in the newer.
    pub sign: char,
    /// The line.
    pub text: String,
}

impl Rubric {
    /// What makes labels under `newer` incomparable with labels under this rubric: other criteria, or other
    /// answers. Words may change freely.
    #[must_use]
    pub fn breaks(&self, newer: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for old in &self.criteria {
            let Some(new) = newer.criterion(&old.name) else {
                found.push(format!("{} is gone", old.name));
                continue;
            };
            let answers = |of: &crate::Criterion| -> Vec<(String, bool)> {
                let mut all: Vec<_> = of.labels.iter().map(|it| (it.name.clone(), it.pass)).collect();
                // The order of answers has a meaning only where it is said to have one.
                if !of.ordered {
                    all.sort();
                }
                all
            };
            if old.ordered != new.ordered || answers(old) != answers(new) {
                found.push(format!("{} has other answers", old.name));
            }
        }
        let fresh = newer.criteria.iter().filter(|new| self.criterion(&new.name).is_none());
        found.extend(fresh.map(|new| format!("{} is new", new.name)));
        found
    }
}

#[cfg(test)]
mod tests {
    use crate::{Criterion, Localised, Rubric};

    fn rubric(criteria: &[&str]) -> Rubric {
        Rubric {
            task: "t".into(),
            version: "1.0".into(),
            name: Localised::default(),
            criteria: criteria.iter().map(|name| Criterion::plain(name)).collect(),
        }
    }

    #[test]
    fn words_may_change_and_answers_may_not() {
        let old = rubric(&["a", "b"]);
        let mut words = old.clone();
        words.criteria[0].question = Localised([("zh".to_owned(), "清楚吗？".to_owned())].into());
        words.criteria[0].labels.reverse();
        words.criteria.reverse();
        assert_eq!(old.breaks(&words), Vec::<String>::new());
        assert_eq!(old.breaks(&rubric(&["a", "c"])), ["b is gone", "c is new"]);
        let mut flipped = old.clone();
        flipped.criteria[1].labels[0].name = "fine".into();
        assert_eq!(old.breaks(&flipped), ["b has other answers"]);
        let mut ordered = old.clone();
        ordered.criteria[1].ordered = true;
        assert_eq!(old.breaks(&ordered), ["b has other answers"]);
    }
}
