//! Training a judge's heads: labels of the train half in, another judge out, which stands only if the audit half says
//! that it is better (paper §6).

use super::head::{self, Known};
use super::registry;
use super::rewrite::{known_of, reader, rewrite};
use super::setup::{self, Names, Wanted};
use crate::audit::{estimate, fold, major_of};
use crate::jobs::{JobError, Progress};
use crate::judging::Judge;
use concord_agreement::calibrator::{Assessment, Method, Point, assess, cross_fitted};
use concord_agreement::gate::{self, Judged, Margins};
use concord_agreement::head::{Head, LEAST, NoHead, Recipe, Row};
use concord_agreement::{judged, mcnemar};
use concord_domain::{
    AccountId, Actor, CalibrationMeasures, HeadOutcome, HeadRequest, JobId, JudgesCompared, ModelPlace, Role,
    SampleId,
};
use concord_store::heads::{Compared, Head as Stored, Label};
use concord_store::jobs::NewJob;
use concord_store::judges::Config;
use concord_store::{StoreError, events, heads, jobs, judges, rubrics, verdicts};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// Samples whose similarities are made in one transaction.
const BATCH: i64 = 48;
/// Folds of the measures after calibration.
const FOLDS: usize = 5;

/// What a job works on that trains heads.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct HeadArgs {
    /// The run.
    pub run: Uuid,
}

impl HeadArgs {
    pub(super) fn job(self, by: AccountId) -> NewJob {
        NewJob {
            id: JobId(Uuid::now_v7()),
            kind: "head",
            args: serde_json::json!(self),
            priority: 12,
            dedupe_key: Some(format!("head:{}", self.run)),
            created_by: Some(by),
        }
    }
}

/// What stands when a run begins, and what it is to become.
struct Trained {
    before: Names,
    wanted: Wanted,
    outcome: HeadOutcome,
}

impl Judge {
    /// Trains heads, writes their judge's verdicts, and lets it take the place of the one that stands if it is better
    /// on the audit half. Stopped, it goes on with what is missing.
    ///
    /// # Errors
    /// [`JobError`]: whether to try again, and when.
    pub async fn train_head(&self, args: HeadArgs, progress: &Progress) -> Result<(), JobError> {
        let mut conn = self.pool.acquire().await?;
        let run = heads::runs(&mut conn, None, Some(args.run)).await?.pop();
        let run = run.ok_or_else(|| JobError::give_up("the run is gone"))?;
        if run.state != "queued" {
            return Ok(());
        }
        let info = self.models.judge.info().await?;
        // The judge as it is now first: a model that changed meanwhile is a change of its own.
        self.setup(&mut conn, &run.task).await?;
        let configs = judges::configs(&mut conn, &run.task, true).await?;
        let trained = self.fit(&mut conn, args.run, &run.task, &run.request, &configs, progress).await?;
        let Trained { before, wanted, mut outcome } = trained;
        if outcome.trained.is_empty() {
            outcome.refused.push("no criterion has labels enough for a head".into());
            let judges = (Some(before.judge.as_str()), None);
            return Ok(heads::finish_run(&mut conn, args.run, "refused", judges, &outcome).await?);
        }
        let names = setup::names(&mut conn, &info, &wanted).await?;
        let prompt = concord_pipeline::judge::version()?;
        verdicts::register(&mut conn, &names.judge, &info, &prompt).await?;
        drop(conn);
        let candidate = reader(names.judge.clone(), &wanted);
        rewrite(&self.pool, &self.models, (&run.task, &names.asked), &candidate, progress).await?;
        progress.say(0, 0, "comparing on the audit half").await;
        fold(&self.pool).await?;
        let mut tx = self.pool.begin().await?;
        let major = major(&mut tx, &run.task).await?;
        let rows = heads::compared(&mut tx, &run.task, major, &before.judge, &names.judge).await?;
        let (compared, refused) = compare(&rows, &run.request);
        outcome.compared = compared;
        outcome.refused = refused;
        // In this order wherever both are taken.
        concord_store::models::lock(&mut tx, &ModelPlace::judge(&run.task)).await?;
        judges::lock(&mut tx, &run.task).await?;
        let now = judges::configs(&mut tx, &run.task, true).await?;
        if now.first().map(|it| &it.judge) != Some(&before.judge) {
            outcome.refused.push("another judge has taken the place of the one this run began with".into());
        }
        let promoted = outcome.refused.is_empty();
        if let (Some(email), Some(account)) = (&run.by, heads::asked_by(&mut tx, args.run).await?) {
            let actor = Actor { account, email: email.clone(), role: Role::Lead, scopes: None };
            let made = (&info, &names, &wanted);
            let recorded = registry::record(&mut tx, &actor, (&run.task, &run.request), made, &outcome).await;
            recorded.map_err(|error| JobError::again(5, error.to_string()))?;
        }
        if promoted {
            setup::adopt(&mut tx, &run.task, &info, &wanted, "head", None).await?;
            // Verdicts that came while the candidate's were written.
            let args =
                super::calibrate::RecalibrateArgs { task: run.task.clone(), judge: names.judge.clone() };
            jobs::enqueue_again(&mut tx, &args.job(None)).await?;
        }
        let state = if promoted { "promoted" } else { "refused" };
        let pair = (Some(before.judge.as_str()), Some(names.judge.as_str()));
        heads::finish_run(&mut tx, args.run, state, pair, &outcome).await?;
        Ok(tx.commit().await?)
    }

    /// Fits a head a criterion and stores those that could be fitted.
    async fn fit(
        &self,
        conn: &mut PgConnection,
        run: Uuid,
        task: &str,
        request: &HeadRequest,
        configs: &[Config],
        progress: &Progress,
    ) -> Result<Trained, JobError> {
        let first = configs.first().ok_or_else(|| JobError::give_up("the task has no judge yet"))?;
        let before = Names { judge: first.judge.clone(), asked: first.asked.clone() };
        let made_by = match request.similarities {
            true => head::made_by(&*self.models.embedder).await?,
            false => String::new(),
        };
        if request.similarities {
            self.make_similarities(conn, (task, &before.asked), &made_by, progress).await?;
        }
        let criteria: Vec<String> = rubric_criteria(conn, task).await?;
        let names = head::names(&criteria, request.similarities);
        let major = major(conn, task).await?;
        let mut trained =
            Trained { before, wanted: setup::wanted_of(configs), outcome: HeadOutcome::default() };
        for criterion in &criteria {
            progress.say(0, 0, &format!("training the head of {criterion}")).await;
            let asked = &trained.before.asked;
            let labels = heads::labels(conn, task, criterion, asked, trained.wanted.draw, major).await?;
            let ids: Vec<SampleId> = labels.iter().map(|it| it.sample).collect();
            let named = Some(made_by.as_str()).filter(|it| !it.is_empty());
            let known = known_of(conn, &self.models, (task, asked), named, &ids).await?;
            match one(&labels, &known, criterion, &names, request).await? {
                Ok(mut stored) => {
                    stored.made_by.clone_from(&made_by);
                    heads::insert(conn, run, (task, asked), &stored, &labels).await?;
                    // A head calibrates its own probabilities.
                    trained.wanted.calibrations.remove(criterion);
                    trained.wanted.heads.insert(criterion.clone(), stored);
                    trained.outcome.trained.push(criterion.clone());
                }
                Err(why) => trained.outcome.untrained.push((criterion.clone(), why)),
            }
        }
        Ok(trained)
    }

    /// Makes what similarities are missing of a task's judged samples, and stores them batch by batch.
    async fn make_similarities(
        &self,
        conn: &mut PgConnection,
        (task, asked): (&str, &str),
        made_by: &str,
        progress: &Progress,
    ) -> Result<(), JobError> {
        let mut done = 0;
        loop {
            let missing = heads::without_similarities(conn, task, asked, made_by, BATCH).await?;
            if missing.is_empty() {
                return Ok(());
            }
            head::stored(conn, &*self.models.embedder, made_by, &missing).await?;
            done += i64::try_from(missing.len()).unwrap_or(0);
            progress.say(done, 0, "comparing samples with what they rest on").await;
        }
    }
}

/// Plans a run, with its job and its event, in the caller's transaction; gives its id.
pub(crate) async fn begin(
    conn: &mut PgConnection,
    actor: &Actor,
    task: &str,
    request: &HeadRequest,
) -> Result<Uuid, StoreError> {
    let run = Uuid::now_v7();
    heads::insert_run(conn, run, task, request, actor.account).await?;
    jobs::enqueue(conn, &HeadArgs { run }.job(actor.account)).await?;
    let detail = serde_json::json!({"run": run, "request": request});
    events::append(conn, Some(actor.account), "train_head", task, &detail).await?;
    Ok(run)
}

/// A run whose job was given up or cancelled says so.
///
/// # Errors
/// The database's.
pub(crate) async fn ended_short(
    conn: &mut PgConnection,
    args: &serde_json::Value,
    why: &str,
) -> Result<(), StoreError> {
    let Ok(HeadArgs { run }) = HeadArgs::deserialize(args) else { return Ok(()) };
    let outcome = HeadOutcome { refused: vec![why.to_owned()], ..HeadOutcome::default() };
    heads::finish_run(conn, run, "failed", (None, None), &outcome).await
}

async fn major(conn: &mut PgConnection, task: &str) -> Result<i32, JobError> {
    let rubric = rubrics::current(conn, task).await?.ok_or_else(|| JobError::give_up("no such task"))?;
    Ok(major_of(&rubric.version))
}

async fn rubric_criteria(conn: &mut PgConnection, task: &str) -> Result<Vec<String>, JobError> {
    let rubric = rubrics::current(conn, task).await?.ok_or_else(|| JobError::give_up("no such task"))?;
    Ok(rubric.criteria.into_iter().map(|criterion| criterion.name).collect())
}

/// The head of a criterion with its measures, or why there is none.
async fn one(
    labels: &[Label],
    known: &HashMap<SampleId, Known>,
    criterion: &str,
    names: &[String],
    request: &HeadRequest,
) -> Result<Result<Stored, String>, JobError> {
    let found: Vec<(Row, f64)> = labels
        .iter()
        .filter_map(|label| {
            let known = known.get(&label.sample)?;
            let margin = *known.margins.get(criterion)?;
            let features = known.features(names);
            let row = Row { cluster: label.cluster, features, days: label.days, pass: label.pass };
            Some((row, 1.0 / (1.0 + (-margin).exp())))
        })
        .collect();
    let recipe = Recipe {
        ridge: request.ridge,
        ratio: request.ratio,
        half_life: request.half_life_days,
        seed: request.seed,
    };
    let seed = request.seed;
    let (rows, raw): (Vec<Row>, Vec<f64>) = found.into_iter().unzip();
    let counts = (rows.iter().filter(|row| row.pass).count(), rows.iter().filter(|row| !row.pass).count());
    let mut clusters: Vec<i64> = rows.iter().map(|row| row.cluster).collect();
    clusters.sort_unstable();
    clusters.dedup();
    // Seconds of arithmetic, and not on a thread that others wait for.
    let worked = tokio::task::spawn_blocking(move || {
        let (head, unseen) = Head::train(&rows, &recipe)?;
        let own: Vec<Point> =
            rows.iter().zip(raw).map(|(row, p)| Point { cluster: row.cluster, p, pass: row.pass }).collect();
        let after = cross_fitted(Method::Platt, &unseen, FOLDS, seed).unwrap_or(unseen);
        Ok((head, shown(assess(&own, seed)), shown(assess(&after, seed))))
    });
    let worked = worked.await.map_err(|error| JobError::again(5, format!("training failed: {error}")))?;
    let (head, before, after) = match worked {
        Ok(it) => it,
        Err(why) => return Ok(Err(words(why, counts))),
    };
    let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    Ok(Ok(Stored {
        id: Uuid::now_v7(),
        criterion: criterion.to_owned(),
        made_by: String::new(),
        parameters: head::parameters(names, &head),
        n: whole(counts.0 + counts.1),
        n_pass: whole(counts.0),
        n_clusters: whole(clusters.len()),
        kept: i64::try_from(head.kept).unwrap_or(i64::MAX),
        before: serde_json::json!(before),
        after: serde_json::json!(after),
        created_at: jiff::Timestamp::now(),
    }))
}

fn words(why: NoHead, (passes, fails): (usize, usize)) -> String {
    match why {
        NoHead::TooFew => format!(
            "a head needs {LEAST} labels of each side, in every fold some; the train half has {passes} passes and {fails} fails that this judge has judged with logits"
        ),
        NoHead::BadFeatures => "what the models say is no number, or says all of it twice".to_owned(),
        NoHead::NothingLearnt => {
            format!("on labels it has not seen it is no better than chance ({passes} passes, {fails} fails)")
        }
    }
}

fn shown(of: Assessment) -> CalibrationMeasures {
    CalibrationMeasures { ece: estimate(of.ece), brier: estimate(of.brier), auroc: estimate(of.auroc) }
}

/// Both judges on the audit half, all decisions together and by criterion, and why the gate refuses the new one.
fn compare(rows: &[Compared], request: &HeadRequest) -> (Vec<JudgesCompared>, Vec<String>) {
    let mut criteria: Vec<&str> = rows.iter().map(|row| row.criterion.as_str()).collect();
    criteria.sort_unstable();
    criteria.dedup();
    let of = |criterion: Option<&str>| -> Vec<Vec<Judged>> {
        let mut users: BTreeMap<i64, Vec<Judged>> = BTreeMap::new();
        for row in rows.iter().filter(|row| criterion.is_none_or(|it| it == row.criterion)) {
            users.entry(row.cluster).or_default().push((row.people, row.old, row.new));
        }
        users.into_values().collect()
    };
    let all = of(None);
    let margins = Margins { kappa: request.kappa_margin, ..Margins::default() };
    let decision = gate::judge(gate::judges(&all, request.seed), margins);
    let mut compared = vec![figures("*", &all, request.seed)];
    compared.extend(criteria.iter().map(|it| figures(it, &of(Some(it)), request.seed)));
    (compared, decision.refused)
}

fn figures(criterion: &str, users: &[Vec<Judged>], seed: u64) -> JudgesCompared {
    let [specificity, kappa] = gate::judges(users, seed);
    let (apart_specificity, apart_kappa) = judged::apart(users, seed);
    let three = |[old, new]: [concord_agreement::Estimate; 2], gain: gate::Compared| {
        [estimate(old), estimate(new), estimate(gain.gain)]
    };
    let only_right = judged::only_right(users);
    JudgesCompared {
        criterion: criterion.to_owned(),
        n: users.iter().map(Vec::len).sum::<usize>() as u64,
        specificity: three(apart_specificity, specificity),
        kappa: three(apart_kappa, kappa),
        only_right,
        p: mcnemar::exact_p(only_right.0, only_right.1),
    }
}
