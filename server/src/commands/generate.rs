//! `concord generate`: starts a generation and runs it here, sharing the queue with any running worker.

use super::{Outcome, Run};
use crate::compose::{self, Concord};
use crate::terminal::plain;
use anyhow::{Result, bail};
use concord_domain::{Generation, GenerationRequest};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;
use tokio::sync::watch;

/// What to generate.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many users, drawn by seed.
    #[arg(long, default_value_t = 5)]
    users: u32,
    /// These users instead of a draw (repeat for more).
    #[arg(long = "user", value_name = "KEY")]
    user_keys: Vec<String>,
    /// At most so many interests a user.
    #[arg(long, default_value_t = 5)]
    interests: u32,
    /// At most so many tags a user.
    #[arg(long, default_value_t = 10)]
    tags: u32,
    /// At most so many explanations a user.
    #[arg(long, default_value_t = 5)]
    explanations: u32,
    /// Seed of the draw and of decoding.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only queue it, for a running `concord serve` or `concord work`.
    #[arg(long)]
    queue: bool,
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    run.with_database(async |database| {
        let concord = compose::compose(&run.config, database).await?;
        let request = GenerationRequest {
            users: args.users,
            user_keys: args.user_keys.clone(),
            interests: args.interests,
            tags: args.tags,
            explanations: args.explanations,
            seed: args.seed,
        };
        let actor = compose::operator();
        if let (false, Some(trouble)) = (args.queue, concord.models.trouble().await) {
            bail!(trouble);
        }
        let mut generation = concord.use_cases.work.generate(&actor, request).await?;
        if !args.queue {
            generation = finish(&concord, run, generation).await?;
        }
        report(run.json, &generation);
        Ok(if generation.failed == generation.users { Outcome::Nothing } else { Outcome::Done })
    })
    .await
}

/// Runs generate and judge jobs until none is left, showing how far the generation is.
async fn finish(concord: &Concord, run: &Run, generation: Generation) -> Result<Generation> {
    let (tell_stop, stop) = watch::channel(false);
    let bar = ProgressBar::new(generation.users.cast_unsigned());
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} users  {msg}  {elapsed} (left {eta})")?);
    let watched = async {
        loop {
            let now = concord.use_cases.work.generation(&compose::operator(), generation.id).await?;
            let samples: i64 = now.samples.iter().map(|(_, n)| n).sum();
            bar.set_position((now.users_done + now.failed).cast_unsigned());
            bar.set_message(format!("{samples} samples, {} judged", now.judged));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        drained = concord.worker.drain(&["generate", "judge"], stop) => drained?,
        failed = watched => return failed,
        () = run.stop.cancelled() => { tell_stop.send_replace(true); }
    }
    bar.finish_and_clear();
    Ok(concord.use_cases.work.generation(&compose::operator(), generation.id).await?)
}

fn report(json: bool, generation: &Generation) {
    if json {
        println!("{}", serde_json::json!(generation));
        return;
    }
    let samples: Vec<String> = generation.samples.iter().map(|(task, n)| format!("{n} {task}s")).collect();
    println!("generation {} by {}", generation.id, plain(&generation.model));
    println!("users {}/{}, failed {}", generation.users_done, generation.users, generation.failed);
    println!("{}; {} judged", samples.join(", "), generation.judged);
    if let Some(error) = &generation.error {
        println!("last error: {}", plain(error));
    }
}
