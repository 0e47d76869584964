//! What code can hold an explanation to (paper §5): its length, no slogan, no brand, no echo of the title. And the line that
//! stands in where a model has written none that holds: a quality of the item, in the catalogue's own words.

use crate::PipelineError;
use crate::words::{is_han, says, stems, words};
use concord_domain::ItemEssentials;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

const FILE: &str = "prompts/explanation-rules.toml";
const TEXT: &str = include_str!("../../../../models/prompts/explanation-rules.toml");
/// Characters of a line at most, however few words they are.
const LONGEST: usize = 120;
/// Share of an explanation's words that may stand in the title: more is an echo.
const ECHO: f64 = 0.6;

/// The rules' own words and limits.
#[derive(Debug, Clone, Deserialize)]
pub struct ExplanationRules {
    /// Version, part of the version of the explanations' prompt.
    pub version: String,
    words: (usize, usize),
    characters: (usize, usize),
    banned: Vec<String>,
}

/// Which rule an explanation breaks, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", content = "by", rename_all = "snake_case")]
pub enum Fault {
    /// Too few words.
    Short,
    /// Too many.
    Long,
    /// A slogan, exaggeration or a word of nothing.
    Banned(String),
    /// The item's brand.
    Brand(String),
    /// Mostly the title again.
    Echo,
}

impl ExplanationRules {
    /// The rules shipped with this version.
    ///
    /// # Errors
    /// [`PipelineError::BadFile`].
    pub fn shipped() -> Result<Self, PipelineError> {
        toml::from_str(TEXT).map_err(|error| PipelineError::BadFile { file: FILE, why: error.to_string() })
    }

    /// The rule that this line about the item breaks.
    #[must_use]
    pub fn broken(&self, text: &str, item: &ItemEssentials) -> Option<Fault> {
        let han = text.chars().filter(|c| is_han(*c)).count();
        let (n, (least, most)) = if han > 0 {
            (han + words(text).iter().filter(|word| word.is_ascii()).count(), self.characters)
        } else {
            (words(text).len(), self.words)
        };
        if n < least {
            return Some(Fault::Short);
        }
        if n > most || text.chars().count() > LONGEST {
            return Some(Fault::Long);
        }
        if let Some(word) = self.banned.iter().find(|word| says(text, word)) {
            return Some(Fault::Banned(word.clone()));
        }
        if let Some(brand) = item.brand.as_ref().filter(|brand| says(text, brand)) {
            return Some(Fault::Brand(brand.clone()));
        }
        is_echo(text, item.title.as_deref().unwrap_or_default()).then_some(Fault::Echo)
    }

    /// A quality of the item in the catalogue's own words, where there is one that breaks no rule.
    #[must_use]
    pub fn quality(&self, item: &ItemEssentials, lang: &str) -> Option<String> {
        let attributes = item.attributes.iter().filter(|(name, value)| {
            !name.trim().is_empty() && !value.trim().is_empty() && value.chars().count() <= 24
        });
        let own: Vec<String> = attributes
            .map(|(name, value)| match lang {
                "zh" => format!("{}{}", name.trim(), value.trim()),
                _ => format!("{} {}", name.trim().to_lowercase(), value.trim()),
            })
            .collect();
        let leaf = item.category.last().map(|leaf| leaf.trim()).filter(|leaf| !leaf.is_empty());
        let of_shelf = leaf.map(|leaf| match lang {
            "zh" => format!("来自{leaf}系列"),
            _ => format!("from our {} shelf", leaf.to_lowercase()),
        });
        let joined =
            own.iter().take(2).cloned().collect::<Vec<_>>().join(if lang == "zh" { "，" } else { ", " });
        let with_shelf = of_shelf
            .clone()
            .map(|shelf| format!("{joined}{}{shelf}", if lang == "zh" { "，" } else { ", " }));
        let lines = [Some(joined), with_shelf, of_shelf];
        lines.into_iter().flatten().find(|line| self.broken(line, item).is_none())
    }
}

/// Most of its words are the title's; or, without spaces, most of its pairs of characters.
fn is_echo(text: &str, title: &str) -> bool {
    let own: Vec<String> = if text.chars().any(is_han) {
        let han: Vec<char> = text.chars().filter(|c| is_han(*c)).collect();
        han.windows(2).map(|pair| pair.iter().collect()).collect()
    } else {
        stems(text)
    };
    let flat: String = title.chars().filter(|c| is_han(*c)).collect();
    let theirs: HashSet<String> = stems(title).into_iter().collect();
    let there = own.iter().filter(|word| theirs.contains(*word) || flat.contains(word.as_str())).count();
    #[expect(clippy::cast_precision_loss, reason = "a few words")]
    let share = there as f64 / own.len().max(1) as f64;
    share > ECHO
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item(brand: &str, title: &str) -> ItemEssentials {
        ItemEssentials {
            id: 1,
            key: "i".into(),
            title: Some(title.into()),
            category: vec!["Outdoor".into(), "Angling".into()],
            brand: Some(brand.into()),
            attributes: vec![("Colour".into(), "olive".into()), ("Size".into(), "M".into())],
            price: None,
        }
    }

    #[test]
    fn each_rule_says_what_it_found() {
        let rules = ExplanationRules::shipped().expect("reads");
        let boots = item("Rillbrook", "Felt-soled wading boots, 43 — Rillbrook");
        let of = |text: &str| rules.broken(text, &boots);
        assert_eq!(of("dry feet in cold rivers"), None);
        assert_eq!(of("dry feet"), Some(Fault::Short));
        assert_eq!(of(&"dry feet in cold rivers ".repeat(3)), Some(Fault::Long));
        assert_eq!(of("the best way to wade"), Some(Fault::Banned("best".into())));
        assert_eq!(of("wade further with Rillbrook"), Some(Fault::Brand("Rillbrook".into())));
        assert_eq!(of("felt soled wading boots today"), Some(Fault::Echo));
        let kettle = item("山石", "山石 细口壶 带温度计");
        assert_eq!(rules.broken("水温看得见更稳", &kettle), None);
        assert_eq!(rules.broken("细口壶带温度计", &kettle), Some(Fault::Echo));
        assert_eq!(rules.broken("手冲必备的壶", &kettle), Some(Fault::Banned("必备".into())));
    }

    #[test]
    fn a_quality_is_the_catalogues_own_words() {
        let rules = ExplanationRules::shipped().expect("reads");
        let boots = item("Rillbrook", "Felt-soled wading boots, 43 — Rillbrook");
        assert_eq!(rules.quality(&boots, "en").as_deref(), Some("colour olive, size M"));
        let bare = ItemEssentials { attributes: vec![], category: vec![], ..boots };
        assert_eq!(rules.quality(&bare, "en"), None, "nothing is made up");
    }

    proptest! {
        #[test]
        fn a_quality_never_breaks_a_rule(
            attributes in prop::collection::vec(("[a-zA-Z颜色 ]{0,12}", "[a-z0-9 米绿]{0,30}"), 0..4),
            category in prop::collection::vec("[A-Za-z户外 ]{0,20}", 0..3),
            brand in "[A-Za-z]{3,8}", title in "[A-Za-z 壶]{0,40}", zh in any::<bool>(),
        ) {
            let rules = ExplanationRules::shipped().expect("reads");
            let it = ItemEssentials { attributes, category, ..item(&brand, &title) };
            if let Some(text) = rules.quality(&it, if zh { "zh" } else { "en" }) {
                prop_assert_eq!(rules.broken(&text, &it), None);
                prop_assert!(!text.to_lowercase().split_whitespace().any(|word| word == brand.to_lowercase()));
            }
        }
    }
}
