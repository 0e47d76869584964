//! Which judge a task has now, and the moment it becomes another one.
//!
//! A judge is named by everything that decides its verdicts: model and weights, prompt version, the examples it is
//! shown and its calibrations. The name of a task's judge is one for all criteria, because "passes all criteria" is
//! asked of one judge.

use super::head::Head;
use crate::error::OrInternal;
use crate::jobs::JobError;
use concord_agreement::calibration::Platt;
use concord_agreement::calibrator::Calibrator;
use concord_domain::api::Result as UseCaseResult;
use concord_domain::ports::ModelInfo;
use concord_domain::{AccountId, Rubric};
use concord_pipeline::PipelineError;
use concord_pipeline::judge::{self, Worked};
use concord_store::heads::Head as Stored;
use concord_store::judges::{Calibration, Config, NewConfig};
use concord_store::{StoreError, certificates, events, judges, rubrics, samples, verdicts};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Why a judge cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

impl From<sqlx::Error> for SetupError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl From<SetupError> for JobError {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::Store(error) => error.into(),
            SetupError::Pipeline(error) => error.into(),
        }
    }
}

impl<T> OrInternal<T> for Result<T, SetupError> {
    fn or_internal(self) -> UseCaseResult<T> {
        self.map_err(|error| crate::error::internal(&error))
    }
}

/// The judge of a task, ready to judge.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Its name.
    pub(crate) judge: String,
    /// Sets of worked examples: each sample is judged once with each. One empty set where there are none.
    pub(crate) sets: Vec<Vec<Worked>>,
    /// Calibrations by criterion.
    pub(crate) calibrations: BTreeMap<String, Calibrator>,
    /// Heads by criterion.
    pub(crate) heads: BTreeMap<String, Head>,
}

/// What is wanted of a task's judge.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) draw: Option<Uuid>,
    pub(crate) calibrations: BTreeMap<String, Calibration>,
    pub(crate) heads: BTreeMap<String, Stored>,
}

impl Wanted {
    /// Other logits than those that calibrations and heads were fitted on.
    pub(crate) fn forget(&mut self) {
        self.calibrations.clear();
        self.heads.clear();
    }
}

/// Names of a judge: with its calibrations, and without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) judge: String,
    pub(crate) asked: String,
}

/// Model, weights and prompt version. Weights elsewhere have no hash, so the server's address stands for them.
fn base_name(info: &ModelInfo) -> Result<String, PipelineError> {
    let address = info.hash.strip_prefix("remote:");
    let weights = address.unwrap_or_else(|| info.hash.get(..8).unwrap_or(&info.hash));
    Ok(format!("{}@{weights} {}", info.name, judge::version()?))
}

/// Names follow content: the same parts give the same name, whenever they come together.
pub(crate) async fn names(
    conn: &mut PgConnection,
    info: &ModelInfo,
    wanted: &Wanted,
) -> Result<Names, SetupError> {
    let mut asked = base_name(info)?;
    if let Some(draw) = wanted.draw {
        let examples: Vec<Value> = judges::examples(conn, draw)
            .await?
            .into_iter()
            .map(|it| json!([it.set, it.criterion, it.sample, it.pass]))
            .collect();
        if !examples.is_empty() {
            asked = format!("{asked} examples-{}", digest(&json!(examples)));
        }
    }
    let calibrations: Vec<Value> = wanted
        .calibrations
        .iter()
        .map(|(criterion, it)| json!([criterion, it.method, it.parameters]))
        .collect();
    let heads: Vec<Value> =
        wanted.heads.iter().map(|(criterion, it)| json!([criterion, it.made_by, it.parameters])).collect();
    let mut judge = asked.clone();
    for (word, parts) in [("head", heads), ("calibrated", calibrations)] {
        if !parts.is_empty() {
            judge = format!("{judge} {word}-{}", digest(&json!(parts)));
        }
    }
    Ok(Names { judge, asked })
}

fn digest(of: &Value) -> String {
    Sha256::digest(of.to_string().as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// The judge of a task as the configuration, this model and this program's prompt make it. Where that is another
/// judge than the current one it takes its place here, and certificates of the old one are void.
pub(crate) async fn current(
    conn: &mut PgConnection,
    task: &str,
    info: &ModelInfo,
) -> Result<Setup, SetupError> {
    let configs = judges::configs(conn, task, true).await?;
    let criteria = criteria(conn, task).await?;
    if let Some(names) = settled(conn, info, &configs, &criteria).await? {
        return load(conn, names.judge, &configs).await;
    }
    let mut tx = conn.begin().await?;
    judges::lock(&mut tx, task).await?;
    let configs = judges::configs(&mut tx, task, true).await?;
    if settled(&mut tx, info, &configs, &criteria).await?.is_none() {
        let why = what_changed(&mut tx, info, &configs).await?;
        let mut wanted = wanted_of(&configs);
        // Another model or prompt gives other logits: what was fitted on the old ones says nothing of them.
        if why != "criteria" {
            wanted.forget();
        }
        adopt(&mut tx, task, info, &wanted, why, None).await?;
    }
    let configs = judges::configs(&mut tx, task, true).await?;
    tx.commit().await?;
    let judge = configs.first().map(|it| it.judge.clone()).unwrap_or_default();
    load(conn, judge, &configs).await
}

/// The names, if the stored configuration is what it would be made to be now.
async fn settled(
    conn: &mut PgConnection,
    info: &ModelInfo,
    configs: &[Config],
    criteria: &[String],
) -> Result<Option<Names>, SetupError> {
    let names = names(conn, info, &wanted_of(configs)).await?;
    let complete = criteria.iter().all(|name| configs.iter().any(|it| it.criterion == *name));
    let same = configs.iter().all(|it| it.judge == names.judge && it.asked == names.asked);
    Ok((complete && same && !configs.is_empty()).then_some(names))
}

pub(crate) fn wanted_of(configs: &[Config]) -> Wanted {
    let calibrations =
        configs.iter().filter_map(|it| Some((it.criterion.clone(), it.calibration.clone()?))).collect();
    let heads = configs.iter().filter_map(|it| Some((it.criterion.clone(), it.head.clone()?))).collect();
    Wanted { draw: configs.first().and_then(|it| it.draw), calibrations, heads }
}

async fn what_changed(
    conn: &mut PgConnection,
    info: &ModelInfo,
    configs: &[Config],
) -> Result<&'static str, SetupError> {
    let Some(first) = configs.first() else { return Ok("first") };
    let Some(known) = judges::registered(conn, &first.judge).await? else { return Ok("first") };
    Ok(if known.model != info.name || known.model_hash != info.hash {
        "model"
    } else if known.prompt != judge::version()? {
        "prompt"
    } else {
        "criteria"
    })
}

async fn criteria(conn: &mut PgConnection, task: &str) -> Result<Vec<String>, SetupError> {
    let rubric: Option<Rubric> = rubrics::current(conn, task).await?;
    Ok(rubric.into_iter().flat_map(|rubric| rubric.criteria).map(|criterion| criterion.name).collect())
}

/// Makes this the judge of the task; gives its names. Certificates that rest on another one are void at once.
pub(crate) async fn adopt(
    tx: &mut PgConnection,
    task: &str,
    info: &ModelInfo,
    wanted: &Wanted,
    why: &str,
    by: Option<AccountId>,
) -> Result<Names, SetupError> {
    let names = names(tx, info, wanted).await?;
    let prompt = judge::version()?;
    for name in [&names.asked, &names.judge] {
        verdicts::register(tx, name, info, &prompt).await?;
    }
    let criteria = criteria(tx, task).await?;
    let configs: Vec<NewConfig<'_>> = criteria
        .iter()
        .map(|criterion| NewConfig {
            criterion,
            judge: &names.judge,
            asked: &names.asked,
            draw: wanted.draw,
            calibration: wanted.calibrations.get(criterion).map(|it| it.id),
            head: wanted.heads.get(criterion).map(|it| it.id),
        })
        .collect();
    judges::adopt(tx, task, &configs, why, by).await?;
    let detail = json!({"judge": names.judge, "why": why});
    events::append(tx, by, "judge", task, &detail).await?;
    for id in certificates::void_other_judges(tx, task, &names.judge).await? {
        let detail = json!({"why": "another judge has taken its place", "judge": names.judge});
        events::append(tx, by, "certificate_void", &id.to_string(), &detail).await?;
    }
    Ok(names)
}

/// The judge without its heads, which takes its place.
pub(crate) async fn without_heads(
    conn: &mut PgConnection,
    task: &str,
    info: &ModelInfo,
    why: &str,
    by: Option<AccountId>,
) -> Result<Setup, SetupError> {
    let mut tx = conn.begin().await?;
    judges::lock(&mut tx, task).await?;
    let configs = judges::configs(&mut tx, task, true).await?;
    let mut wanted = wanted_of(&configs);
    wanted.heads.clear();
    let names = adopt(&mut tx, task, info, &wanted, why, by).await?;
    let configs = judges::configs(&mut tx, task, true).await?;
    tx.commit().await?;
    load(conn, names.judge, &configs).await
}

async fn load(conn: &mut PgConnection, judge: String, configs: &[Config]) -> Result<Setup, SetupError> {
    let wanted = wanted_of(configs);
    let calibrations = wanted
        .calibrations
        .iter()
        .filter_map(|(criterion, it)| Some((criterion.clone(), calibrator(&it.method, &it.parameters)?)))
        .collect();
    let sets = match wanted.draw {
        None => vec![Vec::new()],
        Some(draw) => example_sets(conn, draw).await?,
    };
    let heads = ready(&wanted);
    Ok(Setup { judge, sets, calibrations, heads })
}

/// The heads of a configuration, ready to read verdicts with.
pub(super) fn ready(wanted: &Wanted) -> BTreeMap<String, Head> {
    wanted.heads.iter().filter_map(|(criterion, it)| Some((criterion.clone(), Head::of(it)?))).collect()
}

/// The examples of a draw, a vector a set; one empty set where nothing was drawn.
async fn example_sets(conn: &mut PgConnection, draw: Uuid) -> Result<Vec<Vec<Worked>>, SetupError> {
    let examples = judges::examples(conn, draw).await?;
    if examples.is_empty() {
        return Ok(vec![Vec::new()]);
    }
    let ids: Vec<_> = examples.iter().map(|it| it.sample).collect();
    let loaded = samples::load(conn, &ids).await?;
    let mut sets: BTreeMap<i32, Vec<Worked>> = BTreeMap::new();
    for (example, loaded) in examples.into_iter().zip(loaded) {
        let worked = Worked { criterion: example.criterion, sample: loaded.sample, pass: example.pass };
        sets.entry(example.set).or_default().push(worked);
    }
    Ok(sets.into_values().collect())
}

/// A calibration as stored.
pub(crate) fn parameters(of: &Calibrator) -> Value {
    match of {
        Calibrator::Platt(fit) => json!({"a": fit.a, "b": fit.b}),
        Calibrator::Temperature(t) => json!({"t": t}),
        Calibrator::Isotonic(steps) => json!({"steps": steps}),
    }
}

/// And back.
pub(crate) fn calibrator(method: &str, parameters: &Value) -> Option<Calibrator> {
    match method {
        "platt" => {
            Some(Calibrator::Platt(Platt { a: parameters["a"].as_f64()?, b: parameters["b"].as_f64()? }))
        }
        "temperature" => Some(Calibrator::Temperature(parameters["t"].as_f64()?)),
        _ => serde_json::from_value(parameters["steps"].clone()).ok().map(Calibrator::Isotonic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_calibration_is_the_one_that_was_fitted() {
        let all = [
            Calibrator::Platt(Platt { a: -1.234_567_890_123_4, b: 0.1 }),
            Calibrator::Temperature(2.345_678_901_234_5),
            Calibrator::Isotonic(vec![(0.1, 0.0), (0.333_333_333_333, 0.5), (0.9, 1.0)]),
        ];
        for (method, of) in ["platt", "temperature", "isotonic"].into_iter().zip(all) {
            let stored = parameters(&of).to_string();
            let back =
                calibrator(method, &serde_json::from_str(&stored).expect("JSON")).expect("a calibration");
            assert_eq!(back, of, "{method}");
        }
    }
}
