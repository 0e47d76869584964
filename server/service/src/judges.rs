//! Judges: one a task, made of model, prompt, examples and calibrations. Changing a part makes another judge, and
//! what rested on the old one ends with it.

mod calibrate;
pub(crate) mod head;
pub mod probes;
pub(crate) mod read;
pub(crate) mod registry;
mod rewrite;
pub(crate) mod setup;
pub mod train;
mod views;

use crate::audit::{fold, major_of};
use crate::error::{OrInternal, of_model};
use crate::jobs::{JobError, Progress};
use crate::judging::RejudgeArgs;
use crate::models::Models;
use async_trait::async_trait;
use calibrate::RecalibrateArgs;
use concord_domain::api::{self, Result};
use concord_domain::{
    Actor, Calibrated, CalibrationRequest, Capability, DrawRequest, Error, HeadRequest, HeadRun, JobId,
    ProbeReport, ProbeRequest, Rubric, SeniorRule, TaskJudge,
};
use concord_pipeline::judge::{Candidate, draw};
use concord_store::jobs::NewJob;
use concord_store::judges::Agreed;
use concord_store::{events, heads, jobs, judges, rubrics, senior};
use probes::ProbeArgs;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// An example's text has at most so many characters: it stands in every prompt.
const LONGEST_EXAMPLE: i32 = 400;
/// Examples of all criteria in one set: they stand in every prompt.
const MOST_EXAMPLES: u32 = 48;

/// The judge use cases.
#[derive(Clone)]
pub struct JudgesService {
    pool: PgPool,
    models: Models,
}

impl JudgesService {
    /// On this database and these models.
    #[must_use]
    pub fn new(pool: PgPool, models: Models) -> Self {
        Self { pool, models }
    }

    /// The model's name and hash: a judge is not changed while its weights cannot be looked at.
    async fn info(&self) -> Result<concord_domain::ports::ModelInfo> {
        self.models.judge.info().await.map_err(of_model)
    }

    async fn task_judge(&self, task: &str) -> Result<TaskJudge> {
        let mut conn = self.pool.acquire().await.or_internal()?;
        views::task_judge(&mut conn, task).await
    }
}

/// Writes the verdicts of a task's judge from stored logits.
pub(crate) async fn recalibrate(
    pool: &PgPool,
    models: &Models,
    args: RecalibrateArgs,
    progress: &Progress,
) -> std::result::Result<(), JobError> {
    rewrite::recalibrate(pool, models, &args, progress).await
}

#[async_trait]
impl api::Judges for JudgesService {
    async fn judges(&self, actor: &Actor, task: Option<&str>) -> Result<Vec<TaskJudge>> {
        actor.require(Capability::ReadAll)?;
        fold(&self.pool).await.or_internal()?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let tasks = match task {
            Some(task) => vec![task.to_owned()],
            None => judges::tasks(&mut conn).await.or_internal()?,
        };
        let mut found = Vec::with_capacity(tasks.len());
        for task in tasks {
            found.push(views::task_judge(&mut conn, &task).await?);
        }
        Ok(found)
    }

    async fn draw(&self, actor: &Actor, task: &str, request: DrawRequest) -> Result<TaskJudge> {
        actor.require(Capability::ManageProgramme)?;
        let info = self.info().await?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let rubric = rubric(&mut tx, task).await?;
        check_draw(&request, &rubric)?;
        // The judge as it is now first: a model that changed meanwhile is a change of its own.
        setup::current(&mut tx, task, &info).await.or_internal()?;
        judges::lock(&mut tx, task).await.or_internal()?;
        let configs = judges::configs(&mut tx, task, true).await.or_internal()?;
        let mut wanted = setup::wanted_of(&configs);
        wanted.draw = if request.per_side == 0 {
            None
        } else {
            Some(new_draw(&mut tx, task, &rubric, &request, actor).await?)
        };
        // Other examples give other logits: what was fitted on the old ones says nothing of them.
        let before = configs.first().map(|it| it.asked.clone());
        if before != Some(setup::names(&mut tx, &info, &wanted).await.or_internal()?.asked) {
            wanted.forget();
        }
        setup::adopt(&mut tx, task, &info, &wanted, "examples", Some(actor.account)).await.or_internal()?;
        tx.commit().await.or_internal()?;
        self.task_judge(task).await
    }

    async fn calibrate(&self, actor: &Actor, task: &str, request: CalibrationRequest) -> Result<Calibrated> {
        actor.require(Capability::ManageProgramme)?;
        if request.method != "none" {
            calibrate::method(&request.method)?;
        }
        let info = self.info().await?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let rubric = rubric(&mut tx, task).await?;
        if request.criterion.as_ref().is_some_and(|name| rubric.criterion(name).is_none()) {
            return Err(Error::invalid("criterion", "none of this task's rubric"));
        }
        setup::current(&mut tx, task, &info).await.or_internal()?;
        judges::lock(&mut tx, task).await.or_internal()?;
        let configs = judges::configs(&mut tx, task, true).await.or_internal()?;
        let major = major_of(&rubric.version);
        let fitted = calibrate::fit(&mut tx, (task, major), &configs, &request, actor.account).await?;
        if fitted.criteria.is_empty() {
            let why: Vec<String> =
                fitted.refused.iter().map(|(name, why)| format!("{name}: {why}")).collect();
            let mend = "Label more of the train half, or judge what is labelled: `concord judge --task TASK --labelled`.";
            return Err(Error::conflict("too_few_labels", format!("{}. {mend}", why.join("; "))));
        }
        let mut wanted = setup::wanted_of(&configs);
        wanted.calibrations = fitted.calibrations;
        let names = setup::adopt(&mut tx, task, &info, &wanted, "calibration", Some(actor.account))
            .await
            .or_internal()?;
        let job =
            RecalibrateArgs { task: task.to_owned(), judge: names.judge.clone() }.job(Some(actor.account));
        jobs::enqueue_again(&mut tx, &job).await.or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(Calibrated { judge: names.judge, criteria: fitted.criteria, refused: fitted.refused })
    }

    async fn train_head(&self, actor: &Actor, task: &str, request: HeadRequest) -> Result<HeadRun> {
        actor.require(Capability::ManageProgramme)?;
        request.check()?;
        let mut tx = self.pool.begin().await.or_internal()?;
        rubric(&mut tx, task).await?;
        if judges::configs(&mut tx, task, true).await.or_internal()?.is_empty() {
            let mend = format!("the task has no judge yet: `concord judge --task {task}` first");
            return Err(Error::conflict("no_judge", mend));
        }
        let run = train::begin(&mut tx, actor, task, &request).await.or_internal()?;
        let planned = heads::runs(&mut tx, None, Some(run)).await.or_internal()?.pop();
        tx.commit().await.or_internal()?;
        planned.ok_or_else(|| Error::not_found("run"))
    }

    async fn heads(&self, actor: &Actor, task: &str) -> Result<Vec<HeadRun>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        rubric(&mut conn, task).await?;
        heads::runs(&mut conn, Some(task), None).await.or_internal()
    }

    async fn drop_heads(&self, actor: &Actor, task: &str) -> Result<TaskJudge> {
        actor.require(Capability::ManageProgramme)?;
        let info = self.info().await?;
        let mut tx = self.pool.begin().await.or_internal()?;
        rubric(&mut tx, task).await?;
        let configs = judges::configs(&mut tx, task, true).await.or_internal()?;
        if configs.iter().all(|it| it.head.is_none()) {
            return Err(Error::conflict("no_head", "the task's judge has no head"));
        }
        registry::dropped(&mut tx, actor, task).await?;
        let setup =
            setup::without_heads(&mut tx, task, &info, "head", Some(actor.account)).await.or_internal()?;
        let job = RecalibrateArgs { task: task.to_owned(), judge: setup.judge }.job(Some(actor.account));
        jobs::enqueue_again(&mut tx, &job).await.or_internal()?;
        tx.commit().await.or_internal()?;
        self.task_judge(task).await
    }

    async fn rejudge(&self, actor: &Actor, task: &str, labelled_only: bool) -> Result<()> {
        actor.require(Capability::Generate)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        rubric(&mut tx, task).await?;
        let kind = if labelled_only { "labelled" } else { "all" };
        let job = NewJob {
            id: JobId(Uuid::now_v7()),
            kind: "rejudge",
            args: serde_json::json!(RejudgeArgs { task: task.to_owned(), labelled_only }),
            priority: 9,
            dedupe_key: Some(format!("rejudge:{task}:{kind}")),
            created_by: Some(actor.account),
        };
        jobs::enqueue_again(&mut tx, &job).await.or_internal()?;
        let detail = serde_json::json!({"labelled_only": labelled_only});
        events::append(&mut tx, Some(actor.account), "rejudge", task, &detail).await.or_internal()?;
        tx.commit().await.or_internal()
    }

    async fn probe(&self, actor: &Actor, task: &str, request: ProbeRequest) -> Result<ProbeReport> {
        actor.require(Capability::Generate)?;
        if !(1..=1000).contains(&request.samples) {
            return Err(Error::invalid("samples", "between 1 and 1000"));
        }
        let mut tx = self.pool.begin().await.or_internal()?;
        rubric(&mut tx, task).await?;
        let id = Uuid::now_v7();
        let samples = i32::try_from(request.samples).unwrap_or(i32::MAX);
        let seed = i64::try_from(request.seed).map_err(|_| Error::invalid("seed", "below 2^63"))?;
        concord_store::probes::insert(&mut tx, id, task, (samples, seed), actor.account)
            .await
            .or_internal()?;
        let job = NewJob {
            id: JobId(Uuid::now_v7()),
            kind: "probe",
            args: serde_json::json!(ProbeArgs { probe: id }),
            priority: 9,
            dedupe_key: Some(format!("probe:{id}")),
            created_by: Some(actor.account),
        };
        jobs::enqueue(&mut tx, &job).await.or_internal()?;
        let detail = serde_json::json!({"samples": request.samples, "seed": request.seed});
        events::append(&mut tx, Some(actor.account), "probe", task, &detail).await.or_internal()?;
        let run = concord_store::probes::list(&mut tx, None, Some(id)).await.or_internal()?.pop();
        tx.commit().await.or_internal()?;
        run.map(|run| probes::report(run, &[])).ok_or_else(|| Error::not_found("run of probes"))
    }

    async fn probes(&self, actor: &Actor, task: &str) -> Result<Vec<ProbeReport>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        rubric(&mut conn, task).await?;
        let mut found = Vec::new();
        for run in concord_store::probes::list(&mut conn, Some(task), None).await.or_internal()? {
            let answers = concord_store::probes::answers(&mut conn, run.id).await.or_internal()?;
            found.push(probes::report(run, &answers));
        }
        Ok(found)
    }

    async fn set_senior(&self, actor: &Actor, task: &str, rule: SeniorRule) -> Result<SeniorRule> {
        actor.require(Capability::ManageProgramme)?;
        rule.check()?;
        let mut tx = self.pool.begin().await.or_internal()?;
        rubric(&mut tx, task).await?;
        senior::set_rule(&mut tx, task, rule, actor.account).await.or_internal()?;
        let detail = serde_json::json!(rule);
        events::append(&mut tx, Some(actor.account), "senior_rule", task, &detail).await.or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(rule)
    }
}

async fn rubric(conn: &mut PgConnection, task: &str) -> Result<Rubric> {
    rubrics::current(conn, task).await.or_internal()?.ok_or_else(|| Error::not_found("task"))
}

fn check_draw(request: &DrawRequest, rubric: &Rubric) -> Result<()> {
    if request.per_side > 8 {
        return Err(Error::invalid("per_side", "at most 8; 0 takes the examples away"));
    }
    if !(1..=8).contains(&request.sets) {
        return Err(Error::invalid("sets", "between 1 and 8"));
    }
    let criteria = u32::try_from(rubric.criteria.len()).unwrap_or(u32::MAX);
    if request.per_side * 2 * criteria > MOST_EXAMPLES {
        let most = MOST_EXAMPLES / 2 / criteria;
        return Err(Error::invalid(
            "per_side",
            format!(
                "at most {most} with {criteria} criteria: the examples of all of them stand in every prompt"
            ),
        ));
    }
    if i64::try_from(request.seed).is_err() {
        return Err(Error::invalid("seed", "below 2^63"));
    }
    Ok(())
}

/// Draws and stores examples; gives the draw.
async fn new_draw(
    tx: &mut PgConnection,
    task: &str,
    rubric: &Rubric,
    request: &DrawRequest,
    actor: &Actor,
) -> Result<Uuid> {
    let agreed = judges::agreed(tx, task, major_of(&rubric.version), LONGEST_EXAMPLE).await.or_internal()?;
    let candidates: Vec<Candidate<_>> = agreed
        .iter()
        .filter(|it| rubric.criterion(&it.criterion).is_some())
        .map(|it| Candidate {
            id: it.sample,
            criterion: it.criterion.clone(),
            lang: it.lang.clone(),
            pass: it.pass,
        })
        .collect();
    let sets = draw(&candidates, request.sets as usize, request.per_side as usize, request.seed);
    if sets.iter().all(Vec::is_empty) {
        return Err(Error::conflict("too_few_labels", too_few(rubric, &candidates, request.per_side)));
    }
    let stored: Vec<Vec<Agreed>> = sets
        .into_iter()
        .map(|set| {
            let of = |it: Candidate<_>| Agreed {
                sample: it.id,
                criterion: it.criterion,
                lang: it.lang,
                pass: it.pass,
            };
            set.into_iter().map(of).collect()
        })
        .collect();
    let id = Uuid::now_v7();
    let seed = i64::try_from(request.seed).unwrap_or(0);
    let per_side = i32::try_from(request.per_side).unwrap_or(0);
    judges::insert_draw(tx, id, task, (seed, per_side), &stored, Some(actor.account)).await.or_internal()?;
    Ok(id)
}

fn too_few<T>(rubric: &Rubric, candidates: &[Candidate<T>], per_side: u32) -> String {
    let count = |name: &str, pass: bool| {
        candidates.iter().filter(|it| it.criterion == name && it.pass == pass).count()
    };
    let have: Vec<String> = rubric
        .criteria
        .iter()
        .map(|it| format!("{} {} pass and {} fail", it.name, count(&it.name, true), count(&it.name, false)))
        .collect();
    format!(
        "a criterion needs {per_side} passes and {per_side} fails in one language that people agree on in the train half; there are: {}",
        have.join(", ")
    )
}
