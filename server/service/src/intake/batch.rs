//! Reading: a thread that turns lines into batches of rows, a few ahead of the database.

use super::{
    Format, ImportOptions, Kind, amazon,
    columns::Column,
    copy::CopyRows,
    csv::Splitter,
    encoding,
    error::{Bad, ImportError},
    json::Json,
    judged,
    lines::{Line, Lines, MAX_LINE},
    parquet,
    record::{Draft, Reading, Record},
    rejects::{Reject, excerpt},
    table::Table,
    times::Times,
};
use std::io::BufRead;
use tokio::sync::mpsc::Sender;

/// A batch is sent on when it has so many rows or bytes.
const ROWS: u64 = 50_000;
const BYTES: usize = 8 << 20;

/// What the thread sends.
pub(super) enum Message {
    Batch(Batch),
    /// The file is read to its end.
    End(Box<Reading>, Vec<String>),
    Failed(ImportError),
}

/// Rows of one COPY, and the rejects among them.
pub(super) struct Batch {
    pub(super) copy: Vec<u8>,
    pub(super) rows: u64,
    /// The rows are sequences, to be resolved at the end.
    pub(super) sequences: bool,
    pub(super) rejects: Vec<Reject>,
    /// Line and beginning of each row, where the database may still reject it.
    pub(super) texts: Vec<(u64, String)>,
}

/// Reads to the end or until nobody listens.
pub(super) fn read(reader: impl BufRead, options: &ImportOptions, out: Sender<Message>) {
    let result = if options.format == Format::Parquet {
        parquet::open(reader, options.kind).and_then(|rows| read_all(rows, options, &out))
    } else {
        encoding::checked(reader).and_then(|reader| read_all(reader, options, &out))
    };
    let last = match result {
        Ok((reading, notes)) => Message::End(Box::new(reading), notes),
        Err(error) => Message::Failed(error),
    };
    // Nobody listens after an interruption.
    let _ = out.blocking_send(last);
}

fn read_all(
    reader: impl BufRead,
    options: &ImportOptions,
    out: &Sender<Message>,
) -> Result<(Reading, Vec<String>), ImportError> {
    let mut reader = Reader::new(reader, options, out.clone())?;
    reader.run()?;
    Ok((reader.reading, reader.notes))
}

enum Rows {
    /// JSON objects; of a table, whose unknown columns are attributes, or not.
    Json {
        table: bool,
    },
    Amazon,
    Csv(Table, Splitter),
    Tabs(Table),
}

struct Reader<R> {
    lines: Lines<R>,
    rows: Rows,
    reading: Reading,
    keep_texts: bool,
    copy: CopyRows,
    count: u64,
    texts: Vec<(u64, String)>,
    rejects: Vec<Reject>,
    notes: Vec<String>,
    out: Sender<Message>,
}

impl<R: BufRead> Reader<R> {
    fn new(reader: R, options: &ImportOptions, out: Sender<Message>) -> Result<Self, ImportError> {
        let mut lines = Lines::new(reader);
        let rows = match options.format {
            Format::Jsonl => Rows::Json { table: false },
            Format::Parquet => Rows::Json { table: true },
            Format::Recbole | Format::Taobao | Format::Amazon if options.kind.is_judged() => {
                return Err(ImportError::Mismatch {
                    format: options.format.as_str(),
                    kind: options.kind.as_str(),
                    mend: "give them as jsonl or csv",
                });
            }
            Format::Taobao if options.kind != Kind::Behaviours => {
                return Err(ImportError::Mismatch {
                    format: "taobao",
                    kind: options.kind.as_str(),
                    mend: "its one file is imported as behaviours and brings users and items with it",
                });
            }
            Format::Amazon if options.kind == Kind::Users => {
                return Err(ImportError::Mismatch {
                    format: "amazon",
                    kind: "users",
                    mend: "reviews are imported as behaviours and bring users with them",
                });
            }
            Format::Amazon => Rows::Amazon,
            Format::Taobao => Rows::Csv(Table::taobao(), Splitter::for_header(",")),
            Format::Csv => {
                let header = header(&mut lines)?;
                let mut splitter = Splitter::for_header(&header);
                splitter.feed(&header);
                let names: Vec<String> = splitter.fields().map(str::to_owned).collect();
                Rows::Csv(Table::csv(options.kind, &names, &header)?, splitter)
            }
            Format::Recbole => Rows::Tabs(Table::recbole(options.kind, &header(&mut lines)?)?),
        };
        let reading = Reading {
            kind: options.kind,
            did: options.behaviour,
            min_rating: options.min_rating,
            must_say: options.format == Format::Jsonl,
            times: Times::new(jiff::Timestamp::now()),
            task: options.task.clone(),
            pseudonyms: options.pseudonyms.clone(),
            row: 0,
            timed: 0,
            untimed: 0,
            decoded: 0,
            ignored: Vec::new(),
        };
        Ok(Self {
            lines,
            rows,
            reading,
            keep_texts: options.kind != Kind::Behaviours || options.rejects_unknown_items(),
            copy: CopyRows::new(),
            count: 0,
            texts: Vec::new(),
            rejects: Vec::new(),
            notes: Vec::new(),
            out,
        })
    }

    fn run(&mut self) -> Result<(), ImportError> {
        while let Some(line) = advance(&mut self.lines)? {
            if self.lines.bytes().trim_ascii().is_empty() {
                continue;
            }
            self.reading.row += 1;
            let start = self.lines.number;
            let record = match line {
                Line::TooLong => Err(Bad::row(format!(
                    "is longer than {} MiB, the longest line that is read",
                    MAX_LINE >> 20
                ))),
                Line::Whole => self.record()?,
            };
            match record {
                Ok(record) => {
                    self.copy.push(i64::try_from(start).unwrap_or(i64::MAX), &record);
                    self.count += 1;
                    if self.keep_texts {
                        self.texts.push((start, excerpt(self.lines.bytes())));
                    }
                }
                Err(bad) => self.reject(start, bad),
            }
            let full = self.count + self.rejects.len() as u64 >= ROWS || self.copy.len() >= BYTES;
            if full && !self.send() {
                return Ok(());
            }
        }
        if self.reading.row == 0 {
            return Err(ImportError::Empty);
        }
        if self.lines.open && self.rejects.last().is_none_or(|reject| reject.line < self.lines.number) {
            self.notes
                .push("the last line has no line end: if the file was cut, that row may be cut too".into());
        }
        self.send();
        Ok(())
    }

    /// Reads the record that begins on the current line; a quoted CSV field may go on over more lines.
    fn record(&mut self) -> Result<Result<Record, Bad>, ImportError> {
        let Self { lines, rows, reading, .. } = self;
        let line = match std::str::from_utf8(lines.bytes()) {
            Ok(line) => line,
            Err(_) => return Ok(Err(Bad::row("is not UTF-8"))),
        };
        Ok(match rows {
            Rows::Json { table } => json(line, *table, reading),
            Rows::Amazon => amazon::record(line, reading),
            Rows::Tabs(table) => {
                let cells: Vec<&str> = line.split('\t').collect();
                table.record(cells.into_iter(), reading)
            }
            Rows::Csv(table, splitter) => {
                splitter.clear();
                let mut complete = splitter.feed(line);
                while !complete {
                    match advance(lines)? {
                        None => return Ok(Err(Bad::row("opens a quote that is never closed"))),
                        Some(Line::TooLong) => {
                            return Ok(Err(Bad::row("opens a quote around a line that is too long")));
                        }
                        Some(Line::Whole) => {}
                    }
                    let Ok(line) = std::str::from_utf8(lines.bytes()) else {
                        return Ok(Err(Bad::row("holds a line in quotes that is not UTF-8")));
                    };
                    complete = splitter.feed(line);
                    if splitter.len() > MAX_LINE {
                        return Ok(Err(Bad::row("opens a quote that is not closed within 1 MiB")));
                    }
                }
                table.record(splitter.fields(), reading)
            }
        })
    }

    fn reject(&mut self, line: u64, bad: Bad) {
        let reason = if self.lines.open {
            format!("{} (the file ends within this line: it may have been cut)", bad.reason)
        } else {
            bad.reason
        };
        self.rejects.push(Reject { line, reason, field: bad.field, text: excerpt(self.lines.bytes()) });
    }

    /// Hands the batch over, waiting for room; false when nobody listens any more.
    fn send(&mut self) -> bool {
        if self.count == 0 && self.rejects.is_empty() {
            return true;
        }
        let copy = std::mem::replace(&mut self.copy, CopyRows::new());
        let batch = Batch {
            copy: copy.finish(),
            rows: std::mem::take(&mut self.count),
            sequences: matches!(&self.rows, Rows::Tabs(table) if table.has_sequences()),
            rejects: std::mem::take(&mut self.rejects),
            texts: std::mem::take(&mut self.texts),
        };
        self.out.blocking_send(Message::Batch(batch)).is_ok()
    }
}

fn json(line: &str, table: bool, reading: &mut Reading) -> Result<Record, Bad> {
    let Json::Object(fields) =
        serde_json::from_str(line).map_err(|why| Bad::row(format!("is not JSON: {why}")))?
    else {
        return Err(Bad::row("is not a JSON object"));
    };
    if reading.kind.is_judged() {
        return judged::record(fields, reading).map(Record::Judged);
    }
    let mut draft = Draft::default();
    for (name, value) in fields {
        let column = match Column::named(reading.kind, &name) {
            // A key that the schema does not have; in a table such a column is an attribute.
            Column::Pair(name) if !table => Column::Ignored(name),
            column => column,
        };
        draft.set(&column, value, reading)?;
    }
    draft.finish(reading)
}

fn header<R: BufRead>(lines: &mut Lines<R>) -> Result<String, ImportError> {
    let line = advance(lines)?.ok_or(ImportError::Empty)?;
    match (line, std::str::from_utf8(lines.bytes())) {
        (Line::Whole, Ok(text)) => Ok(text.to_owned()),
        _ => Err(ImportError::Columns {
            why: "the first line is no header".into(),
            found: excerpt(lines.bytes()),
            wanted: "a line of column names",
        }),
    }
}

fn advance<R: BufRead>(lines: &mut Lines<R>) -> Result<Option<Line>, ImportError> {
    let line = lines.number;
    lines.advance().map_err(|why| ImportError::Read { line, why })
}
