//! A language model in this process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use concord_domain::ports::{
    GenerateRequest, Generated, LanguageModel, ModelError, ModelInfo, ScoreRequest, Scored,
};

use crate::catalogue::{Arch, Catalogue, Role};
use crate::engine::{Counters, Engine, Request};
use crate::gguf::{Gguf, LoadError};
use crate::serving::Server;
use crate::vocabulary::Vocabulary;
use crate::worker::Options;

/// A GGUF model of the catalogue, run on its own threads.
pub struct CandleModel {
    source: Arc<Source>,
    server: Server,
}

/// Where the model comes from, shared by its thread and the callers.
struct Source {
    catalogue: Catalogue,
    name: String,
    weights: PathBuf,
    path: PathBuf,
    options: Options,
    counters: Arc<Counters>,
    /// Read once, by whoever needs it first, and kept when the weights are unloaded: counting
    /// tokens must not wait for a running job.
    vocabulary: Mutex<Option<Arc<Vocabulary>>>,
}

impl CandleModel {
    /// Opens a model of the catalogue. Nothing is read yet: files are checked and loaded when the
    /// first request comes.
    ///
    /// # Errors
    /// [`ModelError::Unavailable`] when the catalogue has no such language model.
    pub fn open(
        catalogue: &Catalogue,
        name: &str,
        weights: &Path,
        options: Options,
    ) -> Result<Self, ModelError> {
        let entry = catalogue.entry(name)?;
        let speaks = entry.roles.iter().any(|role| matches!(role, Role::Generate | Role::Judge));
        let (true, Arch::Llama | Arch::Qwen2, Some(file)) = (speaks, entry.arch, entry.files.first()) else {
            return Err(ModelError::Unavailable {
                name: name.to_owned(),
                why: "it is not a language model".to_owned(),
                mend: "Choose one with the role generate or judge".to_owned(),
            });
        };
        let source = Arc::new(Source {
            catalogue: catalogue.clone(),
            name: name.to_owned(),
            weights: weights.to_owned(),
            path: catalogue.path(entry, file, weights),
            options,
            counters: Arc::default(),
            vocabulary: Mutex::new(None),
        });
        let loading = Arc::clone(&source);
        let server = Server::start(name, options, move || loading.load())?;
        Ok(Self { source, server })
    }

    /// What it has done since it was opened.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.source.counters
    }
}

impl Source {
    fn load(&self) -> Result<Engine, ModelError> {
        self.catalogue.info(&self.name, &self.weights)?;
        let started = std::time::Instant::now();
        let (threads, counters) = (self.options.threads(), Arc::clone(&self.counters));
        let cache = self.options.cache_bytes;
        let engine = Engine::load(&self.path, threads, cache, counters, |file| self.vocabulary(file));
        let engine = engine.map_err(|error| self.unusable(&error))?;
        tracing::info!(model = self.name, millis = started.elapsed().as_millis() as u64, "model loaded");
        Ok(engine)
    }

    fn vocabulary(&self, file: &Gguf) -> Result<Arc<Vocabulary>, LoadError> {
        let mut kept = self.vocabulary.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(vocabulary) = &*kept {
            return Ok(Arc::clone(vocabulary));
        }
        let vocabulary = Arc::new(Vocabulary::from_gguf(file)?);
        *kept = Some(Arc::clone(&vocabulary));
        Ok(vocabulary)
    }

    fn count(&self, text: &str) -> Result<usize, ModelError> {
        let kept = self.vocabulary.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let vocabulary = match kept {
            Some(vocabulary) => vocabulary,
            None => {
                self.catalogue.info(&self.name, &self.weights)?;
                let read = Gguf::open(&self.path).and_then(|file| self.vocabulary(&file));
                read.map_err(|error| self.unusable(&error))?
            }
        };
        Ok(vocabulary.encode(text)?.len())
    }

    fn unusable(&self, error: &LoadError) -> ModelError {
        ModelError::Unavailable {
            name: self.name.clone(),
            why: format!("{} cannot be used: {error}", self.path.display()),
            mend: "Put another file in the catalogue".to_owned(),
        }
    }
}

#[async_trait]
impl LanguageModel for CandleModel {
    async fn info(&self) -> Result<ModelInfo, ModelError> {
        let source = Arc::clone(&self.source);
        off_thread(move || source.catalogue.info(&source.name, &source.weights)).await
    }

    async fn count_tokens(&self, text: &str) -> Result<usize, ModelError> {
        let (source, text) = (Arc::clone(&self.source), text.to_owned());
        off_thread(move || source.count(&text)).await
    }

    async fn generate(&self, request: GenerateRequest) -> Result<Generated, ModelError> {
        self.server.call(move |reply| Request::Generate(request, reply)).await
    }

    async fn score(&self, request: ScoreRequest) -> Result<Scored, ModelError> {
        self.server.call(move |reply| Request::Score(request, reply)).await
    }
}

/// Runs what may read a gigabyte of file outside the threads that serve pages.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ModelError> + Send + 'static,
) -> Result<T, ModelError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(ModelError::Failed(format!("a background task ended early: {error}"))))
}
