//! A world of our own making: a catalogue, people and what they did over three years, with the truth
//! about them stored beside it. The same seed, size and day make the same world, byte for byte, and it
//! comes in through the same import as anyone's logs.
//!
//! What makes it fit for judging: no text names an interest ([`life`] shows each only across several
//! things of several categories), presents, household staples and passing fancies are mixed in, and at
//! least a fifth of what anyone does belongs to no interest.

mod catalogue;
mod life;
mod people;
mod sources;
mod write;

use crate::intake::{self, Format, ImportError, ImportOptions, Kind, Reject};
use concord_store::StoreError;
use jiff::civil::Date;
use serde::Serialize;
use sqlx::PgPool;
use std::io::Cursor;

pub use write::{Files, Truth, files};

/// Which world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct World {
    /// Everything is drawn by it.
    pub seed: u64,
    /// People.
    pub users: u32,
    /// Things; at least one of each sort in each language is made.
    pub items: u32,
    /// The last day; `None`: that of the world that is there already, else today.
    pub until: Option<Date>,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// The last day.
    pub until: Date,
    /// People.
    pub users: u64,
    /// Things.
    pub items: u64,
    /// Behaviours.
    pub behaviours: u64,
    /// Rows that were not there before.
    pub new: u64,
}

/// Why there is no such world.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Another one is there.
    #[error("another demo world is there already ({there}); give it a database of its own")]
    Another {
        /// Its description.
        there: String,
    },
    /// A file of the world's words is not what this version reads: a fault of the build.
    #[error("demo world, {file}: {why}")]
    BadFile {
        /// Which.
        file: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A row was not taken: a fault of ours.
    #[error("the import refused a row of the demo world: {0}")]
    Refused(String),
    /// The import failed.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for DemoError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

/// Makes the world and puts it into the database; a second time nothing changes.
///
/// # Errors
/// When another world is there, or the database fails; running it again completes what was begun.
pub async fn load(pool: &PgPool, world: World) -> Result<Made, DemoError> {
    let until = settle(pool, world).await?;
    let files = tokio::task::spawn_blocking(move || files(world, until))
        .await
        .map_err(|error| DemoError::Refused(error.to_string()))??;
    let mut made = Made { until, users: 0, items: 0, behaviours: 0, new: 0 };
    (made.users, made.new) = bring(pool, Kind::Users, files.users, made.new).await?;
    (made.items, made.new) = bring(pool, Kind::Items, files.items, made.new).await?;
    (made.behaviours, made.new) = bring(pool, Kind::Behaviours, files.behaviours, made.new).await?;
    let truths: Vec<_> = files.truths.into_iter().map(|truth| (truth.user, truth.kind, truth.body)).collect();
    let mut conn = pool.acquire().await?;
    made.new += concord_store::demo::put_truth(&mut conn, &truths).await?;
    Ok(made)
}

/// Says in the database which world it holds, before anything of it is there, so that a run that was
/// cut off is completed by the next; gives its last day.
async fn settle(pool: &PgPool, world: World) -> Result<Date, DemoError> {
    let mut conn = pool.acquire().await?;
    let there = concord_store::demo::world(&mut conn).await?;
    let stored = there.as_deref().and_then(|there| there.rsplit_once("until ")?.1.parse().ok());
    let today = || jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let until = world.until.or(stored).unwrap_or_else(today);
    let World { seed, users, items, .. } = world;
    let described = format!("seed {seed}, {users} users, {items} items, until {until}");
    match there {
        Some(there) if there != described => return Err(DemoError::Another { there }),
        Some(_) => {}
        None => concord_store::demo::set_world(&mut conn, &described).await?,
    }
    Ok(until)
}

/// Imports one file; gives its rows, and the new ones on top of those before.
async fn bring(pool: &PgPool, kind: Kind, file: String, new: u64) -> Result<(u64, u64), DemoError> {
    let mut rejects: Vec<Reject> = Vec::new();
    let options = ImportOptions::new(kind, Format::Jsonl);
    let report = intake::import(pool, Cursor::new(file.into_bytes()), &options, &mut rejects, |_| {}).await?;
    if let Some(why) = report.failed {
        return Err(DemoError::Refused(why));
    }
    match rejects.into_iter().next() {
        Some(Reject { reason, text, .. }) => Err(DemoError::Refused(format!("{reason}: {text}"))),
        None => Ok((report.rows, new + report.new)),
    }
}
