//! The concord binary: commands, configuration, composition, HTTP, workers.

pub mod cli;
pub mod cluster;
pub mod commands;
pub mod compose;
pub mod config;
pub mod doctor;
pub mod evolve;
pub mod http;
pub mod metrics;
pub mod project;
pub mod projects;
pub mod serving;
pub mod shutdown;
pub mod telemetry;
pub mod terminal;
