//! Judging: the probability of pass a criterion, then, when nobody waits, one line of reason each.

use crate::generation::GenerateArgs;
use crate::jobs::{JobError, Progress};
use crate::judges::head::Known;
use crate::judges::read::{Read, read};
use crate::judges::setup::Setup;
use crate::models::Models;
use concord_domain::ports::{GenerateRequest, ModelError, Priority, Score, ScoreRequest, Scored};
use concord_domain::{JobId, Rubric, Sample, SampleId};
use concord_pipeline::judge::{self, Worked};
use concord_store::jobs::NewJob;
use concord_store::verdicts::NewVerdict;
use concord_store::{jobs, judges, rubrics, samples, verdicts};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// With several sets of examples so many samples of a user are judged together, set by set, so that a set's
/// examples and the user's context are read once for all of them. Work of one such group is lost if it stops.
const TOGETHER: usize = 12;

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

/// What became of several pieces of work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Each {
    /// Done.
    pub done: usize,
    /// The model has not answered yet.
    pub waiting: usize,
    /// Which failed, and why.
    pub failed: Vec<(String, String)>,
}

/// What a job works on that judges what the current judge of a task has not judged.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RejudgeArgs {
    /// The task.
    pub task: String,
    /// Only samples that people have labelled.
    #[serde(default)]
    pub labelled_only: bool,
}

/// A sample with its rubric.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) sample: Sample,
    pub(crate) rubric: Rubric,
}

/// What a judge said of a sample: the answers asked for, and the scores, one a set of examples; none where the
/// model cannot read the sample at all.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    answers: Vec<String>,
    sets: Vec<Scored>,
}

impl Judge {
    /// Judges every unjudged sample of a user, opens each for review as it is judged, and queues its
    /// rationales at the lowest priority.
    ///
    /// # Errors
    /// [`JobError`]: whether to try again, and when.
    pub async fn run(&self, args: GenerateArgs, progress: &Progress) -> Result<(), JobError> {
        let mut conn = self.pool.acquire().await?;
        let todo = samples::unjudged(&mut conn, args.generation, args.user).await?;
        drop(conn);
        let total = count(todo.len());
        let mut done = 0;
        while done < todo.len() {
            progress.say(count(done), total, "judging").await;
            done += self.judge_some(&todo[done..]).await?;
        }
        Ok(())
    }

    /// Judges what the current judge of a task has not judged yet, labelled samples first. Stopped, it goes on with
    /// what is missing then.
    ///
    /// # Errors
    /// [`JobError`]: whether to try again, and when.
    pub async fn rejudge(&self, args: RejudgeArgs, progress: &Progress) -> Result<(), JobError> {
        let mut done = 0;
        loop {
            let mut conn = self.pool.acquire().await?;
            let setup = self.setup(&mut conn, &args.task).await?;
            let todo =
                judges::unjudged_by(&mut conn, &args.task, &setup.judge, args.labelled_only, 256).await?;
            let (all, judged, _) = judges::coverage(&mut conn, &args.task, &setup.judge).await?;
            drop(conn);
            if todo.is_empty() {
                return Ok(());
            }
            let mut at = 0;
            while at < todo.len() {
                let total = if args.labelled_only { 0 } else { done + all - judged };
                progress.say(done + count(at), total, "judging").await;
                at += self.judge_some(&todo[at..]).await?;
            }
            done += count(at);
        }
    }

    /// The name of a task's judge as this model makes it; it takes its place if it is another one.
    ///
    /// # Errors
    /// [`JobError`]: the model's or the database's.
    pub async fn name(&self, conn: &mut PgConnection, task: &str) -> Result<String, JobError> {
        Ok(self.setup(conn, task).await?.judge)
    }

    /// Judges these samples one by one; one that cannot be judged now does not keep the others from it. Gives how many
    /// were judged, how many wait for the model's answer, and why others failed.
    ///
    /// # Errors
    /// The database's.
    pub async fn each(&self, ids: &[SampleId]) -> Result<Each, JobError> {
        let mut each = Each::default();
        for id in ids {
            match self.judge_some(std::slice::from_ref(id)).await {
                Ok(n) => each.done += n,
                Err(error) if !error.counted => each.waiting += 1,
                Err(error) => each.failed.push((id.to_string(), error.why)),
            }
        }
        Ok(each)
    }

    /// Judges the first of these samples, with several sets the first few of one task and user; gives how many.
    async fn judge_some(&self, ids: &[SampleId]) -> Result<usize, JobError> {
        let mut conn = self.pool.acquire().await?;
        let mut subjects = load(&mut conn, &ids[..ids.len().min(1)]).await?;
        let first = subjects.first().ok_or_else(|| JobError::give_up("the sample is gone"))?;
        let task = first.sample.task.clone();
        let user = first.sample.user.clone();
        // Read anew each time: a lead may have changed the judge meanwhile, and a verdict bears the name of who gave it.
        let setup = self.setup(&mut conn, &task).await?;
        if setup.sets.len() > 1 {
            subjects = load(&mut conn, &ids[..ids.len().min(TOGETHER)]).await?;
        }
        drop(conn);
        let alike =
            |it: &Subject| it.sample.task == task && it.sample.user == user && it.sample.user.is_some();
        let together = subjects.iter().take_while(|it| alike(it)).count().max(1);
        subjects.truncate(together);
        let heard = self.hear(&setup.sets, &subjects).await?;
        let samples: Vec<&Sample> = subjects.iter().map(|it| &it.sample).collect();
        let similar = self.similarities(&setup, &samples).await?;
        for ((subject, heard), similar) in subjects.iter().zip(&heard).zip(similar) {
            self.store(&setup, subject, heard, similar).await?;
        }
        Ok(together)
    }

    /// Asks the model about samples, set by set.
    pub(crate) async fn hear(
        &self,
        sets: &[Vec<Worked>],
        subjects: &[Subject],
    ) -> Result<Vec<Heard>, JobError> {
        let mut heard: Vec<Heard> = Vec::with_capacity(subjects.len());
        for subject in subjects {
            heard.push(Heard { answers: judge::answers(&subject.sample.lang)?, sets: Vec::new() });
        }
        for examples in sets {
            for (subject, heard) in subjects.iter().zip(&mut heard) {
                heard.sets.extend(self.ask(subject, examples).await?);
            }
        }
        // A mean over some of the sets would be another judge's.
        heard.iter_mut().filter(|it| it.sets.len() < sets.len()).for_each(|it| it.sets.clear());
        Ok(heard)
    }

    /// One sample with one set; `None` where the model cannot take it, which is an outcome of its own.
    async fn ask(&self, subject: &Subject, examples: &[Worked]) -> Result<Option<Scored>, JobError> {
        let questions = judge::questions(&subject.sample, &subject.rubric, examples)?;
        let request = ScoreRequest {
            system: questions.system,
            preamble: questions.preamble,
            shared: questions.shared,
            questions: questions.questions,
            answers: questions.answers,
            priority: Priority::Batch,
        };
        match self.models.judge.score(request).await {
            Ok(scored) => Ok(Some(scored)),
            Err(ModelError::BadRequest(why)) => {
                tracing::warn!(sample = %subject.sample.id, %why, "the judge cannot read this sample");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn store(
        &self,
        setup: &Setup,
        subject: &Subject,
        heard: &Heard,
        similar: Vec<Option<f64>>,
    ) -> Result<(), JobError> {
        let id = subject.sample.id;
        let verdicts = heard.verdicts(setup, &subject.rubric, similar);
        let mut tx = self.pool.begin().await?;
        for (criterion, read) in subject.rubric.criteria.iter().zip(verdicts) {
            let new = NewVerdict {
                id: Uuid::now_v7(),
                sample: id,
                criterion,
                judge: &setup.judge,
                rubric_version: &subject.rubric.version,
                pass: read.pass,
                p_pass: read.p,
                calibrated: read.calibrated,
                logits: read.logits,
            };
            verdicts::insert(&mut tx, &new, &heard.cost()).await?;
        }
        verdicts::mark_judged(&mut tx, id).await?;
        samples::open_for_review(&mut tx, id).await?;
        jobs::enqueue_again(&mut tx, &rationale_job(id)).await?;
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
        let subject = load(&mut conn, &[args.sample]).await?.pop();
        let subject = subject.ok_or_else(|| JobError::give_up("the sample is gone"))?;
        drop(conn);
        let stated: Vec<(String, String)> =
            missing.iter().map(|(_, criterion, label)| (criterion.clone(), label.clone())).collect();
        let prompt = judge::rationale(&subject.sample, &subject.rubric, &stated)?;
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

impl Heard {
    /// The verdicts, a criterion of the rubric each.
    pub(crate) fn verdicts(&self, setup: &Setup, rubric: &Rubric, similar: Vec<Option<f64>>) -> Vec<Read> {
        let plain: Vec<(&str, Read)> = rubric
            .criteria
            .iter()
            .enumerate()
            .map(|(place, criterion)| {
                let scores: Vec<&Score> = self.sets.iter().filter_map(|set| set.scores.get(place)).collect();
                let calibration = setup.calibrations.get(&criterion.name);
                (criterion.name.as_str(), read(&self.answers, &scores, calibration))
            })
            .collect();
        let mut known = Known { similar, ..Known::default() };
        for (criterion, read) in &plain {
            if let Some(logits) = &read.logits {
                known.hear(criterion, logits, &self.answers);
            }
        }
        plain.into_iter().map(|(criterion, read)| setup.verdict(criterion, &known, read)).collect()
    }

    /// What it cost, over all sets.
    fn cost(&self) -> Scored {
        let sum = |of: fn(&Scored) -> usize| self.sets.iter().map(of).sum();
        Scored {
            scores: Vec::new(),
            prefix_tokens: sum(|set| set.prefix_tokens),
            prefilled_tokens: sum(|set| set.prefilled_tokens),
            millis: self.sets.iter().map(|set| set.millis).sum(),
        }
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

/// Samples with their rubrics, in the order of `ids`.
pub(crate) async fn load(conn: &mut PgConnection, ids: &[SampleId]) -> Result<Vec<Subject>, JobError> {
    let mut subjects = Vec::with_capacity(ids.len());
    for loaded in samples::load(conn, ids).await? {
        let rubric = rubrics::version(conn, &loaded.sample.task, &loaded.rubric_version).await?;
        subjects.push(Subject { sample: loaded.sample, rubric });
    }
    Ok(subjects)
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
