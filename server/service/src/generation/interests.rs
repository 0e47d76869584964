//! The first stage: the threads of a history are found and named one by one, or, where the log ties too few of its things
//! together, the model reads it whole; and what code can say of each interest's evidence before a judge sees it.

use super::{AT_ONCE, Generator, Place, Subject, advance, store_call, store_sample};
use crate::jobs::{JobError, Progress};
use concord_domain::ports::Generated;
use concord_domain::{ItemEssentials, PresetInterest};
use concord_pipeline::Prompt;
use concord_pipeline::interests::{self, Evidence, Hints, Mark, Screen, ScreenWords, threads};
use concord_pipeline::presets as pool_rules;
use concord_store::samples::Body;
use concord_store::{behaviours, presets};
use futures::future::join_all;
use std::collections::{HashMap, HashSet};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Things of a line that speak for a preset: the first few say what it is about.
const THINGS: usize = 4;
/// With fewer threads than these a history is read whole.
const THREADS: usize = 2;
/// Lines that the interest of a thread cites at most.
const CITED: usize = 6;
/// Behaviours over so many days are a long-term interest.
const LONG_TERM_DAYS: i64 = 90;
/// Salts of the seeds of threads; the whole history has 0.
const OF_THREADS: u64 = 1 << 40;

/// The pool with a vector each.
struct Pool {
    names: Vec<String>,
    vectors: Vec<Vec<f32>>,
}

/// A call and the interests it wrote.
struct Call {
    salt: u64,
    prompt: Prompt,
    output: Generated,
    interests: Vec<Written>,
}

/// An interest, its place in the call, and what stands behind it.
struct Written {
    ordinal: i32,
    interest: String,
    reason: String,
    stage: String,
    cited: Vec<u32>,
    evidence: Evidence,
}

impl Generator {
    pub(super) async fn interests(&self, subject: &Subject, progress: &Progress) -> Result<(), JobError> {
        let words = ScreenWords::shipped()?;
        let screen = Screen::new(&words, &subject.user.profile, &subject.history, &subject.behaviours);
        let pool = self.pool_of(subject).await?;
        let threads = self.threads(subject, &screen).await?;
        let calls = if threads.len() < THREADS {
            vec![self.read_whole(subject, &screen, &pool).await?]
        } else {
            self.name_threads(subject, &threads).await?
        };
        let texts: Vec<String> =
            calls.iter().flat_map(|call| &call.interests).map(|it| it.interest.clone()).collect();
        let vectors = self.lens.vectors(&*self.models.embedder, &texts).await?;
        let near = self.lens.ready(&self.pool, &*self.models.embedder, progress).await?.near;
        let mut vectors = vectors.into_iter();
        let mut tx = self.pool.begin().await?;
        for Call { salt, prompt, output, interests } in calls {
            let call = Uuid::now_v7();
            store_call(&mut tx, subject, call, "interest", &interests::version()?, &prompt, &output, salt)
                .await?;
            for (written, vector) in interests.into_iter().zip(&mut vectors) {
                let preset =
                    pool_rules::matched(&written.interest, &vector, &pool.names, &pool.vectors, near);
                let body = Body {
                    reason: Some(written.reason),
                    stage: Some(written.stage),
                    marks: screen
                        .marks(&written.evidence)
                        .into_iter()
                        .map(|mark| Mark::as_str(mark).to_owned())
                        .collect(),
                    evidence: written.cited,
                    behaviours: written.evidence.behaviours,
                    preset: preset.map(|place| pool.names[place].clone()),
                    ..Body::default()
                };
                let place =
                    Place { task: "interest", call, ordinal: written.ordinal, parent: None, item: None };
                store_sample(&mut tx, subject, &written.interest, &body, &place).await?;
            }
        }
        advance(&mut tx, subject.args, "interests", "tags").await?;
        Ok(tx.commit().await?)
    }

    /// Threads with nothing wrong about their evidence and a line to cite, as many as interests are asked for. They are
    /// looked for in all that was read of the user, of which the history shows what fits its budget.
    async fn threads<'a>(
        &self,
        subject: &'a Subject,
        screen: &Screen<'_>,
    ) -> Result<Vec<Thread<'a>>, JobError> {
        let items = threads::items(&subject.behaviours);
        let ids: Vec<i64> = items.iter().map(|item| item.id).collect();
        let mut conn = self.pool.acquire().await?;
        #[expect(clippy::cast_possible_wrap, reason = "500")]
        let people =
            behaviours::people_of(&mut conn, &ids, subject.args.user, threads::PEOPLE as i64).await?;
        drop(conn);
        let by_id: HashMap<i64, &ItemEssentials> = items.into_iter().map(|item| (item.id, item)).collect();
        let found = threads::threads(&ids, &people).into_iter().map(|thread| {
            let items: Vec<&ItemEssentials> = thread.iter().filter_map(|id| by_id.get(id).copied()).collect();
            let evidence = screen.of_items(&thread);
            Thread { items, evidence }
        });
        let sound = found.filter(|it| !it.evidence.lines.is_empty() && screen.marks(&it.evidence).is_empty());
        Ok(sound.take(subject.request.interests as usize).collect())
    }

    /// Asks for the name of each thread, some at once; a name that an earlier one has already is dropped.
    async fn name_threads(&self, subject: &Subject, threads: &[Thread<'_>]) -> Result<Vec<Call>, JobError> {
        let turns = Semaphore::new(AT_ONCE);
        let asked = (OF_THREADS..).zip(threads).map(async |(salt, thread)| {
            let _turn = turns.acquire().await;
            let prompt = threads::prompt(&thread.items, subject.lang)?;
            let output = self.write(subject, &prompt, salt).await?;
            Ok::<_, JobError>((salt, prompt, output))
        });
        let answers: Vec<_> = join_all(asked).await.into_iter().collect::<Result<_, _>>()?;
        let mut names = HashSet::new();
        let mut calls = Vec::with_capacity(threads.len());
        for ((ordinal, thread), (salt, prompt, output)) in (0..).zip(threads).zip(answers) {
            let named = threads::parse(&output.text)?;
            let cited: Vec<u32> = thread.evidence.lines.iter().copied().take(CITED).collect();
            let written = names.insert(named.interest.trim().to_lowercase()).then(|| Written {
                ordinal,
                interest: named.interest,
                reason: named.reason,
                stage: thread.stage(subject).to_owned(),
                cited,
                evidence: thread.evidence.clone(),
            });
            calls.push(Call { salt, prompt, output, interests: written.into_iter().collect() });
        }
        Ok(calls)
    }

    /// One call on the whole history.
    async fn read_whole(
        &self,
        subject: &Subject,
        screen: &Screen<'_>,
        pool: &Pool,
    ) -> Result<Call, JobError> {
        let (consumables, gifts) = screen.wary();
        let hints = Hints { presets: self.offered(subject, pool).await?, consumables, gifts };
        let prompt = interests::prompt(
            &subject.user.profile,
            &subject.history,
            &hints,
            subject.lang,
            subject.request.interests,
        )?;
        let output = self.write(subject, &prompt, 0).await?;
        let written = interests::parse(&output.text)?.into_iter().map(|(ordinal, it)| Written {
            ordinal,
            evidence: screen.evidence(&it.evidence),
            interest: it.interest,
            reason: it.reason,
            stage: it.stage,
            cited: it.evidence,
        });
        Ok(Call { salt: 0, interests: written.collect(), prompt, output })
    }

    /// The active presets of the user's language.
    async fn pool_of(&self, subject: &Subject) -> Result<Pool, JobError> {
        let mut conn = self.pool.acquire().await?;
        let found = presets::list(&mut conn, Some(subject.lang), false).await?;
        drop(conn);
        let names: Vec<String> = found.into_iter().map(|PresetInterest { name, .. }| name).collect();
        let vectors = self.lens.vectors(&*self.models.embedder, &names).await?;
        Ok(Pool { names, vectors })
    }

    /// Names of the presets that the history may show.
    async fn offered(&self, subject: &Subject, pool: &Pool) -> Result<Vec<String>, JobError> {
        if pool.names.is_empty() {
            return Ok(Vec::new());
        }
        let things = |line: &concord_domain::HistoryLine| -> Vec<String> {
            line.things.iter().take(THINGS).map(|thing| thing.text.clone()).collect()
        };
        let lines: Vec<Vec<String>> = subject.history.lines.iter().map(things).collect();
        let flat: Vec<String> = lines.iter().flatten().cloned().collect();
        let vectors = self.lens.vectors(&*self.models.embedder, &flat).await?;
        let mut rest = vectors.iter();
        let of_lines: Vec<Vec<&[f32]>> =
            lines.iter().map(|line| rest.by_ref().take(line.len()).map(Vec::as_slice).collect()).collect();
        let places = pool_rules::offered(&of_lines, &pool.vectors);
        Ok(places.into_iter().map(|place| pool.names[place].clone()).collect())
    }
}

/// Things of a user that the same people use, those most like the rest first, and what the user did with them.
struct Thread<'a> {
    items: Vec<&'a ItemEssentials>,
    evidence: Evidence,
}

impl Thread<'_> {
    /// Long-term where it lasts over months; without times nobody can tell that it does not.
    fn stage(&self, subject: &Subject) -> &'static str {
        let behind: HashSet<i64> = self.evidence.behaviours.iter().copied().collect();
        let done = subject.behaviours.iter().filter(|it| behind.contains(&it.id));
        let times: Option<Vec<jiff::Timestamp>> = done.map(|it| it.at).collect();
        let span = times.and_then(|times| {
            let (first, last) = (times.iter().min()?, times.iter().max()?);
            Some(last.duration_since(*first).as_hours() / 24)
        });
        if span.is_some_and(|days| days < LONG_TERM_DAYS) { "current" } else { "long_term" }
    }
}
