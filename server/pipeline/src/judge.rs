//! Judging (paper §6): a sample and a rubric in, one question a criterion on one shared context out.
//!
//! The shared part is the user's context alone, so that all samples of a user share its prefix, not
//! only the criteria of one sample.

use crate::prompt::{self, Prompt, PromptFile, fill};
use crate::{PipelineError, compress};
use concord_domain::{Criterion, Rubric, Sample};
use serde::Deserialize;
use std::collections::BTreeMap;

const FILE: &str = "prompts/judge.toml";
const TEXT: &str = include_str!("../../../models/prompts/judge.toml");

#[derive(Debug, Clone, Deserialize)]
struct JudgeTemplate {
    system: String,
    user: String,
    question: String,
    answers: Vec<String>,
    rationale_system: String,
    rationale: String,
}

/// What to score: instructions, shared context, a question a criterion, and the answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Questions {
    /// Instructions.
    pub system: String,
    /// Shared context; ends with a newline.
    pub shared: String,
    /// One a criterion, in rubric order.
    pub questions: Vec<String>,
    /// The passing answer first.
    pub answers: Vec<String>,
}

/// Prompt version, stored with every verdict.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn version() -> Result<String, PipelineError> {
    Ok(format!("judge/{}", PromptFile::<JudgeTemplate>::read(FILE, TEXT)?.version))
}

/// The questions of a sample, one a criterion.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn questions(sample: &Sample, rubric: &Rubric) -> Result<Questions, PipelineError> {
    let file = PromptFile::<JudgeTemplate>::read(FILE, TEXT)?;
    let template = file.language(FILE, &sample.lang)?;
    let text = describe(sample);
    Ok(Questions {
        system: template.system.trim().to_owned(),
        shared: shared(template, sample),
        questions: rubric.criteria.iter().map(|c| ask(&template.question, &text, c, &sample.lang)).collect(),
        answers: template.answers.clone(),
    })
}

/// The question for one-line rationales of verdicts that stand already: one call a sample, a line a
/// criterion. `verdicts` are criterion and label, in rubric order.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn rationale(
    sample: &Sample,
    rubric: &Rubric,
    verdicts: &[(String, String)],
) -> Result<Prompt, PipelineError> {
    let file = PromptFile::<JudgeTemplate>::read(FILE, TEXT)?;
    let template = file.language(FILE, &sample.lang)?;
    let lang = sample.lang.as_str();
    let stated: Vec<(&Criterion, &str)> = verdicts
        .iter()
        .filter_map(|(name, label)| Some((rubric.criterion(name)?, label)))
        .map(|(criterion, label)| {
            (criterion, criterion.label(label).map_or(label.as_str(), |def| def.title.get(lang)))
        })
        .collect();
    let lines: Vec<String> = stated
        .iter()
        .map(|(c, label)| format!("- {} ({}): {} → {label}", c.name, c.title.get(lang), c.question.get(lang)))
        .collect();
    let values = [("sample", describe(sample)), ("verdicts", lines.join("\n"))];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Ok(Prompt {
        system: template.rationale_system.trim().to_owned(),
        user: shared(template, sample) + fill(&template.rationale, &values).trim(),
        schema: rationale_schema(&stated),
        max_tokens: 16 + 60 * stated.len().max(1),
    })
}

/// One short sentence a criterion.
fn rationale_schema(stated: &[(&Criterion, &str)]) -> serde_json::Value {
    let line = serde_json::json!({"type": "string", "minLength": 4, "maxLength": 140});
    let names: Vec<&str> = stated.iter().map(|(criterion, _)| criterion.name.as_str()).collect();
    let properties: serde_json::Map<_, _> =
        names.iter().map(|name| ((*name).to_owned(), line.clone())).collect();
    serde_json::json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false})
}

/// Reads the rationales: criterion and line.
///
/// # Errors
/// [`PipelineError::BadOutput`].
pub fn parse_rationale(output: &str) -> Result<BTreeMap<String, String>, PipelineError> {
    Ok(serde_json::from_str(output)?)
}

fn shared(template: &JudgeTemplate, sample: &Sample) -> String {
    let lang = sample.lang.as_str();
    let profile = sample.user.as_ref().map_or(&[][..], |user| &user.profile);
    let values = [
        ("date", prompt::date_line(sample.history.as_of, lang)),
        ("profile", prompt::profile_line(profile, lang)),
        ("history", compress::render(&sample.history, lang)),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    fill(&template.user, &values).trim_end().to_owned() + "\n"
}

fn ask(template: &str, sample: &str, criterion: &Criterion, lang: &str) -> String {
    let values = [
        ("sample", sample),
        ("title", criterion.title.get(lang)),
        ("question", criterion.question.get(lang)),
        ("pass", criterion.pass.get(lang)),
        ("fail", criterion.fail.get(lang)),
    ];
    fill(template, &values).trim().to_owned()
}

/// The sample with the chain it rests on, as lines of name and text.
fn describe(sample: &Sample) -> String {
    let zh = sample.lang == "zh";
    let word = |kind: &str| -> String {
        match (kind, zh) {
            ("interest", true) => "兴趣".into(),
            ("tag", true) => "标签".into(),
            ("item", true) => "商品".into(),
            ("explanation", true) => "推荐理由".into(),
            ("reason", true) => "理由".into(),
            ("evidence", true) => "引用的行".into(),
            (other, _) => {
                let mut word = other.to_owned();
                if let Some(first) = word.get_mut(..1) {
                    first.make_ascii_uppercase();
                }
                word
            }
        }
    };
    let colon = if zh { "：" } else { ": " };
    let mut lines: Vec<String> = sample
        .chain
        .iter()
        .map(|link| format!("{}{colon}{}", word(&link.kind), prompt::one_line(&link.text, 400)))
        .collect();
    lines.extend(
        sample.context.iter().map(|(name, text)| {
            format!("{}{colon}{}", prompt::one_line(name, 60), prompt::one_line(text, 600))
        }),
    );
    lines.push(format!("{}{colon}{}", word(&sample.task), prompt::one_line(&sample.text, 400)));
    if let Some(reason) = &sample.reason {
        lines.push(format!("{}{colon}{}", word("reason"), prompt::one_line(reason, 300)));
    }
    if !sample.evidence.is_empty() {
        let numbers: Vec<String> = sample.evidence.iter().map(u32::to_string).collect();
        lines.push(format!("{}{colon}{}", word("evidence"), numbers.join(", ")));
    }
    lines.join("\n")
}
