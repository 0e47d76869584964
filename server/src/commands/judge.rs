//! `concord judge`: judges what is not judged yet, and with `--rationales` writes the lines of reason too.

use super::{Outcome, Run};
use crate::compose;
use anyhow::Result;
use concord_service::generation::GenerateArgs;
use concord_store::{jobs, samples};
use tokio::sync::watch;

/// What to judge.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also write the one-line rationales that wait.
    #[arg(long)]
    rationales: bool,
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    run.with_database(async |database| {
        let concord = compose::compose(&run.config, database).await?;
        concord.models.judge.info().await?;
        let mut tx = concord.pool.begin().await?;
        for (generation, user) in samples::with_unjudged(&mut tx).await? {
            let job = GenerateArgs { generation, user }.judge_job();
            jobs::enqueue_again(&mut tx, &job).await?;
        }
        let before = samples::judged(&mut tx).await?;
        tx.commit().await?;
        let (_tell_stop, stop) = watch::channel(false);
        let kinds: &[&str] = if args.rationales { &["judge", "rationale"] } else { &["judge"] };
        concord.worker.drain(kinds, stop).await?;
        let judged = samples::judged(&mut *concord.pool.acquire().await?).await? - before;
        if run.json {
            println!("{}", serde_json::json!({ "judged": judged }));
        } else {
            println!("{judged} samples judged");
        }
        Ok(if judged == 0 { Outcome::Nothing } else { Outcome::Done })
    })
    .await
}
