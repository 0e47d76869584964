//! Explanations (paper §5): an interest, a tag and an item in; first whether and by which detail they belong together, then
//! one short phrase.

mod rules;

pub use rules::{ExplanationRules, Fault};

use crate::PipelineError;
use crate::prompt::{self, Prompt, PromptFile};
use concord_domain::ItemEssentials;
use serde::Deserialize;
use serde_json::json;

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

/// The prompt for one explanation, with a style guideline if there is one.
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
        ("item", item_line(pair.item)),
        ("style", style.unwrap_or_default()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (detail, line) = if lang == "zh" { (30, 24) } else { (80, 80) };
    Ok(Prompt {
        system: template.system.trim().to_owned(),
        user: prompt::fill(&template.user, &values),
        schema: json!({
            "type": "object",
            "properties": {
                "related": {"type": "boolean"},
                "detail": {"type": "string", "minLength": 1, "maxLength": detail},
                "line": {"type": "string", "minLength": 4, "maxLength": line},
            },
            "required": ["related", "detail", "line"],
            "additionalProperties": false,
        }),
        max_tokens: 96,
    })
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

/// An item with all that is known of it, in one line: what the explanation may rest on.
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
