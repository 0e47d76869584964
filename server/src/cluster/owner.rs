//! Who the cluster belongs to: PostgreSQL refuses to run as root, so root hands it to another user.

use super::error::{At, ClusterError};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;

/// The user whom the cluster's files and processes belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    uid: u32,
    gid: u32,
    other: bool,
}

impl Owner {
    /// For root the owner of the cluster there is, else `postgres`; for anyone else themselves.
    pub(super) fn of(existing: Option<&Path>) -> Result<Self, ClusterError> {
        let me = rustix::process::geteuid();
        let owner = match existing {
            Some(path) => {
                let meta = fs::metadata(path).at(path)?;
                Some((meta.uid(), meta.gid()))
            }
            None => None,
        };
        match owner {
            Some((uid, gid)) if me.is_root() && uid != 0 => Ok(Self { uid, gid, other: true }),
            Some((owner, _)) if !me.is_root() && owner != me.as_raw() => {
                Err(ClusterError::Foreign { path: existing.unwrap_or(Path::new("")).to_owned(), owner })
            }
            _ if me.is_root() => {
                let (uid, gid) = user("postgres").ok_or(ClusterError::NoUser)?;
                Ok(Self { uid, gid, other: true })
            }
            _ => Ok(Self { uid: me.as_raw(), gid: rustix::process::getegid().as_raw(), other: false }),
        }
    }

    /// User and group id to change to before running PostgreSQL; `None` where they are ours already.
    pub(super) fn become_other(&self) -> Option<(u32, u32)> {
        self.other.then_some((self.uid, self.gid))
    }

    /// Whether this user can walk to a folder: every folder above it lets them through.
    pub(super) fn reaches(&self, folder: &Path) -> bool {
        folder.ancestors().skip(1).all(|above| {
            fs::metadata(above).is_ok_and(|meta| {
                let mode = meta.permissions().mode();
                mode & 0o001 != 0 || (meta.uid() == self.uid && mode & 0o100 != 0)
            })
        })
    }

    /// Makes a folder that only this user enters. One that is there must be theirs: in `/tmp`
    /// anybody could have made it.
    pub(super) fn private_folder(&self, path: &Path) -> Result<(), ClusterError> {
        match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_dir() && meta.uid() == self.uid => {
                fs::set_permissions(path, fs::Permissions::from_mode(0o700)).at(path)
            }
            Ok(meta) => Err(ClusterError::Foreign { path: path.to_owned(), owner: meta.uid() }),
            Err(_) => {
                fs::DirBuilder::new().mode(0o700).create(path).at(path)?;
                self.give(path)
            }
        }
    }

    /// Hands a file or folder to this user.
    pub(super) fn give(&self, path: &Path) -> Result<(), ClusterError> {
        if self.other { chown(path, Some(self.uid), Some(self.gid)).at(path) } else { Ok(()) }
    }
}

/// User and group id of a name in `/etc/passwd`.
fn user(name: &str) -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}
