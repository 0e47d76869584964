//! The second stage: tags for the interests that stand, held to the rules; what breaks one is kept with the call, and a
//! second call fills up where too few are left.

use super::{Generator, Place, Subject, advance, store_call, store_sample};
use crate::jobs::{JobError, Progress};
use concord_domain::ports::Generated;
use concord_domain::{ChainLink, SampleId};
use concord_pipeline::Prompt;
use concord_pipeline::interests::Mark;
use concord_pipeline::personas;
use concord_pipeline::tags::{self, Broken, Candidate, Recent, RuleWords, Rules, Tag};
use concord_store::samples::Body;
use concord_store::{behaviours, generations, samples};
use serde_json::json;
use uuid::Uuid;

/// Calls at most.
const ROUNDS: u64 = 2;
/// Things of the past month that tags are compared with.
const RECENT: usize = 200;
/// Salts of the seeds of a second round; those of explanations count from 2.
const SECOND_ROUND: u64 = 1 << 32;

/// An interest that tags may serve.
struct Interest {
    id: SampleId,
    text: String,
}

/// How a call of this stage is made.
pub(super) struct Plan<'a> {
    pub(super) salt: u64,
    pub(super) persona: Option<&'a str>,
    pub(super) count: u32,
}

/// A call of this stage and what it wrote.
pub(super) struct Round {
    call: Uuid,
    salt: u64,
    prompt: Prompt,
    output: Generated,
    pub(super) dropped: Vec<(String, Broken)>,
}

/// A call beside the tags' own: a planner's, an arbiter's.
pub(super) struct Other {
    pub(super) task: &'static str,
    pub(super) version: String,
    pub(super) salt: u64,
    pub(super) prompt: Prompt,
    pub(super) output: Generated,
}

/// What is written so far.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) rounds: Vec<Round>,
    pub(super) kept: Vec<Kept>,
    pub(super) others: Vec<Other>,
}

/// A tag that breaks no rule, with its round and its place in that round's output.
pub(super) struct Kept {
    pub(super) round: usize,
    ordinal: i32,
    pub(super) tag: Tag,
    pub(super) candidate: Candidate,
    category: Option<String>,
}

impl Generator {
    pub(super) async fn tags(&self, subject: &Subject, progress: &Progress) -> Result<(), JobError> {
        let interests = self.standing(subject).await?;
        let mut desk = Desk::default();
        if !interests.is_empty() {
            let names: Vec<String> = interests.iter().map(|it| it.text.clone()).collect();
            if subject.request.personas > 0 {
                self.by_personas(subject, &names, &mut desk, progress).await?;
            } else if subject.request.candidates > 1 {
                self.by_selection(subject, &names, &mut desk, progress).await?;
            } else {
                self.by_rounds(subject, &names, &mut desk, progress).await?;
            }
        }
        let Desk { rounds, kept, others } = desk;
        let mut tx = self.pool.begin().await?;
        for Other { task, version, salt, prompt, output } in &others {
            store_call(&mut tx, subject, Uuid::now_v7(), task, version, prompt, output, *salt).await?;
        }
        for round in &rounds {
            let Round { call, salt, prompt, output, dropped } = round;
            store_call(&mut tx, subject, *call, "tag", &tags::version()?, prompt, output, *salt).await?;
            let dropped: Vec<_> =
                dropped.iter().map(|(text, broken)| json!({"text": text, "broken": broken})).collect();
            generations::set_dropped(&mut tx, *call, &json!(dropped)).await?;
        }
        for Kept { round, ordinal, tag, category, .. } in kept {
            let Some(interest) = interests.get((tag.interest as usize).saturating_sub(1)) else { continue };
            let body = Body {
                reason: Some(tag.why),
                chain: vec![ChainLink { kind: "interest".into(), text: interest.text.clone() }],
                category,
                ..Body::default()
            };
            let place = Place {
                task: "tag",
                call: rounds[round].call,
                ordinal,
                parent: Some(interest.id),
                item: None,
            };
            store_sample(&mut tx, subject, &tag.tag, &body, &place).await?;
        }
        advance(&mut tx, subject.args, "tags", "explanations").await?;
        Ok(tx.commit().await?)
    }

    /// Interests with nothing wrong about their evidence; where none is, those that cite something that exists.
    async fn standing(&self, subject: &Subject) -> Result<Vec<Interest>, JobError> {
        let mut conn = self.pool.acquire().await?;
        let args = subject.args;
        let found = samples::bodies_of_user(&mut conn, args.generation, args.user, "interest").await?;
        let stands = |wanted: &dyn Fn(&[String]) -> bool| -> Vec<Interest> {
            let fit = found.iter().filter(|(.., body)| wanted(&body.marks));
            fit.map(|(id, text, _)| Interest { id: *id, text: text.clone() }).collect()
        };
        let clean = stands(&|marks| marks.is_empty());
        let missing = Mark::CitesNothing.as_str();
        Ok(if clean.is_empty() { stands(&|marks| marks.iter().all(|mark| mark != missing)) } else { clean })
    }

    /// A call, and another where fewer than half are left.
    async fn by_rounds(
        &self,
        subject: &Subject,
        names: &[String],
        desk: &mut Desk,
        progress: &Progress,
    ) -> Result<(), JobError> {
        for n in 0..ROUNDS {
            let salt = if n == 0 { 1 } else { SECOND_ROUND + n };
            let missing =
                subject.request.tags.saturating_sub(u32::try_from(desk.kept.len()).unwrap_or(u32::MAX));
            self.round(subject, names, &Plan { salt, persona: None, count: missing.max(1) }, desk, progress)
                .await?;
            if desk.kept.len() * 2 >= subject.request.tags as usize {
                break;
            }
        }
        Ok(())
    }

    /// One call; what it wrote is screened behind what is kept already.
    pub(super) async fn round(
        &self,
        subject: &Subject,
        names: &[String],
        plan: &Plan<'_>,
        desk: &mut Desk,
        progress: &Progress,
    ) -> Result<(), JobError> {
        let wanted = subject.request.tags;
        let Desk { rounds, kept, .. } = desk;
        let before = rounds.iter().flat_map(|round| &round.dropped).map(|(text, _)| text.clone());
        let avoid: Vec<String> = kept.iter().map(|it| it.tag.tag.clone()).chain(before).take(40).collect();
        let mut prompt =
            tags::prompt(&subject.user.profile, &subject.history, names, &avoid, subject.lang, plan.count)?;
        if let Some(persona) = plan.persona {
            prompt = personas::as_persona(prompt, persona, subject.lang)?;
        }
        let salt = plan.salt;
        let output = self.write(subject, &prompt, salt).await?;
        let written = tags::parse(&output.text)?;
        let texts: Vec<String> = written.iter().map(|(_, tag)| tag.tag.trim().to_owned()).collect();
        let sight = self.lens.ready(&self.pool, &*self.models.embedder, progress).await?;
        let vectors = self.lens.vectors(&*self.models.embedder, &texts).await?;
        let words = RuleWords::shipped()?;
        let rules = Rules {
            words: &words,
            brands: &sight.brands,
            recent: self.recent(subject).await?,
            month: subject.history.as_of.map(|day| day.month()),
            near: sight.near,
            per_category: tags::per_category(wanted),
        };
        let earlier: Vec<Candidate> = kept.iter().map(|it| it.candidate.clone()).collect();
        let skip = earlier.len();
        let mut all = earlier;
        all.extend(texts.into_iter().zip(vectors).map(|(text, vector)| {
            let category = sight.category(&vector).map(|(place, _)| place);
            Candidate { text, vector, category }
        }));
        let mut dropped = Vec::new();
        let round = rounds.len();
        for ((ordinal, tag), (candidate, broken)) in
            written.into_iter().zip(rules.screen(all).into_iter().skip(skip))
        {
            match broken {
                Some(broken) => dropped.push((tag.tag, broken)),
                None => {
                    let category = sight.category(&candidate.vector).map(|(_, name)| name.to_owned());
                    kept.push(Kept { round, ordinal, tag, candidate, category });
                }
            }
        }
        rounds.push(Round { call: Uuid::now_v7(), salt, prompt, output, dropped });
        Ok(())
    }

    /// What the user clicked, bought or searched in the month before the day the tags are for; without times, what they
    /// did last.
    async fn recent(&self, subject: &Subject) -> Result<Vec<Recent>, JobError> {
        let month_ago = subject.month_ago();
        let mut texts: Vec<String> = match (month_ago, subject.history.as_of) {
            (Some(since), Some(day)) => {
                let until = day.to_zoned(jiff::tz::TimeZone::UTC).map(|end| end.timestamp());
                let until = if subject.request.hold_out { until.ok() } else { None };
                let mut conn = self.pool.acquire().await?;
                behaviours::recent_texts(&mut conn, subject.args.user, since, until).await?
            }
            _ => subject
                .behaviours
                .iter()
                .filter_map(|it| it.item.as_ref().map_or(it.query.clone(), |item| item.title.clone()))
                .take(30)
                .collect(),
        };
        texts.truncate(RECENT);
        let vectors = self.lens.vectors(&*self.models.embedder, &texts).await?;
        Ok(texts.into_iter().zip(vectors).map(|(text, vector)| Recent { text, vector }).collect())
    }
}
