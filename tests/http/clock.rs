//! A server whose clock steps: leases, sessions, tokens and jobs know no clock but the database's.

use concord_tests::{TestServer, audited};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Where Debian puts the library that `faketime` preloads.
fn library() -> String {
    let folders = fs::read_dir("/usr/lib").expect("a folder").flatten().map(|entry| entry.path());
    let found = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|path| path.is_file());
    found.expect("faketime is installed: run `make test`").display().to_string()
}

/// Sets the clock that the server reads; every reading asks anew.
fn step(file: &Path, by: &str) {
    fs::write(file, by).expect("the step is written");
}

/// What the server itself thinks the time is: the moment that its log's last line names.
fn year(server: &TestServer) -> String {
    let log = server.log();
    let last = log.lines().rev().find(|line| line.starts_with("20")).expect("a line of the log");
    last[..4].to_owned()
}

#[tokio::test]
async fn a_clock_that_steps_back_or_ahead_ends_and_prolongs_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = folder.path().join("clock");
    step(&clock, "+0");
    let server = TestServer::start_with(&[
        ("CONCORD_WORKERS", "0"),
        ("LD_PRELOAD", &library()),
        ("FAKETIME_TIMESTAMP_FILE", &clock.display().to_string()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ])
    .await;
    let admin = server.account("admin@example.org", "admin").await;
    audited::import(&server, &admin, 0, 8, |_| true).await;
    let programme = json!({"overlap": 3, "lease_seconds": 600, "gold_rate": 0.0});
    let path = server.url(&format!("/api/v1/tasks/{}/programme", audited::TASK));
    let set = server.client().put(path).bearer_auth(&admin).json(&programme).send().await.expect("an answer");
    assert!(set.status().is_success());
    let ann = server.account("ann@example.org", "annotator").await;
    server.account_with_password("bo@example.org", "annotator", "a long enough password").await;
    let browser = server.client();
    let request = browser.post(server.url("/rpc/sign_in"));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let request = request.body("email=bo%40example.org&password=a%20long%20enough%20password");
    let signed_in = request.send().await.expect("an answer");
    assert!(signed_in.status().is_redirection() || signed_in.status().is_success(), "{}", signed_in.status());
    let now = year(&server);

    for (by, key) in [("-800d", "back"), ("+800d", "ahead"), ("-2h", "little")] {
        let leased = server.next(&ann).await.expect("a lease by the old time");
        step(&clock, by);
        assert_eq!(server.get(&ann, "/api/v1/me").await.status(), 200, "{by}: the token holds");
        if by.ends_with('d') {
            assert_ne!(year(&server), now, "{by}: the server reads the stepped clock");
        }
        let session = browser.get(server.url("/api/v1/me")).send().await.expect("an answer");
        assert_eq!(session.status(), 200, "{by}: the session holds");
        let answer = server.submit(&ann, &leased, key, "blind", true).await;
        assert_eq!(answer.status(), 201, "{by}: {}", answer.text().await.unwrap_or_default());
        let again = server.next(&ann).await.expect("a lease by the new time");
        assert_ne!(again["id"], leased["id"]);
        let answer = server.submit(&ann, &again, &format!("{key}-again"), "blind", true).await;
        assert_eq!(answer.status(), 201, "{by}: {}", answer.text().await.unwrap_or_default());
    }
    audited::settle(&server).await;
    let log = server.get(&admin, "/api/v1/labels").await.text().await.expect("the label log");
    let of_ann: Vec<Value> = log
        .lines()
        .filter(|line| line.contains("ann@example.org"))
        .map(|line| serde_json::from_str(line).expect("a JSON line"))
        .collect();
    assert_eq!(of_ann.len(), 6);
    for label in &of_ann {
        let at = label["at"].as_str().expect("a time");
        assert!(at.starts_with(&now), "labels carry the database's time, not {at}");
    }
    assert!(server.command(&["audit-log", "verify"]).await.status.success(), "the chain holds");
}
