//! `concord evolve`: rounds, training on an export, the registry, promotion through the gate, and rollback.

mod curriculum;
mod rounds;

use super::{Outcome, Run};
use crate::compose;
use crate::evolve::train::{self, Lesson, Training};
use crate::terminal::plain;
use anyhow::{Context, Result};
use clap::Subcommand;
use concord_domain::{GateRequest, GenerationId, ModelPlace, ModelRole, Promotion, TrainedModel};
use concord_training::{Precision, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;

/// What to do.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Start a round: generate, judge, label, export, train, evaluate, promote or refuse. It stops here where people are
    /// asked, and `concord serve` goes on with it.
    Round(rounds::RoundArgs),
    /// List rounds.
    Rounds,
    /// Let rounds start by themselves in `concord serve`, every 14 days unless said otherwise.
    Schedule(rounds::ScheduleArgs),
    /// Run rounds on the demo world, labelled by simulated annotators over HTTP, and write the report. Stopped, the same
    /// command goes on.
    Run(rounds::RunArgs),
    /// Train a small generator on an export (target sft_chat, layout trl) or a curriculum, or a judge, here. Stopped, the
    /// same command goes on.
    Train(Train),
    /// Put labelled rows of sub-tasks in the order of learning: each after what it needs, the easy ones first.
    Curriculum(curriculum::Args),
    /// List the models that were trained here.
    Models,
    /// Put a model in the place of the one that serves, if the gate lets it.
    Promote(Promote),
    /// Give a place back to what held it before the last promotion.
    Rollback(Rollback),
}

#[derive(Debug, clap::Args)]
struct Train {
    /// Folder of the export.
    #[arg(long, value_name = "DIR", required_unless_present = "rows")]
    export: Option<PathBuf>,
    /// Rows in the order of a curriculum, as `evolve curriculum` writes them, instead of an export.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["export", "judge"])]
    rows: Option<PathBuf>,
    /// Train a judge of this task instead, on an export for judges (target judge, layout trl): only the word of the
    /// verdict is learnt. What the export held out says how good it is before and after.
    #[arg(long, value_name = "TASK")]
    judge: Option<String>,
    /// Only rows of this criterion.
    #[arg(long, requires = "judge")]
    criterion: Option<String>,
    /// Name of the new model.
    #[arg(long)]
    name: String,
    /// A model of the catalogue marked trainable, or a generator of the registry.
    #[arg(long, default_value = "smollm2-135m")]
    base: String,
    /// Folder for checkpoints, adapter and weights.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Read at most so many tokens.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    tokens: u64,
    /// Packs a step.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1024))]
    accumulate: u64,
    /// Tokens a pack; longer rows are left out.
    #[arg(long, default_value_t = 2048, value_parser = clap::value_parser!(u64).range(8..=8192))]
    length: u64,
    /// Highest learning rate.
    #[arg(long, default_value_t = 2e-4)]
    rate: f64,
    /// Width of the adapter.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=256))]
    rank: u64,
    /// Adapt only so many of the topmost layers; 0: all.
    #[arg(long, default_value_t = 0)]
    top_layers: usize,
    /// In how many bits frozen matrices are kept while it learns.
    #[arg(long, value_enum, default_value = "f32")]
    precision: Bits,
    /// Decides order and first values.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Bits {
    F32,
    /// Half the memory, weights rounded by a 256th at most.
    Bf16,
}

#[derive(Debug, clap::Args)]
struct Promote {
    /// The model, by name or id.
    model: String,
    /// Of a generator: the generation of what serves now, labelled.
    #[arg(long)]
    old: Option<GenerationId>,
    /// Of a generator: its own generation of the same users, labelled.
    #[arg(long)]
    new: Option<GenerationId>,
    /// A criterion may fall by so much.
    #[arg(long, default_value_t = 0.05)]
    criterion_margin: f64,
    /// Diversity may fall by so much.
    #[arg(long, default_value_t = 0.05)]
    diversity_margin: f64,
    /// A judge's kappa may fall by so much.
    #[arg(long, default_value_t = 0.05)]
    kappa_margin: f64,
}

#[derive(Debug, clap::Args)]
struct Rollback {
    /// generator or judge.
    #[arg(long, default_value = "generator")]
    role: ModelRole,
    /// The task of a judge.
    #[arg(long)]
    task: Option<String>,
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    run.with_database_until_done(async |database| {
        let concord = compose::compose(&run.config, database).await?;
        let (actor, evolve) = (compose::operator(), &concord.use_cases.evolve);
        match &args.what {
            What::Curriculum(it) => return curriculum::run(run, it),
            What::Round(it) => return rounds::round(run, &concord, it).await,
            What::Rounds => rounds::show(run.json, &evolve.rounds(&actor, None).await?),
            What::Schedule(it) => return rounds::schedule(run, &concord, it).await,
            What::Run(it) => return rounds::several(run, &concord, it).await,
            What::Train(it) => {
                let model = trained(run, &concord, it).await?;
                let id = concord.evolve.register(&actor, &model).await?;
                show(run.json, &[TrainedModel { id, ..model }]);
            }
            What::Models => show(run.json, &evolve.models(&actor).await?),
            What::Promote(it) => {
                let all = evolve.models(&actor).await?;
                let found =
                    all.iter().find(|model| model.name == it.model || model.id.to_string() == it.model);
                let found = found.context("there is no such model: `concord evolve models` lists them")?;
                let request = GateRequest {
                    old: it.old,
                    new: it.new,
                    criterion_margin: it.criterion_margin,
                    diversity_margin: it.diversity_margin,
                    kappa_margin: it.kappa_margin,
                };
                let done = evolve.promote(&actor, found.id, request).await?;
                decided(run.json, &done, &all);
                return Ok(if done.decision.promote { Outcome::Done } else { Outcome::Nothing });
            }
            What::Rollback(it) => {
                let place = ModelPlace { role: it.role, task: it.task.clone() };
                let done = evolve.roll_back(&actor, place).await?;
                decided(run.json, &done, &evolve.models(&actor).await?);
            }
        }
        Ok(Outcome::Done)
    })
    .await
}

fn lesson(args: &Train) -> Result<Lesson> {
    if let Some(rows) = &args.rows {
        return Ok(Lesson::Rows(rows.clone()));
    }
    let export = args.export.clone().context("an export or rows")?;
    Ok(match &args.judge {
        None => Lesson::Export(export),
        Some(task) => Lesson::Verdicts { export, task: task.clone(), criterion: args.criterion.clone() },
    })
}

async fn trained(run: &Run, concord: &compose::Concord, args: &Train) -> Result<TrainedModel> {
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let training = Training {
        lesson: lesson(args)?,
        name: args.name.clone(),
        base: args.base.clone(),
        out: args.out.clone(),
        tokens: size(args.tokens),
        accumulate: size(args.accumulate),
        length: size(args.length),
        rate: args.rate,
        rank: size(args.rank),
        top_layers: args.top_layers,
        precision: match args.precision {
            Bits::F32 => Precision::F32,
            Bits::Bf16 => Precision::Bf16,
        },
        seed: args.seed,
    };
    let bar = if run.json { ProgressBar::hidden() } else { ProgressBar::new(training.steps() as u64) };
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} steps  {msg}  {elapsed}")?);
    let (stop, shown) = (run.stop.clone(), bar.clone());
    let say = move |it: Progress| {
        shown.set_position(it.step as u64);
        shown.set_message(format!(
            "loss {:.3}, {:.0} tokens/s, {:.0} s left",
            it.loss, it.tokens_per_second, it.seconds_left
        ));
        !stop.is_cancelled()
    };
    let (model, _) = train::train(&run.config, &concord.pool, training, say).await?;
    bar.finish_and_clear();
    Ok(model)
}

fn show(json: bool, all: &[TrainedModel]) {
    if json {
        println!("{}", serde_json::json!(all));
        return;
    }
    for it in all {
        let task = it.place.task.as_deref().map(|task| format!(" of {task}")).unwrap_or_default();
        let export = it.export.map(|id| format!(", export {id}")).unwrap_or_default();
        let stands = if it.standing { ", serves now" } else { "" };
        let loss = match (it.losses.first(), it.losses.last()) {
            (Some(first), Some(last)) => {
                format!(", loss {first:.3} to {last:.3} in {} steps", it.losses.len())
            }
            _ => String::new(),
        };
        let (role, base) = (it.place.role.as_str(), plain(&it.base));
        println!("{} {} ({role}{task}) from {base}{export}{loss}{stands}", it.id, plain(&it.name));
    }
}

fn decided(json: bool, done: &Promotion, models: &[TrainedModel]) {
    if json {
        println!("{}", serde_json::json!(done));
        return;
    }
    let name =
        models.iter().find(|it| Some(it.id) == done.model).map_or("the model of the settings", |it| &it.name);
    println!("{}: {}", done.kind, plain(name));
    for it in &done.decision.compared {
        let number = |it: Option<f64>| it.map_or("-".into(), |it| format!("{it:.3}"));
        let gain = match (it.gain.ci, &it.gain.why) {
            (Some((low, high)), _) => format!(" [{low:+.3}, {high:+.3}]"),
            (None, Some(why)) => format!(" (not estimable: {why})"),
            (None, None) => String::new(),
        };
        println!("  {}: {} to {}{gain}, {} users", it.name, number(it.old), number(it.new), it.gain.n);
    }
    done.decision.refused.iter().for_each(|why| println!("  refused: {why}"));
}
