//! Rows of tables: CSV with a header, RecBole atomic files, Taobao's table without a header.

use super::{
    Kind,
    columns::{self, Column},
    error::{Bad, ImportError},
    json::Json,
    judged,
    record::{Draft, Reading, Record},
};

/// How a cell is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// One value.
    Token,
    /// Values separated by spaces (RecBole's `token_seq` and `float_seq`).
    Sequence,
}

/// The columns of a table.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(Column, Cell)>,
    /// Names as written, where rows are samples, labels or verdicts.
    names: Vec<String>,
}

impl Table {
    /// Taobao's UserBehavior.csv: user, item, category, behaviour, time.
    pub(super) fn taobao() -> Self {
        let columns = [Column::User, Column::Item, Column::Category, Column::Did, Column::At];
        Self { columns: columns.map(|column| (column, Cell::Token)).to_vec(), names: Vec::new() }
    }

    /// From a CSV header.
    pub(super) fn csv(kind: Kind, names: &[String], header: &str) -> Result<Self, ImportError> {
        let columns: Vec<Column> = names.iter().map(|name| Column::named(kind, name)).collect();
        if kind.is_judged() {
            let names: Vec<String> = names.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
            columns::check_judged(kind, &names, header)?;
            return Ok(Self {
                columns: columns.into_iter().map(|column| (column, Cell::Token)).collect(),
                names,
            });
        }
        columns::check(kind, &columns, header)?;
        Ok(Self {
            columns: columns.into_iter().map(|column| (column, Cell::Token)).collect(),
            names: Vec::new(),
        })
    }

    /// From a RecBole header: `name:type` a column, separated by tabs.
    pub(super) fn recbole(kind: Kind, header: &str) -> Result<Self, ImportError> {
        let mut columns = Vec::new();
        for name in header.split('\t') {
            let (column, cell) = match name.trim().rsplit_once(':') {
                Some((name, "token" | "float")) => (Column::named(kind, name), Cell::Token),
                Some((name, "token_seq" | "float_seq")) => (sequence(kind, name), Cell::Sequence),
                _ => {
                    let wanted = match kind {
                        Kind::Users => "user_id:token<tab>age:token",
                        Kind::Items => "item_id:token<tab>title:token_seq",
                        _ => "user_id:token<tab>item_id:token<tab>timestamp:float",
                    };
                    return Err(ImportError::Untyped { found: columns::shorten(header), wanted });
                }
            };
            columns.push((column, cell));
        }
        let meanings: Vec<Column> = columns.iter().map(|(column, _)| column.clone()).collect();
        columns::check(kind, &meanings, header)?;
        Ok(Self { columns, names: Vec::new() })
    }

    /// Whether a column holds sequences of items.
    pub(super) fn has_sequences(&self) -> bool {
        self.columns.iter().any(|(column, _)| *column == Column::Items)
    }

    /// Puts a row together.
    pub(super) fn record<'a>(
        &self,
        cells: impl ExactSizeIterator<Item = &'a str>,
        reading: &mut Reading,
    ) -> Result<Record, Bad> {
        if cells.len() != self.columns.len() {
            let (found, wanted) = (cells.len(), self.columns.len());
            return Err(Bad::row(format!("has {found} columns; the file has {wanted}")));
        }
        if reading.kind.is_judged() {
            let cells = cells.map(|cell| Json::Text(cell.to_owned()));
            let values = self.names.iter().cloned().zip(cells).collect();
            return judged::record(values, reading).map(Record::Judged);
        }
        let mut draft = Draft::default();
        for ((column, cell), text) in self.columns.iter().zip(cells) {
            draft.set(column, value(column, *cell, text), reading)?;
        }
        draft.finish(reading)
    }
}

/// What a column of sequences means: of items it makes the row a sequence; anything else that belongs
/// to single events (times, ratings) cannot be told apart by event and is left out.
fn sequence(kind: Kind, name: &str) -> Column {
    let single = name.strip_suffix("_list").unwrap_or(name);
    match Column::named(kind, single) {
        Column::Item if kind == Kind::Behaviours => Column::Items,
        Column::At | Column::Rating | Column::Position | Column::Did => Column::Ignored(name.to_owned()),
        _ => Column::named(kind, name),
    }
}

fn value(column: &Column, cell: Cell, text: &str) -> Json {
    if text.trim().is_empty() {
        return Json::Null;
    }
    match (column, cell) {
        // `'Movies & TV', 'Movies'` and `Animation Comedy` are both written for categories.
        (Column::Category, Cell::Sequence) if text.contains(", ") || text.starts_with(['\'', '[']) => {
            let parts = text.trim_matches(['[', ']']).split(", ");
            Json::List(parts.map(|part| Json::Text(part.trim_matches(['\'', '"', ' ']).to_owned())).collect())
        }
        (Column::Category, Cell::Sequence) => {
            Json::List(text.split_whitespace().map(|part| Json::Text(part.to_owned())).collect())
        }
        (Column::Pairs, _) => serde_json::from_str(text).unwrap_or_else(|_| Json::Text(text.to_owned())),
        _ => Json::Text(text.to_owned()),
    }
}
