//! Stored logits read anew: the verdicts of another judge, without asking a model what it has been asked.

use super::calibrate::RecalibrateArgs;
use super::head::{self, Known};
use super::read::{Read, reread};
use super::setup::{self, Setup, Wanted};
use crate::jobs::{JobError, Progress};
use crate::models::Models;
use concord_domain::{Rubric, SampleId};
use concord_pipeline::judge;
use concord_store::verdicts::{Raw, Rewritten};
use concord_store::{heads, judges, rubrics, verdicts};
use sqlx::{PgConnection, PgPool};
use std::collections::HashMap;
use uuid::Uuid;

/// Verdicts read anew in one transaction.
const BATCH: i64 = 2000;
/// The same for a judge with heads, of which similarities may have to be made.
const BATCH_WITH_HEADS: i64 = 256;

/// Writes the verdicts of a task's judge from stored logits. Stopped, it goes on with what is missing then.
pub(crate) async fn recalibrate(
    pool: &PgPool,
    models: &Models,
    args: &RecalibrateArgs,
    progress: &Progress,
) -> Result<(), JobError> {
    let mut conn = pool.acquire().await?;
    let configs = judges::configs(&mut conn, &args.task, true).await?;
    let Some(first) = configs.first().filter(|it| it.judge == args.judge) else {
        // Another judge has taken its place meanwhile, and has a job of its own.
        return Ok(());
    };
    let setup = reader(first.judge.clone(), &setup::wanted_of(&configs));
    drop(conn);
    rewrite(pool, models, (&args.task, &first.asked), &setup, progress).await
}

/// A judge that reads what was asked already.
pub(super) fn reader(judge: String, wanted: &Wanted) -> Setup {
    let calibrations = wanted
        .calibrations
        .iter()
        .filter_map(|(criterion, it)| {
            Some((criterion.clone(), setup::calibrator(&it.method, &it.parameters)?))
        })
        .collect();
    Setup { judge, sets: Vec::new(), calibrations, heads: setup::ready(wanted) }
}

/// Writes under this judge's name every verdict that the model was asked for as `asked` and that is not there yet.
pub(super) async fn rewrite(
    pool: &PgPool,
    models: &Models,
    (task, asked): (&str, &str),
    setup: &Setup,
    progress: &Progress,
) -> Result<(), JobError> {
    let (mut after, mut done) = ((SampleId(Uuid::nil()), String::new()), 0_i64);
    let mut rubrics: HashMap<(String, String), Rubric> = HashMap::new();
    let batch = if setup.heads.is_empty() { BATCH } else { BATCH_WITH_HEADS };
    loop {
        let mut tx = pool.begin().await?;
        let raw =
            verdicts::to_rewrite(&mut tx, task, asked, &setup.judge, (after.0, &after.1), batch).await?;
        let Some(last) = raw.last() else { return Ok(()) };
        after = (last.sample, last.criterion.clone());
        let known = known(&mut tx, models, (task, asked), setup, &raw).await?;
        let mut rows = Vec::with_capacity(raw.len());
        for verdict in &raw {
            if !rubrics.contains_key(&verdict.rubric) {
                let rubric = rubrics::version(&mut tx, &verdict.rubric.0, &verdict.rubric.1).await?;
                rubrics.insert(verdict.rubric.clone(), rubric);
            }
            rows.push(one(setup, verdict, known.get(&verdict.sample), &rubrics[&verdict.rubric])?);
        }
        verdicts::rewrite(&mut tx, &setup.judge, &rows).await?;
        tx.commit().await?;
        done += i64::try_from(rows.len()).unwrap_or(i64::MAX);
        progress.say(done, 0, "reading stored logits").await;
    }
}

/// What heads read of the samples of these verdicts; nothing where the judge has none.
async fn known(
    conn: &mut PgConnection,
    models: &Models,
    of: (&str, &str),
    setup: &Setup,
    raw: &[Raw],
) -> Result<HashMap<SampleId, Known>, JobError> {
    if setup.heads.is_empty() {
        return Ok(HashMap::new());
    }
    let mut ids: Vec<SampleId> = raw.iter().map(|it| it.sample).collect();
    ids.dedup();
    known_of(conn, models, of, setup.made_by(), &ids).await
}

/// What frozen models say of samples: their log-odds, and the similarities of `made_by`.
pub(super) async fn known_of(
    conn: &mut PgConnection,
    models: &Models,
    (task, asked): (&str, &str),
    made_by: Option<&str>,
    ids: &[SampleId],
) -> Result<HashMap<SampleId, Known>, JobError> {
    let mut known: HashMap<SampleId, Known> = HashMap::new();
    for (sample, lang, criterion, logits) in heads::logits(conn, task, asked, ids).await? {
        known.entry(sample).or_default().hear(&criterion, &logits, &judge::answers(&lang)?);
    }
    if let Some(made_by) = made_by {
        for (sample, numbers) in head::stored(conn, &*models.embedder, made_by, ids).await? {
            known.entry(sample).or_default().similar = numbers;
        }
    }
    Ok(known)
}

/// One verdict as another judge reads it. What has no logits stays as it was: a word has nothing to read anew.
fn one(setup: &Setup, of: &Raw, known: Option<&Known>, rubric: &Rubric) -> Result<Rewritten, JobError> {
    let answers = judge::answers(&of.lang)?;
    let calibration = setup.calibrations.get(&of.criterion);
    let plain = of.logits.as_ref().and_then(|logits| reread(logits, &answers, calibration));
    let Some(plain) = plain else {
        return Ok(Rewritten {
            from: of.id,
            label: of.label.clone(),
            pass: of.pass,
            p_pass: of.p_pass,
            calibrated: false,
        });
    };
    let read: Read = match known {
        Some(known) => setup.verdict(&of.criterion, known, plain),
        None => plain,
    };
    let label = read.pass.and_then(|pass| rubric.criterion(&of.criterion)?.first_label(pass));
    Ok(Rewritten {
        from: of.id,
        label: label.map(|label| label.name.clone()),
        pass: read.pass,
        p_pass: read.p,
        calibrated: read.calibrated,
    })
}
