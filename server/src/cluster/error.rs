//! What can go wrong with the database, each with what to do about it.

use std::io;
use std::path::PathBuf;

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// PostgreSQL is not installed.
    #[error(
        "PostgreSQL's programs were not found on PATH or in /usr/lib/postgresql: \
         apt-get install postgresql (or set DATABASE_URL to a server elsewhere)"
    )]
    NoPrograms,
    /// Only versions that Concord does not run on.
    #[error("PostgreSQL {found} is too old, Concord needs {needed} or newer: apt-get install postgresql")]
    TooOld {
        /// The newest found.
        found: u32,
        /// The oldest that will do.
        needed: u32,
    },
    /// The cluster was made by a major version that is not installed.
    #[error(
        "the cluster in {} was made by PostgreSQL {made_by}, but only {installed} is installed. \
         To go on as before: apt-get install postgresql-{made_by}. To move to {installed}, with both \
         installed, as the owner of that folder: {mend}",
        home.display()
    )]
    OtherVersion {
        /// Where the cluster lies.
        home: PathBuf,
        /// Its version.
        made_by: u32,
        /// The version there is.
        installed: u32,
        /// The commands that move it.
        mend: String,
    },
    /// PostgreSQL refuses root, and there is nobody to run it as.
    #[error("PostgreSQL does not run as root and there is no user `postgres`: apt-get install postgresql")]
    NoUser,
    /// Someone else's cluster.
    #[error("{} belongs to user id {owner}: run Concord as that user or as root", path.display())]
    Foreign {
        /// What belongs to them.
        path: PathBuf,
        /// Who they are.
        owner: u32,
    },
    /// The data folder names a cluster that is gone.
    #[error(
        "{} says that the cluster lies in {}, which is gone: put it back, \
         or delete that file to begin with an empty database",
        record.display(), home.display()
    )]
    Gone {
        /// The file that says so.
        record: PathBuf,
        /// Where the cluster should be.
        home: PathBuf,
    },
    /// One of PostgreSQL's programs failed.
    #[error("{program} failed: {said}{}", log.as_ref().map(|l| format!(" (see {})", l.display())).unwrap_or_default())]
    Program {
        /// Which one.
        program: &'static str,
        /// Its last words.
        said: String,
        /// Where it said more.
        log: Option<PathBuf>,
    },
    /// A file or folder could not be made, read or locked.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `DATABASE_URL` cannot be read.
    #[error("DATABASE_URL is not a PostgreSQL address (postgres://user:password@host/name)")]
    Url,
    /// The database does not answer.
    #[error("cannot connect to the database: {0}")]
    Connect(sqlx::Error),
    /// The thread that watches over the cluster was lost.
    #[error("the cluster's task was stopped")]
    Stopped,
}

/// Adds the path to an I/O error.
pub(super) trait At<T> {
    fn at(self, path: impl Into<PathBuf>) -> Result<T, ClusterError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: impl Into<PathBuf>) -> Result<T, ClusterError> {
        self.map_err(|source| ClusterError::Io { path: path.into(), source })
    }
}
