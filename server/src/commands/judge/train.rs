//! `concord judge train`: trains a judge's heads and says what the audit half says of the judge they make.

use crate::commands::{Outcome, Run};
use crate::compose;
use crate::terminal::plain;
use anyhow::{Context, Result, bail};
use concord_domain::{Estimate, HeadRequest, HeadRun, JudgesCompared};
use tokio::sync::watch;

/// What to train, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The task whose judge is trained.
    #[arg(long)]
    task: String,
    /// Penalty of the squared weights.
    #[arg(long, default_value_t = HeadRequest::default().ridge)]
    ridge: f64,
    /// Labels of the more frequent side for each of the rarer side.
    #[arg(long, default_value_t = HeadRequest::default().ratio)]
    ratio: f64,
    /// Days after which a label of the more frequent side is half as likely to be kept.
    #[arg(long, default_value_t = HeadRequest::default().half_life_days)]
    half_life: f64,
    /// Read the judge's logits only, no similarities.
    #[arg(long)]
    logits_only: bool,
    /// κ on the audit half may fall by so much.
    #[arg(long, default_value_t = HeadRequest::default().kappa_margin)]
    kappa_margin: f64,
    /// Seed of draws, folds and intervals.
    #[arg(long, default_value_t = HeadRequest::default().seed)]
    seed: u64,
    /// Take the heads away instead: the verdicts are the model's own answers again.
    #[arg(long, conflicts_with_all = ["ridge", "ratio", "half_life", "logits_only", "kappa_margin", "seed"])]
    drop: bool,
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    run.with_database_until_done(async |database| {
        let concord = compose::compose(&run.config, database).await?;
        let (judges, operator) = (&concord.use_cases.judges, compose::operator());
        let mut queued = None;
        if args.drop {
            judges.drop_heads(&operator, &args.task).await?;
        } else {
            let request = HeadRequest {
                ridge: args.ridge,
                ratio: args.ratio,
                half_life_days: args.half_life,
                similarities: !args.logits_only,
                kappa_margin: args.kappa_margin,
                seed: args.seed,
            };
            queued = Some(judges.train_head(&operator, &args.task, request).await?.id);
        }
        let (tell_stop, stop) = watch::channel(false);
        let drained = tokio::select! {
            drained = concord.worker.drain(&["head", "recalibrate"], run.config.workers, stop.clone()) => { drained?; true }
            () = run.stop.cancelled() => { tell_stop.send_replace(true); false }
        };
        if !drained {
            bail!("interrupted: `concord work` goes on with it");
        }
        let Some(id) = queued else {
            println!("the judge of {} has no head", args.task);
            return Ok(Outcome::Done);
        };
        let runs = judges.heads(&operator, &args.task).await?;
        let done = runs.into_iter().find(|it| it.id == id).context("the run is gone")?;
        if run.json {
            println!("{}", serde_json::json!(done));
        } else {
            print(&done);
        }
        Ok(if done.state == "promoted" { Outcome::Done } else { Outcome::Nothing })
    })
    .await
}

fn print(run: &HeadRun) {
    println!("{}: {}", run.state, plain(run.judge.as_deref().unwrap_or("no judge")));
    let Some(outcome) = &run.outcome else { return };
    outcome.untrained.iter().for_each(|(name, why)| println!("  {name} has no head: {}", plain(why)));
    for it in outcome.compared.iter().filter(|it| it.n > 0) {
        println!("  {}", line(it));
    }
    outcome.refused.iter().for_each(|why| println!("  refused: {}", plain(why)));
}

fn line(of: &JudgesCompared) -> String {
    let name = if of.criterion == "*" { "all decisions" } else { &of.criterion };
    let [old, new, gain] = of.specificity.each_ref().map(figure);
    let [old_kappa, new_kappa, kappa_gain] = of.kappa.each_ref().map(figure);
    let p = of.p.map_or("-".to_owned(), |p| format!("{p:.4}"));
    format!(
        "{name} (audit half, n = {}): specificity {old} to {new}, {gain}; kappa {old_kappa} to {new_kappa}, {kappa_gain}; only old right {}, only new right {}, McNemar p {p}",
        of.n, of.only_right.0, of.only_right.1
    )
}

fn figure(of: &Estimate) -> String {
    match (of.est, of.ci) {
        (Some(est), Some((low, high))) => format!("{est:.3} [{low:.3}, {high:.3}]"),
        (Some(est), None) => format!("{est:.3} (no interval)"),
        (None, _) => format!("not estimable ({})", of.why.as_deref().unwrap_or("too little")),
    }
}
