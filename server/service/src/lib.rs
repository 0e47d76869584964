//! The use cases, a file a stage of the loop. Each method authorises first, owns its transaction and
//! records what happened; SQL lives in the store, arithmetic in the pure crates.

pub mod acceptance;
pub mod accounts;
pub mod adjudications;
pub mod audit;
pub mod audit_log;
pub mod backup;
pub mod demo;
pub mod evaluation;
pub mod evolve;
pub mod explain;
pub mod exports;
pub mod generation;
pub mod intake;
pub mod items;
pub mod jobs;
pub mod judges;
pub mod judging;
pub mod lens;
pub mod models;
pub mod pipeline;
pub mod privacy;
pub mod programmes;
pub mod retention;
pub mod retrieval;
pub mod review;
pub mod rubrics;
pub mod samples;
pub mod training;
pub mod webhooks;
pub mod work;

mod error;
