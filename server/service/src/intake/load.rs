//! Writing: batches into the database, each whole or not at all.

use super::{
    Format, ImportOptions, ImportReport, Kind, Progress,
    batch::{Batch, Message},
    error::ImportError,
    record::Reading,
    rejects::{Reject, RejectSink},
};
use concord_store::{
    StoreError, Trouble,
    behaviours::{self, Merged, UnknownItems},
    imported::{self, What},
    items, users,
};
use sqlx::{Connection, PgConnection};
use std::{sync::atomic::Ordering, time::Duration};
use tokio::sync::mpsc::Receiver;

/// Behaviours in a transaction when sequences are expanded.
const EVENTS: i64 = 20_000;
/// A batch that deadlocks is tried again so often.
const TRIES: u32 = 5;

pub(super) struct Loader<'a, S, P> {
    pub(super) conn: PgConnection,
    pub(super) options: &'a ImportOptions,
    pub(super) rejects: &'a mut S,
    pub(super) progress: P,
    pub(super) report: ImportReport,
}

/// What the database made of a batch.
#[derive(Default)]
struct Outcome {
    new: u64,
    unknown: u64,
    unknown_first: Vec<(i64, String)>,
    /// Line and why.
    rejected: Vec<(i64, String)>,
}

impl<S: RejectSink, P: Fn(Progress)> Loader<'_, S, P> {
    pub(super) async fn run(&mut self, mut messages: Receiver<Message>) -> Result<(), ImportError> {
        match self.options.kind {
            Kind::Users => users::stage(&mut self.conn).await?,
            Kind::Items => items::stage(&mut self.conn).await?,
            Kind::Behaviours => behaviours::stage(&mut self.conn).await?,
            Kind::Samples | Kind::Labels | Kind::Verdicts => imported::stage(&mut self.conn).await?,
        }
        let mut staged = false;
        loop {
            if self.interrupted() {
                return Ok(());
            }
            match messages.recv().await {
                None => return Err(ImportError::ParserGone),
                Some(Message::Failed(error)) => return Err(error),
                Some(Message::Batch(batch)) => {
                    staged |= batch.sequences;
                    self.batch(batch).await?;
                }
                Some(Message::End(reading, notes)) => {
                    if staged {
                        self.sequences().await?;
                    }
                    if self.options.kind.is_judged() {
                        imported::finish(&mut self.conn).await?;
                    }
                    self.notes(&reading, notes);
                    return Ok(());
                }
            }
        }
    }

    fn interrupted(&mut self) -> bool {
        self.report.interrupted = self.options.stop.load(Ordering::Relaxed);
        self.report.interrupted
    }

    async fn batch(&mut self, batch: Batch) -> Result<(), ImportError> {
        for reject in &batch.rejects {
            self.rejects.put(reject).map_err(ImportError::Rejects)?;
        }
        self.report.lines += batch.rows + batch.rejects.len() as u64;
        let outcome = if batch.sequences {
            behaviours::stage_sequences(&mut self.conn, &batch.copy).await?;
            None
        } else if batch.rows > 0 {
            Some(self.merge(Work::Rows(&batch.copy)).await?.1)
        } else {
            None
        };
        let late = outcome.as_ref().map_or(0, |outcome| outcome.rejected.len());
        self.report.rejected += batch.rejects.len() as u64;
        self.report.rows += batch.rejects.len() as u64;
        if let Some(outcome) = outcome {
            self.count(batch.rows, outcome, &batch.texts)?;
        }
        if late + batch.rejects.len() > 0 {
            self.rejects.flush().map_err(ImportError::Rejects)?;
        }
        self.tell();
        Ok(())
    }

    /// Resolves and expands the sequences that were set aside.
    async fn sequences(&mut self) -> Result<(), ImportError> {
        let (chunks, prefixes) = behaviours::resolve_sequences(&mut self.conn, EVENTS).await?;
        if prefixes > 0 {
            self.report.notes.push(format!(
                "{prefixes} rows are beginnings of longer rows of the same user and were left out"
            ));
        }
        for chunk in 0..chunks {
            if self.interrupted() {
                return Ok(());
            }
            let (events, outcome) = self.merge(Work::Sequences(chunk)).await?;
            self.count(events, outcome, &[])?;
            self.rejects.flush().map_err(ImportError::Rejects)?;
            self.tell();
        }
        Ok(())
    }

    fn count(&mut self, rows: u64, outcome: Outcome, texts: &[(u64, String)]) -> Result<(), ImportError> {
        let report = &mut self.report;
        for (line, reason) in &outcome.rejected {
            let line = line.unsigned_abs();
            let text =
                texts.binary_search_by_key(&line, |(at, _)| *at).ok().map(|place| texts[place].1.clone());
            let reject = Reject { line, reason: reason.clone(), field: None, text: text.unwrap_or_default() };
            self.rejects.put(&reject).map_err(ImportError::Rejects)?;
        }
        let rejected = outcome.rejected.len() as u64;
        report.rows += rows;
        report.new += outcome.new;
        report.rejected += rejected;
        report.duplicate += rows.saturating_sub(outcome.new + rejected);
        report.unknown_items += outcome.unknown;
        let room = 3_usize.saturating_sub(report.unknown_first.len());
        let first = outcome.unknown_first.into_iter().take(room);
        report.unknown_first.extend(first.map(|(line, item)| (line.unsigned_abs(), item)));
        Ok(())
    }

    /// One batch, one transaction; tried again when two imports got in each other's way.
    async fn merge(&mut self, work: Work<'_>) -> Result<(u64, Outcome), ImportError> {
        let mut tried = 1;
        loop {
            match self.transaction(&work).await {
                Ok(done) => return Ok(done),
                Err(error) if tried < TRIES && is_transient(&error) => {
                    tokio::time::sleep(Duration::from_millis(50 * u64::from(tried))).await;
                    tried += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn transaction(&mut self, work: &Work<'_>) -> Result<(u64, Outcome), StoreError> {
        let mut tx = self.conn.begin().await?;
        let unknown = if self.options.format == Format::Taobao {
            UnknownItems::Trust
        } else {
            self.options.unknown_items
        };
        let done = match (work, self.options.kind) {
            (Work::Sequences(chunk), _) => {
                let (events, merged) = behaviours::merge_sequences(&mut tx, *chunk, unknown).await?;
                (events, merged.into())
            }
            (Work::Rows(rows), Kind::Users) => (0, upserted("user", users::merge(&mut tx, rows).await?)),
            (Work::Rows(rows), Kind::Items) => (0, upserted("item", items::merge(&mut tx, rows).await?)),
            (Work::Rows(rows), Kind::Behaviours) => {
                (0, behaviours::merge(&mut tx, rows, unknown).await?.into())
            }
            (Work::Rows(rows), Kind::Samples) => {
                (0, imported::merge(&mut tx, What::Samples, rows).await?.into())
            }
            (Work::Rows(rows), Kind::Labels) => {
                (0, imported::merge(&mut tx, What::Labels, rows).await?.into())
            }
            (Work::Rows(rows), Kind::Verdicts) => {
                (0, imported::merge(&mut tx, What::Verdicts, rows).await?.into())
            }
        };
        tx.commit().await?;
        Ok(done)
    }

    fn tell(&self) {
        let ImportReport { rows, new, rejected, lines, .. } = self.report;
        (self.progress)(Progress { lines, rows, new, rejected });
    }

    fn notes(&mut self, reading: &Reading, notes: Vec<String>) {
        let report = &mut self.report;
        report.time_unit = reading.times.unit;
        report.notes.extend(notes);
        if self.options.kind == Kind::Behaviours && reading.timed == 0 && reading.untimed > 0 {
            report.notes.push("no times: order is kept, season and past-month rules are off".into());
        } else if reading.untimed > 0 {
            report.notes.push(format!("{} rows have no time; their order is kept", reading.untimed));
        }
        if reading.decoded > 0 {
            report
                .notes
                .push(format!("HTML entities such as &amp; were decoded in {} texts", reading.decoded));
        }
        if !reading.ignored.is_empty() {
            report.notes.push(format!("not used: {}", reading.ignored.join(", ")));
        }
    }
}

enum Work<'a> {
    Rows(&'a [u8]),
    Sequences(i64),
}

impl From<Merged> for Outcome {
    fn from(merged: Merged) -> Self {
        let why = |(line, item)| (line, format!("unknown_item: the catalogue has no item {item:?}"));
        Self {
            new: merged.new,
            unknown: merged.unknown,
            unknown_first: merged.unknown_first,
            rejected: merged.rejected.into_iter().map(why).collect(),
        }
    }
}

impl From<imported::Merged> for Outcome {
    fn from(merged: imported::Merged) -> Self {
        Self { new: merged.new, rejected: merged.rejected, ..Self::default() }
    }
}

fn upserted(what: &str, done: items::Upserted) -> Outcome {
    let why = |line| (line, format!("conflict: this {what} is there already and says otherwise"));
    Outcome { new: done.new, rejected: done.conflicts.into_iter().map(why).collect(), ..Outcome::default() }
}

fn is_transient(error: &StoreError) -> bool {
    error.trouble() == Some(Trouble::Contended)
}
