//! `concord generate|judge --to FILE --from FILE`: what a model is asked as an OpenAI batch file, and its answers back.
//!
//! The same stages and the same checks as with a model at hand; only the way to it is a file. What has an answer goes
//! on, what has none is written down: run the batch, give the answers, until nothing is asked any more. Giving the same
//! answers again changes nothing, because a stage that is done is done.

use super::{Outcome, Run};
use crate::compose::{self, Concord};
use anyhow::{Result, anyhow, bail};
use concord_domain::GenerationRequest;
use concord_domain::ports::{LanguageModel, ModelInfo};
use concord_inference::{Batch, OpenAiModel, Received};
use concord_service::generation::{GenerateArgs, Generator};
use concord_service::jobs::Progress;
use concord_service::judging::{Each, Judge};
use concord_service::models::Models;
use concord_store::{generations, judges, samples};
use std::path::PathBuf;
use std::sync::Arc;

/// Samples judged in one go; those beyond come with the next call.
const MOST: i64 = 1_000_000;

/// By file instead of by a model here.
#[derive(Debug, clap::Args)]
pub(super) struct BatchArgs {
    /// Write what a model is to be asked to this file, as OpenAI batch lines (which vLLM's run-batch reads).
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Take answers from this file (repeat for more: give all answers so far).
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// The model to ask for in the file [default: --llm-model]. To generate without a file: a model of the registry
    /// (`concord evolve models`) instead of the one that serves.
    #[arg(long, value_name = "NAME")]
    pub(super) model: Option<String>,
}

impl BatchArgs {
    /// Whether a file is the way.
    pub(super) fn is_given(&self) -> bool {
        self.to.is_some() || !self.from.is_empty()
    }
}

struct Opened {
    batch: Arc<Batch>,
    received: Received,
    models: Models,
    info: ModelInfo,
}

async fn open(run: &Run, concord: &Concord, args: &BatchArgs) -> Result<Opened> {
    let llm = run.config.llm.as_ref();
    let name = args.model.clone().or_else(|| llm.map(|llm| llm.model.clone()));
    let name = name.ok_or_else(|| anyhow!("name the model that the batch is for: --model NAME"))?;
    let (batch, received) = Batch::open(args.to.as_deref(), &args.from).map_err(|why| anyhow!(why))?;
    let batch = Arc::new(batch);
    let address = llm.map(|llm| llm.url.as_str());
    let model: Arc<dyn LanguageModel> = Arc::new(OpenAiModel::by_file(Arc::clone(&batch), &name, address));
    let info = model.info().await?;
    let models = Models {
        generator: Arc::clone(&model),
        judge: model,
        embedder: Arc::clone(&concord.models.embedder),
    };
    Ok(Opened { batch, received, models, info })
}

pub(super) async fn generate(
    run: &Run,
    concord: &Concord,
    request: GenerationRequest,
    args: &BatchArgs,
) -> Result<Outcome> {
    let opened = open(run, concord, args).await?;
    let mut conn = concord.pool.acquire().await?;
    let mut users = generations::open_users(&mut conn, &opened.info.name, &opened.info.hash).await?;
    // Answers are for what was asked before; without any, something new is asked.
    if args.from.is_empty() && users.is_empty() {
        let actor = compose::operator();
        concord.work.plan(&actor, request, &opened.info, false).await?;
        users = generations::open_users(&mut conn, &opened.info.name, &opened.info.hash).await?;
    }
    drop(conn);
    let generator = Generator { models: opened.models.clone(), ..concord.worker.generator.clone() };
    let users: Vec<GenerateArgs> =
        users.into_iter().map(|(generation, user)| GenerateArgs { generation, user }).collect();
    let each = generator.each(&users, &Progress::apart(&concord.pool)).await;
    report(run, &opened, &each, "users")
}

pub(super) async fn judge(
    run: &Run,
    concord: &Concord,
    task: Option<&str>,
    labelled: bool,
    args: &BatchArgs,
) -> Result<Outcome> {
    let opened = open(run, concord, args).await?;
    let judge = Judge { models: opened.models.clone(), ..concord.worker.judge.clone() };
    let mut conn = concord.pool.acquire().await?;
    let ids = match task {
        None => samples::unseen(&mut conn, MOST).await?,
        Some(task) => {
            let name = judge.name(&mut conn, task).await?;
            judges::unjudged_by(&mut conn, task, &name, labelled, MOST).await?
        }
    };
    drop(conn);
    let each = judge.each(&ids).await?;
    report(run, &opened, &each, "samples")
}

fn report(run: &Run, opened: &Opened, each: &Each, what: &str) -> Result<Outcome> {
    opened.batch.finish().map_err(|why| anyhow!(why))?;
    let Received { answers, failed, repeated } = opened.received;
    let asked = opened.batch.asked();
    if run.json {
        let failures: Vec<_> =
            each.failed.iter().map(|(of, why)| serde_json::json!({"of": of, "why": why})).collect();
        println!(
            "{}",
            serde_json::json!({
                "done": each.done, "waiting": each.waiting, "failed": failures, "asked": asked,
                "received": {"answers": answers, "failed": failed, "repeated": repeated},
            })
        );
    } else {
        println!(
            "{} {what} done, {} wait, {} failed; {asked} questions open",
            each.done,
            each.waiting,
            each.failed.len()
        );
        println!("{answers} answers received, {failed} of them failures, {repeated} repeated");
        each.failed.iter().for_each(|(of, why)| println!("{of}: {}", crate::terminal::plain(why)));
    }
    if !each.failed.is_empty() && each.done == 0 && each.waiting == 0 {
        bail!("nothing could be done");
    }
    Ok(match (each.done, asked, each.failed.len()) {
        (0, 0, _) => Outcome::Nothing,
        (_, _, 0) => Outcome::Done,
        _ => Outcome::SomeRejected,
    })
}
