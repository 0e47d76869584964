//! `concord generate`: starts a generation and runs it here, sharing the queue with any running worker.

mod steer;

use super::batch::{self, BatchArgs};
use super::{Outcome, Run};
use crate::compose::{self, Concord};
use crate::terminal::plain;
use anyhow::{Result, bail};
use concord_domain::{Generation, GenerationRequest, HISTORY_TOKENS};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;
use tokio::sync::watch;

/// What to generate.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Look at batches or steer one, instead.
    #[command(subcommand)]
    steer: Option<steer::Action>,
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
    /// Tokens of a user's compressed behaviour that the generator and the judge read, at most.
    #[arg(long, default_value_t = HISTORY_TOKENS)]
    history_tokens: u32,
    /// Seed of the draw and of decoding.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep the last day of each user's behaviour away, to be predicted by `concord evaluate pipeline`.
    #[arg(long)]
    hold_out: bool,
    /// Place in the queue, higher first.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(i32).range(0..=19))]
    priority: i32,
    /// RecGPT-V2: so many personas predict the tags and an arbiter chooses; 0 is off.
    #[arg(long, default_value_t = 0)]
    personas: u32,
    /// RecGPT-V2: a style guideline before the explanations.
    #[arg(long)]
    style: bool,
    /// RecGPT-V2: so many outputs of tags, of which constrained selection takes one; 1 is off.
    #[arg(long, default_value_t = 1)]
    candidates: u32,
    /// Only queue it, for a running `concord serve` or `concord work`.
    #[arg(long)]
    queue: bool,
    #[command(flatten)]
    batch: BatchArgs,
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    run.with_database(async |database| {
        let concord = compose::compose(&run.config, database).await?;
        if let Some(action) = &args.steer {
            return steer::run(&concord, action, run.json).await;
        }
        let request = GenerationRequest {
            users: args.users,
            user_keys: args.user_keys.clone(),
            interests: args.interests,
            tags: args.tags,
            explanations: args.explanations,
            history_tokens: args.history_tokens,
            seed: args.seed,
            hold_out: args.hold_out,
            priority: args.priority,
            personas: args.personas,
            style: args.style,
            candidates: args.candidates,
            model: args.batch.model.clone().filter(|_| !args.batch.is_given()),
        };
        let actor = compose::operator();
        if args.batch.is_given() {
            return batch::generate(run, &concord, request, &args.batch).await;
        }
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
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} users  {msg}  {elapsed}")?);
    let watched = async {
        loop {
            let batch = steer::one(concord, generation.id).await?;
            let (pace, now) = (steer::pace(&batch), batch.generation);
            let samples: i64 = now.samples.iter().map(|(_, n)| n).sum();
            bar.set_position((now.users_done + now.failed).cast_unsigned());
            bar.set_message(format!("{samples} samples, {} judged{pace}", now.judged));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        drained = concord.worker.drain(&["generate", "judge"], run.config.workers, stop) => drained?,
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
