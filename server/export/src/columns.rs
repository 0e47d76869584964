//! Rows as Parquet: lists of turns as repeated groups, everything required. Written column by column without arrow, a
//! row group at a time, so that memory does not grow with the rows.

use crate::shape::{Cell, Column};
use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::fmt::Write;
use std::sync::Arc;

/// Bytes of text in a row group.
const GROUP: usize = 8 << 20;

/// A Parquet file in the making.
pub(crate) struct Columns {
    writer: SerializedFileWriter<Vec<u8>>,
    leaves: Vec<Leaf>,
    held: usize,
}

/// What waits for the next row group, a leaf of the schema each.
enum Leaf {
    /// With where each value stands: 0 begins a row, 1 goes on with its list.
    Listed(Vec<ByteArray>, Vec<i16>),
    Text(Vec<ByteArray>),
    Bool(Vec<bool>),
    Real(Vec<f64>),
}

impl Columns {
    pub(crate) fn new(columns: &[Column]) -> Result<Self> {
        let schema = parse_message_type(&schema(columns))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("concord ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let leaves = columns.iter().flat_map(|column| match column {
            Column::Turns(..) => {
                vec![Leaf::Listed(Vec::new(), Vec::new()), Leaf::Listed(Vec::new(), Vec::new())]
            }
            Column::Turn(..) => vec![Leaf::Text(Vec::new()), Leaf::Text(Vec::new())],
            Column::Text(_) => vec![Leaf::Text(Vec::new())],
            Column::Bool(_) => vec![Leaf::Bool(Vec::new())],
            Column::Real(_) => vec![Leaf::Real(Vec::new())],
        });
        let leaves = leaves.collect();
        let writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
        Ok(Self { writer, leaves, held: 0 })
    }

    pub(crate) fn push(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let mut leaves = self.leaves.iter_mut();
        let held = &mut self.held;
        let mut text = |leaf: Option<&mut Leaf>, value: &str, level: i16| {
            *held += value.len() + 16;
            match leaf {
                Some(Leaf::Listed(values, levels)) => {
                    values.push(value.into());
                    levels.push(level);
                }
                Some(Leaf::Text(values)) => values.push(value.into()),
                _ => {}
            }
        };
        for cell in cells {
            match cell {
                Cell::Turns(turns) => {
                    let (mut roles, mut texts) = (leaves.next(), leaves.next());
                    for (place, (role, value)) in turns.iter().enumerate() {
                        let level = i16::from(place > 0);
                        text(roles.as_deref_mut(), role, level);
                        text(texts.as_deref_mut(), value, level);
                    }
                }
                Cell::Turn(role, value) => {
                    text(leaves.next(), role, 0);
                    text(leaves.next(), value, 0);
                }
                Cell::Text(value) => text(leaves.next(), value, 0),
                Cell::Bool(value) => {
                    if let Some(Leaf::Bool(values)) = leaves.next() {
                        values.push(*value);
                    }
                }
                Cell::Real(value) => {
                    if let Some(Leaf::Real(values)) = leaves.next() {
                        values.push(*value);
                    }
                }
            }
        }
        if self.held >= GROUP { self.group() } else { Ok(()) }
    }

    fn group(&mut self) -> Result<()> {
        if self.held == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for leaf in &mut self.leaves {
            leaf.write(&mut group)?;
        }
        group.close()?;
        self.held = 0;
        Ok(())
    }

    /// What is written since the last time.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.inner_mut())
    }

    /// The rest, with the footer.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>> {
        self.group()?;
        self.writer.into_inner()
    }
}

impl Leaf {
    fn write(&mut self, group: &mut SerializedRowGroupWriter<'_, Vec<u8>>) -> Result<()> {
        let missing = || ParquetError::General("a column too many".into());
        let mut column = group.next_column()?.ok_or_else(missing)?;
        match self {
            Self::Listed(values, levels) => {
                let defined = vec![1; values.len()];
                column.typed::<ByteArrayType>().write_batch(values, Some(&defined), Some(levels))?;
                values.clear();
                levels.clear();
            }
            Self::Text(values) => {
                column.typed::<ByteArrayType>().write_batch(values, None, None)?;
                values.clear();
            }
            Self::Bool(values) => {
                column.typed::<BoolType>().write_batch(values, None, None)?;
                values.clear();
            }
            Self::Real(values) => {
                column.typed::<DoubleType>().write_batch(values, None, None)?;
                values.clear();
            }
        }
        column.close()
    }
}

fn schema(columns: &[Column]) -> String {
    let mut text = String::from("message row {");
    for column in columns {
        let (role, content) = column.keys();
        let turn = format!("required binary {role} (STRING); required binary {content} (STRING);");
        let name = column.name();
        let _ = match column {
            Column::Turns(..) => {
                write!(
                    text,
                    "required group {name} (LIST) {{ repeated group list {{ required group element {{ {turn} }} }} }}"
                )
            }
            Column::Turn(..) => write!(text, "required group {name} {{ {turn} }}"),
            Column::Text(_) => write!(text, "required binary {name} (STRING);"),
            Column::Bool(_) => write!(text, "required boolean {name};"),
            Column::Real(_) => write!(text, "required double {name};"),
        };
    }
    text + "}"
}
