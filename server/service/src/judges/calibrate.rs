//! Calibration: fitted on blind labels of the train half. Stored verdicts are then read anew, and no model is asked.
//!
//! These labels come in the order of the learning stream, so more of them are near one half. Choosing samples by the
//! judge's own probability does not move P(pass | probability), which is what is fitted; how good the judge is in the
//! field is the audit's to say.

use super::setup::{parameters, wanted_of};
use crate::error::OrInternal;
use concord_agreement::calibrator::{Assessment, Calibrator, Method, Point, Unfit, assess, cross_fitted};
use concord_domain::api::Result;
use concord_domain::{AccountId, CalibrationMeasures, CalibrationRequest, Error, JobId};
use concord_pipeline::judge;
use concord_store::jobs::NewJob;
use concord_store::judges;
use concord_store::judges::{Calibration, Config, NewCalibration, TrainLabel};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// Folds of cross-fitting, and the seed of folds and intervals.
const FOLDS: usize = 5;
const SEED: u64 = 1;

/// What a job works on that reads stored verdicts anew.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RecalibrateArgs {
    pub(crate) task: String,
    pub(crate) judge: String,
}

impl RecalibrateArgs {
    pub(crate) fn job(&self, by: Option<AccountId>) -> NewJob {
        NewJob {
            id: JobId(Uuid::now_v7()),
            kind: "recalibrate",
            args: serde_json::json!(self),
            priority: 15,
            dedupe_key: Some(format!("recalibrate:{}:{}", self.task, self.judge)),
            created_by: by,
        }
    }
}

/// The method of that word, and the labels it needs: in all, and of each side.
pub(super) fn method(word: &str) -> Result<(Method, usize, usize)> {
    match word {
        "platt" => Ok((Method::Platt, 30, 10)),
        "temperature" => Ok((Method::Temperature, 30, 10)),
        "isotonic" => Ok((Method::Isotonic, 300, 50)),
        _ => Err(Error::invalid("method", "one of platt, temperature, isotonic, none")),
    }
}

/// What was fitted, by criterion, and what was not, with the reason.
#[derive(Debug, Default)]
pub(super) struct Fitted {
    pub(super) calibrations: BTreeMap<String, Calibration>,
    pub(super) criteria: Vec<String>,
    pub(super) refused: Vec<(String, String)>,
}

/// Fits the criteria asked for and stores what was fitted; the others keep what they have.
pub(super) async fn fit(
    conn: &mut PgConnection,
    (task, major): (&str, i32),
    configs: &[Config],
    request: &CalibrationRequest,
    by: AccountId,
) -> Result<Fitted> {
    let mut fitted = Fitted { calibrations: wanted_of(configs).calibrations, ..Fitted::default() };
    for config in configs {
        if request.criterion.as_ref().is_some_and(|only| *only != config.criterion) {
            continue;
        }
        if request.method == "none" {
            fitted.calibrations.remove(&config.criterion);
            fitted.criteria.push(config.criterion.clone());
            continue;
        }
        if config.head.is_some() {
            let why =
                "it has a head, which is calibrated where it is trained: train it again, or take it away";
            fitted.refused.push((config.criterion.clone(), why.to_owned()));
            continue;
        }
        let labels = judges::train_labels(conn, task, &config.criterion, &config.asked, config.draw, major)
            .await
            .or_internal()?;
        match fit_one(&labels, &request.method).await? {
            Ok((calibrator, before, after)) => {
                let new = NewCalibration {
                    id: Uuid::now_v7(),
                    task,
                    criterion: &config.criterion,
                    asked: &config.asked,
                    method: &request.method,
                    parameters: parameters(&calibrator),
                    labels: &labels,
                    before: serde_json::json!(before),
                    after: serde_json::json!(after),
                    by,
                };
                judges::insert_calibration(conn, &new).await.or_internal()?;
                fitted.calibrations.insert(config.criterion.clone(), stored(&new));
                fitted.criteria.push(config.criterion.clone());
            }
            Err(why) => fitted.refused.push((config.criterion.clone(), why)),
        }
    }
    Ok(fitted)
}

/// As the names of judges need it.
fn stored(new: &NewCalibration<'_>) -> Calibration {
    Calibration {
        id: new.id,
        method: new.method.to_owned(),
        parameters: new.parameters.clone(),
        n: 0,
        n_pass: 0,
        n_clusters: 0,
        before: new.before.clone(),
        after: new.after.clone(),
        created_at: jiff::Timestamp::now(),
    }
}

type FitOutcome = std::result::Result<(Calibrator, CalibrationMeasures, CalibrationMeasures), String>;

/// A calibration with its measures before and after, or why there is none.
async fn fit_one(labels: &[TrainLabel], word: &str) -> Result<FitOutcome> {
    let (method, least, least_side) = method(word)?;
    let mut answers: HashMap<String, Vec<String>> = HashMap::new();
    for label in labels {
        if !answers.contains_key(&label.lang) {
            answers.insert(label.lang.clone(), judge::answers(&label.lang).or_internal()?);
        }
    }
    let points: Vec<Point> = labels
        .iter()
        .filter_map(|label| {
            let p = super::read::probability(&label.logits, answers.get(&label.lang)?)?;
            Some(Point { cluster: label.cluster, p, pass: label.pass })
        })
        .collect();
    let passes = points.iter().filter(|point| point.pass).count();
    let fails = points.len() - passes;
    if points.len() < least || passes.min(fails) < least_side {
        return Ok(Err(format!(
            "{word} needs {least} labels, {least_side} of each side; the train half has {} that this judge has judged with logits ({passes} pass, {fails} fail)",
            points.len()
        )));
    }
    // A second of arithmetic at most, and not on a thread that others wait for.
    let worked = tokio::task::spawn_blocking(move || {
        let fit = Calibrator::fit(method, &points)?;
        let out_of_fold = cross_fitted(method, &points, FOLDS, SEED)?;
        Ok((fit, shown(assess(&points, SEED)), shown(assess(&out_of_fold, SEED))))
    });
    let worked = worked.await.map_err(|error| crate::error::internal(&error))?;
    Ok(worked.map_err(|why: Unfit| match why {
        Unfit::OneSided => "with a fifth of the labels left out one side has none: label more".to_owned(),
        Unfit::Reversed => {
            "what it gives a higher probability people pass less often: no calibration mends that; look at the examples and the question".to_owned()
        }
    }))
}

fn shown(of: Assessment) -> CalibrationMeasures {
    let estimate = crate::audit::estimate;
    CalibrationMeasures { ece: estimate(of.ece), brier: estimate(of.brier), auroc: estimate(of.auroc) }
}
