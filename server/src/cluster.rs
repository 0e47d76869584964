//! The database: `DATABASE_URL` where it is set, else a private PostgreSQL cluster of our own below the
//! data folder, on a unix socket that nobody else can enter.
//!
//! Every `concord` process that uses the private cluster shares it; the last one out stops it. A
//! process that is killed leaves the server running, and the next one adopts it. A server that is
//! killed is recovered by its write-ahead log at the next start.

mod error;
mod lock;
mod owner;
mod place;
mod postmaster;
mod programs;

pub use error::ClusterError;

use crate::config::Config;
use crate::project::Project;
use error::At;
use lock::Membership;
use place::Place;
use programs::Programs;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use std::fs;
use std::ops::Deref;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use tokio::sync::watch;

/// How often the private cluster is looked after, and how often at least while it does not start.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// PostgreSQL's code for a database that does not exist.
const NO_SUCH_DATABASE: &str = "3D000";

/// The database of a project, on a server that is up.
#[derive(Debug, Clone)]
pub struct Database {
    options: PgConnectOptions,
    /// Data folder and place of the private cluster.
    private: Option<(PathBuf, Place)>,
    project: Project,
}

/// A server that is up, with the default project's database. [`Opened::close`] it: what is dropped stays up for the
/// next process.
#[derive(Debug)]
pub struct Opened {
    database: Database,
    private: Option<Private>,
}

impl Deref for Opened {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}

#[derive(Debug)]
struct Private {
    folder: PathBuf,
    place: Place,
    membership: Membership,
}

/// Opens the database, starting the private cluster where it has to.
///
/// # Errors
/// [`ClusterError`], each with what to do about it.
pub async fn open(config: &Config) -> Result<Opened, ClusterError> {
    if let Some(url) = &config.database_url {
        let options = PgConnectOptions::from_str(url.expose()).map_err(|_| ClusterError::Url)?;
        return Ok(Opened::new(options.application_name("concord"), None));
    }
    let folder = config.data.clone();
    let private = blocking(move || enter(folder)).await?;
    let options = private.options();
    if let Err(error) = ensure_database(&options, &private.place).await {
        Opened::new(options, Some(private)).close().await?;
        return Err(error);
    }
    Ok(Opened::new(options, Some(private)))
}

/// Whether there is a database already, or the address of one.
#[must_use]
pub fn made(config: &Config) -> bool {
    config.database_url.is_some() || Place::recorded(&config.data)
}

/// The version of PostgreSQL that a new private cluster would be made with.
///
/// # Errors
/// [`ClusterError`] where none is installed that would do.
pub fn programs() -> Result<u32, ClusterError> {
    Programs::find(None, Path::new("")).map(|programs| programs.version)
}

impl Opened {
    fn new(options: PgConnectOptions, private: Option<Private>) -> Self {
        let place = private.as_ref().map(|private| (private.folder.clone(), private.place.clone()));
        Self { database: Database { options, private: place, project: Project::default() }, private }
    }

    /// Leaves the server; the last one out stops the private cluster.
    ///
    /// # Errors
    /// [`ClusterError`] where the cluster would not stop; it then stays up and loses nothing.
    pub async fn close(self) -> Result<(), ClusterError> {
        match self.private {
            Some(private) => blocking(move || private.leave()).await,
            None => Ok(()),
        }
    }
}

impl Database {
    /// The database of another project beside this default one.
    #[must_use]
    pub fn of(&self, project: Project) -> Self {
        let name = project.database(self.name()).unwrap_or_default();
        Self { options: self.options.clone().database(&name), private: self.private.clone(), project }
    }

    /// A project's database under another name than its own.
    #[must_use]
    pub fn named(&self, name: &str, project: Project) -> Self {
        Self { options: self.options.clone().database(name), private: self.private.clone(), project }
    }

    /// Whose it is.
    #[must_use]
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// What the databases of projects beside this default one begin with.
    #[must_use]
    pub fn prefix(&self) -> String {
        Project::prefix(self.name())
    }

    /// What PostgreSQL calls it; an address without a name means that of its user.
    #[must_use]
    pub fn name(&self) -> &str {
        self.options.get_database().unwrap_or(self.options.get_username())
    }

    /// How to connect. Statements are long and read bounded batches: to compile one takes longer than to run it.
    #[must_use]
    pub fn options(&self) -> PgConnectOptions {
        self.options.clone().options([("jit", "off")])
    }

    /// Whether it is the private cluster: only its owner and root reach it.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// Which database this is, in words without a password.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.private {
            Some((_, place)) if self.project.is_default() => {
                format!("private cluster in {}", place.home.display())
            }
            Some((_, place)) => {
                format!("{} of the private cluster in {}", self.name(), place.home.display())
            }
            None => format!("{}:{}/{}", self.options.get_host(), self.options.get_port(), self.name()),
        }
    }

    /// Starts the private cluster again whenever it is down, until told to stop. A database that `DATABASE_URL`
    /// names is its operator's.
    pub fn keep_up(&self, mut stop: watch::Receiver<bool>) -> impl Future<Output = ()> + Send + use<> {
        let private = self.private.clone();
        async move {
            let Some((folder, place)) = private else { return };
            let mut pause = LOOK_EVERY;
            while tokio::time::timeout(pause, stop.wait_for(|stop| *stop)).await.is_err() {
                let (folder, place) = (folder.clone(), place.clone());
                pause = match blocking(move || revive(&folder, &place)).await {
                    Ok(true) => {
                        tracing::warn!("PostgreSQL was down and has been started again");
                        LOOK_EVERY
                    }
                    Ok(false) => LOOK_EVERY,
                    Err(error) => {
                        tracing::error!(%error, "PostgreSQL is down and does not start; trying again");
                        (pause * 2).min(LOOK_AT_LEAST_EVERY)
                    }
                };
            }
        }
    }
}

impl Private {
    fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.place.sockets)
            .port(5432)
            .username(postmaster::NAME)
            .database(postmaster::NAME)
            .application_name("concord")
    }

    fn leave(self) -> Result<(), ClusterError> {
        let turn = lock::turn(&self.folder)?;
        if self.membership.leave(&turn)? { postmaster::stop(&self.place) } else { Ok(()) }
    }
}

/// Joins the users of the cluster and sees to it that it runs.
fn enter(folder: PathBuf) -> Result<Private, ClusterError> {
    make_data_folder(&folder)?;
    let turn = lock::turn(&folder)?;
    let place = Place::of(&folder)?;
    let membership = lock::join(&folder, &turn)?;
    postmaster::ensure(&place)?;
    Ok(Private { folder, place, membership })
}

/// Starts the cluster if it is down; gives whether it was.
fn revive(folder: &Path, place: &Place) -> Result<bool, ClusterError> {
    if postmaster::running(place) {
        return Ok(false);
    }
    let _turn = lock::turn(folder)?;
    postmaster::ensure(place)?;
    Ok(true)
}

/// Root's data folder can be walked through, not read: the cluster in it belongs to another user.
fn make_data_folder(folder: &Path) -> Result<(), ClusterError> {
    let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
    fs::DirBuilder::new().recursive(true).mode(mode).create(folder).at(folder)
}

async fn ensure_database(options: &PgConnectOptions, place: &Place) -> Result<(), ClusterError> {
    match connect(options).await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NO_SUCH_DATABASE) => {
            let place = place.clone();
            match blocking(move || postmaster::create_database(&place)).await {
                Ok(()) => connect(options).await,
                // Another process may have made it in between; what counts is that it is there.
                Err(failed) => return connect(options).await.map_err(|_| failed),
            }
        }
        other => other,
    }
    .map_err(ClusterError::Connect)
}

async fn connect(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let connection: PgConnection = options.connect().await?;
    connection.close().await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ClusterError> + Send + 'static,
) -> Result<T, ClusterError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ClusterError::Stopped)?
}

#[cfg(test)]
mod tests;
