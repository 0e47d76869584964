//! `concord explain`: fills the interest-item-explanation table up, or looks lines up in it.

use super::{Outcome, Run};
use crate::compose;
use crate::terminal::plain;
use anyhow::{Result, bail};
use concord_domain::ExplainRequest;
use concord_store::explanations;
use tokio::sync::watch;

/// What to explain.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Items a tag: the nearest of its category.
    #[arg(long, default_value_t = 5)]
    per_tag: u32,
    /// Lines to write at most.
    #[arg(long, default_value_t = 1000)]
    limit: u32,
    /// Seed of decoding.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only queue it, for a running `concord serve` or `concord work`.
    #[arg(long)]
    queue: bool,
    /// Write nothing: look up what this user is shown of the items.
    #[arg(long, value_name = "KEY", requires = "item")]
    user: Option<String>,
    /// An item to look up (repeat for more).
    #[arg(long, value_name = "KEY", requires = "user")]
    item: Vec<String>,
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    run.with_database_until_done(async |database| {
        let concord = compose::compose(&run.config, database).await?;
        let (actor, pipeline) = (compose::operator(), &concord.use_cases.pipeline);
        if let Some(user) = &args.user {
            let found = pipeline.explanations(&actor, user, args.item.clone()).await?;
            for line in &found {
                if run.json {
                    println!("{}", serde_json::json!(line));
                } else {
                    println!(
                        "{}\t{}\t{} ({})",
                        plain(&line.item),
                        plain(&line.text),
                        line.kind,
                        plain(&line.interest)
                    );
                }
            }
            return Ok(if found.is_empty() { Outcome::Nothing } else { Outcome::Done });
        }
        if let (false, Some(trouble)) = (args.queue, concord.models.trouble().await) {
            bail!(trouble);
        }
        let request = ExplainRequest { per_tag: args.per_tag, limit: args.limit, seed: args.seed };
        pipeline.build_explanations(&actor, request).await?;
        let mut interrupted = false;
        if !args.queue {
            let (tell_stop, stop) = watch::channel(false);
            tokio::select! {
                drained = concord.worker.drain(&["explain"], run.config.workers, stop) => drained?,
                () = run.stop.cancelled() => { tell_stop.send_replace(true); interrupted = true; }
            }
        }
        let mut conn = concord.pool.acquire().await?;
        let counts = explanations::counts(&mut conn).await?;
        if run.json {
            let by_kind: serde_json::Map<_, _> =
                counts.iter().map(|(kind, n)| (kind.clone(), (*n).into())).collect();
            println!("{}", serde_json::Value::Object(by_kind));
        } else {
            counts.iter().for_each(|(kind, n)| println!("{n} {kind}"));
        }
        if interrupted {
            bail!("interrupted: the same command goes on");
        }
        Ok(if counts.is_empty() { Outcome::Nothing } else { Outcome::Done })
    })
    .await
}
