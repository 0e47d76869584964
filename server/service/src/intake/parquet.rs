//! Parquet: rows as lines of JSON, so that everything after is the same as for JSON lines. The footer stands at the
//! end of the file, so what comes from a pipe or a request is first kept in a temporary file without a name.

use super::{
    Kind,
    columns::{self, Column},
    error::ImportError,
};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row, reader::RowIter};
use serde_json::{Map, Number, Value};
use std::fs::File;
use std::io::{self, BufRead, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// More of one column in one group of rows is refused: it would have to be held in memory.
const MOST_COLUMN: i64 = 1 << 30;

/// The rows of a file, a line each.
pub(super) struct ParquetLines {
    rows: RowIter<'static>,
    line: Vec<u8>,
    place: usize,
}

/// Opens a file of rows of this kind.
pub(super) fn open(mut reader: impl Read, kind: Kind) -> Result<ParquetLines, ImportError> {
    let failed = |why| ImportError::Read { line: 0, why };
    let mut file = tempfile::tempfile().map_err(failed)?;
    if io::copy(&mut reader, &mut file).map_err(failed)? == 0 {
        return Err(ImportError::Empty);
    }
    file.rewind().map_err(failed)?;
    let rows = guarded(|| rows(file, kind))??;
    Ok(ParquetLines { rows, line: Vec::new(), place: 0 })
}

fn rows(file: File, kind: Kind) -> Result<RowIter<'static>, ImportError> {
    let reader = SerializedFileReader::new(file).map_err(|why| damaged(&why))?;
    let meta = reader.metadata();
    for group in meta.row_groups() {
        for column in group.columns() {
            if column.uncompressed_size() > MOST_COLUMN || column.compressed_size() < 0 {
                let why = format!(
                    "column {} holds {} bytes in one group of rows; write smaller groups",
                    column.column_path(),
                    column.uncompressed_size()
                );
                return Err(damaged(&why));
            }
        }
    }
    let schema = meta.file_metadata().schema();
    let names: Vec<&str> = schema.get_fields().iter().map(|field| field.name()).collect();
    let found = names.join(", ");
    if kind.is_judged() {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        columns::check_judged(kind, &names, &found)?;
    } else {
        let columns: Vec<Column> = names.iter().map(|name| Column::named(kind, name)).collect();
        columns::check(kind, &columns, &found)?;
    }
    Ok(RowIter::from_file_into(Box::new(reader)))
}

fn damaged(why: &dyn std::fmt::Display) -> ImportError {
    ImportError::Read { line: 0, why: io::Error::new(io::ErrorKind::InvalidData, format!("Parquet: {why}")) }
}

/// The library may panic over bytes that mean harm; that is one more damaged file.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, ImportError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| damaged(&"the file is damaged"))
}

impl ParquetLines {
    /// The next line into the buffer; none at the end.
    fn next_line(&mut self) -> io::Result<()> {
        self.place = 0;
        self.line.clear();
        let row = guarded(|| self.rows.next()).map_err(io::Error::other)?;
        let Some(row) = row else { return Ok(()) };
        let row = row.map_err(|why| io::Error::new(io::ErrorKind::InvalidData, format!("Parquet: {why}")))?;
        serde_json::to_writer(&mut self.line, &object(&row)).map_err(io::Error::other)?;
        self.line.push(b'\n');
        Ok(())
    }
}

impl Read for ParquetLines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buffer)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for ParquetLines {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.place == self.line.len() {
            self.next_line()?;
        }
        Ok(&self.line[self.place..])
    }

    fn consume(&mut self, amount: usize) {
        self.place += amount;
    }
}

fn object(row: &Row) -> Value {
    Value::Object(
        row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect::<Map<_, _>>(),
    )
}

/// A field as JSON. What JSON has no word for is text, which the checks of its column then refuse or take.
fn value(field: &Field) -> Value {
    let float =
        |value: f64| Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number);
    match field {
        Field::Null => Value::Null,
        Field::Bool(it) => Value::Bool(*it),
        Field::Byte(it) => (*it).into(),
        Field::Short(it) => (*it).into(),
        Field::Int(it) => (*it).into(),
        Field::Long(it) => (*it).into(),
        Field::UByte(it) => (*it).into(),
        Field::UShort(it) => (*it).into(),
        Field::UInt(it) => (*it).into(),
        Field::ULong(it) => (*it).into(),
        Field::Float16(it) => float(f64::from(*it)),
        // By its shortest text: 4.1 stays 4.1.
        Field::Float(it) => float(it.to_string().parse().unwrap_or(f64::NAN)),
        Field::Double(it) => float(*it),
        Field::Str(it) => Value::String(it.clone()),
        Field::Bytes(it) => Value::String(String::from_utf8_lossy(it.data()).into_owned()),
        Field::TimestampMillis(it) => moment(it.checked_mul(1000)),
        Field::TimestampMicros(it) => moment(Some(*it)),
        Field::Group(row) => object(row),
        Field::ListInternal(list) => Value::Array(list.elements().iter().map(value).collect()),
        Field::MapInternal(map) => {
            let name = |key: &Field| match value(key) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            Value::Object(map.entries().iter().map(|(key, it)| (name(key), value(it))).collect())
        }
        other => Value::String(other.to_string()),
    }
}

fn moment(micros: Option<i64>) -> Value {
    let at = micros.and_then(|it| jiff::Timestamp::from_microsecond(it).ok());
    Value::String(at.map_or_else(|| "a time out of range".to_owned(), |at| at.to_string()))
}
