//! `concord judge`: judges what is not judged yet; with `--task`, what that task's current judge has not judged. `concord
//! judge train` trains its heads.

mod train;

use super::batch::{self, BatchArgs};
use super::{Outcome, Run};
use crate::compose::{self, Concord};
use anyhow::{Result, bail};
use concord_service::generation::GenerateArgs;
use concord_store::{jobs, judges, samples};
use tokio::sync::watch;

/// What to judge.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Judge every sample of this task that its current judge has not judged: after other weights, another prompt or
    /// other examples. Stopped, it goes on where it was. (A calibration alone needs no judging.)
    #[arg(long)]
    task: Option<String>,
    /// Of these only what people have labelled: enough for report cards and calibrations.
    #[arg(long, requires = "task")]
    labelled: bool,
    /// Also write the one-line rationales that wait.
    #[arg(long, conflicts_with_all = ["to", "from"])]
    rationales: bool,
    #[command(flatten)]
    batch: BatchArgs,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Train a task's judge on people's labels: a small head on what frozen models say. It stands only if the audit
    /// half says that it is better.
    Train(train::Args),
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    if let Some(What::Train(args)) = args.what {
        return train::run(run, args).await;
    }
    run.with_database_until_done(async |database| {
        let concord = compose::compose(&run.config, database).await?;
        if args.batch.is_given() {
            return batch::judge(run, &concord, args.task.as_deref(), args.labelled, &args.batch).await;
        }
        concord.models.judge.info().await?;
        match &args.task {
            Some(task) => {
                let judges = &concord.use_cases.judges;
                judges.rejudge(&compose::operator(), task, args.labelled).await?;
            }
            None => enqueue_unjudged(&concord).await?,
        }
        let before = judged(&concord, args.task.as_deref()).await?;
        let mut kinds = vec![if args.task.is_some() { "rejudge" } else { "judge" }];
        kinds.extend(args.rationales.then_some("rationale"));
        let (tell_stop, stop) = watch::channel(false);
        let drained = tokio::select! {
            drained = concord.worker.drain(&kinds, run.config.workers, stop.clone()) => { drained?; true }
            () = run.stop.cancelled() => { tell_stop.send_replace(true); false }
        };
        let done = judged(&concord, args.task.as_deref()).await? - before;
        if run.json {
            println!("{}", serde_json::json!({ "judged": done }));
        } else {
            println!("{done} samples judged");
        }
        if !drained {
            bail!("interrupted: the same command goes on");
        }
        Ok(if done == 0 { Outcome::Nothing } else { Outcome::Done })
    })
    .await
}

async fn enqueue_unjudged(concord: &Concord) -> Result<()> {
    let mut tx = concord.pool.begin().await?;
    for (generation, user) in samples::with_unjudged(&mut tx).await? {
        let job = GenerateArgs { generation, user }.judge_job();
        jobs::enqueue_again(&mut tx, &job).await?;
    }
    Ok(tx.commit().await?)
}

/// Samples judged so far: by anyone, or by the task's current judge.
async fn judged(concord: &Concord, task: Option<&str>) -> Result<i64> {
    let mut conn = concord.pool.acquire().await?;
    let Some(task) = task else { return Ok(samples::judged(&mut conn).await?) };
    let current = judges::configs(&mut conn, task, true).await?.into_iter().next();
    Ok(match current {
        Some(config) => judges::coverage(&mut conn, task, &config.judge).await?.1,
        None => 0,
    })
}
