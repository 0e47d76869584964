//! A disk that is full: a small file system of the test's own holds the whole data folder, PostgreSQL included.

use concord_tests::{TestServer, audited};
use serde_json::{Value, json};
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

    fn postmaster(&self) -> Option<String> {
        let recorded = std::fs::read_to_string(self.data().join("cluster-home")).ok();
        let home =
            recorded.map_or_else(|| self.data().join("pg"), |home| Path::new(home.trim_end()).to_owned());
        let pid = std::fs::read_to_string(home.join("data/postmaster.pid")).ok()?;
        Some(pid.lines().next()?.trim().to_owned())
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

/// Users with long words about them, so that they take room.
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

#[tokio::test]
async fn a_full_disk_is_said_loses_nothing_and_is_recovered_from_once_there_is_room() {
    let Some(disk) = SmallDisk::of(220) else {
        println!("not run: this machine lets nobody mount a file system");
        return;
    };
    let data = disk.data().display().to_string();
    let server =
        TestServer::start_with(&[("DATABASE_URL", ""), ("CONCORD_WORKERS", "0"), ("CONCORD_DATA", &data)])
            .await;
    let admin = server.account("admin@example.org", "admin").await;
    audited::import(&server, &admin, 0, 6, |_| true).await;
    let programme = json!({"overlap": 3, "lease_seconds": 600, "gold_rate": 0.0});
    let path = server.url(&format!("/api/v1/tasks/{}/programme", audited::TASK));
    let set = server.client().put(path).bearer_auth(&admin).json(&programme).send().await.expect("an answer");
    assert!(set.status().is_success());
    let ann = server.account("ann@example.org", "annotator").await;
    let first = server.next(&ann).await.expect("something to label");
    assert_eq!(server.submit(&ann, &first, "before", "blind", true).await.status(), 201);
    let second = server.next(&ann).await.expect("more");

    let ballast = disk.ballast(3 * 1024);
    let (mut imported, mut refused, mut cut_off) = (0, None, false);
    for batch in 0..60 {
        let request =
            server.client().post(server.url("/api/v1/import/items?format=jsonl")).bearer_auth(&admin);
        let answer = request.body(items(batch * 200, 200)).send().await.expect("an answer");
        let status = answer.status().as_u16();
        let said: Value = answer.json().await.expect("JSON");
        // PostgreSQL that cannot write its log ends itself and starts again: that request is cut off, the next is told.
        if status == 500 && !cut_off {
            cut_off = true;
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            continue;
        }
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
    let began = Instant::now();
    loop {
        let answer = server.submit(&ann, &second, "after", "blind", true).await;
        if answer.status() == 201 {
            break;
        }
        let said = answer.text().await.unwrap_or_default();
        assert!(began.elapsed() < Duration::from_secs(60), "it recovers by itself: {said}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("recovered {:.1} s after there was room", began.elapsed().as_secs_f64());
    for (assignment, key) in [(&first, "before"), (&second, "after")] {
        assert_eq!(server.submit(&ann, assignment, key, "blind", true).await.status(), 201, "{key} is there");
    }
    let again = server.client().post(server.url("/api/v1/import/items?format=jsonl")).bearer_auth(&admin);
    let again: Value =
        again.body(items(0, imported + 200)).send().await.expect("an answer").json().await.expect("JSON");
    let stored = again["duplicate"].as_u64().unwrap_or(0) + again["new"].as_u64().unwrap_or(0);
    assert_eq!((stored, again["rejected"].as_u64()), (u64::from(imported) + 200, Some(0)), "{again}");
    let log = server.get(&admin, "/api/v1/labels").await.text().await.expect("the label log");
    let by_ann = log.lines().filter(|line| line.contains("ann@example.org")).count();
    assert_eq!(by_ann, 2, "one criterion, one label each");
    let verified = server.command(&["audit-log", "verify"]).await;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}
