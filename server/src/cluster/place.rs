//! Where the cluster lies: below the data folder, or, where its owner cannot walk there (a data
//! folder below `/root`), below `/var/lib/concord`, with a note of it in the data folder.

use super::error::{At, ClusterError};
use super::owner::Owner;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A unix socket's path must fit `sockaddr_un` (108 bytes); this leaves room for its longer lock file.
const LONGEST_SOCKET: usize = 99;
/// The file below the data folder that names the cluster's home, where that is elsewhere.
const RECORD: &str = "cluster-home";

/// The cluster's folders and their owner.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Everything of the cluster; only its owner enters.
    pub(super) home: PathBuf,
    /// PostgreSQL's own files.
    pub(super) data: PathBuf,
    /// Where the socket is.
    pub(super) sockets: PathBuf,
    /// What the server says.
    pub(super) log: PathBuf,
    /// Whom all of it belongs to.
    pub(super) owner: Owner,
}

impl Place {
    /// Whether a data folder has a cluster.
    pub(super) fn recorded(folder: &Path) -> bool {
        folder.join(RECORD).exists() || folder.join("pg").is_dir()
    }

    /// Finds the cluster of a data folder, or settles where a new one goes.
    pub(super) fn of(folder: &Path) -> Result<Self, ClusterError> {
        let record = folder.join(RECORD);
        let beside = folder.join("pg");
        if let Ok(text) = fs::read_to_string(&record) {
            let home = PathBuf::from(text.trim_end_matches('\n'));
            if !home.is_dir() {
                return Err(ClusterError::Gone { record, home });
            }
            return Self::at(home.clone(), Owner::of(Some(&home))?);
        }
        if beside.is_dir() {
            return Self::at(beside.clone(), Owner::of(Some(&beside))?);
        }
        let owner = Owner::of(None)?;
        if owner.become_other().is_none() || owner.reaches(&beside) {
            owner.private_folder(&beside)?;
            return Self::at(beside, owner);
        }
        let shared = Path::new("/var/lib/concord");
        fs::DirBuilder::new().recursive(true).mode(0o755).create(shared).at(shared)?;
        // The name is drawn, not derived: a new folder of the same name never finds an old one's rows.
        let home = shared.join(format!("{:016x}", rand::random::<u64>()));
        owner.private_folder(&home)?;
        fs::write(&record, format!("{}\n", home.display())).at(&record)?;
        Self::at(home, owner)
    }

    fn at(home: PathBuf, owner: Owner) -> Result<Self, ClusterError> {
        let sockets = socket_folder(&home);
        Ok(Self { data: home.join("data"), log: home.join("postgres.log"), sockets, home, owner })
    }

    /// The major version that made the cluster; `None` before there is one.
    pub(super) fn made_by(&self) -> Option<u32> {
        fs::read_to_string(self.data.join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    /// The socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.sockets.join(".s.PGSQL.5432")
    }
}

/// `HOME/run`, or a short name in `/tmp` derived from the home where that is too long.
fn socket_folder(home: &Path) -> PathBuf {
    let near = home.join("run");
    if near.join(".s.PGSQL.5432").as_os_str().len() <= LONGEST_SOCKET {
        return near;
    }
    // FNV-1a: it must be the same in every build that ever shares this cluster.
    let hash = home.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    PathBuf::from(format!("/tmp/concord-{hash:016x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_gets_a_short_socket() {
        assert_eq!(socket_folder(Path::new("/srv/pg")), Path::new("/srv/pg/run"));
        let long = PathBuf::from(format!("/srv/{}/pg", "deep/".repeat(30)));
        let folder = socket_folder(&long);
        assert!(folder.join(".s.PGSQL.5432").as_os_str().len() < 100, "{}", folder.display());
        assert_eq!(folder, socket_folder(&long), "the same for every process");
    }
}
