//! Judges as leads see them.

use super::head::Head;
use super::setup::wanted_of;
use crate::audit::{estimate, major_of};
use crate::error::{OrInternal, internal};
use concord_agreement::proportion;
use concord_domain::api::Result;
use concord_domain::{
    CalibrationMeasures, CriterionJudge, Error, JudgeCalibration, JudgeExample, JudgeHead, JudgeParts,
    PastJudge, Rubric, TaskJudge,
};
use concord_store::heads::Head as Stored;
use concord_store::judges::{Calibration, Config, Example};
use concord_store::{StoreError, judges, rubrics, samples, senior};
use sqlx::PgConnection;
use std::collections::HashMap;

/// Changes of a judge that are listed.
const HISTORY: usize = 30;

/// The judge of a task.
pub(super) async fn task_judge(conn: &mut PgConnection, task: &str) -> Result<TaskJudge> {
    let rubric = rubrics::current(conn, task).await.or_internal()?;
    let rubric = rubric.ok_or_else(|| Error::not_found("task"))?;
    let all = judges::configs(conn, task, false).await.or_internal()?;
    let configs: Vec<Config> = all.iter().filter(|it| it.ended_at.is_none()).cloned().collect();
    let judge = configs.first().map(|it| it.judge.clone());
    let name = judge.as_deref().unwrap_or_default();
    let parts = judges::registered(conn, name).await.or_internal()?.map(|it| JudgeParts {
        model: it.model,
        hash: it.model_hash,
        family: it.family,
        backend: it.backend,
        prompt: it.prompt,
    });
    let (samples, judged, millis) = judges::coverage(conn, task, name).await.or_internal()?;
    let generators = judges::generator_families(conn, task).await.or_internal()?;
    let shares_family =
        parts.as_ref().is_some_and(|parts| generators.iter().any(|(family, _)| *family == parts.family));
    let draw = wanted_of(&configs).draw;
    let sets = match draw {
        Some(draw) => judges::sets(conn, draw).await.or_internal()?,
        None => 1,
    };
    Ok(TaskJudge {
        task: task.to_owned(),
        rubric: rubric.version.clone(),
        sets: u32::try_from(sets).unwrap_or(1),
        samples,
        judged,
        millis,
        generators,
        shares_family,
        criteria: criteria(conn, &rubric, &configs, name).await?,
        history: history(&all),
        senior: senior::rule(conn, task).await.or_internal()?,
        judge,
        parts,
    })
}

async fn criteria(
    conn: &mut PgConnection,
    rubric: &Rubric,
    configs: &[Config],
    judge: &str,
) -> Result<Vec<CriterionJudge>> {
    let counts = judges::label_counts(conn, &rubric.task, major_of(&rubric.version)).await.or_internal()?;
    let examples = match wanted_of(configs).draw {
        Some(draw) => {
            let drawn = judges::examples(conn, draw).await.or_internal()?;
            examples(conn, &drawn).await?
        }
        None => Vec::new(),
    };
    let passed = judges::passes_of_human_fails(conn, &rubric.task, judge).await.or_internal()?;
    rubric
        .criteria
        .iter()
        .map(|criterion| {
            let name = criterion.name.as_str();
            let (labelled_pass, labelled_fail) =
                counts.iter().find(|(it, _, _)| it == name).map_or((0, 0), |(_, pass, fail)| (*pass, *fail));
            let config = configs.iter().find(|it| it.criterion == name);
            let calibration = config.and_then(|it| it.calibration.as_ref());
            let whole = |n: i64| u64::try_from(n).unwrap_or(0);
            Ok(CriterionJudge {
                criterion: name.to_owned(),
                labelled_pass,
                labelled_fail,
                examples: examples.iter().filter(|(it, _)| it == name).map(|(_, it)| it.clone()).collect(),
                calibration: calibration.map(shown).transpose()?,
                head: config.and_then(|it| it.head.as_ref()).map(head).transpose()?,
                passes_of_human_fails: passed
                    .iter()
                    .filter(|(it, ..)| it == name)
                    .map(|(_, family, k, n)| (family.clone(), estimate(proportion(whole(*k), whole(*n)))))
                    .collect(),
            })
        })
        .collect()
}

fn measures(of: &serde_json::Value) -> Result<CalibrationMeasures> {
    serde_json::from_value(of.clone()).map_err(|error| internal(&error))
}

fn head(of: &Stored) -> Result<JudgeHead> {
    let ready = Head::of(of).ok_or_else(|| {
        let why = format!("head {} cannot be read", of.id);
        internal(&StoreError::Inconsistent { table: "judge_heads", column: "parameters", why })
    })?;
    let (weights, trained_share, true_share) = ready.shown();
    Ok(JudgeHead {
        weights,
        n: of.n,
        n_pass: of.n_pass,
        n_clusters: of.n_clusters,
        kept: of.kept,
        trained_share,
        true_share,
        before: measures(&of.before)?,
        after: measures(&of.after)?,
        at: of.created_at,
    })
}

fn shown(of: &Calibration) -> Result<JudgeCalibration> {
    Ok(JudgeCalibration {
        method: of.method.clone(),
        parameters: of.parameters.clone(),
        n: of.n,
        n_pass: of.n_pass,
        n_clusters: of.n_clusters,
        before: measures(&of.before)?,
        after: measures(&of.after)?,
        at: of.created_at,
    })
}

/// Examples with their texts, by criterion.
async fn examples(conn: &mut PgConnection, of: &[Example]) -> Result<Vec<(String, JudgeExample)>> {
    let ids: Vec<_> = of.iter().map(|it| it.sample).collect();
    let texts: HashMap<_, _> = samples::load(conn, &ids)
        .await
        .or_internal()?
        .into_iter()
        .map(|it| (it.sample.id, it.sample.text))
        .collect();
    let shown = |it: &Example| JudgeExample {
        set: it.set,
        sample: it.sample,
        text: texts.get(&it.sample).cloned().unwrap_or_default(),
        pass: it.pass,
    };
    Ok(of.iter().map(|it| (it.criterion.clone(), shown(it))).collect())
}

/// One line a change: the rows of a change differ by criterion only.
fn history(all: &[Config]) -> Vec<PastJudge> {
    let mut past: Vec<PastJudge> = Vec::new();
    for config in all {
        if past.last().is_none_or(|last| (last.from, &last.judge) != (config.created_at, &config.judge)) {
            past.push(PastJudge {
                judge: config.judge.clone(),
                why: config.why.clone(),
                from: config.created_at,
                to: config.ended_at,
                by: config.by.clone(),
            });
        }
    }
    past.truncate(HISTORY);
    past
}
