//! Who uses the cluster, told by two file locks that the kernel drops when a process dies.
//!
//! Every user holds `pg.lock` shared. Starting and stopping happen under `pg.turn`, held exclusively
//! and for as long as that takes; so nobody joins a cluster that is being stopped, and the last one
//! out is whoever can take `pg.lock` exclusively while holding the turn.

use super::error::{At, ClusterError};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

/// The right to start or stop the cluster.
pub(super) struct Turn {
    _file: File,
}

/// A membership among the cluster's users, until dropped.
#[derive(Debug)]
pub(super) struct Membership {
    file: File,
    path: PathBuf,
}

/// Waits for one's turn.
pub(super) fn turn(folder: &Path) -> Result<Turn, ClusterError> {
    let path = folder.join("pg.turn");
    let file = open(&path)?;
    file.lock().at(path)?;
    Ok(Turn { _file: file })
}

/// Joins the users; only in one's turn, so that it cannot meet a stop half-way.
pub(super) fn join(folder: &Path, _turn: &Turn) -> Result<Membership, ClusterError> {
    let path = folder.join("pg.lock");
    let file = open(&path)?;
    file.lock_shared().at(&path)?;
    Ok(Membership { file, path })
}

impl Membership {
    /// Leaves; `true` for the last one, who has to stop the cluster before the turn ends.
    pub(super) fn leave(self, _turn: &Turn) -> Result<bool, ClusterError> {
        self.file.unlock().at(&self.path)?;
        Ok(self.file.try_lock().is_ok())
    }
}

fn open(path: &Path) -> Result<File, ClusterError> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path).at(path)
}
