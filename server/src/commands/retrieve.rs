//! `concord retrieve`: trains the three towers, makes their vectors ready, measures them, and asks them.

mod evaluate;
mod table;

use super::{Outcome, Run};
use crate::compose;
use crate::terminal::plain;
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use concord_domain::RecommendRequest;
use concord_retrieval::evaluate::{Fusion, Scheme};
use concord_retrieval::train::{self, Flow, Progress, Trainer};
use concord_retrieval::{RetrievalError, Settings};
use concord_service::retrieval::{self, StoredSettings};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Steps between checkpoints.
const CHECKPOINT: u64 = 200;

/// What to do with the towers.
#[derive(Debug, Subcommand)]
pub enum Args {
    /// Train the towers on the logs of the database, going on from a checkpoint if there is one.
    Train(TrainArgs),
    /// Compute the vectors of the newest model and let it serve.
    Index,
    /// Measure the towers and their baselines by leaving each user's last item out.
    Evaluate(evaluate::Args),
    /// Print what the model that serves finds for a user.
    Search(SearchArgs),
}

/// How to train.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    /// TOML with the tables [train] and [ask], as `retrieve evaluate` prints the chosen ones.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Passes over the users, instead of the file's.
    #[arg(long)]
    epochs: Option<usize>,
    /// Seed, instead of the file's.
    #[arg(long)]
    seed: Option<u64>,
    /// Begin anew though there is a checkpoint.
    #[arg(long)]
    fresh: bool,
}

/// Whom to search for.
#[derive(Debug, clap::Args)]
pub struct SearchArgs {
    /// The user's key, as imported.
    #[arg(long, value_name = "KEY")]
    user: String,
    /// Items at most.
    #[arg(long, default_value_t = 20)]
    k: u32,
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    match args {
        Args::Train(args) => train(run, args).await,
        Args::Index => index(run).await,
        Args::Evaluate(args) => evaluate::run(run, args).await,
        Args::Search(args) => search(run, args).await,
    }
}

fn settings(args: &TrainArgs) -> Result<StoredSettings> {
    let mut settings = match &args.settings {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            toml::from_str(&text).with_context(|| path.display().to_string())?
        }
        None => StoredSettings {
            train: Settings::default(),
            ask: Fusion { beta: 0.5, scheme: Scheme::Mean, tags: 5, window: Settings::default().history },
        },
    };
    settings.train.epochs = args.epochs.unwrap_or(settings.train.epochs);
    settings.train.seed = args.seed.unwrap_or(settings.train.seed);
    settings.train.check()?;
    Ok(settings)
}

async fn train(run: &Run, args: TrainArgs) -> Result<Outcome> {
    let settings = settings(&args)?;
    run.with_database_until_done(async |database| {
        let folder = database.project().folder(&run.config.data).join("retrieval");
        let pool = compose::connect(&run.config, database).await?;
        compose::prepare(&pool, &run.config, database).await?;
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let checkpoint = folder.join("towers.safetensors");
        if args.fresh && checkpoint.exists() {
            std::fs::remove_file(&checkpoint)?;
        }
        let logs = Arc::new(retrieval::read_logs(&pool).await?);
        let (stop, for_model, place) = (run.stop.clone(), Arc::clone(&logs), checkpoint.clone());
        let model = tokio::task::spawn_blocking(move || {
            let split = retrieval::whole(&for_model);
            let resumed = train::resume(&place, settings.train)?;
            let (trainer, mut model) = match resumed {
                Some(model) => (Trainer::with(&for_model, &split, &model)?, model),
                None => Trainer::new(&for_model, &split, settings.train)?,
            };
            let bar = Bar::new(stop);
            let done = trainer.run(&mut model, Some((&place, CHECKPOINT)), &mut |progress, _| {
                Ok(bar.tell("training", Some(progress)))
            });
            bar.finish();
            done.map(|()| model)
        });
        let model = match model.await? {
            Err(RetrievalError::Stopped(step)) => bail!("{}", RetrievalError::Stopped(step)),
            other => other?,
        };
        let id = retrieval::store_model(&pool, &model, settings.ask, &logs).await?;
        std::fs::remove_file(&checkpoint)?;
        let (users, items, events) = (logs.users.len(), logs.items.len(), logs.events());
        if run.json {
            let body = serde_json::json!({"model": id, "steps": model.steps(), "parameters": model.size(),
                "users": users, "items": items, "events": events});
            println!("{body}");
        } else {
            println!("model {id}: {} steps, {} parameters", model.steps(), model.size());
            println!(
                "learned from {events} events of {users} users on {items} items; next: concord retrieve index"
            );
        }
        Ok(Outcome::Done)
    })
    .await
}

async fn index(run: &Run) -> Result<Outcome> {
    run.with_database(async |database| {
        let pool = compose::connect(&run.config, database).await?;
        compose::prepare(&pool, &run.config, database).await?;
        let newest = retrieval::newest(&pool, false).await?;
        let (id, model, settings) = newest.context("there is no model: run concord retrieve train first")?;
        let logs = retrieval::read_logs(&pool).await?;
        let width = settings.train.width;
        let vectors =
            tokio::task::spawn_blocking(move || retrieval::vectors(&model, settings.ask, &logs)).await??;
        if let Some(outside) = compose::outside(&run.config, &pool)? {
            outside.put(id, &vectors.items.0, &vectors.items.1).await?;
        }
        retrieval::index(&pool, id, &vectors, width).await?;
        let (items, users) = (vectors.items.0.len(), vectors.users.0.len());
        if run.json {
            println!("{}", serde_json::json!({"model": id, "items": items, "users": users}));
        } else {
            println!("model {id} serves: {items} items, {users} users");
        }
        Ok(Outcome::Done)
    })
    .await
}

async fn search(run: &Run, args: SearchArgs) -> Result<Outcome> {
    run.with_database(async |database| {
        let concord = compose::compose(&run.config, database).await?;
        let request = RecommendRequest { k: Some(args.k) };
        let found = concord.use_cases.recommend.recommend(&compose::operator(), &args.user, request).await?;
        if run.json {
            println!("{}", serde_json::json!(found));
            return Ok(if found.items.is_empty() { Outcome::Nothing } else { Outcome::Done });
        }
        println!("{:>8} {:>8} {:>8}  item", "score", "col", "sem");
        for item in &found.items {
            let part = |value: Option<f32>| value.map_or("-".to_owned(), |it| format!("{it:.4}"));
            let tag = item.tag.and_then(|at| found.tags.get(at as usize)).map_or("", |tag| &tag.text);
            let (col, sem) = (part(item.col), part(item.sem));
            println!("{:>8.4} {col:>8} {sem:>8}  {}  ({})", item.score, plain(&item.title), plain(tag));
        }
        Ok(if found.items.is_empty() { Outcome::Nothing } else { Outcome::Done })
    })
    .await
}

/// A progress bar that also hears Ctrl-C.
struct Bar {
    bar: ProgressBar,
    stop: CancellationToken,
}

impl Bar {
    fn new(stop: CancellationToken) -> Self {
        let bar = ProgressBar::no_length();
        let style = "{bar:30} {pos}/{len} steps  {msg}  {elapsed} (left {eta})";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self { bar, stop }
    }

    fn tell(&self, what: &str, progress: Option<Progress>) -> Flow {
        if let Some(progress) = progress {
            if self.bar.position() > progress.step {
                self.bar.reset();
            }
            self.bar.set_length(progress.steps);
            self.bar.set_position(progress.step);
            self.bar.set_message(format!("{what}, loss {:.3}", progress.loss));
        } else {
            self.bar.set_message(what.to_owned());
        }
        if self.stop.is_cancelled() { Flow::Stop } else { Flow::Go }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
