//! `concord`: reads the command line and the settings, runs one command, says how it ended.

use concord_server::{cli, commands, telemetry, terminal};
use std::process::ExitCode;

/// The command line or a setting is wrong.
const USAGE: u8 = 2;
/// Nothing was written.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let (cli, config) = match cli::parse() {
        Ok(parsed) => parsed,
        Err(error) => {
            eprintln!("concord: {error}");
            return ExitCode::from(USAGE);
        }
    };
    let _telemetry = match telemetry::start(&config) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            eprintln!("concord: {error}");
            return ExitCode::from(USAGE);
        }
    };
    match commands::run(cli, config) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            // The whole chain on one line; a backtrace would tell the person nothing.
            eprintln!("concord: {}", terminal::plain(&format!("{error:#}")));
            ExitCode::from(FAILED)
        }
    }
}
