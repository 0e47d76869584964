//! An export folder in the making. Nothing appears under its name until it is whole.

use crate::{ExportError, FileEntry, Manifest};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// JSON Lines files being written beside their final place.
#[derive(Debug)]
pub struct ExportFolder {
    target: PathBuf,
    partial: PathBuf,
    files: Vec<JsonLines>,
}

#[derive(Debug)]
struct JsonLines {
    name: &'static str,
    path: PathBuf,
    out: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
    rows: u64,
}

impl ExportFolder {
    /// Opens a temporary folder beside `target` with these files.
    ///
    /// # Errors
    /// [`ExportError::NotEmpty`] if the target holds anything; [`ExportError::Io`].
    pub fn create(target: &Path, names: &[&'static str]) -> Result<Self, ExportError> {
        if fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(ExportError::NotEmpty(target.to_owned()));
        }
        let name =
            target.file_name().map_or_else(|| "export".into(), |name| name.to_string_lossy().into_owned());
        let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let partial = parent.join(format!(".{name}.partial-{}", std::process::id()));
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(io(&partial))?;
        }
        fs::create_dir_all(&partial).map_err(io(&partial))?;
        let files = names
            .iter()
            .map(|name| {
                let path = partial.join(name);
                let out = BufWriter::new(File::create(&path).map_err(io(&path))?);
                Ok(JsonLines { name, path, out, hash: Sha256::new(), bytes: 0, rows: 0 })
            })
            .collect::<Result<_, ExportError>>()?;
        Ok(Self { target: target.to_owned(), partial, files })
    }

    /// Appends a row to the file at that place in the list given to [`ExportFolder::create`].
    ///
    /// # Errors
    /// [`ExportError::Io`], [`ExportError::Json`].
    pub fn push(&mut self, file: usize, row: &impl Serialize) -> Result<(), ExportError> {
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        let Some(file) = self.files.get_mut(file) else { return Ok(()) };
        file.out.write_all(&line).map_err(io(&file.path))?;
        file.hash.update(&line);
        file.bytes += line.len() as u64;
        file.rows += 1;
        Ok(())
    }

    /// Writes the manifest, last; the folder still has no name. The SHA-256 of the first file comes back.
    ///
    /// # Errors
    /// [`ExportError::NothingAgreed`] if the first file is empty; [`ExportError::Io`].
    pub fn seal(&mut self, mut manifest: Manifest) -> Result<String, ExportError> {
        if self.files.first().is_none_or(|file| file.rows == 0) {
            return Err(ExportError::NothingAgreed);
        }
        for mut file in std::mem::take(&mut self.files) {
            file.out.flush().map_err(io(&file.path))?;
            file.out.get_ref().sync_all().map_err(io(&file.path))?;
            let sha256 = file.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            manifest.files.push(FileEntry {
                name: file.name.into(),
                sha256,
                bytes: file.bytes,
                rows: file.rows,
            });
        }
        let path = self.partial.join("manifest.json");
        let mut text = serde_json::to_vec_pretty(&manifest)?;
        text.push(b'\n');
        let mut out = File::create(&path).map_err(io(&path))?;
        out.write_all(&text).and_then(|()| out.sync_all()).map_err(io(&path))?;
        Ok(manifest.files.first().map(|file| file.sha256.clone()).unwrap_or_default())
    }

    /// Gives the sealed folder its name.
    ///
    /// # Errors
    /// [`ExportError::Io`].
    pub fn publish(self) -> Result<(), ExportError> {
        if self.target.exists() {
            // Only an empty folder can be here; rename cannot replace it on every system.
            fs::remove_dir(&self.target).map_err(io(&self.target))?;
        }
        fs::rename(&self.partial, &self.target).map_err(io(&self.target))
    }
}

impl Drop for ExportFolder {
    /// What was not published leaves nothing behind.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.partial);
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> ExportError {
    let path = path.to_owned();
    move |source| ExportError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(target: &Path) -> Result<String, ExportError> {
        let mut folder = ExportFolder::create(target, &["train.jsonl"])?;
        folder.push(0, &serde_json::json!({"a": 1}))?;
        let sha256 = folder.seal(Manifest { schema: "concord.export/1", rows: 1, ..Manifest::default() })?;
        folder.publish()?;
        Ok(sha256)
    }

    #[test]
    fn the_same_rows_give_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        assert_eq!(write(&one).unwrap(), write(&two).unwrap());
        assert_eq!(
            fs::read(one.join("manifest.json")).unwrap(),
            fs::read(two.join("manifest.json")).unwrap()
        );
    }

    #[test]
    fn a_folder_with_something_in_it_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mine"), "x").unwrap();
        assert!(matches!(write(dir.path()), Err(ExportError::NotEmpty(_))));
        assert_eq!(fs::read(dir.path().join("mine")).unwrap(), b"x");
    }

    #[test]
    fn nothing_agreed_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        let mut folder = ExportFolder::create(&target, &["train.jsonl"]).unwrap();
        assert!(matches!(folder.seal(Manifest::default()), Err(ExportError::NothingAgreed)));
        drop(folder);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
