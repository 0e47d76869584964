//! Backup while people work, and a restore that is equal by the audit log or is none.

use concord_tests::{TestDatabase, TestServer};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

fn json_of(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn refused(output: &Output, why: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains(why), "{said}");
}

/// Labels samples until there are none left; gives how many.
async fn label_all(server: &TestServer, token: &str) -> usize {
    let mut done = 0;
    while let Some(assignment) = server.next(token).await {
        let key = format!("key-{done}");
        assert_eq!(server.submit(token, &assignment, &key, "blind", true).await.status(), 201);
        done += 1;
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_people_label_is_restored_equal_and_goes_on() {
    let server = TestServer::start().await;
    server.plain_samples(60).await;
    let (ann, bob) = (
        server.account("ann@example.org", "annotator").await,
        server.account("bob@example.org", "annotator").await,
    );
    let lead = server.account("lead@example.org", "lead").await;
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("backup");
    let out_text = out.to_str().expect("a path");
    let command = ["backup", "--out", out_text, "--json"];
    let (labelled, first, second) = tokio::join!(
        async { label_all(&server, &ann).await + label_all(&server, &bob).await },
        server.command(&command),
        server.command(&command),
    );
    assert_eq!(labelled, 60);
    // Two at once into one place: one is whole, the other is refused.
    let (made, lost) = if first.status.success() { (first, second) } else { (second, first) };
    assert!(!lost.status.success(), "{}", String::from_utf8_lossy(&lost.stdout));
    let made = json_of(&made);
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing half done is left");
    refused(&server.command(&["backup", "--out", out_text]).await, "is not empty");
    refused(&server.command(&["restore", out_text]).await, "is in use");

    let database = Arc::new(TestDatabase::create().await);
    let restored = json_of(&server.command_on(&database, &["restore", out_text, "--json"]).await);
    assert_eq!((&restored["rows"], &restored["audit_log"]), (&made["rows"], &made["audit_log"]));
    let head = made["audit_log"]["head"].as_str().expect("a hash");
    let verify = ["audit-log", "verify", "--json", "--head", head];
    let verified = json_of(&server.command_on(&database, &verify).await);
    assert_eq!(verified["ok"], true, "{verified}");

    // The restored one works: who was there signs in by token, labels, and the log goes on behind what was read.
    let other = server.on(Arc::clone(&database)).await;
    let read = async || {
        let answer = other.get(&lead, "/api/v1/labels?after=0").await;
        answer.text().await.expect("text").lines().count()
    };
    let before = read().await;
    other.plain_samples_from(1000, 3).await;
    let rest = label_all(&other, &bob).await;
    assert!(rest >= 3, "{rest}");
    let mut now = 0;
    for _ in 0..100 {
        now = read().await;
        if now > before {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(now > before, "{now} labels can be read after {before}");
    json_of(&other.command(&["audit-log", "seal", "--json"]).await);
    let verified = json_of(&other.command(&verify).await);
    assert!(verified["ok"] == true && verified["entries"].as_i64() > json!(0).as_i64(), "{verified}");
}

#[tokio::test]
async fn a_backup_that_was_changed_is_not_restored() {
    let server = TestServer::start().await;
    server.plain_samples(4).await;
    let ann = server.account("ann@example.org", "annotator").await;
    assert_eq!(label_all(&server, &ann).await, 4);
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("backup");
    let out_text = out.to_str().expect("a path");
    json_of(&server.command(&["backup", "--out", out_text, "--json"]).await);

    let database = TestDatabase::create().await;
    let labels = out.join("labels.copy");
    let good = std::fs::read_to_string(&labels).expect("text");
    let bad = good.replacen("\tt\t", "\tf\t", 1);
    assert_ne!(good, bad);
    std::fs::write(&labels, &bad).expect("written");
    refused(&server.command_on(&database, &["restore", out_text]).await, "is not the file that was written");
    // Even with a manifest to match, the chain tells.
    rewrite_hash(&out, &good, &bad);
    refused(&server.command_on(&database, &["restore", out_text]).await, "does not");
    std::fs::write(&labels, &good).expect("written");
    rewrite_hash(&out, &bad, &good);
    json_of(&server.command_on(&database, &["restore", out_text, "--json"]).await);
}

/// Puts the hash of `new` into the manifest in place of that of `old`.
fn rewrite_hash(out: &Path, old: &str, new: &str) {
    let hash = |text: &str| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        let output =
            std::process::Command::new("sha256sum").arg(file.path()).output().expect("sha256sum runs");
        String::from_utf8_lossy(&output.stdout)[..64].to_owned()
    };
    let path = out.join("manifest.json");
    let text = std::fs::read_to_string(&path).expect("text");
    assert!(text.contains(&hash(old)));
    std::fs::write(&path, text.replace(&hash(old), &hash(new))).expect("written");
}

#[tokio::test]
async fn a_dry_run_says_what_it_would_do_and_changes_nothing() {
    let server = TestServer::start().await;
    let database = TestDatabase::create().await;
    let plan = json_of(&server.command_on(&database, &["migrate", "--dry-run", "--json"]).await);
    let pending = plan["pending"].as_array().expect("a list").len();
    assert!(plan["applied"] == 0 && pending > 10, "{plan}");
    let pool = sqlx::PgPool::connect(database.url()).await.expect("the database");
    let tables: i64 =
        sqlx::query_scalar("select count(*) from pg_class where relnamespace = 'public'::regnamespace")
            .fetch_one(&pool)
            .await
            .expect("a count");
    assert_eq!(tables, 0);
    json_of(&server.command_on(&database, &["migrate", "--json"]).await);
    let plan = json_of(&server.command_on(&database, &["migrate", "--dry-run", "--json"]).await);
    assert_eq!(
        (plan["applied"].as_u64(), plan["pending"].as_array().map(Vec::len)),
        (Some(pending as u64), Some(0))
    );
}
