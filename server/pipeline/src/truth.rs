//! The fixed rule that matches a written interest with a latent one of the demo world, and how often it is right by hand.

use crate::PipelineError;
use crate::words::says;
use serde::Deserialize;
use std::collections::BTreeMap;

const FILE: &str = "demo/truth-words.toml";
const TEXT: &str = include_str!("../../../models/demo/truth-words.toml");
const PAIRS: &str = include_str!("../../../models/demo/truth-pairs.tsv");

/// The phrases of each latent interest, by its English name.
#[derive(Debug, Clone, Deserialize)]
pub struct TruthWords {
    words: BTreeMap<String, Vec<String>>,
}

/// How the rule did on the pairs labelled by hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// The rule and the hand say the same interest.
    pub both: u64,
    /// Only the rule does.
    pub rule_only: u64,
    /// Only the hand does.
    pub hand_only: u64,
    /// Neither does.
    pub neither: u64,
}

impl TruthWords {
    /// The rule shipped with this version.
    ///
    /// # Errors
    /// [`PipelineError::BadFile`].
    pub fn shipped() -> Result<Self, PipelineError> {
        toml::from_str(TEXT).map_err(|error| PipelineError::BadFile { file: FILE, why: error.to_string() })
    }

    /// Whether a text is this latent interest: it says its name, in either language, or one of its phrases.
    #[must_use]
    pub fn matches(&self, names: &[&str], text: &str) -> bool {
        let phrases = names.iter().filter_map(|name| self.words.get(*name)).flatten();
        names.iter().copied().chain(phrases.map(String::as_str)).any(|phrase| says(text, phrase))
    }

    /// The rule against the pairs labelled by hand.
    ///
    /// # Errors
    /// [`PipelineError::BadFile`].
    pub fn check(&self) -> Result<Checked, PipelineError> {
        let mut checked = Checked::default();
        for line in PAIRS.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let [name, text, label] = fields.as_slice() else {
                return Err(PipelineError::BadFile { file: "demo/truth-pairs.tsv", why: line.to_owned() });
            };
            match (self.matches(&[name], text), *label == "1") {
                (true, true) => checked.both += 1,
                (true, false) => checked.rule_only += 1,
                (false, true) => checked.hand_only += 1,
                (false, false) => checked.neither += 1,
            }
        }
        Ok(checked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_right_often_enough_to_measure_with() {
        let rule = TruthWords::shipped().expect("reads");
        let Checked { both, rule_only, hand_only, neither } = rule.check().expect("reads");
        println!("both {both}, rule only {rule_only}, hand only {hand_only}, neither {neither}");
        assert!(both + rule_only + hand_only + neither >= 200);
        assert!(both * 10 >= (both + rule_only) * 9, "precision");
        assert!(both * 10 >= (both + hand_only) * 8, "recall");
    }

    #[test]
    fn every_latent_interest_has_its_phrases() {
        let rule = TruthWords::shipped().expect("reads");
        let world = include_str!("../../../models/demo/interests.toml");
        let names: Vec<&str> =
            world.lines().filter_map(|line| line.strip_prefix("name = \"")?.split('|').next()).collect();
        assert!(names.len() >= 40);
        for name in names {
            assert!(rule.words.contains_key(name), "{name}");
            assert!(rule.matches(&[name], name), "{name}");
        }
    }
}
