//! `concord generate status|pause|resume|stop|priority`: generations as batches.

use crate::commands::Outcome;
use crate::compose::{self, Concord};
use crate::terminal::plain;
use anyhow::{Context, Result};
use clap::Subcommand;
use concord_domain::{Batch, GenerationId, Steer};

/// What to do with batches.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// How far each is, how fast, and how long still.
    Status,
    /// No more of its jobs are taken; what runs is put back.
    Pause {
        /// The generation.
        id: GenerationId,
    },
    /// Goes on.
    Resume {
        /// The generation.
        id: GenerationId,
    },
    /// Stops it for good; what was written goes to the judge.
    Stop {
        /// The generation.
        id: GenerationId,
    },
    /// Another place in the queue.
    Priority {
        /// The generation.
        id: GenerationId,
        /// 0 to 19, higher first.
        #[arg(value_parser = clap::value_parser!(i32).range(0..=19))]
        priority: i32,
    },
}

pub(super) async fn run(concord: &Concord, action: &Action, json: bool) -> Result<Outcome> {
    let (actor, pipeline) = (compose::operator(), &concord.use_cases.pipeline);
    let batches = match *action {
        Action::Status => pipeline.batches(&actor, None).await?,
        Action::Pause { id } => vec![pipeline.steer(&actor, id, Steer::Pause).await?],
        Action::Resume { id } => vec![pipeline.steer(&actor, id, Steer::Resume).await?],
        Action::Stop { id } => vec![pipeline.steer(&actor, id, Steer::Cancel).await?],
        Action::Priority { id, priority } => {
            vec![pipeline.steer(&actor, id, Steer::Priority { priority }).await?]
        }
    };
    if json {
        println!("{}", serde_json::json!(batches));
    } else {
        batches.iter().for_each(print);
    }
    Ok(if batches.is_empty() { Outcome::Nothing } else { Outcome::Done })
}

/// One batch.
pub(super) async fn one(concord: &Concord, id: GenerationId) -> Result<Batch> {
    let found = concord.use_cases.pipeline.batches(&compose::operator(), Some(id)).await?.pop();
    found.context("the generation is gone")
}

/// Rate and time left, where they are known.
pub(super) fn pace(batch: &Batch) -> String {
    let rate = batch.per_hour.map(|rate| format!(", {rate:.0} users an hour")).unwrap_or_default();
    let left = batch.seconds_left.map(|it| format!(", {} left", duration(it))).unwrap_or_default();
    format!("{rate}{left}")
}

fn duration(seconds: i64) -> String {
    match seconds {
        ..90 => format!("{seconds} s"),
        90..5400 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h", (seconds + 1800) / 3600),
    }
}

fn print(batch: &Batch) {
    let generation = &batch.generation;
    println!(
        "{}  {}  {}/{} users{}, {} failed, {} judged; priority {}; jobs: {} wait, {} run, {} paused",
        generation.id,
        batch.state,
        generation.users_done,
        generation.users,
        pace(batch),
        generation.failed,
        generation.judged,
        batch.priority,
        batch.waiting,
        batch.running,
        batch.paused
    );
    if let Some(error) = &generation.error {
        println!("  last error: {}", plain(error));
    }
}
