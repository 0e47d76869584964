//! How good the default judge is on labelled data made elsewhere, before and after choosing examples, a threshold
//! and a calibration:
//!
//!     cargo run --release -p concord-server --example judge_quality -- DATA [MODEL]
//!
//! DATA holds `query_item_matching.jsonl` and `title_attribute_matching.jsonl`. The rows pass through the judge's own
//! prompts, draws and calibrations. They are split by a hash of their text: examples come from `train`, everything
//! is chosen on `train` and `dev`, and the table is of `test`, which decides nothing. Raw scores are kept in
//! `target/bench/judge.jsonl`, so an interrupted run goes on where it stopped.

mod data;
mod scores;
mod table;

use concord_agreement::calibrator::{Calibrator, Method, Point, assess, cross_fitted};
use concord_pipeline::judge::{Candidate, Worked, draw};
use data::{Case, Part, Task};
use scores::Scores;
use std::path::PathBuf;
use table::Row;

/// Passes and fails in a set of examples.
const PER_SIDE: usize = 2;
/// Sets that are tried on `dev`.
const SETS: usize = 2;
const SEED: u64 = 1;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = std::env::args_os().nth(1).map(PathBuf::from).ok_or("name the folder of the data")?;
    let model = std::env::args().nth(2).unwrap_or_else(|| "qwen2.5-coder-1.5b".to_owned());
    let mut scores = Scores::open(&model).await?;
    println!("judge: {}, prompt {}", scores.judge, concord_pipeline::judge::version()?);
    for task in Task::all()? {
        if !data.join(task.file).exists() {
            println!("\n{} is not there", task.file);
            continue;
        }
        let cases = task.read(&data)?;
        println!("\n{}", task.file);
        for part in [Part::Train, Part::Dev, Part::Test] {
            let of: Vec<&Case> = cases.iter().filter(|case| case.part == part).collect();
            let passes = of.iter().filter(|case| case.pass).count();
            println!("  {part:?}: {} rows, {passes} match", of.len());
        }
        measure(&task, &cases, &mut scores).await?;
    }
    println!("\n{}", scores.speed());
    Ok(())
}

/// Scores a task zero-shot and with examples, chooses on train and dev, and describes the test part.
async fn measure(task: &Task, cases: &[Case], scores: &mut Scores) -> Result<(), Box<dyn std::error::Error>> {
    let of =
        |parts: &[Part]| -> Vec<&Case> { cases.iter().filter(|case| parts.contains(&case.part)).collect() };
    let (seen, test) = (of(&[Part::Train, Part::Dev]), of(&[Part::Test]));
    let zero_seen = scores.score(task, &seen, &[]).await?;
    let zero_test = scores.score(task, &test, &[]).await?;

    let threshold = best_threshold(&zero_seen);
    table::print(&[
        Row::new("zero-shot, p ≥ .5", &zero_test, 0.5),
        Row::new(&format!("zero-shot, threshold for κ ({threshold:.3})"), &zero_test, threshold),
        calibrated("zero-shot, Platt", Method::Platt, &zero_seen, &zero_test)?,
        calibrated("zero-shot, isotonic", Method::Isotonic, &zero_seen, &zero_test)?,
    ]);

    let sets = sets(cases);
    let mut tried = Vec::new();
    for set in &sets {
        tried.push(scores.score(task, &of(&[Part::Dev]), set).await?);
    }
    let zero_dev: Vec<Point> = seen
        .iter()
        .zip(&zero_seen)
        .filter(|(case, _)| case.part == Part::Dev)
        .map(|(_, point)| *point)
        .collect();
    println!("\n  dev Brier after Platt (5 folds): zero-shot {}", shown(brier(&zero_dev)));
    for (at, points) in tried.iter().enumerate() {
        println!("  dev Brier after Platt (5 folds): example set {at} {}", shown(brier(points)));
    }
    let best = (0..tried.len())
        .filter_map(|at| Some((at, brier(&tried[at])?)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .ok_or("no set of examples could be judged on dev")?;
    println!("  chosen: example set {}", best.0);
    let few_test = scores.score(task, &test, &sets[best.0]).await?;
    table::print(&[
        Row::new("few-shot (2 + 2), p ≥ .5", &few_test, 0.5),
        calibrated("few-shot (2 + 2), Platt", Method::Platt, &tried[best.0], &few_test)?,
    ]);
    Ok(())
}

/// What a set of examples is chosen by: the Brier score of its calibrated probabilities, each by a fit that has not
/// seen it.
fn brier(points: &[Point]) -> Option<f64> {
    let fitted = cross_fitted(Method::Platt, points, 5, SEED).ok()?;
    assess(&fitted, SEED).brier.est
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "not estimable".to_owned(), |value| format!("{value:.4}"))
}

/// Sets of examples from the train part, drawn as Concord draws them.
fn sets(cases: &[Case]) -> Vec<Vec<Worked>> {
    let candidates: Vec<Candidate<usize>> = cases
        .iter()
        .enumerate()
        .filter(|(_, case)| case.part == Part::Train)
        .map(|(id, case)| Candidate {
            id,
            criterion: "match".into(),
            lang: case.sample.lang.clone(),
            pass: case.pass,
        })
        .collect();
    let worked = |it: Candidate<usize>| Worked {
        criterion: it.criterion,
        sample: cases[it.id].sample.clone(),
        pass: it.pass,
    };
    draw(&candidates, SETS, PER_SIDE, SEED)
        .into_iter()
        .map(|set| set.into_iter().map(worked).collect())
        .collect()
}

fn calibrated(
    name: &str,
    method: Method,
    seen: &[Point],
    test: &[Point],
) -> Result<Row, Box<dyn std::error::Error>> {
    let fit = Calibrator::fit(method, seen).map_err(|why| format!("{name}: {why:?}"))?;
    let points: Vec<Point> = test.iter().map(|point| Point { p: fit.apply(point.p), ..*point }).collect();
    Ok(Row::new(&format!("{name} (fitted on {})", seen.len()), &points, 0.5))
}

/// The threshold with the largest κ; the lowest of several.
fn best_threshold(points: &[Point]) -> f64 {
    let mut best = (0.5, f64::NEG_INFINITY);
    let mut grid: Vec<f64> = points.iter().map(|point| point.p).collect();
    grid.sort_by(f64::total_cmp);
    for threshold in grid {
        if let Some(kappa) = table::cells(points, threshold).kappa().filter(|kappa| *kappa > best.1) {
            best = (threshold, kappa);
        }
    }
    best.0
}
