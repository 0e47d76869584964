//! An export in the making: one data file a layout, format and part, lineage, stanzas, card, and the manifest last.

use crate::columns::Columns;
use crate::place::{Place, Sink};
use crate::shape::{Record, Shape};
use crate::{ExportError, FileEntry, Manifest, lines};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Where each row came from.
pub const LINEAGE: &str = "lineage.jsonl";
/// What the export is, for programs.
pub const MANIFEST: &str = "manifest.json";
/// What the export is, for people.
pub const CARD: &str = "README.md";

/// Data files being written.
#[derive(Debug)]
pub struct ExportFolder {
    place: Place,
    files: Vec<DataFile>,
    finished: Vec<FileEntry>,
}

#[derive(Debug)]
struct DataFile {
    name: String,
    sink: Sink,
    hash: Sha256,
    bytes: u64,
    rows: u64,
}

/// Turns rows into bytes: the part of the work that needs no disk, for a thread of its own.
pub struct Encoder {
    shapes: Vec<Shape>,
    sheets: Vec<Sheet>,
    lineage: Waiting,
}

/// A data file's bytes in the making.
struct Sheet {
    shape: usize,
    held_out: bool,
    format: Format,
    waiting: Waiting,
}

enum Format {
    Lines(Vec<crate::Column>),
    Columns(Box<Columns>),
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    rows: u64,
}

/// Bytes to be written, a file each, with their rows.
pub type Chunks = Vec<(Vec<u8>, u64)>;

/// The name of a data file: `train.jsonl`, and for other layouts than TRL's `axolotl.train.jsonl`.
#[must_use]
pub fn file_name(layout: &str, held_out: bool, format: &str) -> String {
    let part = if held_out { "eval" } else { "train" };
    if layout == "trl" { format!("{part}.{format}") } else { format!("{layout}.{part}.{format}") }
}

impl Encoder {
    /// For these shapes and formats; `held_out`: with `eval` files.
    ///
    /// # Errors
    /// [`ExportError::Parquet`].
    pub fn new(shapes: Vec<Shape>, formats: &[String], held_out: bool) -> Result<Self, ExportError> {
        let mut sheets = Vec::new();
        for part in [false, true].into_iter().filter(|part| held_out || !*part) {
            for (place, shape) in shapes.iter().enumerate() {
                for format in formats {
                    let columns = shape.columns();
                    let format = if format == "parquet" {
                        Format::Columns(Box::new(Columns::new(&columns)?))
                    } else {
                        Format::Lines(columns)
                    };
                    sheets.push(Sheet { shape: place, held_out: part, format, waiting: Waiting::default() });
                }
            }
        }
        Ok(Self { shapes, sheets, lineage: Waiting::default() })
    }

    /// The files, in the order in which their bytes come; lineage last.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let name = |sheet: &Sheet| {
            let format = if matches!(sheet.format, Format::Lines(_)) { "jsonl" } else { "parquet" };
            file_name(&self.shapes[sheet.shape].layout, sheet.held_out, format)
        };
        self.sheets.iter().map(name).chain([LINEAGE.to_owned()]).collect()
    }

    /// Adds a row and where it came from.
    ///
    /// # Errors
    /// [`ExportError`]: what cannot be written.
    pub fn push(
        &mut self,
        record: &Record,
        held_out: bool,
        lineage: &impl Serialize,
    ) -> Result<(), ExportError> {
        let cells: Vec<_> = self.shapes.iter().map(|shape| shape.cells(record)).collect::<Result<_, _>>()?;
        for sheet in self.sheets.iter_mut().filter(|sheet| sheet.held_out == held_out) {
            match &mut sheet.format {
                Format::Lines(columns) => {
                    lines::line(&mut sheet.waiting.bytes, columns, &cells[sheet.shape])?
                }
                Format::Columns(columns) => columns.push(&cells[sheet.shape])?,
            }
            sheet.waiting.rows += 1;
        }
        serde_json::to_writer(&mut self.lineage.bytes, lineage)?;
        self.lineage.bytes.push(b'\n');
        self.lineage.rows += 1;
        Ok(())
    }

    /// The bytes since the last time.
    pub fn take(&mut self) -> Chunks {
        let of = |sheet: &mut Sheet| {
            let waiting = std::mem::take(&mut sheet.waiting);
            match &mut sheet.format {
                Format::Lines(_) => (waiting.bytes, waiting.rows),
                Format::Columns(columns) => (columns.take(), waiting.rows),
            }
        };
        let mut chunks: Chunks = self.sheets.iter_mut().map(of).collect();
        let lineage = std::mem::take(&mut self.lineage);
        chunks.push((lineage.bytes, lineage.rows));
        chunks
    }

    /// The last bytes.
    ///
    /// # Errors
    /// [`ExportError::Parquet`].
    pub fn finish(self) -> Result<Chunks, ExportError> {
        let of = |sheet: Sheet| match sheet.format {
            Format::Lines(_) => Ok((sheet.waiting.bytes, sheet.waiting.rows)),
            Format::Columns(columns) => Ok((columns.finish()?, sheet.waiting.rows)),
        };
        let mut chunks = self.sheets.into_iter().map(of).collect::<Result<Chunks, ExportError>>()?;
        chunks.push((self.lineage.bytes, self.lineage.rows));
        Ok(chunks)
    }
}

impl ExportFolder {
    /// Opens a folder, or `s3://BUCKET/PREFIX`, with these files. Nothing appears under its name until it is whole.
    ///
    /// # Errors
    /// [`ExportError::NotEmpty`] if the place holds anything; the store's.
    pub async fn create(out: &str, names: &[String]) -> Result<Self, ExportError> {
        Self::at(Place::open(out).await?, names).await
    }

    async fn at(place: Place, names: &[String]) -> Result<Self, ExportError> {
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            let sink = place.file(name).await?;
            files.push(DataFile { name: name.clone(), sink, hash: Sha256::new(), bytes: 0, rows: 0 });
        }
        Ok(Self { place, files, finished: Vec::new() })
    }

    /// Writes bytes, those of each file in the order given to [`ExportFolder::create`].
    ///
    /// # Errors
    /// The store's.
    pub async fn write(&mut self, chunks: Chunks) -> Result<(), ExportError> {
        for (file, (bytes, rows)) in self.files.iter_mut().zip(chunks) {
            file.rows += rows;
            if bytes.is_empty() {
                continue;
            }
            file.hash.update(&bytes);
            file.bytes += bytes.len() as u64;
            file.sink.write(bytes).await?;
        }
        Ok(())
    }

    /// Ends the data files, writes the small ones and the manifest, last. The SHA-256 of the first file comes back.
    ///
    /// # Errors
    /// [`ExportError::NothingAgreed`] if no data file has a row; the store's.
    pub async fn seal(
        &mut self,
        mut manifest: Manifest,
        texts: Vec<(&str, String)>,
    ) -> Result<String, ExportError> {
        if manifest.rows == 0 {
            return Err(ExportError::NothingAgreed);
        }
        for file in std::mem::take(&mut self.files) {
            file.sink.finish().await?;
            let sha256 = hex(file.hash);
            self.finished.push(FileEntry {
                name: file.name,
                sha256,
                bytes: file.bytes,
                rows: Some(file.rows),
            });
        }
        for (name, text) in texts {
            let sha256 = hex(Sha256::new_with_prefix(&text));
            self.finished.push(FileEntry { name: name.into(), sha256, bytes: text.len() as u64, rows: None });
            self.place.put(name, text.into_bytes()).await?;
        }
        manifest.files.clone_from(&self.finished);
        let mut text = serde_json::to_vec_pretty(&manifest)?;
        text.push(b'\n');
        self.place.put(MANIFEST, text).await?;
        Ok(self.finished.first().map(|file| file.sha256.clone()).unwrap_or_default())
    }

    /// The files, once sealed, without the manifest.
    #[must_use]
    pub fn files(&self) -> &[FileEntry] {
        &self.finished
    }

    /// Gives the sealed folder its name.
    ///
    /// # Errors
    /// [`ExportError::Io`].
    pub fn publish(mut self) -> Result<(), ExportError> {
        self.place.publish()
    }

    /// Leaves nothing behind, in object storage too; a folder does so by itself.
    ///
    /// # Errors
    /// The store's.
    pub async fn give_up(self) -> Result<(), ExportError> {
        for file in self.files {
            file.sink.abort().await?;
        }
        self.place.clear().await
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
