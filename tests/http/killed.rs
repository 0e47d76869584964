//! `kill -9` in the middle of long work: what was in hand is done again whole, and nothing is there twice.

use concord_tests::TestServer;
use serde_json::json;
use sqlx::PgPool;
use std::fmt::Write;
use std::time::{Duration, Instant};

const ITEMS: i64 = 60_000;

async fn items(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from items").fetch_one(pool).await.expect("a count")
}

#[tokio::test]
async fn an_import_killed_in_the_middle_goes_on_when_it_is_run_again_and_doubles_nothing() {
    let server = TestServer::start().await;
    let pool = PgPool::connect(server.database_url()).await.expect("the test's database");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("items.jsonl");
    let mut text = String::new();
    for k in 0..ITEMS {
        let _ = writeln!(text, "{}", json!({"item": format!("i{k}"), "title": format!("Lamp number {k}")}));
    }
    std::fs::write(&file, text).expect("the file");
    let args = ["import", "items", file.to_str().expect("text"), "--format", "jsonl"];
    let mut cut_off = 0;
    for _ in 0..3 {
        let before = items(&pool).await;
        let mut import = server.spawn(&args, &[]);
        let began = Instant::now();
        // Once some of it is in, wherever it is then.
        while items(&pool).await == before && began.elapsed() < Duration::from_secs(30) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        import.kill().ok();
        let ended = import.wait().expect("an end");
        cut_off += i32::from(!ended.success());
    }
    assert!(cut_off > 0 && items(&pool).await <= ITEMS, "it was killed in the middle");
    let done = server.command(&args).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(items(&pool).await, ITEMS, "each item once");
    let verified = server.command(&["audit-log", "verify"]).await;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}
