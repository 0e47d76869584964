//! Item tag prediction (paper §3): interests in, triples of tag, interest and rationale out.

mod rules;

pub use rules::{Broken, Candidate, Recent, RuleWords, Rules, brand_key};

use crate::prompt::{self, Prompt, PromptFile};
use crate::{PipelineError, compress};
use concord_domain::History;
use serde::{Deserialize, Serialize};
use serde_json::json;

const FILE: &str = "prompts/tags.toml";
const TEXT: &str = include_str!("../../../models/prompts/tags.toml");

/// Prompt version, stored with every sample.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn version() -> Result<String, PipelineError> {
    let (prompt, rules) =
        (PromptFile::<TagTemplate>::read(FILE, TEXT)?.version, RuleWords::shipped()?.version);
    Ok(format!("tags/{prompt}.{rules}"))
}

#[derive(Debug, Clone, Deserialize)]
struct TagTemplate {
    system: String,
    user: String,
    avoid: String,
}

/// Tags that a category may have where `count` are asked for: a quarter at first, fewer the more there are, so that fifty
/// spread over eight categories at least.
#[must_use]
pub fn per_category(count: u32) -> usize {
    (count as usize).div_ceil(8).max(2)
}

/// What the generator wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Number of the interest it serves, from 1.
    pub interest: u32,
    /// Modifier and core word.
    pub tag: String,
    /// How it serves the interest.
    pub why: String,
}

/// The prompt for up to `count` tags on these interests, and none of those in `avoid`.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn prompt(
    profile: &[(String, String)],
    history: &History,
    interests: &[String],
    avoid: &[String],
    lang: &str,
    count: u32,
) -> Result<Prompt, PipelineError> {
    let file = PromptFile::<TagTemplate>::read(FILE, TEXT)?;
    let template = file.language(FILE, lang)?;
    let list: Vec<String> = interests
        .iter()
        .enumerate()
        .map(|(i, text)| format!("{}. {}", i + 1, prompt::one_line(text, 80)))
        .collect();
    let values = [
        ("date", prompt::date_line(history.as_of, lang)),
        ("profile", prompt::profile_line(profile, lang)),
        ("history", compress::render(&recent(history), lang)),
        ("interests", list.join("\n")),
        ("avoid", avoid_line(template, avoid)),
        ("count", count.to_string()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Ok(Prompt {
        system: prompt::fill(template.system.trim(), &[("banned", &banned(lang)?)]),
        user: prompt::fill(&template.user, &values),
        schema: schema(interests.len(), count),
        max_tokens: 24 + 60 * count as usize,
    })
}

fn avoid_line(template: &TagTemplate, avoid: &[String]) -> String {
    if avoid.is_empty() {
        return String::new();
    }
    let tags: Vec<String> = avoid.iter().map(|tag| prompt::one_line(tag, 60)).collect();
    prompt::fill(&template.avoid, &[("tags", &tags.join("; "))])
}

/// The banned words of a language, as the prompt asks for them; the rules hold to them whatever the model does.
fn banned(lang: &str) -> Result<String, PipelineError> {
    let chinese = lang == "zh";
    let words = RuleWords::shipped()?.banned;
    let own: Vec<String> =
        words.into_iter().filter(|word| word.chars().any(crate::words::is_han) == chinese).collect();
    Ok(own.join(if chinese { "、" } else { ", " }))
}

/// The newest lines: enough to see what they have already.
fn recent(history: &History) -> History {
    History { lines: history.lines.iter().take(12).cloned().collect(), ..history.clone() }
}

fn schema(interests: usize, count: u32) -> serde_json::Value {
    json!({
        "type": "object",
        "properties": {"tags": {
            "type": "array", "minItems": count.div_ceil(2).max(1), "maxItems": count.max(1),
            "items": {
                "type": "object",
                "properties": {
                    "interest": {"type": "integer", "minimum": 1, "maximum": interests.max(1)},
                    "tag": {"type": "string", "minLength": 2, "maxLength": 60},
                    "why": {"type": "string", "minLength": 2, "maxLength": 100},
                },
                "required": ["interest", "tag", "why"],
                "additionalProperties": false,
            },
        }},
        "required": ["tags"],
        "additionalProperties": false,
    })
}

/// The document that a model has to write for these tags.
#[must_use]
pub fn answer(tags: &[Tag]) -> String {
    json!({"tags": tags}).to_string()
}

/// Reads the model's document, each tag with its place in it; one that repeats an earlier one word for
/// word is dropped.
///
/// # Errors
/// [`PipelineError::BadOutput`].
pub fn parse(output: &str) -> Result<Vec<(i32, Tag)>, PipelineError> {
    #[derive(Deserialize)]
    struct Document {
        tags: Vec<Tag>,
    }
    let mut seen = std::collections::HashSet::new();
    let document = serde_json::from_str::<Document>(output)?;
    let mut tags: Vec<(i32, Tag)> = (0..).zip(document.tags).collect();
    tags.retain(|(_, tag)| seen.insert(tag.tag.trim().to_lowercase()));
    Ok(tags)
}
