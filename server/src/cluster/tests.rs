//! The private cluster for real: made, shared, killed, adopted, recovered, refused.

use super::*;
use sqlx::Executor;
use std::process::Command;
use std::time::{Duration, Instant};

/// A data folder whose cluster is stopped at the end, whatever the test came to.
struct Scratch {
    folder: tempfile::TempDir,
}

impl Scratch {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("temporary folder") }
    }

    /// One that the cluster's owner cannot walk to, as below `/root`.
    fn closed() -> Self {
        let scratch = Self::new();
        set_mode(scratch.folder.path(), 0o700);
        scratch
    }

    fn config(&self) -> Config {
        let data = self.folder.path().join("data").display().to_string();
        let flag = move |name: &str| (name == "data").then(|| data.clone());
        let mut config = Config::load(flag).expect("good settings");
        // The tests' own DATABASE_URL is not what is tested here.
        config.database_url = None;
        config
    }

    fn place(&self) -> Place {
        Place::of(&self.folder.path().join("data")).expect("a cluster")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Ok(place) = Place::of(&self.folder.path().join("data")) {
            postmaster::stop(&place).ok();
            fs::remove_dir_all(&place.home).ok();
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode set");
}

fn server_pid(place: &Place) -> Option<String> {
    let text = fs::read_to_string(place.data.join("postmaster.pid")).ok()?;
    text.lines().next().map(str::to_owned)
}

fn kill(pid: &str) {
    assert!(Command::new("kill").args(["-9", pid]).status().expect("kill runs").success());
    let begun = Instant::now();
    while Path::new(&format!("/proc/{pid}/cwd")).read_link().is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{pid} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

async fn run(database: &Database, sql: &'static str) {
    let mut connection = database.options().connect().await.expect("connects");
    connection.execute(sql).await.expect("runs");
    connection.close().await.expect("closes");
}

#[tokio::test]
async fn two_share_it_and_the_last_one_out_stops_it() {
    let scratch = Scratch::new();
    let first = open(&scratch.config()).await.expect("made and started");
    let place = scratch.place();
    assert!(place.socket().as_os_str().len() < 100);
    let pid = server_pid(&place).expect("running");

    let second = open(&scratch.config()).await.expect("joined");
    assert_eq!(server_pid(&place), Some(pid), "the same server");
    run(&second, "create table kept (id int)").await;
    first.close().await.expect("left");
    run(&second, "insert into kept values (1)").await;
    second.close().await.expect("left and stopped");
    assert_eq!(server_pid(&place), None, "stopped");

    let again = open(&scratch.config()).await.expect("started again");
    run(&again, "update kept set id = 2").await;
    again.close().await.expect("stopped");
}

#[tokio::test]
async fn a_server_left_behind_is_adopted_and_a_killed_one_recovered() {
    let scratch = Scratch::closed();
    let killed = open(&scratch.config()).await.expect("started");
    run(&killed, "create table kept (id int)").await;
    let place = scratch.place();
    let pid = server_pid(&place).expect("running");
    // What the kernel does when a process is killed: the locks go, the server stays.
    drop(killed);
    let adopted = open(&scratch.config()).await.expect("adopted");
    assert_eq!(server_pid(&place), Some(pid.clone()), "the same server");

    kill(&pid);
    drop(adopted);
    let recovered = open(&scratch.config()).await.expect("recovered");
    assert_ne!(server_pid(&place), Some(pid), "a new server");
    run(&recovered, "insert into kept values (1)").await;
    recovered.close().await.expect("stopped");

    // After a reboot the number in the pid file may belong to any other program.
    let stale = place.data.join("postmaster.pid");
    fs::write(&stale, format!("{}\n", std::process::id())).expect("written");
    let started = open(&scratch.config()).await.expect("started in spite of it");
    run(&started, "delete from kept").await;
    started.close().await.expect("stopped");
}

#[tokio::test]
async fn two_that_start_at_once_get_one_server() {
    let scratch = Scratch::new();
    let config = scratch.config();
    let (one, other) = tokio::join!(open(&config), open(&config));
    let (one, other) = (one.expect("one"), other.expect("other"));
    assert_eq!(one.describe(), other.describe());
    tokio::try_join!(one.close(), other.close()).expect("both left");
    assert_eq!(server_pid(&scratch.place()), None, "stopped");
}

#[tokio::test]
async fn a_cluster_of_another_version_is_refused_with_the_command_that_mends_it() {
    let scratch = Scratch::new();
    open(&scratch.config()).await.expect("made").close().await.expect("stopped");
    let version = scratch.place().data.join("PG_VERSION");
    let before = fs::read_to_string(&version).expect("a version");
    fs::write(&version, "9\n").expect("written");

    let error = open(&scratch.config()).await.expect_err("refused").to_string();

    assert!(error.contains("PostgreSQL 9") && error.contains("pg_upgrade"), "{error}");
    fs::write(&version, before).expect("written");
}

#[tokio::test]
async fn a_cluster_that_is_gone_is_never_silently_made_anew() {
    let scratch = Scratch::new();
    let data = scratch.folder.path().join("data");
    fs::create_dir_all(&data).expect("made");
    fs::write(data.join("cluster-home"), "/nowhere/at/all\n").expect("written");
    let error = open(&scratch.config()).await.expect_err("refused").to_string();
    assert!(error.contains("which is gone"), "{error}");
}
