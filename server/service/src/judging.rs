//! Judging: the probability of pass a criterion, then, when nobody waits, one line of reason each.

use crate::generation::GenerateArgs;
use crate::jobs::{JobError, Progress};
use crate::models::Models;
use concord_domain::ports::{GenerateRequest, ModelInfo, Priority, Score, ScoreRequest, Scored};
use concord_domain::{JobId, Rubric, SampleId};
use concord_pipeline::judge;
use concord_store::jobs::NewJob;
use concord_store::samples::Loaded;
use concord_store::verdicts::NewVerdict;
use concord_store::{jobs, rubrics, samples, verdicts};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Runs the judge.
#[derive(Clone)]
pub struct Judge {
    /// The database.
    pub pool: PgPool,
    /// The models.
    pub models: Models,
}

/// What a rationale job works on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RationaleArgs {
    /// The sample.
    pub sample: SampleId,
}

impl Judge {
    /// Judges every unjudged sample of a user, opens each for review as it is judged, and queues its
    /// rationales at the lowest priority.
    ///
    /// # Errors
    /// [`JobError`]: whether to try again, and when.
    pub async fn run(&self, args: GenerateArgs, progress: &Progress) -> Result<(), JobError> {
        let info = self.models.judge.info().await?;
        let name = judge_name(&info)?;
        let mut conn = self.pool.acquire().await?;
        let todo = samples::unjudged(&mut conn, args.generation, args.user).await?;
        verdicts::register(&mut conn, &name, &info, &judge::version()?).await?;
        drop(conn);
        let total = i64::try_from(todo.len()).unwrap_or(i64::MAX);
        for (done, sample) in (0_i64..).zip(todo) {
            progress.say(done, total, "judging").await;
            self.judge_one(sample, &name).await?;
        }
        Ok(())
    }

    async fn judge_one(&self, id: SampleId, judge_name: &str) -> Result<(), JobError> {
        let mut conn = self.pool.acquire().await?;
        let (loaded, rubric) = load(&mut conn, id).await?;
        drop(conn);
        let questions = judge::questions(&loaded.sample, &rubric)?;
        let answers = questions.answers.clone();
        let request = ScoreRequest {
            system: questions.system,
            shared: questions.shared,
            questions: questions.questions,
            answers: questions.answers,
            priority: Priority::Batch,
        };
        let scored = self.models.judge.score(request).await?;
        let mut tx = self.pool.begin().await?;
        store_verdicts(&mut tx, id, &rubric, judge_name, &answers, &scored).await?;
        verdicts::mark_judged(&mut tx, id).await?;
        samples::open_for_review(&mut tx, id).await?;
        jobs::enqueue(&mut tx, &rationale_job(id)).await?;
        Ok(tx.commit().await?)
    }

    /// Writes the lines of reason of a sample's verdicts, in one call.
    ///
    /// # Errors
    /// [`JobError`]: whether to try again, and when.
    pub async fn rationales(&self, args: RationaleArgs) -> Result<(), JobError> {
        let mut conn = self.pool.acquire().await?;
        let missing = verdicts::without_rationale(&mut conn, args.sample).await?;
        if missing.is_empty() {
            return Ok(());
        }
        let (loaded, rubric) = load(&mut conn, args.sample).await?;
        drop(conn);
        let stated: Vec<(String, String)> =
            missing.iter().map(|(_, criterion, label)| (criterion.clone(), label.clone())).collect();
        let prompt = judge::rationale(&loaded.sample, &rubric, &stated)?;
        let request = GenerateRequest {
            system: prompt.system,
            user: prompt.user,
            schema: Some(prompt.schema),
            max_tokens: prompt.max_tokens,
            temperature: 0.0,
            seed: 0,
            priority: Priority::Low,
        };
        let output = self.models.judge.generate(request).await?;
        let lines = judge::parse_rationale(&output.text)?;
        let mut tx = self.pool.begin().await?;
        for (verdict, criterion, _) in &missing {
            if let Some(line) = lines.get(criterion) {
                verdicts::insert_rationale(&mut tx, *verdict, line.trim()).await?;
            }
        }
        Ok(tx.commit().await?)
    }
}

/// Opens what will not be judged: people can label it all the same.
///
/// # Errors
/// The database's.
pub async fn open_unjudged(conn: &mut PgConnection, args: GenerateArgs) -> concord_store::Result<()> {
    for sample in samples::unjudged(conn, args.generation, args.user).await? {
        samples::open_for_review(conn, sample).await?;
    }
    Ok(())
}

/// Model, weights and prompt version: a judge of another prompt is another judge. Weights elsewhere have no
/// hash, so the server's address stands for them.
fn judge_name(info: &ModelInfo) -> Result<String, JobError> {
    let address = info.hash.strip_prefix("remote:");
    let weights = address.unwrap_or_else(|| info.hash.get(..8).unwrap_or(&info.hash));
    Ok(format!("{}@{weights} {}", info.name, judge::version()?))
}

/// The key of a sample's rationale job.
pub(crate) fn rationale_key(sample: SampleId) -> String {
    format!("rationale:{sample}")
}

fn rationale_job(sample: SampleId) -> NewJob {
    NewJob {
        id: JobId(Uuid::now_v7()),
        kind: "rationale",
        args: serde_json::json!(RationaleArgs { sample }),
        priority: 0,
        dedupe_key: Some(rationale_key(sample)),
        created_by: None,
    }
}

async fn load(conn: &mut PgConnection, id: SampleId) -> Result<(Loaded, Rubric), JobError> {
    let loaded =
        samples::load(conn, &[id]).await?.pop().ok_or_else(|| JobError::give_up("the sample is gone"))?;
    let rubric = rubrics::version(conn, &loaded.sample.task, &loaded.rubric_version).await?;
    Ok((loaded, rubric))
}

async fn store_verdicts(
    conn: &mut PgConnection,
    sample: SampleId,
    rubric: &Rubric,
    judge: &str,
    answers: &[String],
    scored: &Scored,
) -> Result<(), JobError> {
    for (criterion, score) in rubric.criteria.iter().zip(&scored.scores) {
        let new = NewVerdict {
            id: Uuid::now_v7(),
            sample,
            criterion,
            judge,
            rubric_version: &rubric.version,
            p_pass: score.p_first,
            logits: logits(answers, score),
        };
        verdicts::insert(conn, &new, scored).await?;
    }
    Ok(())
}

fn logits(answers: &[String], score: &Score) -> Option<serde_json::Value> {
    let logits = score.logits.as_ref()?;
    let pairs = answers.iter().zip(logits).map(|(answer, logit)| (answer.clone(), serde_json::json!(logit)));
    Some(serde_json::Value::Object(pairs.collect()))
}
