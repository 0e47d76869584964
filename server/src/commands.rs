//! The subcommands, a file each, and what they share: the runtime, the database, the exit code.

mod account;
mod audit;
mod audit_log;
mod backup;
mod batch;
mod compress;
mod demo;
mod doctor;
mod evaluate;
mod evolve;
mod explain;
mod export;
mod generate;
mod import;
mod judge;
mod migrate;
mod phi;
mod project;
mod retrieve;
mod schema;
mod serve;
mod user;
mod work;

use crate::cli::Cli;
use crate::cluster::{self, Database};
use crate::config::Config;
use crate::project::Project;
use crate::projects;
use crate::shutdown;
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve pages and API, and work.
    Serve(serve::Args),
    /// Work, without pages.
    Work,
    /// Bring users, items or behaviours in.
    Import(import::Args),
    /// Print the JSON Schema of an import.
    Schema(schema::Args),
    /// Load the seeded demo world.
    Demo(demo::Args),
    /// Print a user's compressed history.
    Compress(compress::Args),
    /// Write samples of some users, and judge them.
    Generate(generate::Args),
    /// Measure what generation recovers of a known truth.
    Evaluate(evaluate::Args),
    /// Fill the table of explanations up, or look lines up in it.
    Explain(explain::Args),
    /// Train tag-to-category on the catalogue, or say how good it is.
    Phi(phi::Args),
    /// Judge what is not judged yet.
    Judge(judge::Args),
    /// Say how judges compare with people.
    Audit(audit::Args),
    /// Verify the audit log.
    AuditLog(audit_log::Args),
    /// Write what people agree on as training files.
    Export(export::Args),
    /// Train, measure and ask the towers that find items.
    #[command(subcommand)]
    Retrieve(retrieve::Args),
    /// Train models here, and say which of them serves.
    Evolve(evolve::Args),
    /// Add, list and change accounts.
    Account(account::Args),
    /// Write the whole database into a folder, while people work.
    Backup(backup::BackupArgs),
    /// Read such a folder into an empty database, and compare it with the audit log.
    Restore(backup::RestoreArgs),
    /// Add, list and remove projects: teams that share this server and nothing else.
    Project(project::Args),
    /// Delete a person of the logs.
    User(user::Args),
    /// Bring the database's schema up to this version.
    Migrate(migrate::Args),
    /// List every setting and check database, weights, disk and clock.
    Doctor,
}

/// How a command ended, where it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was done.
    Done,
    /// It ran, and the answer is bad or nothing was written.
    Nothing,
    /// It was done, but some rows were rejected.
    SomeRejected,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Nothing => Self::from(1),
            Outcome::SomeRejected => Self::from(3),
        }
    }
}

/// What every command gets.
pub(crate) struct Run {
    /// The settings.
    pub(crate) config: Config,
    /// Print JSON.
    pub(crate) json: bool,
    /// The project that was asked for; `None`: nobody has said.
    pub(crate) project: Option<Project>,
    /// Cancelled by Ctrl-C or SIGTERM.
    pub(crate) stop: CancellationToken,
}

/// Runs the command.
///
/// # Errors
/// Whatever went wrong, in words for the person at the terminal.
pub fn run(cli: Cli, config: Config) -> Result<Outcome> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start")?;
    runtime.block_on(async {
        let run = Run { config, json: cli.json, project: cli.project, stop: shutdown::on_signal()? };
        match cli.command {
            Command::Serve(args) => serve::run(&run, args).await,
            Command::Work => work::run(&run).await,
            Command::Import(args) => import::run(&run, args).await,
            Command::Schema(args) => Ok(schema::run(&args)),
            Command::Demo(args) => demo::run(&run, args).await,
            Command::Compress(args) => compress::run(&run, args).await,
            Command::Generate(args) => generate::run(&run, args).await,
            Command::Evaluate(args) => evaluate::run(&run, args).await,
            Command::Explain(args) => explain::run(&run, args).await,
            Command::Phi(args) => phi::run(&run, args).await,
            Command::Judge(args) => judge::run(&run, args).await,
            Command::Audit(args) => audit::run(&run, args).await,
            Command::AuditLog(args) => audit_log::run(&run, args).await,
            Command::Export(args) => export::run(&run, args).await,
            Command::Retrieve(args) => retrieve::run(&run, args).await,
            Command::Evolve(args) => evolve::run(&run, args).await,
            Command::Account(args) => account::run(&run, args).await,
            Command::Backup(args) => backup::back_up(&run, args).await,
            Command::Restore(args) => backup::restore(&run, args).await,
            Command::Project(args) => project::run(&run, args).await,
            Command::User(args) => user::run(&run, args).await,
            Command::Migrate(args) => migrate::run(&run, args).await,
            Command::Doctor => doctor::run(&run).await,
        }
    })
}

impl Run {
    /// The database of the project that was asked for, else the default one's.
    pub(crate) async fn database(&self, default: &Database) -> Result<Database> {
        let Some(project) = self.project.clone().filter(|project| !project.is_default()) else {
            return Ok(default.clone());
        };
        if !projects::listed(default).await?.contains(&project) {
            bail!("there is no project {project}: `concord project list` names them");
        }
        Ok(default.of(project))
    }

    /// Refuses `--project` where a command is about all of them.
    pub(crate) fn all_projects(&self, what: &str) -> Result<()> {
        match &self.project {
            Some(_) => bail!("{what} all projects: leave out --project"),
            None => Ok(()),
        }
    }

    /// Gives the database to `work` and closes it whatever comes of that; a signal interrupts `work`.
    pub(crate) async fn with_database<T>(&self, work: impl AsyncFnOnce(&Database) -> Result<T>) -> Result<T> {
        self.with_database_until_done(async |database| {
            tokio::select! {
                result = work(database) => result,
                () = self.stop.cancelled() => bail!("interrupted"),
            }
        })
        .await
    }

    /// The same for work that watches `stop` itself and has something to finish.
    pub(crate) async fn with_database_until_done<T>(
        &self,
        work: impl AsyncFnOnce(&Database) -> Result<T>,
    ) -> Result<T> {
        self.with_default(async |default| work(&self.database(default).await?).await).await
    }

    /// The same with the default project's database, whichever was asked for.
    pub(crate) async fn with_default<T>(&self, work: impl AsyncFnOnce(&Database) -> Result<T>) -> Result<T> {
        let opened = cluster::open(&self.config).await?;
        let result = work(&opened).await;
        let closed = opened.close().await;
        let value = result?;
        closed?;
        Ok(value)
    }
}
