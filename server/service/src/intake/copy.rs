//! Rows in PostgreSQL's binary COPY format: nothing to escape, nothing to parse on the other side.

use super::record::{Event, Item, Record};

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Microseconds from 1970 to 2000, where PostgreSQL's time begins.
const EPOCH: i64 = 946_684_800_000_000;

/// A batch of rows.
#[derive(Debug)]
pub(super) struct CopyRows {
    bytes: Vec<u8>,
}

impl CopyRows {
    pub(super) fn new() -> Self {
        Self { bytes: HEADER.to_vec() }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The whole message, with its trailer.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend((-1_i16).to_be_bytes());
        self.bytes
    }

    /// Adds a row in the column order of the record's temporary table.
    pub(super) fn push(&mut self, line: i64, record: &Record) {
        match record {
            Record::User { key, profile } => {
                self.row(3, line);
                self.text(key);
                self.json(profile);
            }
            Record::Item(item) => self.item(line, item),
            Record::Event(event) => self.event(line, event),
            Record::Sequence { user, kind, items, .. } => {
                self.row(4, line);
                self.text(user);
                self.text(kind.as_str());
                self.text(items);
            }
            Record::Judged(body) => {
                self.row(2, line);
                self.json(body);
            }
        }
    }

    fn item(&mut self, line: i64, item: &Item) {
        self.row(8, line);
        self.text(&item.key);
        self.text(&item.title);
        self.json(&item.category);
        self.field(item.brand.as_deref().map(str::as_bytes));
        self.json(&item.attributes);
        self.field(item.price.map(f64::to_be_bytes));
        self.text(&item.lang);
    }

    fn event(&mut self, line: i64, event: &Event) {
        self.row(10, line);
        self.text(&event.user);
        self.text(event.kind.as_str());
        self.field(event.item.as_deref().map(str::as_bytes));
        self.field(event.query.as_deref().map(str::as_bytes));
        self.field(event.at.map(|at| (at - EPOCH).to_be_bytes()));
        self.field(event.position.map(i32::to_be_bytes));
        self.field(event.rating.map(f32::to_be_bytes));
        self.field(Some([u8::from(event.reliable)]));
        self.field(event.category.as_deref().map(str::as_bytes));
    }

    fn row(&mut self, columns: i16, line: i64) {
        self.bytes.extend(columns.to_be_bytes());
        self.field(Some(line.to_be_bytes()));
    }

    fn text(&mut self, text: &str) {
        self.field(Some(text));
    }

    /// jsonb: a version byte, then text.
    fn json(&mut self, value: &(impl serde::Serialize + ?Sized)) {
        let text = serde_json::json!(value).to_string();
        self.field(Some([b"\x01", text.as_bytes()].concat()));
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "a field comes from a line of at most 1 MiB"
    )]
    fn field(&mut self, value: Option<impl AsRef<[u8]>>) {
        match value {
            None => self.bytes.extend((-1_i32).to_be_bytes()),
            Some(value) => {
                let value = value.as_ref();
                self.bytes.extend((value.len() as i32).to_be_bytes());
                self.bytes.extend(value);
            }
        }
    }
}
