//! Log lines on stderr. They carry ids, counts and times; never what people, logs or models wrote.

use crate::config::{Config, LogFormat};
use std::io::{IsTerminal, stderr};
use tracing_subscriber::EnvFilter;

/// Starts logging as the settings say.
///
/// # Errors
/// A sentence where the setting `log` is no filter.
pub fn start(config: &Config) -> Result<(), String> {
    // PostgreSQL's notices ("already exists, skipping") are no news; what is asked for goes before this.
    let filter = format!("sqlx::postgres::notice=warn,{}", config.log);
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("setting `log`: {error}"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    match config.log_format {
        LogFormat::Text => lines.with_ansi(stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    }
    .map_err(|error| error.to_string())
}
