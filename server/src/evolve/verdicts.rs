//! What training did to a judge, on the rows that the export held out by user: measures before and after, with intervals.

use super::rows::{Said, judged};
use anyhow::{Context, Result};
use concord_agreement::calibrator::{Assessment, Point, assess};
use concord_agreement::gate::Judged;
use concord_agreement::{Estimate, judged as apart, mcnemar};
use concord_inference::Lessons;
use concord_training::{Adapter, Example, Frozen};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// Seed of intervals.
const SEED: u64 = 1;

/// The measures of the model before (`plain`, an adapter that changes nothing) and after, on the rows held out; null where
/// the export held none out.
pub(super) fn measure(
    lessons: &Lessons,
    model: &Frozen,
    (plain, adapter): (&Adapter, &Adapter),
    export: &Path,
    of: (&str, Option<&str>),
    length: usize,
) -> Result<Value> {
    if !export.join("eval.jsonl").exists() {
        return Ok(Value::Null);
    }
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for (origin, said) in judged(export, "eval", of)? {
        let (example, pass, fail) = question(lessons, &said)?;
        if example.tokens.len() > length {
            continue;
        }
        let digest = Sha256::digest(origin.call.as_bytes());
        let cluster = i64::from_le_bytes(std::array::from_fn(|at| digest[at]));
        let point = |adapter: &Adapter| -> Result<Point> {
            let odds = model.log_odds(adapter, &example, pass, fail)?;
            Ok(Point { cluster, p: 1.0 / (1.0 + (-odds).exp()), pass: origin.pass })
        };
        before.push(point(plain)?);
        after.push(point(adapter)?);
    }
    Ok(figures(&before, &after))
}

/// The question as tokens, and the first tokens of the answers that pass and fail.
fn question(lessons: &Lessons, said: &Said) -> Result<(Example, u32, u32)> {
    let words = ["en", "zh"].into_iter().filter_map(|lang| concord_pipeline::judge::answers(lang).ok());
    let words = words.into_iter().find(|it| it.contains(&said.answer));
    let words = words.with_context(|| format!("{} is no answer of a judge", said.answer))?;
    let of =
        |word: &String| -> Result<(Vec<u32>, usize)> { Ok(lessons.lesson(&said.system, &said.user, word)?) };
    let ((tokens, answer), (others, _)) = (of(&words[0])?, of(&words[1])?);
    let (pass, fail) = (tokens[answer], others[answer]);
    Ok((Example { tokens, answer }, pass, fail))
}

fn figures(before: &[Point], after: &[Point]) -> Value {
    let mut users: BTreeMap<i64, Vec<Judged>> = BTreeMap::new();
    for (old, new) in before.iter().zip(after) {
        users.entry(old.cluster).or_default().push((old.pass, old.p >= 0.5, new.p >= 0.5));
    }
    let users: Vec<Vec<Judged>> = users.into_values().collect();
    let ([specificity, specificity_after], [kappa, kappa_after]) = apart::apart(&users, SEED);
    let only_right = apart::only_right(&users);
    let part = |of: Assessment, specificity: Estimate, kappa: Estimate| {
        json!({
            "auroc": figure(of.auroc), "brier": figure(of.brier), "ece": figure(of.ece),
            "specificity": figure(specificity), "kappa": figure(kappa),
        })
    };
    json!({
        "n": before.len(), "n_pass": before.iter().filter(|it| it.pass).count(), "n_clusters": users.len(),
        "before": part(assess(before, SEED), specificity, kappa),
        "after": part(assess(after, SEED), specificity_after, kappa_after),
        "only_right": only_right, "p": mcnemar::exact_p(only_right.0, only_right.1),
    })
}

fn figure(of: Estimate) -> Value {
    json!({"est": of.est, "ci": of.ci, "n": of.n, "why": of.why})
}
