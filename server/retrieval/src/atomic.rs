//! RecBole atomic files from a folder: one `.inter`, and a `.item` where there is one.
//!
//! An `.inter` has one event a row, or a sequence of items with the next one (`item_id_list`, `item_id`).

use crate::logs::{Item, Logs, LogsBuilder, Split};
use crate::{Result, RetrievalError};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Columns that a file may have under several names.
const USER: &[&str] = &["user_id", "user"];
const ITEM: &[&str] = &["item_id", "item"];
const SEQUENCE: &[&str] = &["item_id_list", "item_list"];
const TIME: &[&str] = &["timestamp", "time", "at"];
const TITLE: &[&str] = &["title", "movie_title", "item_name", "name"];
const CATEGORY: &[&str] = &["category", "categories", "class", "genre", "genres"];
const BRAND: &[&str] = &["brand", "store"];
const PRICE: &[&str] = &["price"];

/// Longer lines are refused.
const MAX_LINE: usize = 1 << 20;

/// Reads a folder, and the items that `test` says come next, if it is given.
///
/// # Errors
/// [`RetrievalError`] naming file, line and column.
pub fn read(folder: &Path, test: Option<&Path>) -> Result<(Logs, Split)> {
    let mut builder = LogsBuilder::default();
    if let Some(path) = only(folder, "item")? {
        items(&path, &mut builder)?;
    }
    let inter = only(folder, "inter")?.ok_or_else(|| broken(folder, "there is no .inter file in it"))?;
    events(&inter, &mut builder)?;
    let targets = test.map(|path| targets(path, &builder)).transpose()?;
    let logs = builder.finish()?;
    let split = targets.map_or_else(|| logs.leave_last_out(), |targets| logs.with_targets(&targets));
    Ok((logs, split))
}

fn items(path: &Path, builder: &mut LogsBuilder) -> Result<()> {
    let mut table = Table::open(path)?;
    let key = table.need(ITEM)?;
    let (title, category) = (table.find(TITLE), table.find(CATEGORY));
    let (brand, price) = (table.find(BRAND), table.find(PRICE));
    while let Some(row) = table.next_row()? {
        let text = |column: Option<usize>| column.map(|at| row[at].trim()).filter(|text| !text.is_empty());
        let price = text(price).map(|text| number(&table.at("price"), text)).transpose()?;
        builder.item(Item {
            key: row[key].clone(),
            id: 0,
            title: text(title).unwrap_or_default().to_owned(),
            categories: text(category).map(categories).unwrap_or_default(),
            brand: text(brand).map(str::to_owned),
            price,
        });
    }
    Ok(())
}

/// `'Movies & TV', 'Movies'` and `Animation Comedy` are both written for categories.
fn categories(text: &str) -> Vec<String> {
    let mut found: Vec<String> = if text.contains(", ") || text.starts_with(['\'', '[']) {
        let parts = text.trim_matches(['[', ']']).split(", ");
        parts.map(|part| part.trim_matches(['\'', '"', ' ']).to_owned()).collect()
    } else {
        text.split_whitespace().map(str::to_owned).collect()
    };
    found.retain(|name| !name.is_empty());
    found
}

fn events(path: &Path, builder: &mut LogsBuilder) -> Result<()> {
    let mut table = Table::open(path)?;
    let (user, sequence, item) = (table.need(USER)?, table.find(SEQUENCE), table.find(ITEM));
    let time = table.find(TIME);
    if sequence.is_none() && item.is_none() {
        table.need(ITEM)?;
    }
    let mut line = 0;
    while let Some(row) = table.next_row()? {
        line += 1;
        let Some(list) = sequence else {
            let key = &row[item.unwrap_or_default()];
            let at = time.map(|at| number(&table.at("timestamp"), &row[at])).transpose()?;
            // Times of files have fractions; thousandths keep their order.
            let at = at.map(|at| (at * 1000.0) as i64);
            builder.event((&row[user], 0), (key, 0), "event", (at, Some(line)))?;
            continue;
        };
        let next = item.map(|at| row[at].as_str()).filter(|key| !key.is_empty());
        let keys: Vec<&str> = row[list].split_whitespace().chain(next).collect();
        let number = builder.user(&row[user], 0);
        // Rows of one person are growing prefixes of one sequence: the longest says all of them.
        if keys.len() <= builder.events_of(number) {
            continue;
        }
        builder.clear(number);
        for (position, key) in (0..).zip(keys) {
            builder.event((&row[user], 0), (key, 0), "event", (None, Some(position)))?;
        }
    }
    Ok(())
}

/// The last item that the file gives each user.
fn targets(path: &Path, builder: &LogsBuilder) -> Result<HashMap<usize, u32>> {
    let mut table = Table::open(path)?;
    let (user, item) = (table.need(USER)?, table.need(ITEM)?);
    let time = table.find(TIME);
    let mut last: HashMap<usize, (f64, u32)> = HashMap::new();
    while let Some(row) = table.next_row()? {
        let at = time.map(|at| number(&table.at("timestamp"), &row[at])).transpose()?.unwrap_or(0.0);
        let unknown =
            |what: &str, key: &str| table.bad(what, format!("{key:?} is not in the training files"));
        let who = builder.find_user(&row[user]).ok_or_else(|| unknown("user_id", &row[user]))?;
        let what = builder.find_item(&row[item]).ok_or_else(|| unknown("item_id", &row[item]))?;
        if last.get(&who).is_none_or(|(before, _)| at >= *before) {
            last.insert(who, (at, what));
        }
    }
    Ok(last.into_iter().map(|(user, (_, item))| (user, item)).collect())
}

/// The only file of this ending; two are one too many.
fn only(folder: &Path, ending: &str) -> Result<Option<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|why| broken(folder, &why.to_string()))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|it| it == ending))
        .collect();
    found.sort();
    if found.len() > 1 {
        return Err(broken(folder, &format!("there is more than one .{ending} file in it")));
    }
    Ok(found.pop())
}

fn broken(path: &Path, why: &str) -> RetrievalError {
    RetrievalError::File { path: path.display().to_string(), why: why.to_owned() }
}

/// Where a value stands, for an error about it.
struct Cell {
    path: String,
    line: u64,
    field: String,
}

fn number(cell: &Cell, text: &str) -> Result<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| RetrievalError::Row {
        path: cell.path.clone(),
        line: cell.line,
        field: cell.field.clone(),
        why: format!("{:?} is not a number", text.chars().take(40).collect::<String>()),
    })
}

/// A table with a header of `name:type` columns separated by tabs.
struct Table {
    path: PathBuf,
    lines: BufReader<File>,
    line: u64,
    columns: Vec<String>,
}

impl Table {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|why| broken(path, &why.to_string()))?;
        let mut table =
            Self { path: path.to_owned(), lines: BufReader::new(file), line: 0, columns: Vec::new() };
        let header = table.next_line()?.ok_or_else(|| broken(path, "it is empty"))?;
        let names =
            header.split('\t').map(|name| name.trim().split(':').next().unwrap_or_default().to_owned());
        table.columns = names.collect();
        Ok(table)
    }

    fn next_line(&mut self) -> Result<Option<String>> {
        let mut bytes = Vec::new();
        let limited = &mut std::io::Read::take(&mut self.lines, MAX_LINE as u64 + 1);
        let read =
            limited.read_until(b'\n', &mut bytes).map_err(|why| broken(&self.path, &why.to_string()))?;
        self.line += 1;
        if read == 0 {
            return Ok(None);
        }
        if bytes.len() > MAX_LINE {
            return Err(self.bad("line", "is longer than 1 MiB".into()));
        }
        let text = String::from_utf8(bytes).map_err(|_| self.bad("line", "is not UTF-8".into()))?;
        Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()))
    }

    fn next_row(&mut self) -> Result<Option<Vec<String>>> {
        loop {
            let Some(line) = self.next_line()? else { return Ok(None) };
            if line.is_empty() {
                continue;
            }
            let row: Vec<String> = line.split('\t').map(str::to_owned).collect();
            if row.len() != self.columns.len() {
                let why = format!("has {} columns; the header has {}", row.len(), self.columns.len());
                return Err(self.bad("line", why));
            }
            return Ok(Some(row));
        }
    }

    fn find(&self, names: &[&str]) -> Option<usize> {
        self.columns.iter().position(|column| names.contains(&column.as_str()))
    }

    fn need(&self, names: &[&str]) -> Result<usize> {
        self.find(names).ok_or_else(|| broken(&self.path, &format!("there is no column {}", names[0])))
    }

    fn at(&self, field: &str) -> Cell {
        Cell { path: self.path.display().to_string(), line: self.line, field: field.to_owned() }
    }

    fn bad(&self, field: &str, why: String) -> RetrievalError {
        let Cell { path, line, field } = self.at(field);
        RetrievalError::Row { path, line, field, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        folder
    }

    #[test]
    fn events_and_sequences_are_read() {
        let items =
            "item_id:token\ttitle:token_seq\tclass:token_seq\n1\tOne\tA B\n2\tTwo\t\n9\tNever met\tC\n";
        let single = "user_id:token\titem_id:token\ttimestamp:float\nu\t2\t20\nu\t1\t10.5\nu\t3\t30\n";
        let it = folder(&[("x.item", items), ("x.inter", single)]);
        let (logs, split) = read(it.path(), None).expect("good files");
        assert_eq!((logs.items.len(), logs.events()), (4, 3));
        assert_eq!(logs.items[0].categories, ["A", "B"]);
        let order: Vec<u32> = split.train[0].iter().map(|event| event.item).collect();
        assert_eq!((order, split.target[0]), (vec![0, 1], Some(3)));

        let sequences = "user_id:token\titem_id_list:token_seq\titem_id:token\nu\t1\t2\nu\t1 2\t3\n";
        let it = folder(&[("x.inter", sequences)]);
        let (logs, split) = read(it.path(), None).expect("good files");
        assert_eq!((logs.events(), split.train[0].len()), (3, 2));
        let test = "user_id:token\titem_id:token\nu\t3\n";
        fs::write(it.path().join("x.test"), test).expect("a file");
        let (_, split) = read(it.path(), Some(&it.path().join("x.test"))).expect("good files");
        assert_eq!(split.dropped, 1, "it was met before");
    }

    #[test]
    fn what_cannot_be_read_is_named_by_file_line_and_column() {
        let cases: [(&str, &str); 5] = [
            ("user_id:token\titem_id:token\ttimestamp:float\nu\t1\tsoon\n", "line 2, timestamp"),
            ("user_id:token\titem_id:token\nu\t1\t3\n", "line 2, line: has 3 columns"),
            ("user_id:token\nu\n", "no column item_id"),
            ("item_id:token\nu\n", "no column user_id"),
            ("user_id:token\titem_id:token\n", "no events"),
        ];
        for (text, wanted) in cases {
            let it = folder(&[("x.inter", text)]);
            let error = read(it.path(), None).expect_err(wanted).to_string();
            assert!(error.contains(wanted), "{error} should say {wanted}");
        }
        assert!(read(&PathBuf::from("/nowhere"), None).is_err());
    }
}
