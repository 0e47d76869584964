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

/// Agreed samples by the thousand: ten tags a call, on prompts of a kilobyte.
async fn agreed(pool: &PgPool) {
    let statements = "
        update rubrics set current = false where task = 'tag';
        insert into rubrics (task, version, body, current)
            select 'tag', 'killed', '{\"criteria\": [{\"name\": \"relevance\"}]}', true;
        insert into users (key, half) select 'k' || n, 'train' from generate_series(0, 19) n;
        insert into generations (id, seed, settings, model, model_hash, model_family, prompts)
            values (gen_random_uuid(), 1, '{}', 'm', 'h', 'f', 'p');
        insert into calls (id, generation_id, user_id, task, prompt_version, system, prompt, output, seed, prompt_tokens, output_tokens, millis, truncated)
            select gen_random_uuid(), g.id, u.id, 'tag', 'tags/1', 'You are a shopping guide.',
                   'call ' || n || ' ' || repeat('3 months ago (purchase) | rod, reel, line; ', 18),
                   json_build_object('tags', (select json_agg(json_build_object('interest', 1, 'tag', 'waterproof hiking boots ' || t)) from generate_series(0, 9) t)),
                   n, 1, 1, 1, false
            from generations g, generate_series(0, 499) n join users u on u.key = 'k' || n / 100;
        insert into samples (id, key, task, text, half, user_id, generation_id, call_id, ordinal, rubric_version, serve_order)
            select gen_random_uuid(), c.seed || 't' || t, 'tag', 'waterproof hiking boots ' || t, 'train', c.user_id, c.generation_id, c.id, t, 'killed', 0
            from calls c, generate_series(0, 9) t;
        insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, origin)
            select gen_random_uuid(), s.id, 'tag', 'relevance', 'r', 'pass', true, 'blind', 'learning', 1, 'killed', 'imported' from samples s;
        delete from audit_stale;
        analyze";
    sqlx::raw_sql(statements).execute(pool).await.expect("agreed samples");
}

#[tokio::test]
async fn an_export_killed_in_the_middle_leaves_nothing_and_run_again_is_whole() {
    let server = TestServer::start().await;
    let pool = PgPool::connect(server.database_url()).await.expect("the test's database");
    agreed(&pool).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (out, partial) = (folder.path().join("out"), folder.path().join(".out.partial"));
    let args = ["export", "--out", out.to_str().expect("text")];
    let written = || std::fs::metadata(partial.join("train.jsonl")).map_or(0, |it| it.len());
    for at_least in [1, 1_000_000] {
        let mut export = server.spawn(&args, &[]);
        while written() < at_least && export.try_wait().expect("a state").is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        export.kill().ok();
        assert!(!export.wait().expect("an end").success(), "it was killed in the middle");
        assert!(!out.exists(), "half an export has no name");
        let known: i64 =
            sqlx::query_scalar("select count(*) from exports").fetch_one(&pool).await.expect("a count");
        assert_eq!(known, 0, "and nothing says that there is one");
    }
    assert!(partial.exists(), "what the killed one wrote");
    let done = server.command(&args).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = std::fs::read_to_string(out.join("train.jsonl")).expect("the rows");
    assert_eq!(text.lines().count(), 5_000);
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).expect("it").map(|it| it.expect("one").file_name()).collect();
    assert_eq!(names, ["out"], "nothing is left beside it");
    let rows: i64 =
        sqlx::query_scalar("select count(*) from export_rows").fetch_one(&pool).await.expect("a count");
    assert_eq!(rows, 5_000, "each row's origin once");
}
