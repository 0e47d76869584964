//! The second stage: tags for the interests that stand, held to the rules; what breaks one is kept with the call, and a
//! second round fills up where too few are left.

use super::{AT_ONCE, Generator, Place, Subject, advance, seed, store_call, store_sample};
use crate::jobs::{JobError, Progress};
use concord_domain::ports::Generated;
use concord_domain::{ChainLink, SampleId};
use concord_pipeline::Prompt;
use concord_pipeline::interests::Mark;
use concord_pipeline::personas;
use concord_pipeline::tags::{self, Broken, Candidate, Interest, Recent, RuleWords, Rules, Tag};
use concord_store::samples::Body;
use concord_store::{behaviours, generations, samples};
use futures::future::join_all;
use serde_json::json;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// At the other stages' .3 it wrote one tag five times; at this, of 69 calls, 53 tags of 340 were another's twin in place of 92.
const TEMPERATURE: f64 = 0.7;
/// Rounds of calls, one an interest, at most.
const ROUNDS: u64 = 2;
/// Things of the past month that tags are compared with.
const RECENT: usize = 200;
/// Salts of the seeds of rounds; those of explanations count from 2.
const ROUND: u64 = 1 << 32;
/// Salts of one round: more than there are interests.
const OF_A_ROUND: u64 = 1 << 10;

/// An interest that tags may serve, and the behaviours behind it.
pub(super) struct Standing {
    id: SampleId,
    pub(super) text: String,
    pub(super) behaviours: Vec<i64>,
}

/// How a call of this stage is made.
pub(super) struct Plan<'a> {
    pub(super) salt: u64,
    pub(super) persona: Option<&'a str>,
    pub(super) count: u32,
}

/// What a call of this stage answered.
struct Asked {
    salt: u64,
    prompt: Prompt,
    output: Generated,
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

impl Desk {
    /// Tags not to write again: what is kept, and what broke a rule.
    fn avoid(&self) -> Vec<String> {
        let before = self.rounds.iter().flat_map(|round| &round.dropped).map(|(text, _)| text.clone());
        self.kept.iter().map(|it| it.tag.tag.clone()).chain(before).take(40).collect()
    }
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
            let shown = self.shown(subject, &interests).await?;
            if subject.request.personas > 0 {
                self.by_personas(subject, &shown, &mut desk, progress).await?;
            } else if subject.request.candidates > 1 {
                self.by_selection(subject, &shown, &mut desk, progress).await?;
            } else {
                self.by_rounds(subject, &shown, &mut desk, progress).await?;
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
    async fn standing(&self, subject: &Subject) -> Result<Vec<Standing>, JobError> {
        let mut conn = self.pool.acquire().await?;
        let args = subject.args;
        let found = samples::bodies_of_user(&mut conn, args.generation, args.user, "interest").await?;
        let stands = |wanted: &dyn Fn(&[String]) -> bool| -> Vec<Standing> {
            let fit = found.iter().filter(|(.., body)| wanted(&body.marks)).cloned();
            fit.map(|(id, text, body)| Standing { id, text, behaviours: body.behaviours }).collect()
        };
        let clean = stands(&|marks| marks.is_empty());
        let missing = Mark::CitesNothing.as_str();
        Ok(if clean.is_empty() { stands(&|marks| marks.iter().all(|mark| mark != missing)) } else { clean })
    }

    /// A call an interest: a small model that is asked for thirty tags at once repeats a few. Another round where fewer than
    /// half are left: it reads nearly as much as the first, for one tag or two an interest.
    async fn by_rounds(
        &self,
        subject: &Subject,
        interests: &[Interest],
        desk: &mut Desk,
        progress: &Progress,
    ) -> Result<(), JobError> {
        let wanted = subject.request.tags as usize;
        let recent = self.recent(subject).await?;
        for n in 0..ROUNDS {
            let (avoid, turns) = (desk.avoid(), Semaphore::new(AT_ONCE));
            let asked = (0..).zip(shares(wanted - desk.kept.len(), interests.len())).zip(interests);
            let asked = asked.filter(|((_, count), _)| *count > 0).map(async |((place, count), interest)| {
                let _turn = turns.acquire().await;
                let plan = Plan { salt: ROUND + n * OF_A_ROUND + u64::from(place), persona: None, count };
                (place, self.asked(subject, std::slice::from_ref(interest), &plan, &avoid).await)
            });
            for (place, asked) in join_all(asked).await {
                self.screened(subject, (place, asked?), &recent, desk, progress).await?;
            }
            if desk.kept.len() * 2 >= wanted {
                break;
            }
        }
        Ok(())
    }

    /// One call on all interests; what it wrote is screened behind what is kept already.
    pub(super) async fn round(
        &self,
        subject: &Subject,
        interests: &[Interest],
        plan: &Plan<'_>,
        desk: &mut Desk,
        progress: &Progress,
    ) -> Result<(), JobError> {
        let asked = self.asked(subject, interests, plan, &desk.avoid()).await?;
        self.screened(subject, (0, asked), &self.recent(subject).await?, desk, progress).await
    }

    async fn asked(
        &self,
        subject: &Subject,
        interests: &[Interest],
        plan: &Plan<'_>,
        avoid: &[String],
    ) -> Result<Asked, JobError> {
        let (profile, history) = (&subject.user.profile, &subject.history);
        let mut prompt = tags::prompt(profile, history, interests, avoid, subject.lang, plan.count)?;
        if let Some(persona) = plan.persona {
            prompt = personas::as_persona(prompt, persona, subject.lang)?;
        }
        let output = self.ask(&prompt, seed(subject, plan.salt), TEMPERATURE).await?;
        Ok(Asked { salt: plan.salt, prompt, output })
    }

    /// Holds what a call wrote to the rules, behind what is kept already. So many interests are numbered before the call's
    /// own.
    async fn screened(
        &self,
        subject: &Subject,
        (before, asked): (u32, Asked),
        recent: &[Recent],
        desk: &mut Desk,
        progress: &Progress,
    ) -> Result<(), JobError> {
        let Asked { salt, prompt, output } = asked;
        let Desk { rounds, kept, .. } = desk;
        let written = tags::parse(&output.text)?;
        let texts: Vec<String> = written.iter().map(|(_, tag)| tag.tag.trim().to_owned()).collect();
        let sight = self.lens.ready(&self.pool, &*self.models.embedder, progress).await?;
        let vectors = self.lens.vectors(&*self.models.embedder, &texts).await?;
        let words = RuleWords::shipped()?;
        let rules = Rules {
            words: &words,
            brands: &sight.brands,
            recent,
            month: subject.history.as_of.map(|day| day.month()),
            near: sight.near,
            per_category: tags::per_category(subject.request.tags),
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
        for ((ordinal, mut tag), (candidate, broken)) in
            written.into_iter().zip(rules.screen(all).into_iter().skip(skip))
        {
            match broken {
                Some(broken) => dropped.push((tag.tag, broken)),
                None => {
                    tag.interest += before;
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

/// `n` tags over so many interests, the first ones get what does not divide.
fn shares(n: usize, interests: usize) -> Vec<u32> {
    let (each, more) = (n / interests.max(1), n % interests.max(1));
    (0..interests).map(|place| u32::try_from(each + usize::from(place < more)).unwrap_or(u32::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn tags_are_divided_over_interests() {
        assert_eq!(shares(30, 4), [8, 8, 7, 7]);
        assert_eq!(shares(2, 3), [1, 1, 0]);
        assert!(shares(2, 0).is_empty());
    }
}
