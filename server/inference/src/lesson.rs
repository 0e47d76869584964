//! Training examples as tokens: the same template as when the model is asked, and the answer it should give.

use std::path::{Path, PathBuf};

use concord_domain::ports::ModelError;

use crate::catalogue::{Arch, Catalogue};
use crate::gguf::Gguf;
use crate::vocabulary::Vocabulary;

/// Makes tokens of examples for one model.
pub struct Lessons {
    vocabulary: Vocabulary,
    path: PathBuf,
    sha256: String,
}

impl Lessons {
    /// For a model of the catalogue that is marked `trainable`, whose file is checked first.
    ///
    /// # Errors
    /// [`ModelError::Unavailable`] when it is missing, changed, or not trained here.
    pub fn open(catalogue: &Catalogue, name: &str, weights: &Path) -> Result<Self, ModelError> {
        let entry = catalogue.entry(name)?;
        let unusable =
            |why: String, mend: String| ModelError::Unavailable { name: name.to_owned(), why, mend };
        let (true, Arch::Llama, Some(file)) = (entry.trainable, entry.arch, entry.files.first()) else {
            let others = catalogue.models.iter().filter(|it| it.trainable).map(|it| it.name.as_str());
            let mend = format!("Take one of: {}", others.collect::<Vec<_>>().join(", "));
            return Err(unusable("it is not trained in this process".to_owned(), mend));
        };
        let info = catalogue.info(name, weights)?;
        Self::read(catalogue.path(entry, file, weights), info.hash)
            .map_err(|why| unusable(why, "Put another file in the catalogue".to_owned()))
    }

    /// For weights that were trained here before.
    ///
    /// # Errors
    /// [`ModelError::Unavailable`] when they cannot be read.
    pub fn of_file(name: &str, path: &Path, sha256: &str) -> Result<Self, ModelError> {
        Self::read(path.to_owned(), sha256.to_owned()).map_err(|why| ModelError::Unavailable {
            name: name.to_owned(),
            why,
            mend: "Train it again, or start from the catalogue's model".to_owned(),
        })
    }

    fn read(path: PathBuf, sha256: String) -> Result<Self, String> {
        let read = Gguf::open(&path).and_then(|file| Vocabulary::from_gguf(&file));
        let vocabulary = read.map_err(|error| format!("{} cannot be used: {error}", path.display()))?;
        Ok(Self { vocabulary, path, sha256 })
    }

    /// Where the weights lie.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Their hash.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The tokens of a question and its answer, and where the answer begins.
    ///
    /// # Errors
    /// [`ModelError::BadRequest`] for text that has no tokens.
    pub fn lesson(&self, system: &str, user: &str, answer: &str) -> Result<(Vec<u32>, usize), ModelError> {
        let mut tokens = self.vocabulary.prompt(system, user)?.concat();
        let begins = tokens.len();
        tokens.extend(self.vocabulary.encode(answer)?);
        tokens.extend(self.vocabulary.stop().first());
        Ok((tokens, begins))
    }
}
