//! Whether anything changed since the last bundle, by content.

use anyhow::Result;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

/// A hash over files, the style sheet and a folder.
pub(crate) fn of(files: &[&Path], css: &str, folder: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(fs::read(file)?);
    }
    hash.update(css);
    if folder.is_dir() {
        add_tree(&mut hash, folder)?;
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn add_tree(hash: &mut Sha256, folder: &Path) -> Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        hash.update(entry.path().as_os_str().as_encoded_bytes());
        if entry.file_type()?.is_dir() {
            add_tree(hash, &entry.path())?;
        } else {
            hash.update(fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// Whether the file holds this stamp.
pub(crate) fn same(file: &Path, stamp: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|old| old == stamp)
}

/// Remembers a stamp.
pub(crate) fn write(file: &Path, stamp: &str) -> Result<()> {
    Ok(fs::write(file, stamp)?)
}
