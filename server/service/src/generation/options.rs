//! RecGPT-V2's ideas, each off unless asked for: personas with an arbiter, constrained selection, a style guideline.

use super::tags::{Desk, Other, Plan};
use super::{Generator, Subject};
use crate::jobs::{JobError, Progress};
use concord_domain::ports::{Generated, Priority, ScoreRequest};
use concord_domain::{ChainLink, Rubric, Sample, SampleId, SampleUser};
use concord_pipeline::personas::{self, About};
use concord_pipeline::select::{self, Measured, Thresholds};
use concord_pipeline::tags::{Broken, Interest};
use concord_pipeline::{Prompt, explanations, judge};
use concord_store::{rubrics, samples};
use std::collections::HashSet;
use uuid::Uuid;

/// Salts of the seeds of these calls, apart from those of ordinary ones.
const PLANNER: u64 = 1 << 33;
const ARBITER: u64 = (1 << 33) + 1;
const EXPERT: u64 = (1 << 33) + 2;
const CANDIDATE: u64 = (1 << 33) + 100;
const STYLE: u64 = (1 << 33) + 200;
/// Shares of what constrained selection asks of an output: fewest of the tags asked for, and least diversity.
const LENGTH: f64 = 0.5;
const DIVERSITY: f64 = 0.1;

/// A style guideline and the call that wrote it.
pub(super) struct Style {
    pub(super) text: String,
    pub(super) prompt: Prompt,
    pub(super) output: Generated,
    pub(super) salt: u64,
}

impl Generator {
    /// A planner writes personas, each predicts its share and half as much again, and an arbiter chooses.
    pub(super) async fn by_personas(
        &self,
        subject: &Subject,
        interests: &[Interest],
        desk: &mut Desk,
        progress: &Progress,
    ) -> Result<(), JobError> {
        let names = names(interests);
        let about = About {
            profile: &subject.user.profile,
            interests: &names,
            as_of: subject.history.as_of,
            lang: subject.lang,
        };
        let (n, wanted) = (subject.request.personas, subject.request.tags);
        let prompt = personas::planner(&about, n)?;
        let output = self.write(subject, &prompt, PLANNER).await?;
        let plan = personas::parse_plan(&output.text)?;
        desk.others.push(Other {
            task: "persona",
            version: personas::version()?,
            salt: PLANNER,
            prompt,
            output,
        });
        let count = (wanted * 3).div_ceil(2 * n.max(1));
        for (salt, persona) in (EXPERT..).zip(&plan) {
            let plan = Plan { salt, persona: Some(persona), count };
            self.round(subject, interests, &plan, desk, progress).await?;
        }
        if desk.kept.len() <= wanted as usize {
            return Ok(());
        }
        let texts: Vec<String> = desk.kept.iter().map(|kept| kept.tag.tag.clone()).collect();
        let prompt = personas::arbiter(&about, &texts, wanted)?;
        let output = self.write(subject, &prompt, ARBITER).await?;
        let chosen: HashSet<usize> = personas::parse_choice(&output.text, texts.len())?.into_iter().collect();
        desk.others.push(Other {
            task: "arbiter",
            version: personas::version()?,
            salt: ARBITER,
            prompt,
            output,
        });
        leave(desk, |place, _| chosen.contains(&place));
        Ok(())
    }

    /// Several outputs, and of them the one with the highest constrained reward.
    pub(super) async fn by_selection(
        &self,
        subject: &Subject,
        interests: &[Interest],
        desk: &mut Desk,
        progress: &Progress,
    ) -> Result<(), JobError> {
        let names = names(interests);
        let vectors = self.lens.vectors(&*self.models.embedder, &names).await?;
        let mut measured = Vec::new();
        let mut outputs: Vec<Desk> = Vec::new();
        for n in 0..u64::from(subject.request.candidates) {
            let mut own = Desk::default();
            let plan = Plan { salt: CANDIDATE + n, persona: None, count: subject.request.tags };
            self.round(subject, interests, &plan, &mut own, progress).await?;
            let of = |tag: u32| vectors.get((tag as usize).saturating_sub(1)).map_or(&[][..], Vec::as_slice);
            let pairs: Vec<(&[f32], &[f32])> = own
                .kept
                .iter()
                .map(|kept| (kept.candidate.vector.as_slice(), of(kept.tag.interest)))
                .collect();
            let (alignment, diversity) = select::measure(&pairs);
            let accuracy = self.accuracy(subject, &names, &own).await?;
            measured.push(Measured { accuracy, alignment, diversity, length: own.kept.len() });
            outputs.push(own);
        }
        // What is aligned depends on the embedder: no worse than the middle of these outputs.
        let mut alignments: Vec<f64> = measured.iter().map(|it| it.alignment).collect();
        alignments.sort_by(f64::total_cmp);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some tags")]
        let length = (f64::from(subject.request.tags) * LENGTH).ceil() as usize;
        let alignment = alignments.get(alignments.len() / 2).copied().unwrap_or_default();
        let best = select::best(&measured, &Thresholds { alignment, diversity: DIVERSITY, length });
        for (place, own) in outputs.into_iter().enumerate() {
            let offset = desk.rounds.len();
            desk.rounds.extend(own.rounds);
            desk.kept.extend(own.kept.into_iter().map(|mut kept| {
                kept.round += offset;
                kept
            }));
            if Some(place) != best {
                leave(desk, |_, round| round < offset);
            }
        }
        Ok(())
    }

    /// The judge's mean probability that a tag passes a criterion; 0 without tags.
    async fn accuracy(&self, subject: &Subject, names: &[String], desk: &Desk) -> Result<f64, JobError> {
        let mut conn = self.pool.acquire().await?;
        let rubric = rubrics::current(&mut conn, "tag").await?;
        let rubric = rubric.ok_or_else(|| JobError::give_up("no rubric for tag"))?;
        drop(conn);
        let (mut sum, mut n) = (0.0, 0.0);
        for kept in &desk.kept {
            let interest = names.get((kept.tag.interest as usize).saturating_sub(1));
            let sample = draft(subject, &kept.tag.tag, &kept.tag.why, interest);
            for p in self.passes(&sample, &rubric).await? {
                sum += p;
                n += 1.0;
            }
        }
        Ok(if n > 0.0 { sum / n } else { 0.0 })
    }

    async fn passes(&self, sample: &Sample, rubric: &Rubric) -> Result<Vec<f64>, JobError> {
        let asked = judge::questions(sample, rubric, &[])?;
        let request = ScoreRequest {
            system: asked.system,
            preamble: asked.preamble,
            shared: asked.shared,
            questions: asked.questions,
            answers: asked.answers,
            priority: Priority::Batch,
        };
        let scored = self.models.judge.score(request).await?;
        Ok(scored.scores.iter().filter_map(|score| score.p_first).collect())
    }

    /// The style guideline for a user's lines.
    pub(super) async fn style(&self, subject: &Subject) -> Result<Style, JobError> {
        let mut conn = self.pool.acquire().await?;
        let args = subject.args;
        let interests = samples::of_user(&mut conn, args.generation, args.user, "interest").await?;
        drop(conn);
        let names: Vec<String> = interests.into_iter().map(|(_, text, _)| text).collect();
        let prompt =
            explanations::style_prompt(&subject.user.profile, &names, subject.history.as_of, subject.lang)?;
        let output = self.write(subject, &prompt, STYLE).await?;
        Ok(Style { text: explanations::parse_style(&output.text)?, prompt, output, salt: STYLE })
    }
}

fn names(interests: &[Interest]) -> Vec<String> {
    interests.iter().map(|it| it.name.clone()).collect()
}

/// Takes what is not wanted, by place and round, off the kept tags; it stands with its call as not chosen.
fn leave(desk: &mut Desk, wanted: impl Fn(usize, usize) -> bool) {
    let kept = std::mem::take(&mut desk.kept);
    for (place, kept) in kept.into_iter().enumerate() {
        if wanted(place, kept.round) {
            desk.kept.push(kept);
        } else {
            desk.rounds[kept.round].dropped.push((kept.tag.tag, Broken::NotChosen));
        }
    }
}

/// A tag as the judge would see it.
fn draft(subject: &Subject, text: &str, why: &str, interest: Option<&String>) -> Sample {
    Sample {
        id: SampleId(Uuid::nil()),
        key: String::new(),
        task: "tag".into(),
        text: text.into(),
        lang: subject.lang.into(),
        reason: Some(why.into()),
        stage: None,
        chain: interest
            .map(|text| ChainLink { kind: "interest".into(), text: text.clone() })
            .into_iter()
            .collect(),
        evidence: Vec::new(),
        user: Some(SampleUser { key: subject.user.key.clone(), profile: subject.user.profile.clone() }),
        history: subject.history.clone(),
        context: Vec::new(),
    }
}
