//! PostgreSQL's programs on this machine, and running them as the user who owns the cluster.

use super::error::{At, ClusterError};
use super::owner::Owner;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The oldest PostgreSQL that the schema runs on.
const OLDEST: u32 = 15;

/// One installation of PostgreSQL.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    folder: PathBuf,
    pub(super) version: u32,
}

impl Programs {
    /// The installation for a cluster made by version `made_by`, or the newest for a new cluster.
    pub(super) fn find(made_by: Option<u32>, home: &Path) -> Result<Self, ClusterError> {
        let mut found = installed();
        found.sort_by_key(|programs| programs.version);
        let newest = found.last().cloned().ok_or(ClusterError::NoPrograms)?;
        match made_by {
            None if newest.version < OLDEST => {
                Err(ClusterError::TooOld { found: newest.version, needed: OLDEST })
            }
            None => Ok(newest),
            Some(made_by) => found.into_iter().find(|it| it.version == made_by).ok_or_else(|| {
                let home_shown = home.display();
                let (old, new) = (made_by, newest.version);
                let mend = format!(
                    "{bin}/initdb -U concord -E UTF8 --locale=C -A trust -D {home_shown}/data.{new} && \
                     {bin}/pg_upgrade -U concord -b /usr/lib/postgresql/{old}/bin -B {bin} \
                     -d {home_shown}/data -D {home_shown}/data.{new} && \
                     mv {home_shown}/data {home_shown}/data.{old} && mv {home_shown}/data.{new} {home_shown}/data",
                    bin = newest.folder.display()
                );
                ClusterError::OtherVersion { home: home.to_owned(), made_by, installed: new, mend }
            }),
        }
    }

    /// Runs a program to its end as the cluster's owner, in a folder and an environment that cannot disturb it.
    pub(super) fn run(
        &self,
        owner: &Owner,
        program: &'static str,
        log: Option<&Path>,
        fill: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<(), ClusterError> {
        let path = self.folder.join(program);
        let mut command = Command::new(&path);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        command.current_dir("/").stdin(Stdio::null());
        if let Some((uid, gid)) = owner.become_other() {
            command.uid(uid).gid(gid);
        }
        fill(&mut command);
        // `pg_ctl start` leaves the server behind with its streams: a pipe would never end.
        let said = if log.is_some() {
            let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().at(path)?;
            (status.success(), status.to_string())
        } else {
            let output = command.output().at(path)?;
            (output.status.success(), String::from_utf8_lossy(&output.stderr).trim().to_owned())
        };
        match said {
            (true, _) => Ok(()),
            (false, said) => Err(ClusterError::Program { program, said, log: log.map(Path::to_owned) }),
        }
    }
}

/// Every installation, on PATH and where Debian puts them.
fn installed() -> Vec<Programs> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    std::env::split_paths(&path)
        .chain(debian.map(|version| version.path().join("bin")))
        // A link on PATH is followed: the programs that lie beside its target are all of one version.
        .filter_map(|folder| Some(folder.join("postgres").canonicalize().ok()?.parent()?.to_owned()))
        .filter(|folder| ["initdb", "pg_ctl", "createdb"].iter().all(|it| folder.join(it).is_file()))
        .filter_map(|folder| Some(Programs { version: version_of(&folder)?, folder }))
        .collect()
}

/// The major version that `postgres --version` tells: `postgres (PostgreSQL) 15.18 (Debian …)`.
fn version_of(folder: &Path) -> Option<u32> {
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let number = text.split_whitespace().nth(2)?;
    number.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}
