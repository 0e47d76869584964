//! Which generator serves a project: the model of the settings, or the one that was promoted. A promotion or rollback
//! is seen within seconds by every process. A request ends with the model that it began with, and so does a
//! generation.

use crate::metrics::{MeteredModel, Metrics};
use async_trait::async_trait;
use concord_domain::ports::{
    GenerateRequest, Generated, LanguageModel, ModelError, ModelInfo, ScoreRequest, Scored,
};
use concord_domain::{ModelPlace, TrainedModel};
use concord_inference::{Catalogue, Options, open_language_model};
use concord_store::models::{self, Which};
use sqlx::PgPool;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// How often the registry is looked at.
const EVERY: Duration = Duration::from_secs(2);
/// Models of the registry that are kept open: the one that serves, one that is evaluated, one that others still end with.
const KEPT: usize = 3;

/// A generator that gives way to the promoted one.
pub struct Standing {
    pool: PgPool,
    base: Arc<dyn LanguageModel>,
    opener: Opener,
    now: RwLock<(Option<Uuid>, Arc<dyn LanguageModel>)>,
    /// By the hash of their weights, the newest last.
    opened: Mutex<Vec<(String, Arc<dyn LanguageModel>)>>,
}

/// What opens models of the registry.
#[derive(Clone)]
pub struct Opener {
    /// What models are made of.
    pub catalogue: Arc<Catalogue>,
    /// Where the catalogue's files are.
    pub weights: PathBuf,
    /// What is measured.
    pub metrics: Arc<Metrics>,
}

impl Standing {
    /// Begins with the model of the settings.
    #[must_use]
    pub fn new(pool: PgPool, base: Arc<dyn LanguageModel>, opener: Opener) -> Self {
        let now = RwLock::new((None, Arc::clone(&base)));
        Self { pool, base, opener, now, opened: Mutex::default() }
    }

    /// Looks which model stands and takes it; gives its id.
    ///
    /// # Errors
    /// In words; what served goes on serving.
    pub async fn look(&self) -> anyhow::Result<Option<Uuid>> {
        let mut conn = self.pool.acquire().await?;
        let id = models::standing(&mut conn, &ModelPlace::generator()).await?;
        if self.now.read().unwrap_or_else(PoisonError::into_inner).0 == id {
            return Ok(id);
        }
        let model = match id {
            None => Arc::clone(&self.base),
            Some(id) => {
                let found = models::list(&mut conn, Which::Id(id)).await?.pop();
                let found =
                    found.ok_or_else(|| anyhow::anyhow!("the promoted model is not in the registry"))?;
                drop(conn);
                let model = self.open(&found)?;
                // Weights that are not on this machine, or not what they were, are no reason to stop serving.
                model.info().await?;
                model
            }
        };
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = (id, model);
        tracing::info!(model = ?id, "another generator serves");
        Ok(id)
    }

    /// Looks again and again until `stop`.
    pub async fn watch(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "the promoted model was not taken; what served goes on");
            }
            let _ = tokio::time::timeout(EVERY, stop.wait_for(|stop| *stop)).await;
        }
    }

    fn current(&self) -> Arc<dyn LanguageModel> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner).1)
    }

    fn open(&self, model: &TrainedModel) -> Result<Arc<dyn LanguageModel>, ModelError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = opened.iter().find(|(sha256, _)| *sha256 == model.sha256) {
            return Ok(Arc::clone(found));
        }
        let new = self.opener.open(model)?;
        if opened.len() == KEPT {
            opened.remove(0);
        }
        opened.push((model.sha256.clone(), Arc::clone(&new)));
        Ok(new)
    }
}

impl Opener {
    /// Opens a model of the registry; its weights are checked against their hash as those of the catalogue are.
    fn open(&self, model: &TrainedModel) -> Result<Arc<dyn LanguageModel>, ModelError> {
        let mut catalogue = Catalogue::clone(&self.catalogue);
        let mut entry = catalogue.entry(&model.base)?.clone();
        entry.name.clone_from(&model.name);
        entry.in_repository = None;
        let path = Path::new(model.dir.as_deref().unwrap_or_default()).join("model.gguf");
        entry.files = vec![concord_inference::File {
            name: path.to_string_lossy().into_owned(),
            bytes: model.bytes.cast_unsigned(),
            sha256: model.sha256.clone(),
            parts: Vec::new(),
        }];
        // Before the others: the catalogue of a later version may have a model of the same name.
        catalogue.models.insert(0, entry);
        let opened = open_language_model(&catalogue, &model.name, &self.weights, Options::default())?;
        Ok(Arc::new(MeteredModel::new(opened, "generator", Arc::clone(&self.metrics))))
    }
}

#[async_trait]
impl LanguageModel for Standing {
    async fn info(&self) -> Result<ModelInfo, ModelError> {
        self.current().info().await
    }

    async fn count_tokens(&self, text: &str) -> Result<usize, ModelError> {
        self.current().count_tokens(text).await
    }

    async fn generate(&self, request: GenerateRequest) -> Result<Generated, ModelError> {
        self.current().generate(request).await
    }

    async fn with_weights(&self, sha256: &str) -> Result<Option<Arc<dyn LanguageModel>>, ModelError> {
        let failed = |why: String| ModelError::Failed(format!("the registry cannot be read: {why}"));
        let mut conn = self.pool.acquire().await.map_err(|error| failed(error.to_string()))?;
        let found = models::list(&mut conn, Which::Weights(sha256)).await;
        drop(conn);
        match found.map_err(|error| failed(error.to_string()))?.pop() {
            Some(model) => self.open(&model).map(Some),
            None if self.base.info().await?.hash == sha256 => Ok(Some(Arc::clone(&self.base))),
            None => Ok(None),
        }
    }

    async fn score(&self, request: ScoreRequest) -> Result<Scored, ModelError> {
        self.current().score(request).await
    }
}
