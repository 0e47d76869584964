//! A disk that is full: a small file system of the test's own holds the whole data folder, PostgreSQL included.

use concord_tests::{TestServer, audited};
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A file system of so many MiB in memory, gone with the test.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// `None` where this machine lets nobody mount one.
    fn of(mib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let size = format!("size={mib}m,mode=0755");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "concord-test"]).arg(folder.path());
        mount.status().is_ok_and(|status| status.success()).then_some(Self { folder })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Takes what is left but for `kib`; removing it gives everything back.
    fn ballast(&self, kib: u64) -> PathBuf {
        let path = self.folder.path().join("ballast");
        let free =
            Command::new("df").args(["--output=avail", "-k"]).arg(self.folder.path()).output().expect("df");
        let free = String::from_utf8_lossy(&free.stdout);
        let free: u64 = free.lines().last().and_then(|line| line.trim().parse().ok()).expect("a number");
        let size = format!("{}K", free.saturating_sub(kib));
        let made = Command::new("fallocate").args(["-l", &size]).arg(&path).status();
        assert!(made.is_ok_and(|status| status.success()), "ballast");
        path
    }

    /// Where PostgreSQL's files are.
    fn cluster(&self) -> PathBuf {
        let recorded = std::fs::read_to_string(self.data().join("cluster-home")).ok();
        recorded.map_or_else(|| self.data().join("pg"), |home| Path::new(home.trim_end()).to_owned())
    }

    fn postmaster(&self) -> Option<String> {
        let pid = std::fs::read_to_string(self.cluster().join("data/postmaster.pid")).ok()?;
        Some(pid.lines().next()?.trim().to_owned())
    }

    /// As PostgreSQL's owner, past the server.
    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let options = PgConnectOptions::new_without_pgpass().socket(self.cluster().join("run"));
        options.username("concord").database("concord").connect().await
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Some(pid) = self.postmaster() {
            Command::new("kill").args(["-9", &pid]).status().ok();
        }
        // Its orphans leave within moments.
        for _ in 0..50 {
            if Command::new("umount").arg(self.folder.path()).status().is_ok_and(|status| status.success()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Command::new("umount").arg("--lazy").arg(self.folder.path()).status().ok();
    }
}

/// Items with long titles, so that they take room.
fn items(from: u32, n: u32) -> String {
    let mut text = String::new();
    for k in from..from + n {
        let mut state = u64::from(k) + 1;
        // Nothing that a page of the database could compress.
        let words: String = (0..1500)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from(b'a' + u8::try_from(state >> 59).unwrap_or(0) % 26)
            })
            .collect();
        let _ = writeln!(text, "{}", json!({"item": format!("i{k}"), "title": words}));
    }
    text
}

/// A server on a small disk, and somebody who has labelled one sample of it and holds a second.
struct World {
    // Ends before its disk does.
    server: TestServer,
    admin: String,
    ann: String,
    assignments: [Value; 2],
    disk: SmallDisk,
}

impl World {
    /// `None` where this machine lets nobody mount one.
    async fn start() -> Option<Self> {
        let Some(disk) = SmallDisk::of(220) else {
            println!("not run: this machine lets nobody mount a file system");
            return None;
        };
        let data = disk.data().display().to_string();
        let settings = [("DATABASE_URL", ""), ("CONCORD_WORKERS", "0"), ("CONCORD_DATA", &data)];
        let server = TestServer::start_with(&settings).await;
        let admin = server.account("admin@example.org", "admin").await;
        audited::import(&server, &admin, 0, 6, |_| true).await;
        let programme = json!({"overlap": 3, "lease_seconds": 600, "gold_rate": 0.0});
        let path = server.url(&format!("/api/v1/tasks/{}/programme", audited::TASK));
        let set =
            server.client().put(path).bearer_auth(&admin).json(&programme).send().await.expect("an answer");
        assert!(set.status().is_success());
        let ann = server.account("ann@example.org", "annotator").await;
        let first = server.next(&ann).await.expect("something to label");
        assert_eq!(server.submit(&ann, &first, "before", "blind", true).await.status(), 201);
        let second = server.next(&ann).await.expect("more");
        Some(Self { server, admin, ann, assignments: [first, second], disk })
    }

    /// Status and what is said.
    async fn import(&self, from: u32, n: u32) -> (u16, Value) {
        let request = self.server.client().post(self.server.url("/api/v1/import/items?format=jsonl"));
        let answer = request.bearer_auth(&self.admin).body(items(from, n)).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// The second answer goes in by itself once there is room; both are there once, and the log verifies.
    async fn recovers(&self) {
        let Self { server, ann, assignments: [first, second], .. } = self;
        let began = Instant::now();
        loop {
            let answer = server.submit(ann, second, "after", "blind", true).await;
            if answer.status() == 201 {
                break;
            }
            let said = answer.text().await.unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(60), "it recovers by itself: {said}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!("recovered {:.1} s after there was room", began.elapsed().as_secs_f64());
        for (assignment, key) in [(first, "before"), (second, "after")] {
            assert_eq!(
                server.submit(ann, assignment, key, "blind", true).await.status(),
                201,
                "{key} is there"
            );
        }
        let log = server.get(&self.admin, "/api/v1/labels").await.text().await.expect("the label log");
        let by_ann = log.lines().filter(|line| line.contains("ann@example.org")).count();
        assert_eq!(by_ann, 2, "one criterion, one label each");
        let verified = server.command(&["audit-log", "verify"]).await;
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    }
}

#[tokio::test]
async fn a_full_disk_is_said_loses_nothing_and_is_recovered_from_once_there_is_room() {
    let Some(world) = World::start().await else { return };
    // A whole segment of its log is there, 16 MiB, so that it is the tables that find no room. It is made when
    // something is written to it.
    let mut own = world.disk.connect().await.expect("the private cluster");
    for statement in ["select pg_switch_wal()", "select pg_logical_emit_message(true, 'test', '')"] {
        sqlx::query(statement).execute(&mut own).await.expect("a new segment");
    }
    let ballast = world.disk.ballast(3 * 1024);
    let (mut imported, mut refused) = (0, None);
    for batch in 0..60 {
        let (status, said) = world.import(batch * 200, 200).await;
        if status != 200 {
            refused = Some((status, said));
            break;
        }
        imported += 200;
    }
    let (status, said) = refused.expect("3 MiB do not hold 18 MB of words");
    assert_eq!((status, said["code"].as_str()), (507, Some("database_full")), "{said}");
    assert!(said["detail"].as_str().is_some_and(|words| words.contains("free some")), "what to do: {said}");

    std::fs::remove_file(ballast).expect("room again");
    world.recovers().await;
    let (_, again) = world.import(0, imported + 200).await;
    let stored = again["duplicate"].as_u64().unwrap_or(0) + again["new"].as_u64().unwrap_or(0);
    assert_eq!((stored, again["rejected"].as_u64()), (u64::from(imported) + 200, Some(0)), "{again}");
}

#[tokio::test]
async fn a_database_that_cannot_write_its_log_is_said_to_be_away_and_comes_back_once_there_is_room() {
    let Some(world) = World::start().await else { return };
    let ballast = world.disk.ballast(3 * 1024);
    // PostgreSQL that finds no room for its log ends itself. It starts again where the last segment has some room
    // left, and ends again; where there is none, it stays down.
    let message = "select pg_logical_emit_message(true, 'test', repeat('x', 1000000))";
    let (mut own, mut ended) = (None, 0);
    for k in 0..100 {
        if own.is_none() {
            own = world.disk.connect().await.ok();
        }
        if let Some(connection) = &mut own
            && sqlx::query(message).execute(connection).await.is_err()
        {
            (own, ended) = (None, ended + 1);
        }
        let (status, said) = world.import(k, 1).await;
        let code = said["code"].as_str();
        assert!(
            matches!((status, code), (200, None) | (503, Some("unavailable")) | (507, Some("database_full"))),
            "{status} {said}"
        );
        if ended == 3 || (ended > 0 && own.is_none() && k > 60) {
            break;
        }
    }
    assert!(ended > 0, "3 MiB and what is left of a segment do not hold 100 MB of log");

    std::fs::remove_file(ballast).expect("room again");
    world.recovers().await;
    assert_eq!(world.import(0, 200).await.0, 200);
}
