//! Generation of one user, stage by stage: interests, tags, items for tags, explanations (paper §1).
//!
//! Each stage is one transaction: the call, its samples and the mark that it is done. A worker killed
//! in the middle of a stage leaves nothing, and the next one starts that stage again.

mod explanations;
mod interests;
mod options;
mod shown;
mod tags;

pub(crate) use explanations::Ask;

use crate::items::ItemIndex;
use crate::jobs::{JobError, Progress};
use crate::judging::Each;
use crate::lens::Lens;
use crate::models::Models;
use concord_domain::ports::{GenerateRequest, Generated, Priority};
use concord_domain::{AccountId, Behaviour, GenerationId, GenerationRequest, History, JobId, SampleId, User};
use concord_pipeline::{PipelineError, Prompt, compress, language};
use concord_store::generations::Call;
use concord_store::jobs::NewJob;
use concord_store::samples::{Body, NewSample};
use concord_store::{behaviours, generations, jobs, models, rubrics, samples, users};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use uuid::Uuid;

/// Behaviours read of a user: the paper's average is 37,000.
const HISTORY_LIMIT: i64 = 40_000;
const TEMPERATURE: f64 = 0.3;
/// Calls of a user that wait for the model at once. Users share its queue, and one whose calls do not fit begins anew.
const AT_ONCE: usize = 3;

/// What a generate, judge or rationale job works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerateArgs {
    /// The run.
    pub generation: GenerationId,
    /// The user.
    pub user: i64,
}

impl GenerateArgs {
    /// The job that writes this user's samples.
    #[must_use]
    pub fn generate_job(&self, by: Option<AccountId>) -> NewJob {
        self.job("generate", 10, by)
    }

    /// The job that judges them: before the next user is generated, so that people can start.
    #[must_use]
    pub fn judge_job(&self) -> NewJob {
        self.job("judge", 11, None)
    }

    fn key(&self, kind: &str) -> String {
        format!("{kind}:{}:{}", self.generation, self.user)
    }

    fn job(&self, kind: &'static str, priority: i32, created_by: Option<AccountId>) -> NewJob {
        NewJob {
            id: JobId(Uuid::now_v7()),
            kind,
            args: serde_json::json!(self),
            priority,
            dedupe_key: Some(self.key(kind)),
            created_by,
        }
    }
}

/// Versions of the prompts of a run.
///
/// # Errors
/// A prompt file that does not parse.
pub fn prompt_versions() -> Result<String, PipelineError> {
    use concord_pipeline::{explanations, interests, tags};
    Ok([interests::version()?, tags::version()?, explanations::version()?].join(" "))
}

/// Runs the stages.
#[derive(Clone)]
pub struct Generator {
    /// The database.
    pub pool: PgPool,
    /// The models.
    pub models: Models,
    /// Item vectors.
    pub index: Arc<ItemIndex>,
    /// What texts are compared through.
    pub lens: Arc<Lens>,
}

/// What every stage of a user works on.
struct Subject {
    args: GenerateArgs,
    user: User,
    history: History,
    /// Reliable behaviours that the history was compressed from, newest first.
    behaviours: Vec<Behaviour>,
    lang: &'static str,
    request: GenerationRequest,
}

impl Generator {
    /// Runs a user from the stage it is at to the end, and queues the judging.
    ///
    /// # Errors
    /// [`JobError`]: whether to try again, and when.
    pub async fn run(&self, args: GenerateArgs, progress: &Progress) -> Result<(), JobError> {
        self.of(args.generation).await?.stages(args, progress).await
    }

    /// This, writing with the model that the generation was begun with, whichever serves now.
    async fn of(&self, id: GenerationId) -> Result<Self, JobError> {
        let mut conn = self.pool.acquire().await?;
        let writer = models::writer(&mut conn, id).await?;
        drop(conn);
        let (_, sha256) = writer.ok_or_else(|| JobError::give_up("the generation is gone"))?;
        let mut it = self.clone();
        if let Some(model) = self.models.generator.with_weights(&sha256).await? {
            it.models.generator = model;
        }
        Ok(it)
    }

    async fn stages(&self, args: GenerateArgs, progress: &Progress) -> Result<(), JobError> {
        loop {
            let (stage, subject) = self.subject(args).await?;
            match stage.as_str() {
                "interests" => {
                    progress.say(0, 3, "writing interests").await;
                    self.interests(&subject, progress).await?;
                }
                "tags" => {
                    progress.say(1, 3, "writing tags").await;
                    self.tags(&subject, progress).await?;
                }
                "explanations" => {
                    progress.say(2, 3, "finding items and writing explanations").await;
                    self.explanations(&subject, progress).await?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// Runs these users as far as the model answers, each by itself. Gives how many are through, how many wait for the
    /// model's answer, and why others failed.
    pub async fn each(&self, users: &[GenerateArgs], progress: &Progress) -> Each {
        let mut each = Each::default();
        for args in users {
            match self.run(*args, progress).await {
                Ok(()) => each.done += 1,
                Err(error) if !error.counted => each.waiting += 1,
                Err(error) => each.failed.push((args.user.to_string(), error.why)),
            }
        }
        each
    }

    /// The stage a user is at. What was read of the user is stored before the first call, so that every
    /// stage, the judge and the reviewer read the same.
    async fn subject(&self, args: GenerateArgs) -> Result<(String, Subject), JobError> {
        let mut tx = self.pool.begin().await?;
        let stage = generations::stage(&mut tx, args.generation, args.user).await?;
        let stage = stage.ok_or_else(|| JobError::give_up("the generation or its user is gone"))?;
        let user =
            users::by_id(&mut tx, args.user).await?.ok_or_else(|| JobError::give_up("the user is gone"))?;
        let Reading { history, behaviours, .. } =
            read_history(&mut tx, args.user, stage.request.hold_out, stage.request.history_tokens).await?;
        let history = match stage.history.filter(|history| !history.lines.is_empty()) {
            Some(history) => history,
            None => {
                generations::set_history(&mut tx, args.generation, args.user, &history).await?;
                history
            }
        };
        tx.commit().await?;
        let lang = language::of(&compress::render(&history, "en"));
        Ok((stage.stage, Subject { args, user, history, behaviours, lang, request: stage.request }))
    }

    async fn write(&self, subject: &Subject, prompt: &Prompt, salt: u64) -> Result<Generated, JobError> {
        self.ask(prompt, seed(subject, salt), TEMPERATURE).await
    }

    async fn ask(&self, prompt: &Prompt, seed: u64, temperature: f64) -> Result<Generated, JobError> {
        let request = GenerateRequest {
            system: prompt.system.clone(),
            user: prompt.user.clone(),
            schema: Some(prompt.schema.clone()),
            max_tokens: prompt.max_tokens,
            temperature,
            seed,
            priority: Priority::Batch,
        };
        Ok(self.models.generator.generate(request).await?)
    }
}

/// Ends a user's generation short: it says why, and what was written so far goes to the judge.
///
/// # Errors
/// The database's.
pub async fn end_short(conn: &mut PgConnection, args: GenerateArgs, why: &str) -> concord_store::Result<()> {
    generations::fail(conn, args.generation, args.user, why).await?;
    if !samples::unjudged(conn, args.generation, args.user).await?.is_empty() {
        jobs::enqueue_again(conn, &args.judge_job()).await?;
    }
    Ok(())
}

/// Where a sample comes from.
struct Place<'a> {
    task: &'a str,
    call: Uuid,
    ordinal: i32,
    parent: Option<SampleId>,
    item: Option<i64>,
}

/// The same run, user and call give the same seed on every try.
fn seed(subject: &Subject, salt: u64) -> u64 {
    subject
        .request
        .seed
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(subject.args.user.cast_unsigned())
        .wrapping_mul(0xBF58_476D_1CE4_E5B9)
        .wrapping_add(salt)
}

impl Subject {
    /// A month before the day this is for; `None` where the log has no times.
    fn month_ago(&self) -> Option<jiff::Timestamp> {
        let since = self.history.as_of?.checked_sub(jiff::Span::new().days(30)).ok()?;
        Some(since.to_zoned(TimeZone::UTC).ok()?.timestamp())
    }
}

/// What is read of a user.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Compressed.
    pub history: History,
    /// What it was compressed from, newest first.
    pub behaviours: Vec<Behaviour>,
    /// What was kept away, newest first: the last day on which the user did something with an item.
    pub held: Vec<Behaviour>,
}

/// Reads a user's behaviour, compressed to at most `budget` tokens, the last day kept away where that is asked for.
///
/// # Errors
/// [`JobError`] when nothing can be read of the user.
pub async fn read_history(
    conn: &mut PgConnection,
    user: i64,
    hold_out: bool,
    budget: u32,
) -> Result<Reading, JobError> {
    let mut events = behaviours::history(conn, user, HISTORY_LIMIT).await?;
    let mut as_of = behaviours::newest(conn, user).await?.map(|at| at.to_zoned(TimeZone::UTC).date());
    let counts = behaviours::counts(conn, user).await?;
    let mut held = Vec::new();
    if hold_out {
        let day;
        (held, events, day) = without_last_day(events);
        as_of = day.or(as_of);
    }
    let mut history = compress::compress(&events, as_of, budget as usize, &language::estimate_tokens);
    history.behaviours = u32::try_from(counts.all).unwrap_or(u32::MAX);
    if history.lines.is_empty() && history.dropped_lines > 0 {
        return Err(JobError::give_up(format!(
            "no line of the history fits {budget} tokens: raise history_tokens"
        )));
    }
    if history.lines.is_empty() {
        return Err(JobError::give_up(
            "no reliable behaviour on titled items: nothing to read an interest from",
        ));
    }
    Ok(Reading { history, behaviours: events, held })
}

/// Divides behaviours, newest first, before the last day on which an item was acted on; that day, if the log has times.
/// Without times the last behaviour on an item is kept away, and what came after it.
fn without_last_day(events: Vec<Behaviour>) -> (Vec<Behaviour>, Vec<Behaviour>, Option<Date>) {
    let Some(last) = events.iter().position(|event| event.item.is_some()) else {
        return (Vec::new(), events, None);
    };
    let date = |event: &Behaviour| event.at.map(|at| at.to_zoned(TimeZone::UTC).date());
    let day = date(&events[last]);
    let end = match day {
        Some(day) => {
            events.iter().position(|event| date(event).is_none_or(|it| it < day)).unwrap_or(events.len())
        }
        None => last + 1,
    };
    let mut held = events;
    let rest = held.split_off(end);
    (held, rest, day)
}

#[expect(clippy::too_many_arguments, reason = "one row of the calls table, spelled out once")]
async fn store_call(
    conn: &mut PgConnection,
    subject: &Subject,
    id: Uuid,
    task: &str,
    prompt_version: &str,
    prompt: &Prompt,
    output: &Generated,
    salt: u64,
) -> Result<(), JobError> {
    let call = Call {
        id,
        generation: subject.args.generation,
        user: subject.args.user,
        task,
        prompt_version,
        system: &prompt.system,
        prompt: &prompt.user,
        seed: seed(subject, salt),
        output,
    };
    Ok(generations::insert_call(conn, &call).await?)
}

async fn store_sample(
    conn: &mut PgConnection,
    subject: &Subject,
    text: &str,
    body: &Body,
    place: &Place<'_>,
) -> Result<SampleId, JobError> {
    let rubric = rubrics::current(conn, place.task).await?;
    let rubric = rubric.ok_or_else(|| JobError::give_up(format!("no rubric for {}", place.task)))?;
    let text = text.trim();
    let new = NewSample {
        id: SampleId(Uuid::now_v7()),
        task: place.task,
        text: if text.is_empty() { "—" } else { text },
        lang: subject.lang,
        body,
        user: subject.args.user,
        item: place.item,
        generation: subject.args.generation,
        call: place.call,
        ordinal: place.ordinal,
        parent: place.parent,
        rubric_version: &rubric.version,
    };
    samples::insert(conn, &new).await?;
    Ok(new.id)
}

/// Marks a stage as done; another worker that did it first makes this one stop without writing.
async fn advance(conn: &mut PgConnection, args: GenerateArgs, from: &str, to: &str) -> Result<(), JobError> {
    if generations::advance(conn, args.generation, args.user, from, to).await? {
        Ok(jobs::got_somewhere(conn, &args.key("generate")).await?)
    } else {
        Err(JobError::again(1, "another worker did this stage"))
    }
}
