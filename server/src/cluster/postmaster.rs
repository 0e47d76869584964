//! Making, starting, finding and stopping the PostgreSQL server of a cluster.

use super::error::{At, ClusterError};
use super::place::Place;
use super::programs::Programs;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The role and the database that Concord uses.
pub(super) const NAME: &str = "concord";
/// How long a start may take, recovery after a crash included.
const START: Duration = Duration::from_secs(120);
/// The server's log is begun anew above this size.
const LONGEST_LOG: u64 = 8 << 20;

/// Makes the cluster if there is none, and starts it if it does not run.
pub(super) fn ensure(place: &Place) -> Result<(), ClusterError> {
    let programs = Programs::find(place.made_by(), &place.home)?;
    if place.made_by().is_none() {
        create(place, &programs)?;
    }
    place.owner.private_folder(&place.sockets)?;
    let began = Instant::now();
    loop {
        if running(place) {
            // One that another process left behind: it may still be recovering.
            match answers(place) {
                true => return Ok(()),
                false if began.elapsed() > START => return Err(silent(place)),
                false => sleep(Duration::from_millis(50)),
            }
            continue;
        }
        match start(place, &programs) {
            Ok(()) => return Ok(()),
            // After a kill of the postmaster its orphans hold the shared memory until they notice.
            Err(_) if began.elapsed() < Duration::from_secs(10) => sleep(Duration::from_millis(250)),
            Err(error) => return Err(error),
        }
    }
}

/// Stops the server; open transactions are rolled back, committed ones are on disk.
pub(super) fn stop(place: &Place) -> Result<(), ClusterError> {
    if !running(place) {
        return Ok(());
    }
    let programs = Programs::find(place.made_by(), &place.home)?;
    programs.run(&place.owner, "pg_ctl", None, |it| {
        it.arg("stop").arg("-D").arg(&place.data).args(["-m", "fast", "-w", "-s", "-t", "60"])
    })
}

/// Makes Concord's database.
pub(super) fn create_database(place: &Place) -> Result<(), ClusterError> {
    let programs = Programs::find(place.made_by(), &place.home)?;
    programs
        .run(&place.owner, "createdb", None, |it| it.arg("-h").arg(&place.sockets).args(["-U", NAME, NAME]))
}

/// Made aside and renamed: an interrupted `initdb` leaves nothing that looks like a cluster.
fn create(place: &Place, programs: &Programs) -> Result<(), ClusterError> {
    let fresh = place.home.join("data.new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).at(&fresh)?;
    }
    // Trust is safe here: the socket's folder lets in nobody but the owner and root.
    programs.run(&place.owner, "initdb", None, |it| {
        it.arg("-D").arg(&fresh).args(["-U", NAME, "--encoding=UTF8", "--locale=C"]).args([
            "--auth-local=trust",
            "--auth-host=reject",
            "--data-checksums",
        ])
    })?;
    let main = fresh.join("postgresql.conf");
    let text = fs::read_to_string(&main).at(&main)?;
    fs::write(&main, format!("{text}\ninclude 'concord.conf'\n")).at(&main)?;
    fs::rename(&fresh, &place.data).at(&place.data)
}

fn start(place: &Place, programs: &Programs) -> Result<(), ClusterError> {
    // PostgreSQL clears a pid file whose process is gone, but refuses one whose number belongs to
    // some other program by now, as happens after a reboot. `running` has told the two apart.
    let pid_file = place.data.join("postmaster.pid");
    if named_process(place).is_some_and(|pid| Path::new(&format!("/proc/{pid}")).exists()) {
        fs::remove_file(&pid_file).at(&pid_file)?;
    }
    if fs::metadata(&place.log).is_ok_and(|log| log.len() > LONGEST_LOG) {
        fs::remove_file(&place.log).at(&place.log)?;
    }
    let conf = place.data.join("concord.conf");
    fs::write(&conf, settings(place)).at(&conf)?;
    place.owner.give(&conf)?;
    programs.run(&place.owner, "pg_ctl", Some(&place.log), |it| {
        let wait = START.as_secs().to_string();
        it.arg("start").arg("-D").arg(&place.data).arg("-l").arg(&place.log).args(["-w", "-s", "-t", &wait])
    })
}

/// What differs from PostgreSQL's own settings; `fsync` and `synchronous_commit` stay on.
/// The log keeps no statement and no detail: both quote what people wrote.
fn settings(place: &Place) -> String {
    let sockets = place.sockets.display().to_string().replace('\'', "''");
    // After a crash: one call in place of one for each of thousands of files, seconds on a busy disk.
    let sync = if cfg!(target_os = "linux") { "syncfs" } else { "fsync" };
    format!(
        "# Written by concord at every start.\n\
         listen_addresses = ''\n\
         unix_socket_directories = '\"{sockets}\"'\n\
         unix_socket_permissions = 0700\n\
         port = 5432\n\
         shared_buffers = 128MB\n\
         max_wal_size = 2GB\n\
         recovery_init_sync_method = {sync}\n\
         timezone = 'UTC'\n\
         log_timezone = 'UTC'\n\
         log_min_error_statement = panic\n\
         log_error_verbosity = terse\n"
    )
}

/// Whether the process that `postmaster.pid` names is this cluster's server: a server works in its
/// data folder, and a process that only got an old number again does not.
pub(super) fn running(place: &Place) -> bool {
    let Some(pid) = named_process(place) else { return false };
    let folder = fs::read_link(format!("/proc/{pid}/cwd"));
    let data = fs::canonicalize(&place.data);
    matches!((folder, data), (Ok(folder), Ok(data)) if folder == data)
}

/// The process id in `postmaster.pid`.
fn named_process(place: &Place) -> Option<u32> {
    let text = fs::read_to_string(place.data.join("postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok()
}

/// Whether the socket takes connections and the server calls itself ready.
fn answers(place: &Place) -> bool {
    let text = fs::read_to_string(place.data.join("postmaster.pid")).unwrap_or_default();
    // The eighth line is the state, padded: `starting`, `ready`, `stopping`.
    text.lines().nth(7).is_some_and(|state| state.trim() == "ready")
        && UnixStream::connect(place.socket()).is_ok()
}

fn silent(place: &Place) -> ClusterError {
    let said = format!("the server runs but does not answer after {} s", START.as_secs());
    ClusterError::Program { program: "postgres", said, log: Some(place.log.clone()) }
}
