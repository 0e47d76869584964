//! The command line: a subcommand, and a flag for every setting of [`SETTINGS`].

use crate::commands::Command;
use crate::config::{Config, ConfigError, SETTINGS};
use crate::project::Project;
use clap::{Arg, CommandFactory, FromArgMatches, Parser};

/// Concord: the workbench of the human-LLM cooperative judge.
#[derive(Debug, Parser)]
#[command(name = "concord", version, disable_help_subcommand = true)]
pub struct Cli {
    /// Print the result as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// The project to do it in, as `concord project list` names them.
    #[arg(long, global = true, value_name = "NAME")]
    pub project: Option<Project>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Reads the command line and the settings; prints help or a usage error and ends where asked or wrong.
///
/// # Errors
/// [`ConfigError`] for a setting that breaks its rule.
pub fn parse() -> Result<(Cli, Config), ConfigError> {
    let matches = command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let config = Config::load(|name| matches.get_one::<String>(name).cloned())?;
    Ok((cli, config))
}

/// The whole command line; settings are shown by `--help` and left out of `-h`.
fn command() -> clap::Command {
    let settings = SETTINGS.iter().map(|setting| {
        let default = (setting.default)().map(|value| format!(" [default: {value}]")).unwrap_or_default();
        Arg::new(setting.name)
            .long(setting.name.replace('_', "-"))
            .value_name("VALUE")
            .global(true)
            .hide_short_help(true)
            .help_heading("Settings")
            .help(format!("{}{default} [env: {}]", setting.doc, setting.env))
    });
    Cli::command().args(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn a_setting_may_stand_behind_the_subcommand() {
        let matches = command().get_matches_from(["concord", "doctor", "--addr", "127.0.0.1:1", "--json"]);
        assert_eq!(matches.get_one::<String>("addr").map(String::as_str), Some("127.0.0.1:1"));
    }
}
