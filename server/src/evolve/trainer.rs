//! What rounds train with: this process, in a folder a model beside the database's data.

use super::train::{self, Training};
use crate::config::Config;
use async_trait::async_trait;
use concord_domain::TrainedModel;
use concord_service::evolve::{Lesson, Source, Trainer};
use concord_service::jobs::{JobError, Progress};
use concord_store::log_lessons;
use concord_training::Precision;
use futures::TryStreamExt;
use serde_json::json;
use sqlx::PgPool;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::runtime::Handle;
use uuid::Uuid;

/// Trains in this process.
pub struct LocalTrainer {
    config: Config,
    pool: PgPool,
    /// A folder a model is made in here.
    folder: PathBuf,
}

/// Tells the thread that trains that nobody waits for it any more.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl LocalTrainer {
    /// On this database; models are made in the data folder.
    #[must_use]
    pub fn new(config: &Config, pool: PgPool) -> Self {
        Self { config: config.clone(), pool, folder: config.data.join("trained") }
    }
}

impl LocalTrainer {
    /// Writes the rows that a round has gathered of the log; the same round gives the same bytes. The file has no name
    /// and ends with this process, however that ends: what users did stays in the database alone, where deleting
    /// them finds it.
    async fn write(&self, round: Uuid, seed: u64) -> Result<File, JobError> {
        let path = self.folder.join(round.to_string());
        let failed = |error: std::io::Error| JobError::again(5, format!("{}: {error}", path.display()));
        tokio::fs::create_dir_all(&self.folder).await.map_err(failed)?;
        let mut options = tokio::fs::File::options();
        let file = options.read(true).write(true).create(true).truncate(true).open(&path).await;
        let mut file = BufWriter::new(file.map_err(failed)?);
        tokio::fs::remove_file(&path).await.map_err(failed)?;
        let mut conn = self.pool.acquire().await?;
        let mut users = pin!(log_lessons::rows(&mut conn, round, seed.cast_signed()));
        while let Some(rows) = users.try_next().await? {
            for row in rows {
                let said = |role: &str, content: String| json!({"role": role, "content": content});
                let messages =
                    [said("system", row.system), said("user", row.user), said("assistant", row.assistant)];
                let line = format!("{}\n", json!({"messages": messages}));
                file.write_all(line.as_bytes()).await.map_err(failed)?;
            }
        }
        file.flush().await.map_err(failed)?;
        Ok(file.into_inner().into_std().await)
    }
}

#[async_trait]
impl Trainer for LocalTrainer {
    async fn train(&self, lesson: Lesson, progress: &Progress) -> Result<(TrainedModel, u64), JobError> {
        let out = self.folder.join(&lesson.name);
        // Open as long as it is learnt from.
        let (source, _rows) = match lesson.source {
            Source::Export(folder) if folder.contains("://") => {
                let why = "training reads a folder: set `exports` to one, or train elsewhere from the export";
                return Err(JobError::give_up(why));
            }
            Source::Export(folder) => (train::Lesson::Export(folder.into()), None),
            Source::Log(round) => {
                let rows = self.write(round, lesson.seed).await?;
                (train::Lesson::Rows(format!("/proc/self/fd/{}", rows.as_raw_fd()).into()), Some(rows))
            }
        };
        let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let it = &lesson.training;
        let training = Training {
            lesson: source,
            out,
            name: lesson.name,
            base: lesson.base,
            tokens: size(it.tokens),
            accumulate: size(it.accumulate),
            length: size(it.length),
            rate: it.rate,
            rank: size(it.rank),
            top_layers: size(it.top_layers),
            precision: if it.bf16 { Precision::Bf16 } else { Precision::F32 },
            seed: lesson.seed,
        };
        let waiting = Arc::new(AtomicBool::new(true));
        let guard = Waiting(Arc::clone(&waiting));
        let (progress, here) = (progress.clone(), Handle::current());
        let said = move |it: concord_training::Progress| {
            let words = format!("training: loss {:.3}, {:.0} tokens/s", it.loss, it.tokens_per_second);
            let (step, steps) = (it.step as u64, it.steps as u64);
            here.block_on(progress.say(step.cast_signed(), steps.cast_signed(), &words));
            waiting.load(Ordering::Relaxed)
        };
        let trained = train::train(&self.config, &self.pool, training, said).await;
        drop(guard);
        trained.map_err(|error| JobError::give_up(format!("{error:#}")))
    }
}
