//! Personas and an arbiter (RecGPT-V2): a planner writes sides of a shopper, an expert a side predicts tags, an arbiter chooses
//! among what breaks no rule.

use crate::PipelineError;
use crate::prompt::{self, Prompt, PromptFile};
use serde::Deserialize;
use serde_json::json;

const FILE: &str = "prompts/personas.toml";
const TEXT: &str = include_str!("../../../models/prompts/personas.toml");

#[derive(Debug, Clone, Deserialize)]
struct PersonaTemplate {
    planner_system: String,
    planner_user: String,
    persona: String,
    arbiter_system: String,
    arbiter_user: String,
}

/// Prompt version.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn version() -> Result<String, PipelineError> {
    Ok(format!("personas/{}", PromptFile::<PersonaTemplate>::read(FILE, TEXT)?.version))
}

/// Who it is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Profile.
    pub profile: &'a [(String, String)],
    /// Interests.
    pub interests: &'a [String],
    /// The day.
    pub as_of: Option<jiff::civil::Date>,
    /// `en` or `zh`.
    pub lang: &'a str,
}

impl About<'_> {
    fn values(&self) -> [(&'static str, String); 3] {
        let list: Vec<String> =
            self.interests.iter().map(|text| format!("- {}", prompt::one_line(text, 80))).collect();
        [
            ("date", prompt::date_line(self.as_of, self.lang)),
            ("profile", prompt::profile_line(self.profile, self.lang)),
            ("interests", list.join("\n")),
        ]
    }
}

fn filled(template: &str, values: &[(&'static str, String)]) -> String {
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    prompt::fill(template, &values)
}

/// The planner's prompt.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn planner(about: &About<'_>, count: u32) -> Result<Prompt, PipelineError> {
    let file = PromptFile::<PersonaTemplate>::read(FILE, TEXT)?;
    let template = file.language(FILE, about.lang)?;
    let mut values = about.values().to_vec();
    values.push(("count", count.to_string()));
    Ok(Prompt {
        system: template.planner_system.trim().to_owned(),
        user: filled(&template.planner_user, &values),
        schema: json!({
            "type": "object",
            "properties": {"personas": {"type": "array", "minItems": count, "maxItems": count,
                "items": {"type": "string", "minLength": 4, "maxLength": if about.lang == "zh" { 40 } else { 120 }}}},
            "required": ["personas"],
            "additionalProperties": false,
        }),
        max_tokens: 24 + 48 * count as usize,
    })
}

/// What stands before an expert's task.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn as_persona(mut prompt: Prompt, persona: &str, lang: &str) -> Result<Prompt, PipelineError> {
    let file = PromptFile::<PersonaTemplate>::read(FILE, TEXT)?;
    let template = file.language(FILE, lang)?;
    let line = prompt::fill(&template.persona, &[("persona", &prompt::one_line(persona, 160))]);
    prompt.user = format!("{line}{}", prompt.user);
    Ok(prompt)
}

/// The arbiter's prompt: numbers of the proposed tags.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn arbiter(about: &About<'_>, tags: &[String], count: u32) -> Result<Prompt, PipelineError> {
    let file = PromptFile::<PersonaTemplate>::read(FILE, TEXT)?;
    let template = file.language(FILE, about.lang)?;
    let list: Vec<String> = (1..)
        .zip(tags)
        .map(|(n, tag): (u32, &String)| format!("{n}. {}", prompt::one_line(tag, 60)))
        .collect();
    let mut values = about.values().to_vec();
    values.push(("tags", list.join("\n")));
    values.push(("count", count.to_string()));
    Ok(Prompt {
        system: template.arbiter_system.trim().to_owned(),
        user: filled(&template.arbiter_user, &values),
        schema: json!({
            "type": "object",
            "properties": {"chosen": {"type": "array", "minItems": 1, "maxItems": count.max(1),
                "items": {"type": "integer", "minimum": 1, "maximum": tags.len().max(1)}}},
            "required": ["chosen"],
            "additionalProperties": false,
        }),
        max_tokens: 24 + 6 * count as usize,
    })
}

/// Reads the planner's document.
///
/// # Errors
/// [`PipelineError::BadOutput`].
pub fn parse_plan(output: &str) -> Result<Vec<String>, PipelineError> {
    #[derive(Deserialize)]
    struct Document {
        personas: Vec<String>,
    }
    Ok(serde_json::from_str::<Document>(output)?.personas)
}

/// Reads the arbiter's document: places of the tags, each once, in its order; numbers of no tag are left out.
///
/// # Errors
/// [`PipelineError::BadOutput`].
pub fn parse_choice(output: &str, tags: usize) -> Result<Vec<usize>, PipelineError> {
    #[derive(Deserialize)]
    struct Document {
        chosen: Vec<usize>,
    }
    let mut seen = std::collections::HashSet::new();
    let chosen = serde_json::from_str::<Document>(output)?.chosen;
    Ok(chosen.into_iter().filter(|n| (1..=tags).contains(n) && seen.insert(*n)).map(|n| n - 1).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arbiter_chooses_each_tag_once_and_none_that_is_not_there() {
        assert_eq!(parse_choice(r#"{"chosen":[2,2,9,0,1]}"#, 3).expect("reads"), [1, 0]);
        let about = About { profile: &[], interests: &["knitting".into()], as_of: None, lang: "zh" };
        let prompt = arbiter(&about, &["soft yarn\n9. evil".into()], 5).expect("reads");
        assert!(prompt.user.contains("1. soft yarn 9. evil"), "a tag cannot start a line of its own");
        assert_eq!(prompt.schema["properties"]["chosen"]["items"]["maximum"], 1);
    }
}
