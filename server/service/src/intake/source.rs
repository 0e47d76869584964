//! Where an import reads from: a file or standard input.

use super::error::ImportError;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A file or standard input, counting the bytes read.
pub struct Source {
    inner: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
    /// Length in bytes, where known.
    pub len: Option<u64>,
}

impl Source {
    /// The count of bytes read so far, for a progress bar.
    #[must_use]
    pub fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Opens a file; `-` is standard input.
///
/// # Errors
/// When it is a folder, empty, or cannot be opened.
pub fn open(path: &Path) -> Result<Source, ImportError> {
    if path.as_os_str() == "-" {
        return Ok(Source { inner: Box::new(io::stdin()), read: Arc::default(), len: None });
    }
    let shown = path.display().to_string();
    let fail = |why| ImportError::Open { path: shown.clone(), why };
    let file = File::open(path).map_err(fail)?;
    let meta = file.metadata().map_err(fail)?;
    if meta.is_dir() {
        return Err(ImportError::Folder(shown));
    }
    if meta.is_file() && meta.len() == 0 {
        return Err(ImportError::Empty);
    }
    let len = meta.is_file().then_some(meta.len());
    Ok(Source { inner: Box::new(file), read: Arc::default(), len })
}
