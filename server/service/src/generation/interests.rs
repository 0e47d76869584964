//! The first stage: what of the preset pool may fit, what the lines are to be wary of, the call, and what code can say of
//! each interest's evidence before a judge sees it.

use super::{Generator, Place, Subject, advance, store_call, store_sample};
use crate::jobs::{JobError, Progress};
use concord_domain::PresetInterest;
use concord_pipeline::interests::{self, Hints, Mark, Screen, ScreenWords};
use concord_pipeline::presets as pool_rules;
use concord_store::presets;
use concord_store::samples::Body;
use uuid::Uuid;

/// Things of a line that speak for a preset: the first few say what it is about.
const THINGS: usize = 4;

/// The pool with a vector each.
struct Pool {
    names: Vec<String>,
    vectors: Vec<Vec<f32>>,
}

impl Generator {
    pub(super) async fn interests(&self, subject: &Subject, progress: &Progress) -> Result<(), JobError> {
        let words = ScreenWords::shipped()?;
        let screen = Screen::new(&words, &subject.user.profile, &subject.history, &subject.behaviours);
        let pool = self.pool_of(subject).await?;
        let (consumables, gifts) = screen.wary();
        let offered = self.offered(subject, &pool).await?;
        let hints = Hints { presets: offered, consumables, gifts };
        let prompt = interests::prompt(
            &subject.user.profile,
            &subject.history,
            &hints,
            subject.lang,
            subject.request.interests,
        )?;
        let output = self.write(subject, &prompt, 0).await?;
        let written = interests::parse(&output.text)?;
        let texts: Vec<String> = written.iter().map(|(_, it)| it.interest.clone()).collect();
        let vectors = self.lens.vectors(&*self.models.embedder, &texts).await?;
        let near = self.lens.ready(&self.pool, &*self.models.embedder, progress).await?.near;
        let mut tx = self.pool.begin().await?;
        let call = Uuid::now_v7();
        store_call(&mut tx, subject, call, "interest", &interests::version()?, &prompt, &output, 0).await?;
        for ((ordinal, interest), vector) in written.into_iter().zip(vectors) {
            let evidence = screen.evidence(&interest.evidence);
            let preset = pool_rules::matched(&interest.interest, &vector, &pool.names, &pool.vectors, near);
            let body = Body {
                reason: Some(interest.reason),
                stage: Some(interest.stage),
                marks: screen
                    .marks(&evidence)
                    .into_iter()
                    .map(|mark| Mark::as_str(mark).to_owned())
                    .collect(),
                evidence: interest.evidence,
                behaviours: evidence.behaviours,
                preset: preset.map(|place| pool.names[place].clone()),
                ..Body::default()
            };
            let place = Place { task: "interest", call, ordinal, parent: None, item: None };
            store_sample(&mut tx, subject, &interest.interest, &body, &place).await?;
        }
        advance(&mut tx, subject.args, "interests", "tags").await?;
        Ok(tx.commit().await?)
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
