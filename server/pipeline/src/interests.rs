//! Interest mining (paper §2): the compressed history in, interests with evidence and reason out.

mod screen;
pub mod threads;

pub use screen::{Evidence, Mark, Screen, ScreenWords};

use crate::prompt::{self, Prompt, PromptFile};
use crate::{PipelineError, compress};
use concord_domain::History;
use serde::Deserialize;
use serde_json::json;

const FILE: &str = "prompts/interests.toml";
const TEXT: &str = include_str!("../../../models/prompts/interests.toml");

/// Prompt version, stored with every sample.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn version() -> Result<String, PipelineError> {
    let (prompt, rules) =
        (PromptFile::<InterestTemplate>::read(FILE, TEXT)?.version, ScreenWords::shipped()?.version);
    Ok(format!("interests/{prompt}.{rules}.{}", threads::version()?))
}

#[derive(Debug, Clone, Deserialize)]
struct InterestTemplate {
    system: String,
    user: String,
    presets: String,
    consumables: String,
    gifts: String,
}

/// What code found before the model looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// Names of preset interests that may fit.
    pub presets: Vec<String>,
    /// Lines of daily consumables.
    pub consumables: Vec<u32>,
    /// Lines that look like presents.
    pub gifts: Vec<u32>,
}

/// What the generator wrote.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Interest {
    /// History lines it cites.
    pub evidence: Vec<u32>,
    /// Its name.
    pub interest: String,
    /// Why.
    pub reason: String,
    /// `long_term` or `current`.
    pub stage: String,
}

/// The prompt for up to `count` interests.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn prompt(
    profile: &[(String, String)],
    history: &History,
    hints: &Hints,
    lang: &str,
    count: u32,
) -> Result<Prompt, PipelineError> {
    let file = PromptFile::<InterestTemplate>::read(FILE, TEXT)?;
    let template = file.language(FILE, lang)?;
    let values = [
        ("date", prompt::date_line(history.as_of, lang)),
        ("profile", prompt::profile_line(profile, lang)),
        ("history", compress::render(history, lang)),
        ("hints", hint_lines(template, hints)),
        ("count", count.to_string()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Ok(Prompt {
        system: template.system.trim().to_owned(),
        user: prompt::fill(&template.user, &values),
        schema: schema(history.lines.len(), count),
        // An interest at its longest is about 150 tokens; the decoder closes the document in time if not.
        max_tokens: 24 + 150 * count as usize,
    })
}

/// A line for each thing to be wary of, and one for presets; nothing where there is nothing to say.
fn hint_lines(template: &InterestTemplate, hints: &Hints) -> String {
    let numbers = |lines: &[u32]| lines.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let line = |template: &str, name: &str, value: String| {
        if value.is_empty() { String::new() } else { prompt::fill(template, &[(name, &value)]) }
    };
    let names: Vec<String> = hints.presets.iter().map(|name| prompt::one_line(name, 60)).collect();
    [
        line(&template.consumables, "lines", numbers(&hints.consumables)),
        line(&template.gifts, "lines", numbers(&hints.gifts)),
        line(&template.presets, "names", names.join("; ")),
    ]
    .concat()
}

/// Evidence before the name: the model looks before it names. At least half of the count: a small model
/// left to itself names one interest and stops, and the paper asks for more than ten.
fn schema(lines: usize, count: u32) -> serde_json::Value {
    json!({
        "type": "object",
        "properties": {"interests": {
            "type": "array", "minItems": count.div_ceil(2).max(1), "maxItems": count.max(1),
            "items": {
                "type": "object",
                "properties": {
                    "evidence": {"type": "array", "minItems": 1, "maxItems": 6,
                        "items": {"type": "integer", "minimum": 1, "maximum": lines.max(1)}},
                    "interest": {"type": "string", "minLength": 2, "maxLength": 48},
                    "reason": {"type": "string", "minLength": 2, "maxLength": 200},
                    "stage": {"enum": ["long_term", "current"]},
                },
                "required": ["evidence", "interest", "reason", "stage"],
                "additionalProperties": false,
            },
        }},
        "required": ["interests"],
        "additionalProperties": false,
    })
}

/// Reads the model's document, each interest with its place in it; one that repeats an earlier one word
/// for word is dropped, and so are evidence numbers cited twice.
///
/// # Errors
/// [`PipelineError::BadOutput`].
pub fn parse(output: &str) -> Result<Vec<(i32, Interest)>, PipelineError> {
    #[derive(Deserialize)]
    struct Document {
        interests: Vec<Interest>,
    }
    let mut seen = std::collections::HashSet::new();
    let document = serde_json::from_str::<Document>(output)?;
    let mut interests: Vec<(i32, Interest)> = (0..).zip(document.interests).collect();
    interests.retain(|(_, interest)| seen.insert(interest.interest.trim().to_lowercase()));
    for (_, interest) in &mut interests {
        let mut cited = std::collections::HashSet::new();
        interest.evidence.retain(|line| cited.insert(*line));
    }
    Ok(interests)
}
