//! What a user's last days teach (paper §3, incremental learning): the judge says which clicks and purchases serve an
//! interest and fit person and season (purification), a model infers the interests that are not known (completion), and no
//! category takes more than its share (balancing).

use crate::jobs::{JobError, Progress};
use crate::judges::setup::Setup;
use crate::judging::{Judge, Subject};
use crate::lens::Lens;
use concord_domain::ports::{GenerateRequest, Priority};
use concord_domain::{
    Behaviour, BehaviourKind, ChainLink, GenerationId, History, LogLesson, Rubric, Sample, SampleId,
    SampleUser, User,
};
use concord_pipeline::interests::Mark;
use concord_pipeline::lessons::{self, Chosen};
use concord_pipeline::{compress, language};
use concord_store::log_lessons::{LessonRow, Sifted};
use concord_store::{behaviours, rubrics, samples, users};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sqlx::PgPool;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Behaviours read of a user.
const HISTORY_LIMIT: i64 = 40_000;
/// Things a row of training: a row is one prompt and its answer, and has to fit a pack.
const A_ROW: usize = 10;
const TEMPERATURE: f64 = 0.3;
/// Criteria of tags that purify: of the first hangs the interest, of the second whether a thing is learnt at all.
const SERVES: &str = "relevance";
const FITS: &str = "consistency";

/// Reads users' last days.
pub(super) struct Gatherer<'a> {
    pub(super) pool: &'a PgPool,
    pub(super) judge: Judge,
    pub(super) lens: &'a Lens,
    pub(super) log: &'a LogLesson,
    /// Where the last days begin.
    pub(super) since: Timestamp,
    pub(super) seed: u64,
    /// Tokens of a user's history.
    pub(super) history_tokens: u32,
    /// The run that has the users' interests anew.
    pub(super) refreshed: GenerationId,
}

/// A user before the last days and in them.
struct Subjects {
    user: User,
    before: History,
    things: Vec<String>,
    interests: Vec<String>,
    lang: &'static str,
    rubric: Rubric,
    setup: Setup,
}

impl Gatherer<'_> {
    /// What is learnt of a user.
    ///
    /// # Errors
    /// [`JobError`] of the database or a model.
    pub(super) async fn of_user(
        &self,
        user: i64,
        progress: &Progress,
    ) -> Result<(Sifted, Vec<LessonRow>), JobError> {
        let of = self.read(user).await?;
        let mut sifted = Sifted { seen: count(of.things.len()), ..Sifted::default() };
        if of.before.lines.is_empty() || of.things.is_empty() {
            return Ok((sifted, Vec::new()));
        }
        let kept = self.purified(&of, &mut sifted, progress).await?;
        let mut rows = Vec::new();
        for (n, some) in (0_u64..).zip(kept.chunks(A_ROW)) {
            rows.push(self.row(&of, some, user, n).await?);
        }
        Ok((sifted, rows))
    }

    async fn read(&self, id: i64) -> Result<Subjects, JobError> {
        let mut conn = self.pool.acquire().await?;
        let user = users::by_id(&mut conn, id).await?.ok_or_else(|| JobError::give_up("the user is gone"))?;
        let events = behaviours::history(&mut conn, id, HISTORY_LIMIT).await?;
        let (last, before): (Vec<Behaviour>, Vec<Behaviour>) =
            events.into_iter().partition(|it| it.at.is_some_and(|at| at >= self.since));
        let day = self.since.to_zoned(TimeZone::UTC).date();
        let budget = self.history_tokens as usize;
        let before = compress::compress(&before, Some(day), budget, &language::estimate_tokens);
        let missing = Mark::CitesNothing.as_str();
        let interests = samples::bodies_of_user(&mut conn, self.refreshed, id, "interest").await?;
        let interests = interests.into_iter().filter(|(.., body)| body.marks.iter().all(|it| it != missing));
        let rubric = rubrics::current(&mut conn, "tag").await?;
        let rubric = rubric.ok_or_else(|| JobError::give_up("there is no rubric for tags"))?;
        if [SERVES, FITS].iter().any(|name| rubric.criterion(name).is_none()) {
            let why = format!("the rubric of tags needs the criteria {SERVES} and {FITS} to purify a log");
            return Err(JobError::give_up(why));
        }
        let setup = self.judge.setup(&mut conn, "tag").await?;
        Ok(Subjects {
            lang: language::of(&compress::render(&before, "en")),
            things: self.chosen(id, last),
            interests: interests.map(|(_, text, _)| text).collect(),
            user,
            before,
            rubric,
            setup,
        })
    }

    /// Titles of what was clicked or bought, each thing once, in an order that the seed decides.
    fn chosen(&self, user: i64, last: Vec<Behaviour>) -> Vec<String> {
        let mut seen = HashSet::new();
        let mut titles: Vec<String> = last
            .into_iter()
            .filter(|it| it.kind.is_reliable() && it.kind != BehaviourKind::Search)
            .filter_map(|it| it.item)
            .filter(|item| seen.insert(item.id))
            .filter_map(|item| item.title.filter(|title| !title.trim().is_empty()))
            .collect();
        titles.sort_unstable();
        titles.dedup();
        let seed = self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(user.cast_unsigned());
        titles.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        titles
    }

    /// Things that are learnt, in turn until there are enough, and of no category more than its share.
    async fn purified(
        &self,
        of: &Subjects,
        sifted: &mut Sifted,
        progress: &Progress,
    ) -> Result<Vec<Chosen>, JobError> {
        let embedder = &*self.judge.models.embedder;
        let titles = self.lens.vectors(embedder, &of.things).await?;
        let interests = self.lens.vectors(embedder, &of.interests).await?;
        let sight = self.lens.ready(self.pool, embedder, progress).await?;
        let mut kept: Vec<Chosen> = Vec::new();
        let mut of_category: HashMap<usize, u32> = HashMap::new();
        for (title, vector) in of.things.iter().zip(&titles) {
            if kept.len() == self.log.tags as usize {
                break;
            }
            let category = sight.category(vector).map(|(place, _)| place);
            if category.is_some_and(|it| of_category.get(&it).is_some_and(|n| *n >= self.log.per_category)) {
                sifted.no_room += 1;
                continue;
            }
            let nearest = nearest(vector, &interests).map(|place| &of.interests[place]);
            let (serves, fits) = self.judged(of, title, nearest).await?;
            if !fits {
                sifted.out_of_place += 1;
                continue;
            }
            let interest = nearest.filter(|_| serves).cloned();
            *if interest.is_some() { &mut sifted.matched } else { &mut sifted.completed } += 1;
            kept.push(Chosen { title: title.clone(), interest });
            if let Some(category) = category {
                *of_category.entry(category).or_default() += 1;
            }
        }
        Ok(kept)
    }

    /// Whether a thing serves an interest, and whether it fits person and season, by the judge of tags. What it cannot
    /// read does neither.
    async fn judged(
        &self,
        of: &Subjects,
        title: &str,
        interest: Option<&String>,
    ) -> Result<(bool, bool), JobError> {
        let link = |text: &String| ChainLink { kind: "interest".into(), text: text.clone() };
        let sample = Sample {
            id: SampleId(Uuid::nil()),
            key: String::new(),
            task: "tag".into(),
            text: lessons::tag_of(title),
            lang: of.lang.into(),
            reason: None,
            stage: None,
            chain: interest.map(link).into_iter().collect(),
            evidence: Vec::new(),
            user: Some(SampleUser { key: of.user.key.clone(), profile: of.user.profile.clone() }),
            history: of.before.clone(),
            context: Vec::new(),
        };
        let similar = self.judge.similarities(&of.setup, &[&sample]).await?.pop().unwrap_or_default();
        let subject = Subject { sample, rubric: of.rubric.clone() };
        let heard = self.judge.hear(&of.setup.sets, std::slice::from_ref(&subject)).await?.pop();
        let read = heard.map(|it| it.verdicts(&of.setup, &of.rubric, similar)).unwrap_or_default();
        let passes = |name: &str| {
            let found = of.rubric.criteria.iter().zip(&read).find(|(criterion, _)| criterion.name == name);
            found.is_some_and(|(_, read)| read.pass == Some(true))
        };
        Ok((passes(SERVES), passes(FITS)))
    }

    async fn row(&self, of: &Subjects, things: &[Chosen], user: i64, n: u64) -> Result<LessonRow, JobError> {
        let prompt = lessons::prompt(&of.user.profile, things, of.before.as_of, of.lang)?;
        let request = GenerateRequest {
            system: prompt.system,
            user: prompt.user,
            schema: Some(prompt.schema),
            max_tokens: prompt.max_tokens,
            temperature: TEMPERATURE,
            seed: self.seed.wrapping_add(user.cast_unsigned().wrapping_mul(1 << 20)).wrapping_add(n),
            priority: Priority::Batch,
        };
        let said = lessons::parse(&self.judge.models.generator.generate(request).await?.text)?;
        let pairs: Vec<_> = things.iter().cloned().zip(said).collect();
        let (prompt, assistant) = lessons::row(&of.user.profile, &of.before, &pairs, of.lang)?;
        Ok(LessonRow { system: prompt.system, user: prompt.user, assistant })
    }
}

/// The place of the vector that is most alike.
fn nearest(vector: &[f32], of: &[Vec<f32>]) -> Option<usize> {
    let alike = |other: &[f32]| vector.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
    (0..of.len()).max_by(|a, b| alike(&of[*a]).total_cmp(&alike(&of[*b])))
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_most_alike_interest_is_asked_about() {
        let interests = [vec![1.0, 0.0], vec![0.6, 0.8]];
        assert_eq!(nearest(&[0.0, 1.0], &interests), Some(1));
        assert_eq!(nearest(&[0.9, 0.1], &interests), Some(0));
        assert_eq!(nearest(&[0.9, 0.1], &[]), None);
    }
}
