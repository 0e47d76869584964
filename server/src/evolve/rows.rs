//! Rows of an export, or of a curriculum, as the model's tokens.

use anyhow::{Context, Result, bail};
use concord_inference::Lessons;
use concord_training::Example;
use serde_json::Value;
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Rows as tokens, and how many are too long.
pub(super) struct Rows {
    pub(super) examples: Vec<Example>,
    pub(super) left_out: usize,
}

/// A row in words.
pub(super) struct Said {
    pub(super) system: String,
    pub(super) user: String,
    pub(super) answer: String,
}

/// What the lineage of an export says of a row.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) task: String,
    pub(super) criterion: Option<String>,
    pub(super) pass: bool,
    /// The call whose text it is of: rows of one are of one user.
    pub(super) call: String,
}

/// The rows of a generator, or of a curriculum: the whole answer is learnt.
pub(super) fn whole(lessons: &Lessons, path: &Path, length: usize) -> Result<Rows> {
    let said = lines(path)?;
    tokens(lessons, path, length, said.into_iter().map(|(_, said)| said))
}

/// The rows of a judge of a task, or of one of its criteria: only the word of the verdict is learnt.
pub(super) fn verdicts(
    lessons: &Lessons,
    export: &Path,
    (task, criterion): (&str, Option<&str>),
    length: usize,
) -> Result<Rows> {
    let said = judged(export, "train", (task, criterion))?;
    tokens(lessons, &export.join("train.jsonl"), length, said.into_iter().map(|(_, said)| said))
}

/// A judge's rows of a part of an export (`train` or `eval`), each with where it came from; the answer is the verdict
/// alone.
pub(super) fn judged(
    export: &Path,
    part: &str,
    (task, criterion): (&str, Option<&str>),
) -> Result<Vec<(Origin, Said)>> {
    let origins = origins(export, part)?;
    let path = export.join(format!("{part}.jsonl"));
    let mut found = Vec::new();
    for (number, mut said) in lines(&path)? {
        let origin = origins.get(&number);
        let origin = origin.with_context(|| format!("lineage.jsonl has no line {number} of {part}"))?;
        if origin.task == task && (criterion.is_none() || origin.criterion.as_deref() == criterion) {
            // A reason may stand on the next line: it comes after the verdict and decides nothing.
            said.answer.truncate(said.answer.find('\n').unwrap_or(said.answer.len()));
            found.push((origin.clone(), said));
        }
    }
    if found.iter().any(|(origin, _)| origin.criterion.is_none()) {
        bail!("{} is no export for judges: export with target judge", export.display());
    }
    Ok(found)
}

fn origins(export: &Path, part: &str) -> Result<HashMap<u64, Origin>> {
    let path = export.join("lineage.jsonl");
    let file = std::fs::File::open(&path).with_context(|| path.display().to_string())?;
    let mut found = HashMap::new();
    for line in BufReader::new(file).lines() {
        let row: Value = serde_json::from_str(&line?).with_context(|| path.display().to_string())?;
        if row["part"] != part {
            continue;
        }
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        let origin = Origin {
            task: text("task").unwrap_or_default(),
            criterion: text("criterion"),
            pass: row["pass"] == true,
            call: text("call").unwrap_or_default(),
        };
        found.insert(row["line"].as_u64().unwrap_or_default(), origin);
    }
    Ok(found)
}

/// The lines of a file with their numbers, from 1: TRL's `messages`, or `prompt` and `completion`.
fn lines(path: &Path) -> Result<Vec<(u64, Said)>> {
    let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    let mut found = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let row: Value =
            serde_json::from_str(&line?).with_context(|| format!("{} line {number}", path.display()))?;
        let said = said(&row).with_context(|| {
            format!(
                "{} line {number} has neither messages nor prompt and completion: export with layout trl",
                path.display()
            )
        })?;
        found.push((number, said));
    }
    Ok(found)
}

fn said(row: &Value) -> Option<Said> {
    let parts = |name: &str| row[name].as_array().cloned();
    let all = parts("messages").or_else(|| Some([parts("prompt")?, parts("completion")?].concat()))?;
    let of = |role: &str| all.iter().find(|it| it["role"] == role)?["content"].as_str().map(str::to_owned);
    Some(Said { system: of("system").unwrap_or_default(), user: of("user")?, answer: of("assistant")? })
}

fn tokens(lessons: &Lessons, path: &Path, length: usize, said: impl Iterator<Item = Said>) -> Result<Rows> {
    let (mut examples, mut left_out) = (Vec::new(), 0);
    for it in said {
        let (tokens, answer) = lessons.lesson(&it.system, &it.user, &it.answer)?;
        if tokens.len() > length {
            left_out += 1;
        } else {
            examples.push(Example { tokens, answer });
        }
    }
    if examples.is_empty() {
        bail!("{}: none of {left_out} rows has at most {length} tokens", path.display());
    }
    if left_out > 0 {
        tracing::warn!(left_out, longest = length, "rows that are longer are left out");
    }
    Ok(Rows { examples, left_out })
}
