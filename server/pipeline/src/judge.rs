//! Judging (paper §6): a sample and a rubric in, one question a criterion on one shared context out.
//!
//! The shared part is the user's context alone, so that all samples of a user share its prefix, not only the
//! criteria of one sample. Worked examples stand before it, those of all criteria together: they are read once
//! for all users.

mod draw;
mod probes;

pub use draw::{Candidate, draw};
pub use probes::{Probe, Probes};

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
    plain_system: String,
    plain: String,
    examples: String,
    example: String,
    question: String,
    answers: Vec<String>,
    rationale_system: String,
    rationale: String,
}

/// Each line of an example is cut here: it shows a case, it does not tell it in full.
const EXAMPLE_LINE: usize = 160;

/// A case that people have decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Worked {
    /// Criterion it was decided by.
    pub criterion: String,
    /// What was judged.
    pub sample: Sample,
    /// What people said.
    pub pass: bool,
}

/// What to score: instructions, examples, shared context, a question a criterion, and the answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Questions {
    /// Instructions.
    pub system: String,
    /// Worked examples; empty, or ends with a newline.
    pub preamble: String,
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

/// The questions of a sample, one a criterion, after the examples of its language.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn questions(sample: &Sample, rubric: &Rubric, examples: &[Worked]) -> Result<Questions, PipelineError> {
    let file = PromptFile::<JudgeTemplate>::read(FILE, TEXT)?;
    let template = file.language(FILE, &sample.lang)?;
    let text = describe(sample, rubric, usize::MAX);
    let system = if is_plain(sample) { &template.plain_system } else { &template.system };
    Ok(Questions {
        system: system.trim().to_owned(),
        preamble: preamble(template, rubric, examples, &sample.lang),
        shared: shared(template, sample),
        questions: rubric.criteria.iter().map(|c| ask(&template.question, &text, c, &sample.lang)).collect(),
        answers: template.answers.clone(),
    })
}

/// The answers in a language, the passing one first: the keys of stored logits.
///
/// # Errors
/// [`PipelineError::BadFile`].
pub fn answers(lang: &str) -> Result<Vec<String>, PipelineError> {
    Ok(PromptFile::<JudgeTemplate>::read(FILE, TEXT)?.language(FILE, lang)?.answers.clone())
}

/// The examples of a language in the rubric's order, or nothing.
fn preamble(template: &JudgeTemplate, rubric: &Rubric, examples: &[Worked], lang: &str) -> String {
    let of = |criterion: &Criterion| {
        let title = criterion.title.get(lang).to_owned();
        let mine = examples.iter().filter(|it| it.criterion == criterion.name && it.sample.lang == lang);
        mine.map(move |it| {
            let answer = template.answers.get(usize::from(!it.pass)).map_or("", String::as_str);
            let sample = describe(&it.sample, rubric, EXAMPLE_LINE);
            fill(&template.example, &[("sample", &sample), ("title", &title), ("answer", answer)])
                .trim()
                .to_owned()
        })
        .collect::<Vec<String>>()
    };
    let cases: Vec<String> = rubric.criteria.iter().flat_map(of).collect();
    if cases.is_empty() {
        return String::new();
    }
    fill(&template.examples, &[("examples", &cases.join("\n\n"))]).trim().to_owned() + "\n\n"
}

/// Nothing is known of a shopper: made elsewhere, and judged by what came with it.
fn is_plain(sample: &Sample) -> bool {
    sample.user.is_none() && sample.history.lines.is_empty()
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
    let values = [("sample", describe(sample, rubric, usize::MAX)), ("verdicts", lines.join("\n"))];
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
    if is_plain(sample) {
        return template.plain.trim().to_owned() + "\n";
    }
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

/// The sample with the chain it rests on, as lines of name and text, each cut at `cap`.
fn describe(sample: &Sample, rubric: &Rubric, cap: usize) -> String {
    let zh = sample.lang == "zh";
    let colon = if zh { "：" } else { ": " };
    let line =
        |name: &str, text: &str, max: usize| format!("{name}{colon}{}", prompt::one_line(text, max.min(cap)));
    let mut lines: Vec<String> =
        sample.chain.iter().map(|link| line(&word(&link.kind, rubric, zh), &link.text, 400)).collect();
    lines.extend(sample.context.iter().map(|(name, text)| line(&prompt::one_line(name, 60), text, 600)));
    lines.push(line(&word(&sample.task, rubric, zh), &sample.text, 400));
    if let Some(reason) = &sample.reason {
        lines.push(line(&word("reason", rubric, zh), reason, 300));
    }
    if !sample.evidence.is_empty() {
        let numbers: Vec<String> = sample.evidence.iter().map(u32::to_string).collect();
        lines.push(line(&word("evidence", rubric, zh), &numbers.join(", "), usize::MAX));
    }
    lines.join("\n")
}

/// What a part of a sample is called; a task made elsewhere by its rubric's name.
fn word(kind: &str, rubric: &Rubric, zh: bool) -> String {
    match (kind, zh) {
        ("interest", true) => "兴趣".into(),
        ("tag", true) => "标签".into(),
        ("item", true) => "商品".into(),
        ("explanation", true) => "推荐理由".into(),
        ("reason", true) => "理由".into(),
        ("evidence", true) => "引用的行".into(),
        (other, _) if other == rubric.task && !concord_domain::TASKS.contains(&other) => {
            prompt::one_line(rubric.name.get(if zh { "zh" } else { "en" }), 60)
        }
        (other, _) => {
            let mut word = other.to_owned();
            if let Some(first) = word.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            word
        }
    }
}
