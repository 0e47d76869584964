//! Rows left out, each with its line, the reason and the beginning of its text.

use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A row that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// Line in the file, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
    /// The field at fault, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The first 200 characters, control characters escaped.
    pub text: String,
}

/// Where rejects go. A batch's rejects are put before the batch is committed.
pub trait RejectSink: Send {
    /// Takes one.
    ///
    /// # Errors
    /// When it cannot be kept; the import then stops.
    fn put(&mut self, reject: &Reject) -> io::Result<()>;

    /// Everything put so far is kept.
    ///
    /// # Errors
    /// When it cannot be kept; the import then stops.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl RejectSink for Vec<Reject> {
    fn put(&mut self, reject: &Reject) -> io::Result<()> {
        self.push(reject.clone());
        Ok(())
    }
}

/// A file of JSON lines, made when the first reject comes, never over one that is there.
#[derive(Debug)]
pub struct RejectFile {
    wanted: PathBuf,
    open: Option<(PathBuf, io::BufWriter<File>)>,
}

impl RejectFile {
    /// Will write to this path, or to it with `.1`, `.2`, … behind if it is taken.
    #[must_use]
    pub fn new(wanted: PathBuf) -> Self {
        Self { wanted, open: None }
    }

    /// Beside the input file: `FILE.rejects.jsonl`; for standard input in the working directory.
    #[must_use]
    pub fn beside(input: Option<&Path>) -> Self {
        let mut name = input.map_or_else(|| "stdin".into(), |path| path.as_os_str().to_owned());
        name.push(".rejects.jsonl");
        Self::new(name.into())
    }

    /// The file written, if there was anything to write.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.open.as_ref().map(|(path, _)| path.as_path())
    }

    fn create(&self) -> io::Result<(PathBuf, io::BufWriter<File>)> {
        let mut path = self.wanted.clone();
        for n in 1.. {
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((path, io::BufWriter::new(file))),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let mut next = self.wanted.clone().into_os_string();
                    next.push(format!(".{n}"));
                    path = next.into();
                }
                Err(error) => {
                    return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl RejectSink for RejectFile {
    fn put(&mut self, reject: &Reject) -> io::Result<()> {
        if self.open.is_none() {
            self.open = Some(self.create()?);
        }
        let Some((_, file)) = &mut self.open else { return Ok(()) };
        serde_json::to_writer(&mut *file, reject)?;
        file.write_all(b"\n")
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), |(_, file)| file.flush())
    }
}

/// The beginning of a line as a reject shows it.
pub(super) fn excerpt(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(1024)]);
    let mut out = String::new();
    for c in text.chars().take(200) {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}
