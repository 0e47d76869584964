//! Explanations (paper §5): an interest, a tag and an item in; first whether and by which detail they belong together, then
//! one short phrase.

mod rules;

pub use rules::{ExplanationRules, Fault};

use crate::PipelineError;
use crate::prompt::{self, Prompt, PromptFile};
use concord_domain::ItemEssentials;
use serde::Deserialize;
use serde_json::json;
use std::collections::HashSet;
use std::iter;

const FILE: &str = "prompts/explanations.toml";
const TEXT: &str = include_str!("../../../models/prompts/explanations.toml");

#[derive(Debug, Clone, Deserialize)]
struct ExplanationTemplate {
    system: String,
    user: String,
    style: String,
    style_system: String,
    style_user: String,
}

/// Prompt version, stored with every sample.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn version() -> Result<String, PipelineError> {
    let prompt = PromptFile::<ExplanationTemplate>::read(FILE, TEXT)?.version;
    Ok(format!("explanations/{prompt}.{}", ExplanationRules::shipped()?.version))
}

/// What an explanation is written for.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// The interest.
    pub interest: &'a str,
    /// The tag that found the item.
    pub tag: &'a str,
    /// The item.
    pub item: &'a ItemEssentials,
}

/// The prompt for one explanation, with a style guideline if there is one. The item is shown without its brand, and the
/// document's detail can only be one of [`details`].
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn prompt(
    pair: Pair<'_>,
    style: Option<&str>,
    as_of: Option<jiff::civil::Date>,
    lang: &str,
) -> Result<Prompt, PipelineError> {
    let file = PromptFile::<ExplanationTemplate>::read(FILE, TEXT)?;
    let template = file.language(FILE, lang)?;
    let style = style.map(|style| prompt::fill(&template.style, &[("style", &prompt::one_line(style, 240))]));
    let values = [
        ("date", prompt::date_line(as_of, lang)),
        ("interest", prompt::one_line(pair.interest, 80)),
        ("tag", prompt::one_line(pair.tag, 80)),
        ("item", shown(pair.item)),
        ("style", style.unwrap_or_default()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let longest = if lang == "zh" { 24 } else { 80 };
    Ok(Prompt {
        system: template.system.trim().to_owned(),
        user: prompt::fill(&template.user, &values),
        schema: json!({
            "type": "object",
            "properties": {
                "related": {"type": "boolean"},
                "detail": {"type": "string", "enum": details(pair.item)},
                "line": {"type": "string", "minLength": 4, "maxLength": longest},
            },
            "required": ["related", "detail", "line"],
            "additionalProperties": false,
        }),
        max_tokens: 160,
    })
}

/// What a line may rest on: the title without the brand, each attribute, the innermost category.
fn details(item: &ItemEssentials) -> Vec<String> {
    let shelf = item.category.last().map(|leaf| prompt::one_line(leaf, 80));
    let mut all: Vec<String> = iter::once(name(item)).chain(attributes(item)).chain(shelf).collect();
    let mut met = HashSet::new();
    all.retain(|detail| !detail.is_empty() && met.insert(detail.clone()));
    all
}

/// The item's data as the prompt shows them.
fn shown(item: &ItemEssentials) -> String {
    let path = (!item.category.is_empty()).then(|| item.category.join(" > "));
    let parts: Vec<String> = iter::once(name(item)).chain(path).chain(attributes(item)).collect();
    prompt::one_line(&parts.join(" | "), 400)
}

fn name(item: &ItemEssentials) -> String {
    let title = prompt::one_line(&prompt::unbranded(item), 80);
    if title.is_empty() { prompt::one_line(&item.key, 80) } else { title }
}

fn attributes(item: &ItemEssentials) -> impl Iterator<Item = String> + '_ {
    item.attributes.iter().take(8).map(|(name, value)| prompt::one_line(&format!("{name}: {value}"), 80))
}

/// The prompt for the style guideline of a user's lines.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn style_prompt(
    profile: &[(String, String)],
    interests: &[String],
    as_of: Option<jiff::civil::Date>,
    lang: &str,
) -> Result<Prompt, PipelineError> {
    let file = PromptFile::<ExplanationTemplate>::read(FILE, TEXT)?;
    let template = file.language(FILE, lang)?;
    let list: Vec<String> =
        interests.iter().map(|text| format!("- {}", prompt::one_line(text, 80))).collect();
    let values = [
        ("date", prompt::date_line(as_of, lang)),
        ("profile", prompt::profile_line(profile, lang)),
        ("interests", list.join("\n")),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Ok(Prompt {
        system: template.style_system.trim().to_owned(),
        user: prompt::fill(&template.style_user, &values),
        schema: json!({
            "type": "object",
            "properties": {"style": {"type": "string", "minLength": 8, "maxLength": if lang == "zh" { 60 } else { 180 }}},
            "required": ["style"],
            "additionalProperties": false,
        }),
        max_tokens: 96,
    })
}

/// An item with all that is known of it, its brand too, in one line: what a judge and a reviewer read.
#[must_use]
pub fn item_line(item: &ItemEssentials) -> String {
    let mut parts = vec![item.title.clone().unwrap_or_else(|| item.key.clone())];
    parts.extend((!item.category.is_empty()).then(|| item.category.join(" > ")));
    parts.extend(item.brand.clone());
    parts.extend(item.attributes.iter().take(8).map(|(name, value)| format!("{name}: {value}")));
    prompt::one_line(&parts.join(" | "), 400)
}

/// What the generator wrote.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Explanation {
    /// Whether it says the item serves the interest.
    pub related: bool,
    /// The detail it rests on.
    pub detail: String,
    /// The line.
    pub line: String,
}

/// Reads the model's document.
///
/// # Errors
/// [`PipelineError::BadOutput`].
pub fn parse(output: &str) -> Result<Explanation, PipelineError> {
    Ok(serde_json::from_str::<Explanation>(output)?)
}

/// Reads the style guideline.
///
/// # Errors
/// [`PipelineError::BadOutput`].
pub fn parse_style(output: &str) -> Result<String, PipelineError> {
    #[derive(Deserialize)]
    struct Document {
        style: String,
    }
    Ok(serde_json::from_str::<Document>(output)?.style)
}

/// The key under which an interest's explanations are stored and looked up: its words, in any case and order of spaces.
#[must_use]
pub fn interest_key(interest: &str) -> String {
    crate::words::stems(interest).join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(title: Option<&str>, attributes: &[(&str, &str)]) -> ItemEssentials {
        ItemEssentials {
            id: 1,
            key: "i-1".into(),
            title: title.map(Into::into),
            category: vec!["Outdoor".into(), "Angling".into()],
            brand: Some("Rillbrook".into()),
            attributes: attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            price: None,
        }
    }

    fn asked(item: &ItemEssentials) -> Prompt {
        let pair = Pair { interest: "fly fishing", tag: "wading boots", item };
        prompt(pair, None, None, "en").expect("reads")
    }

    #[test]
    fn a_line_can_only_rest_on_what_the_item_has_and_the_brand_is_not_shown() {
        let boots =
            item(Some("Felt-soled wading boots, 43 — Rillbrook"), &[("Colour", "olive"), ("Size", "43")]);
        let prompt = asked(&boots);
        let details = &prompt.schema["properties"]["detail"]["enum"];
        assert_eq!(details, &json!(["Felt-soled wading boots, 43", "Colour: olive", "Size: 43", "Angling"]));
        let line = "Item: Felt-soled wading boots, 43 | Outdoor > Angling | Colour: olive | Size: 43";
        assert!(prompt.user.lines().any(|it| it == line), "{}", prompt.user);
        assert!(!prompt.user.contains("Rillbrook") && item_line(&boots).contains("Rillbrook"));
    }

    #[test]
    fn each_detail_stands_once_on_one_short_line_and_an_item_without_a_title_has_its_key() {
        let long = "x".repeat(500);
        let odd = item(None, &[("Note", "a\nb"), ("Note", "a b"), ("Long", &long)]);
        let prompt = asked(&odd);
        let details = prompt.schema["properties"]["detail"]["enum"].as_array().expect("a list").clone();
        let texts: Vec<&str> = details.iter().filter_map(serde_json::Value::as_str).collect();
        assert_eq!((texts[0], texts[1], texts.len()), ("i-1", "Note: a b", 4));
        assert!(texts.iter().all(|it| !it.contains('\n') && it.chars().count() <= 80));
    }
}
