//! Training a generator or a judge, in this process: rows as the model's tokens, LoRA, the adapter merged into the
//! weights, what is stored of the run while it lasts, and what the registry has to know of it. Killed at any moment, the same call goes on from the last
//! checkpoint and ends with the same bytes.

use super::rows::{self, Rows};
use super::verdicts;
use crate::config::Config;
use anyhow::{Context, Result, bail};
use concord_domain::{ExportId, ModelPlace, TrainedModel, TrainingRun};
use concord_inference::{Catalogue, Lessons};
use concord_service::training::Diary;
use concord_store::models::{self, Which};
use concord_training::{
    Adapter, Example, Frozen, LoraConfig, Precision, Progress, Run, Schedule, Settings, Target, merge,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use std::io::Read;
use std::path::{Path, PathBuf};
use tokio::runtime::Handle;
use uuid::Uuid;

/// Steps between checkpoints.
const EVERY: usize = 5;

/// What a model learns from, and to do what.
#[derive(Debug, Clone, PartialEq)]
pub enum Lesson {
    /// To write: the folder of an export (target `sft_chat`, layout `trl`).
    Export(PathBuf),
    /// To write: rows in their order: of a curriculum, which are of nobody in these logs, or what a round has gathered of the
    /// log, which names their users itself.
    Rows(PathBuf),
    /// To judge a task, or one of its criteria: the folder of an export (target `judge`, layout `trl`).
    Verdicts {
        /// The export.
        export: PathBuf,
        /// The task.
        task: String,
        /// One criterion; all of the task's where none is named.
        criterion: Option<String>,
    },
}

impl Lesson {
    fn file(&self) -> PathBuf {
        match self {
            Self::Export(folder) | Self::Verdicts { export: folder, .. } => folder.join("train.jsonl"),
            Self::Rows(file) => file.clone(),
        }
    }

    fn place(&self) -> ModelPlace {
        match self {
            Self::Verdicts { task, .. } => ModelPlace::judge(task),
            Self::Export(_) | Self::Rows(_) => ModelPlace::generator(),
        }
    }
}

/// What to train, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// What it learns from, and to do what.
    pub lesson: Lesson,
    /// Name of the new model.
    pub name: String,
    /// A trainable model of the catalogue, or a generator of the registry.
    pub base: String,
    /// Folder for checkpoints, adapter and weights.
    pub out: PathBuf,
    /// Tokens to read in all, at most; decides the number of steps.
    pub tokens: usize,
    /// Packs a step.
    pub accumulate: usize,
    /// Tokens a pack; longer rows are left out.
    pub length: usize,
    /// Highest learning rate.
    pub rate: f64,
    /// Width of the adapter.
    pub rank: usize,
    /// Adapt only so many of the topmost layers; 0: all.
    pub top_layers: usize,
    /// In how many bits frozen matrices are kept.
    pub precision: Precision,
    /// Decides order and first values.
    pub seed: u64,
}

impl Training {
    /// Steps that the tokens allow.
    #[must_use]
    pub fn steps(&self) -> usize {
        (self.tokens / (self.length * self.accumulate).max(1)).max(1)
    }

    fn settings(&self) -> Settings {
        let steps = self.steps();
        Settings {
            schedule: Schedule { rate: self.rate, warm_up: steps.div_ceil(10), steps },
            accumulate: self.accumulate,
            length: self.length,
            decay: 0.01,
            clip: 1.0,
            seed: self.seed,
            in_order: matches!(self.lesson, Lesson::Rows(_)),
        }
    }

    fn lora(&self) -> LoraConfig {
        LoraConfig {
            rank: self.rank,
            alpha: 2.0 * f64::from(u32::try_from(self.rank).unwrap_or(u32::MAX)),
            targets: Target::ALL.to_vec(),
            top_layers: self.top_layers,
        }
    }
}

/// Where the weights to start from are, and whose they are.
struct Start {
    lessons: Lessons,
    /// The catalogue's name and hash, which a model of the registry hands on.
    base: (String, String),
    upstream: String,
    parent: Option<Uuid>,
}

/// Trains, saves adapter and merged weights, and says what came of it and how many tokens were read; the caller
/// registers it. `say` hears of every step and stops the run by giving `false`.
///
/// # Errors
/// In words: an export that is not this database's, rows of another shape, weights that are missing.
pub async fn train(
    config: &Config,
    pool: &PgPool,
    training: Training,
    say: impl FnMut(Progress) -> bool + Send + 'static,
) -> Result<(TrainedModel, u64)> {
    let start = start(config, pool, &training.base).await?;
    let file = training.lesson.file();
    let data = hash(&file)?;
    let export = match training.lesson {
        Lesson::Rows(_) => None,
        _ => Some(export_of(pool, &file, &data).await?),
    };
    let (pool, here) = (pool.clone(), Handle::current());
    let source = Source { data, export };
    tokio::task::spawn_blocking(move || {
        let rows = match &training.lesson {
            Lesson::Export(_) | Lesson::Rows(_) => rows::whole(&start.lessons, &file, training.length)?,
            Lesson::Verdicts { export, task, criterion } => {
                let of = (task.as_str(), criterion.as_deref());
                rows::verdicts(&start.lessons, export, of, training.length)?
            }
        };
        let diary = here.block_on(Diary::begin(&pool, &begun(&start, &source, &training, &rows)?, None))?;
        let learnt = learn(&start, &source, &training, rows, (&here, &diary), say);
        let (state, why) = match &learnt {
            Ok(Some(_)) => ("done", None),
            Ok(None) => ("stopped", None),
            Err(error) => ("failed", Some(format!("{error:#}"))),
        };
        here.block_on(diary.end(state, why.as_deref()))?;
        learnt?.context("interrupted: the same command goes on from the last checkpoint")
    })
    .await?
}

/// Whose rows they are.
struct Source {
    data: String,
    export: Option<ExportId>,
}

/// A run as it is stored when it begins.
fn begun(start: &Start, source: &Source, training: &Training, rows: &Rows) -> Result<TrainingRun> {
    let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let now = jiff::Timestamp::now();
    let criterion = match &training.lesson {
        Lesson::Verdicts { criterion, .. } => criterion.clone(),
        Lesson::Export(_) | Lesson::Rows(_) => None,
    };
    let place = training.lesson.place();
    Ok(TrainingRun {
        id: Uuid::now_v7(),
        name: training.name.clone(),
        role: place.role,
        task: place.task,
        criterion,
        base: training.base.clone(),
        base_sha256: start.lessons.sha256().to_owned(),
        data_sha256: source.data.clone(),
        export: source.export,
        examples: whole(rows.examples.len()),
        left_out: whole(rows.left_out),
        settings: json!({"lora": training.lora(), "run": training.settings(), "precision": training.precision}),
        folder: std::path::absolute(&training.out)?.to_string_lossy().into_owned(),
        state: "running".into(),
        why: None,
        steps: whole(training.steps()),
        losses: Vec::new(),
        tokens_per_second: None,
        seconds_left: None,
        starts: 1,
        by: None,
        created_at: now,
        heard_at: now,
        finished_at: None,
    })
}

async fn start(config: &Config, pool: &PgPool, base: &str) -> Result<Start> {
    let catalogue = Catalogue::read(&config.models.join("catalogue.toml"))?;
    let found = models::list(&mut *pool.acquire().await?, Which::Name(base)).await?.pop();
    let Some(model) = found else {
        let lessons = Lessons::open(&catalogue, base, &config.weights)?;
        let upstream = catalogue.entry(base)?.upstream.clone();
        return Ok(Start {
            base: (base.to_owned(), lessons.sha256().to_owned()),
            lessons,
            upstream,
            parent: None,
        });
    };
    let dir =
        model.dir.with_context(|| format!("{base} is a judge's head: nothing to train a generator from"))?;
    let path = Path::new(&dir).join("model.gguf");
    if hash(&path)? != model.sha256 {
        bail!("{} is not what the registry says it is", path.display());
    }
    let lessons = Lessons::of_file(base, &path, &model.sha256)?;
    let upstream = catalogue.entry(&model.base)?.upstream.clone();
    Ok(Start { lessons, base: (model.base, model.base_sha256), upstream, parent: Some(model.id) })
}

/// The export of this database that wrote the file.
async fn export_of(pool: &PgPool, file: &Path, sha256: &str) -> Result<ExportId> {
    let found = models::export_of(&mut *pool.acquire().await?, sha256).await?;
    found.with_context(|| {
        format!("no export of this database wrote {}: a model without lineage is not made", file.display())
    })
}

/// Learns the rows; `None`: it was stopped before the end.
fn learn(
    start: &Start,
    source: &Source,
    training: &Training,
    rows: Rows,
    (here, diary): (&Handle, &Diary),
    mut say: impl FnMut(Progress) -> bool,
) -> Result<Option<(TrainedModel, u64)>> {
    let out = std::path::absolute(&training.out)?;
    let Rows { examples, left_out } = rows;
    let (settings, config) = (training.settings(), training.lora());
    let read = tokens_read(&examples, &settings)?;
    let mut described = json!({
        "lora": config, "run": settings, "precision": training.precision, "rows": examples.len(), "left_out": left_out, "tokens": read,
        "data": source.data,
    });
    let base = start.lessons.path();
    let model = Frozen::from_gguf(base, training.precision)?;
    let plain = Adapter::new(&model, config.clone(), training.seed)?;
    let adapter = Adapter::new(&model, config, training.seed)?;
    let run = Run::new(&model, &adapter, settings, &out, EVERY);
    let trained = run.tell(&examples, |it, losses| {
        if it.kept {
            here.block_on(diary.heard(losses, it.tokens_per_second, it.seconds_left));
        }
        say(it)
    })?;
    if trained.losses.len() < training.steps() {
        return Ok(None);
    }
    if let Lesson::Verdicts { export, task, criterion } = &training.lesson {
        let of = (task.as_str(), criterion.as_deref());
        described["held_out"] =
            verdicts::measure(&start.lessons, &model, (&plain, &adapter), export, of, training.length)?;
    }
    adapter.save(&out, &start.upstream, model.shape())?;
    let weights = out.join("model.gguf");
    merge(base, &adapter, model.shape(), &weights)?;
    let model = TrainedModel {
        id: Uuid::now_v7(),
        place: training.lesson.place(),
        name: training.name.clone(),
        base: start.base.0.clone(),
        base_sha256: start.base.1.clone(),
        parent: start.parent,
        export: source.export,
        dir: Some(out.to_string_lossy().into_owned()),
        body: None,
        sha256: hash(&weights)?,
        bytes: std::fs::metadata(&weights)?.len().cast_signed(),
        settings: described,
        losses: trained.losses,
        created_at: jiff::Timestamp::now(),
        standing: false,
    };
    Ok(Some((model, read)))
}

/// Tokens that a whole run reads: its packs, epoch after epoch.
fn tokens_read(examples: &[Example], settings: &Settings) -> Result<u64> {
    let mut left = settings.schedule.steps * settings.accumulate;
    let (mut read, mut epoch) = (0, 0);
    while left > 0 {
        let packs = settings.packs(examples, epoch)?;
        read += packs.iter().take(left).map(|it| it.tokens.len() as u64).sum::<u64>();
        left = left.saturating_sub(packs.len());
        epoch += 1;
    }
    Ok(read)
}

fn hash(path: &Path) -> Result<String> {
    let mut file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut piece)?;
        if n == 0 {
            break;
        }
        hash.update(&piece[..n]);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
