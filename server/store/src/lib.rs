//! Every line of SQL in Concord, a file an aggregate. Functions take a connection (or a transaction
//! that the use case owns) and give domain types; "not there" is `None`, never an error.

pub mod acceptance;
pub mod accounts;
pub mod adjudications;
pub mod annotators;
pub mod audit;
pub mod audit_log;
pub mod backup;
pub mod batches;
pub mod behaviours;
pub mod cases;
pub mod certificates;
pub mod decisions;
pub mod demo;
pub mod drift;
pub mod erasures;
pub mod evaluation;
pub mod events;
pub mod explanations;
pub mod exports;
pub mod gate;
pub mod generations;
pub mod heads;
pub mod health;
pub mod identities;
pub mod imported;
pub mod invitations;
pub mod items;
pub mod jobs;
pub mod judges;
pub mod learning;
pub mod log_lessons;
pub mod metrics;
pub mod models;
pub mod overview;
pub mod pgvector;
pub mod phi;
pub mod presets;
pub mod probes;
pub mod projects;
pub mod references;
pub mod retention;
pub mod retrieval;
pub mod review;
pub mod roles;
pub mod rounds;
pub mod rubrics;
pub mod samples;
pub mod senior;
pub mod settings;
pub mod tokens;
pub mod training;
pub mod users;
pub mod verdicts;
pub mod webhooks;

mod error;

pub use error::{StoreError, Trouble, trouble};

/// A result of the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The schema, embedded.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// A transaction that reads one state of the whole database, whatever others write meanwhile.
///
/// # Errors
/// The database's.
pub async fn snapshot(pool: &sqlx::PgPool) -> Result<sqlx::Transaction<'static, sqlx::Postgres>> {
    Ok(pool.begin_with("begin isolation level repeatable read read only").await?)
}
