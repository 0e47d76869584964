//! Explanations (paper §5): an interest, a tag and an item in, one short phrase out.

use crate::PipelineError;
use crate::prompt::{self, Prompt, PromptFile, Template};
use concord_domain::ItemEssentials;
use serde::Deserialize;
use serde_json::json;

const FILE: &str = "prompts/explanations.toml";
const TEXT: &str = include_str!("../../../models/prompts/explanations.toml");

/// Prompt version, stored with every sample.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn version() -> Result<String, PipelineError> {
    Ok(format!("explanations/{}", PromptFile::<Template>::read(FILE, TEXT)?.version))
}

/// The prompt for one explanation.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn prompt(
    interest: &str,
    tag: &str,
    item: &ItemEssentials,
    as_of: Option<jiff::civil::Date>,
    lang: &str,
) -> Result<Prompt, PipelineError> {
    let file = PromptFile::<Template>::read(FILE, TEXT)?;
    let template = file.language(FILE, lang)?;
    let values = [
        ("date", prompt::date_line(as_of, lang)),
        ("interest", prompt::one_line(interest, 80)),
        ("tag", prompt::one_line(tag, 80)),
        ("item", item_line(item)),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Ok(Prompt {
        system: template.system.trim().to_owned(),
        user: prompt::fill(&template.user, &values),
        schema: json!({
            "type": "object",
            "properties": {"explanation": {"type": "string", "minLength": 4, "maxLength": if lang == "zh" { 24 } else { 100 }}},
            "required": ["explanation"],
            "additionalProperties": false,
        }),
        max_tokens: 64,
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

/// Reads the model's document.
///
/// # Errors
/// [`PipelineError::BadOutput`].
pub fn parse(output: &str) -> Result<String, PipelineError> {
    #[derive(Deserialize)]
    struct Document {
        explanation: String,
    }
    Ok(serde_json::from_str::<Document>(output)?.explanation)
}
