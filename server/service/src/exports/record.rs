//! From what a policy took to training rows: the exact prompt that was run, answered with the part that people agreed
//! on; for judges the exact question, answered as people did.

use crate::jobs::JobError;
use crate::judging::load;
use concord_domain::{ExportPolicy, SampleId};
use concord_export::{Asked, ExportError, Record, redact, restrict};
use concord_pipeline::judge;
use concord_store::exports::{self, Taken};
use serde::Serialize;
use sqlx::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

/// A row to be written.
pub(super) struct Written {
    pub(super) record: Record,
    pub(super) lineage: Lineage,
    /// The samples in it; a pair has two.
    pub(super) of: Vec<Taken>,
}

/// Where a row came from, and what stands behind it.
#[derive(Debug, Serialize)]
pub(super) struct Lineage {
    /// The row in the export, as the database has it.
    row: i64,
    /// `train` or `eval`, and the line in those files.
    part: &'static str,
    line: u64,
    sample: SampleId,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<SampleId>,
    task: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    criterion: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rationale: Option<String>,
    pass: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    grades: Option<(String, String)>,
    evidence: String,
    people: i32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<Uuid>,
    rubric: String,
    generation: Uuid,
    call: Uuid,
    prompt: String,
    model: String,
}

impl Lineage {
    fn of(taken: &Taken) -> Self {
        Self {
            row: taken.line,
            part: if taken.held_out { "eval" } else { "train" },
            line: 0,
            sample: taken.sample,
            rejected: None,
            task: taken.task.clone(),
            criterion: taken.criterion.clone(),
            rationale: None,
            pass: taken.pass,
            grades: None,
            evidence: taken.evidence.clone(),
            people: taken.people,
            certificates: taken.certificates.clone(),
            rubric: taken.rubric_version.clone(),
            generation: taken.generation.0,
            call: taken.call.id,
            prompt: taken.call.prompt_version.clone(),
            model: taken.call.model.clone(),
        }
    }

    pub(super) fn at(&mut self, line: u64) {
        self.line = line;
    }
}

/// The words of a judge's answers, which need more than the row: read a batch at a time.
#[derive(Default)]
pub(super) struct Judged {
    questions: HashMap<(SampleId, String), (Asked, [String; 2])>,
    rationales: HashMap<(SampleId, String, bool), String>,
}

impl Judged {
    /// What the judge is asked of these rows, without worked examples.
    pub(super) async fn read(conn: &mut PgConnection, rows: &[Taken]) -> Result<Self, JobError> {
        let mut ids: Vec<SampleId> = rows.iter().map(|it| it.sample).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut questions = HashMap::new();
        for subject in load(conn, &ids).await? {
            let asked = judge::questions(&subject.sample, &subject.rubric, &[])?;
            let mut answers = asked.answers.into_iter();
            let words = [answers.next().unwrap_or_default(), answers.next().unwrap_or_default()];
            for (criterion, question) in subject.rubric.criteria.iter().zip(asked.questions) {
                let one = Asked { system: asked.system.clone(), user: asked.shared.clone() + &question };
                questions.insert((subject.sample.id, criterion.name.clone()), (one, words.clone()));
            }
        }
        let rationales = exports::rationales(conn, &ids).await?;
        let rationales =
            rationales.into_iter().map(|(id, name, pass, words)| ((id, name, pass), words)).collect();
        Ok(Self { questions, rationales })
    }
}

/// Rows of one line each, in order.
pub(super) fn rows(
    policy: &ExportPolicy,
    taken: Vec<Taken>,
    judged: &Judged,
) -> Result<Vec<Written>, ExportError> {
    let mut rows: Vec<Written> = Vec::with_capacity(taken.len());
    let mut lines = taken.into_iter().peekable();
    while let Some(first) = lines.next() {
        let second = lines.next_if(|it| it.line == first.line);
        rows.push(row(policy, first, second, judged)?);
    }
    Ok(rows)
}

fn row(
    policy: &ExportPolicy,
    first: Taken,
    second: Option<Taken>,
    judged: &Judged,
) -> Result<Written, ExportError> {
    let clean = |text: String| if policy.redact { redact(&text) } else { text };
    let mut lineage = Lineage::of(&first);
    let asked = || Asked { system: first.call.system.clone(), user: clean(first.call.prompt.clone()) };
    let record = match (policy.target.as_str(), &second) {
        ("judge", _) => {
            let (mut asked, answer, rationale) = judged_row(&first, judged)?;
            asked.user = clean(asked.user);
            lineage.rationale = rationale.map(clean);
            let words = [Some(answer), lineage.rationale.clone()];
            Record::Answer(asked, words.into_iter().flatten().collect::<Vec<_>>().join("\n"))
        }
        (_, Some(second)) => {
            lineage.rejected = Some(second.sample);
            lineage.grades = first.grade.clone().zip(second.grade.clone());
            let margin = lineage.grades.as_ref().map_or(1.0, |(a, b)| level(a) - level(b));
            Record::Pair(asked(), clean(answer(&first)?), clean(answer(second)?), margin)
        }
        ("kto", None) => Record::Sided(asked(), clean(answer(&first)?), first.pass),
        _ => Record::Answer(asked(), clean(answer(&first)?)),
    };
    Ok(Written { record, lineage, of: std::iter::once(first).chain(second).collect() })
}

/// S, A and B as numbers.
fn level(grade: &str) -> f64 {
    match grade {
        "S" => 2.0,
        "A" => 1.0,
        _ => 0.0,
    }
}

fn answer(taken: &Taken) -> Result<String, ExportError> {
    restrict(&taken.call.output, taken.ordinal)
        .map_err(|why| ExportError::BadOutput { sample: taken.sample.to_string(), why })
}

/// What the judge is asked, the answer people gave, and a reason for that answer if somebody wrote one.
fn judged_row(taken: &Taken, judged: &Judged) -> Result<(Asked, String, Option<String>), ExportError> {
    let criterion = taken.criterion.clone().unwrap_or_default();
    let key = (taken.sample, criterion);
    let (asked, words) = judged.questions.get(&key).ok_or_else(|| ExportError::BadOutput {
        sample: taken.sample.to_string(),
        why: format!("its rubric has no criterion {}", key.1),
    })?;
    let [pass, fail] = words;
    let rationale = judged.rationales.get(&(key.0, key.1, taken.pass)).cloned();
    Ok((asked.clone(), if taken.pass { pass } else { fail }.clone(), rationale))
}
