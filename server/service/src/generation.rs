//! Generation of one user, stage by stage: interests, tags, items for tags, explanations (paper §1).
//!
//! Each stage is one transaction: the call, its samples and the mark that it is done. A worker killed
//! in the middle of a stage leaves nothing, and the next one starts that stage again.

use crate::items::ItemIndex;
use crate::jobs::{JobError, Progress};
use crate::models::Models;
use concord_domain::ports::{EmbedKind, GenerateRequest, Generated, Priority};
use concord_domain::{AccountId, ChainLink, GenerationId, GenerationRequest, History, JobId, SampleId, User};
use concord_pipeline::{PipelineError, Prompt, compress, explanations, interests, language, tags};
use concord_store::generations::Call;
use concord_store::jobs::NewJob;
use concord_store::samples::{Body, NewSample};
use concord_store::{behaviours, generations, items, jobs, rubrics, samples, users};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// Tokens of history a generator and a judge read.
const HISTORY_BUDGET: usize = 1200;
/// Behaviours read of a user: the paper's average is 37,000.
const HISTORY_LIMIT: i64 = 40_000;
const TEMPERATURE: f64 = 0.3;

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
}

/// What every stage of a user works on.
struct Subject {
    args: GenerateArgs,
    user: User,
    history: History,
    lang: &'static str,
    request: GenerationRequest,
}

impl Generator {
    /// Runs a user from the stage it is at to the end, and queues the judging.
    ///
    /// # Errors
    /// [`JobError`]: whether to try again, and when.
    pub async fn run(&self, args: GenerateArgs, progress: &Progress) -> Result<(), JobError> {
        loop {
            let (stage, subject) = self.subject(args).await?;
            match stage.as_str() {
                "interests" => {
                    progress.say(0, 3, "writing interests").await;
                    self.interests(&subject).await?;
                }
                "tags" => {
                    progress.say(1, 3, "writing tags").await;
                    self.tags(&subject).await?;
                }
                "explanations" => {
                    progress.say(2, 3, "finding items and writing explanations").await;
                    self.explanations(&subject, progress).await?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// The stage a user is at. What was read of the user is stored before the first call, so that every
    /// stage, the judge and the reviewer read the same.
    async fn subject(&self, args: GenerateArgs) -> Result<(String, Subject), JobError> {
        let mut tx = self.pool.begin().await?;
        let stage = generations::stage(&mut tx, args.generation, args.user).await?;
        let stage = stage.ok_or_else(|| JobError::give_up("the generation or its user is gone"))?;
        let user =
            users::by_id(&mut tx, args.user).await?.ok_or_else(|| JobError::give_up("the user is gone"))?;
        let history = match stage.history.filter(|history| !history.lines.is_empty()) {
            Some(history) => history,
            None => {
                let history = read_history(&mut tx, args.user).await?;
                generations::set_history(&mut tx, args.generation, args.user, &history).await?;
                history
            }
        };
        tx.commit().await?;
        let lang = language::of(&compress::render(&history, "en"));
        Ok((stage.stage, Subject { args, user, history, lang, request: stage.request }))
    }

    async fn interests(&self, subject: &Subject) -> Result<(), JobError> {
        let prompt = interests::prompt(
            &subject.user.profile,
            &subject.history,
            subject.lang,
            subject.request.interests,
        )?;
        let output = self.write(subject, &prompt, 0).await?;
        let mut tx = self.pool.begin().await?;
        let call = Uuid::now_v7();
        store_call(&mut tx, subject, call, "interest", &interests::version()?, &prompt, &output, 0).await?;
        for (ordinal, interest) in interests::parse(&output.text)? {
            let body = Body {
                reason: Some(interest.reason),
                stage: Some(interest.stage),
                evidence: interest.evidence,
                ..Body::default()
            };
            let place = Place { task: "interest", call, ordinal, parent: None, item: None };
            store_sample(&mut tx, subject, &interest.interest, &body, &place).await?;
        }
        advance(&mut tx, subject.args, "interests", "tags").await?;
        Ok(tx.commit().await?)
    }

    async fn tags(&self, subject: &Subject) -> Result<(), JobError> {
        let mut conn = self.pool.acquire().await?;
        let found =
            samples::of_user(&mut conn, subject.args.generation, subject.args.user, "interest").await?;
        drop(conn);
        let names: Vec<String> = found.iter().map(|(_, text, _)| text.clone()).collect();
        let prompt = tags::prompt(
            &subject.user.profile,
            &subject.history,
            &names,
            subject.lang,
            subject.request.tags,
        )?;
        let output = self.write(subject, &prompt, 1).await?;
        let mut tx = self.pool.begin().await?;
        let call = Uuid::now_v7();
        store_call(&mut tx, subject, call, "tag", &tags::version()?, &prompt, &output, 1).await?;
        for (ordinal, tag) in tags::parse(&output.text)? {
            let Some((parent, interest, _)) = found.get((tag.interest as usize).saturating_sub(1)) else {
                continue;
            };
            let body = Body {
                reason: Some(tag.why),
                chain: vec![ChainLink { kind: "interest".into(), text: interest.clone() }],
                ..Body::default()
            };
            let place = Place { task: "tag", call, ordinal, parent: Some(*parent), item: None };
            store_sample(&mut tx, subject, &tag.tag, &body, &place).await?;
        }
        advance(&mut tx, subject.args, "tags", "explanations").await?;
        Ok(tx.commit().await?)
    }

    async fn explanations(&self, subject: &Subject, progress: &Progress) -> Result<(), JobError> {
        let chosen = self.choose_items(subject, progress).await?;
        let mut written = Vec::with_capacity(chosen.len());
        for (n, choice) in (0_u64..).zip(&chosen) {
            let prompt = explanations::prompt(
                &choice.interest,
                &choice.tag,
                &choice.item,
                subject.history.as_of,
                subject.lang,
            )?;
            let output = self.write(subject, &prompt, 2 + n).await?;
            written.push((2 + n, prompt, output));
        }
        let mut tx = self.pool.begin().await?;
        for (choice, (salt, prompt, output)) in chosen.iter().zip(&written) {
            let call = Uuid::now_v7();
            store_call(
                &mut tx,
                subject,
                call,
                "explanation",
                &explanations::version()?,
                prompt,
                output,
                *salt,
            )
            .await?;
            let link = |kind: &str, text: &str| ChainLink { kind: kind.into(), text: text.into() };
            let body = Body {
                chain: vec![
                    link("interest", &choice.interest),
                    link("tag", &choice.tag),
                    link("item", &explanations::item_line(&choice.item)),
                ],
                ..Body::default()
            };
            let item = Some(choice.item.id);
            let place = Place { task: "explanation", call, ordinal: 0, parent: Some(choice.parent), item };
            store_sample(&mut tx, subject, &explanations::parse(&output.text)?, &body, &place).await?;
        }
        advance(&mut tx, subject.args, "explanations", "done").await?;
        jobs::enqueue(&mut tx, &subject.args.judge_job()).await?;
        Ok(tx.commit().await?)
    }

    /// The best new item of each tag, tags of different interests in turn, until there are enough.
    async fn choose_items(&self, subject: &Subject, progress: &Progress) -> Result<Vec<Choice>, JobError> {
        let wanted = subject.request.explanations as usize;
        let mut conn = self.pool.acquire().await?;
        let generation = subject.args.generation;
        let found_tags = samples::of_user(&mut conn, generation, subject.args.user, "tag").await?;
        let names: HashMap<SampleId, String> =
            samples::of_user(&mut conn, generation, subject.args.user, "interest")
                .await?
                .into_iter()
                .map(|(id, text, _)| (id, text))
                .collect();
        drop(conn);
        if wanted == 0 || found_tags.is_empty() {
            return Ok(Vec::new());
        }
        let index = self.index.ready(&self.pool, &*self.models.embedder, progress).await?;
        let texts = found_tags.iter().map(|(_, text, _)| text.clone()).collect();
        let vectors = self.models.embedder.embed(EmbedKind::Query, texts).await?;
        let mut conn = self.pool.acquire().await?;
        let mut taken: HashSet<i64> = acted_on(&mut conn, subject).await?;
        let mut choices = Vec::with_capacity(wanted);
        for place in in_turn(&found_tags) {
            let (tag_id, tag, parent) = &found_tags[place];
            let hit = index.search(&vectors[place], 1, |item| !taken.contains(&item)).into_iter().next();
            let (Some(hit), Some(interest)) = (hit, parent.and_then(|id| names.get(&id))) else { continue };
            let Some(item) = items::essentials(&mut conn, &[hit.item]).await?.pop() else { continue };
            taken.insert(item.id);
            choices.push(Choice { parent: *tag_id, interest: interest.clone(), tag: tag.clone(), item });
            if choices.len() == wanted {
                break;
            }
        }
        Ok(choices)
    }

    async fn write(&self, subject: &Subject, prompt: &Prompt, salt: u64) -> Result<Generated, JobError> {
        let request = GenerateRequest {
            system: prompt.system.clone(),
            user: prompt.user.clone(),
            schema: Some(prompt.schema.clone()),
            max_tokens: prompt.max_tokens,
            temperature: TEMPERATURE,
            seed: seed(subject, salt),
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

/// A tag with the item found for it.
struct Choice {
    parent: SampleId,
    interest: String,
    tag: String,
    item: concord_domain::ItemEssentials,
}

/// Where a sample comes from.
struct Place<'a> {
    task: &'a str,
    call: Uuid,
    ordinal: i32,
    parent: Option<SampleId>,
    item: Option<i64>,
}

/// The order in which tags get items: the first of every interest, then the second of every interest, ….
fn in_turn(tags: &[(SampleId, String, Option<SampleId>)]) -> Vec<usize> {
    let mut seen: HashMap<Option<SampleId>, usize> = HashMap::new();
    let mut order: Vec<(usize, usize)> = Vec::with_capacity(tags.len());
    for (place, (_, _, parent)) in tags.iter().enumerate() {
        let turn = seen.entry(*parent).or_default();
        order.push((*turn, place));
        *turn += 1;
    }
    order.sort_unstable();
    order.into_iter().map(|(_, place)| place).collect()
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

/// Reads and compresses a user's behaviour.
///
/// # Errors
/// [`JobError`] when nothing can be read of the user.
pub async fn read_history(conn: &mut PgConnection, user: i64) -> Result<History, JobError> {
    let events = behaviours::history(conn, user, HISTORY_LIMIT).await?;
    let as_of = behaviours::newest(conn, user).await?.map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).date());
    let counts = behaviours::counts(conn, user).await?;
    let mut history = compress::compress(&events, as_of, HISTORY_BUDGET, &language::estimate_tokens);
    history.behaviours = u32::try_from(counts.all).unwrap_or(u32::MAX);
    if history.lines.is_empty() {
        return Err(JobError::give_up(
            "no reliable behaviour on titled items: nothing to read an interest from",
        ));
    }
    Ok(history)
}

/// Items that are not news to this user: all they acted on, and all they saw in the past month (paper §3).
async fn acted_on(conn: &mut PgConnection, subject: &Subject) -> Result<HashSet<i64>, JobError> {
    let events = behaviours::history(conn, subject.args.user, HISTORY_LIMIT).await?;
    let mut items: HashSet<i64> =
        events.into_iter().filter_map(|event| event.item.map(|item| item.id)).collect();
    let month_ago = subject
        .history
        .as_of
        .and_then(|day| day.checked_sub(jiff::Span::new().days(30)).ok())
        .and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
    if let Some(since) = month_ago {
        let seen = behaviours::items_since(conn, subject.args.user, since.timestamp()).await?;
        items.extend(seen.into_iter().map(|item| item.id));
    }
    Ok(items)
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
) -> Result<(), JobError> {
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
    Ok(samples::insert(conn, &new).await?)
}

/// Marks a stage as done; another worker that did it first makes this one stop without writing.
async fn advance(conn: &mut PgConnection, args: GenerateArgs, from: &str, to: &str) -> Result<(), JobError> {
    if generations::advance(conn, args.generation, args.user, from, to).await? {
        Ok(jobs::got_somewhere(conn, &args.key("generate")).await?)
    } else {
        Err(JobError::again(1, "another worker did this stage"))
    }
}
