//! `concord phi`: tag to category. Trains it on the catalogue, or says how good the stored one is.

use super::{Outcome, Run};
use crate::compose;
use anyhow::Result;
use concord_agreement::proportion;
use concord_domain::PhiReport;

/// What to do with φ.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Train it anew on the catalogue's titles.
    #[arg(long)]
    train: bool,
    /// Seed of the training.
    #[arg(long, default_value_t = 1, requires = "train")]
    seed: u64,
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    run.with_database(async |database| {
        let concord = compose::compose(&run.config, database).await?;
        let (actor, pipeline) = (compose::operator(), &concord.use_cases.pipeline);
        let report = if args.train {
            Some(pipeline.train_phi(&actor, args.seed).await?)
        } else {
            pipeline.phi(&actor).await?
        };
        Ok(match report {
            None => {
                eprintln!("φ is not trained yet: concord phi --train");
                Outcome::Nothing
            }
            Some(report) => {
                print(&report, run.json);
                if report.categories == 0 { Outcome::Nothing } else { Outcome::Done }
            }
        })
    })
    .await
}

fn print(report: &PhiReport, json: bool) {
    if json {
        println!("{}", serde_json::json!(report));
        return;
    }
    println!("embedder {}, {} categories, {} items", report.embedder, report.categories, report.items);
    println!("trained on {} titles, seed {}", report.trained_on, report.seed);
    for (what, k) in [("right", report.correct), ("among five", report.correct_in_five)] {
        let estimate = proportion(k.unsigned_abs(), report.held_out.unsigned_abs());
        match (estimate.est, estimate.ci) {
            (Some(p), Some((low, high))) => {
                println!("{what}: {p:.3} [{low:.3}, {high:.3}] of {} held out", report.held_out);
            }
            _ => println!("{what}: not estimable: no categories"),
        }
    }
}
