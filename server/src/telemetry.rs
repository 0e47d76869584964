//! Log lines on stderr, and traces where a collector is named. Both carry ids, counts and times; never what
//! people, logs or models wrote.

mod otlp;

use crate::config::{Config, LogFormat};
use otlp::{Exporter, Spans};
use std::io::{IsTerminal, stderr};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// Sends what is left of the traces when it is dropped.
#[derive(Debug)]
pub struct Telemetry {
    _exporter: Option<Exporter>,
}

/// Starts logging, and tracing, as the settings say.
///
/// # Errors
/// A sentence where the setting `log` is no filter.
pub fn start(config: &Config) -> Result<Telemetry, String> {
    // PostgreSQL's notices ("already exists, skipping") are no news; what is asked for goes before this.
    let filter = format!("sqlx::postgres::notice=warn,{}", config.log);
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("setting `log`: {error}"))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr);
    let lines = match config.log_format {
        LogFormat::Text => lines.with_ansi(stderr().is_terminal()).with_target(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let (spans, exporter) = config.otlp_endpoint.as_deref().map(otlp::start).unzip();
    // Requests, jobs and model calls are ours; libraries' spans may quote what they work on.
    let ours = || Targets::new().with_target("concord", tracing::Level::INFO);
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(spans.map(|spans: Spans| spans.with_filter(ours())))
        .try_init()
        .map_err(|error| error.to_string())?;
    Ok(Telemetry { _exporter: exporter })
}
