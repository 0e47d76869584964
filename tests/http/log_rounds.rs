//! Rounds that learn what users did lately, and start by themselves.

use concord_tests::TestServer;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use std::time::{Duration, Instant};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

async fn number(pool: &PgPool, what: &str) -> i64 {
    let statement = format!("select count(*) from {what}");
    sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(pool).await.expect("a count")
}

const LENIENT: &str = r#"
    with made as (
        insert into judge_calibrations (id, task, criterion, asked, method, parameters, n, n_pass, n_clusters, before, after)
        select gen_random_uuid(), task, criterion, asked, 'platt', '{"a": -0.01, "b": -3}', 100, 90, 50, '{}', '{}'
        from judge_configs where task = 'tag' and criterion = 'consistency' and current
        returning id)
    update judge_configs set calibration_id = made.id from made where task = 'tag' and criterion = 'consistency' and current"#;

/// Labels whatever waits, and gives the round once it has ended.
async fn ended(server: &TestServer, admin: &str, ann: &str) -> Value {
    let began = Instant::now();
    let mut labelled = 0;
    loop {
        assert!(began.elapsed() < PATIENCE, "{}", server.log());
        while let Some(assignment) = server.next(ann).await {
            labelled += 1;
            let key = format!("key-{labelled}");
            assert_eq!(server.submit(ann, &assignment, &key, "blind", true).await.status(), 201);
        }
        let rounds: Value = server.get(admin, "/api/v1/rounds").await.json().await.expect("JSON");
        match rounds[0]["state"].as_str() {
            Some("open") | None => tokio::time::sleep(Duration::from_millis(200)).await,
            Some(_) => return rounds[0].clone(),
        }
    }
}

#[tokio::test]
async fn a_scheduled_round_starts_once_learns_what_users_did_lately_and_compares_hr30() {
    let mut server = TestServer::start_with_tiny_models().await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    let ann = server.account("ann@example.org", "annotator").await;
    let pool = PgPool::connect(server.database_url()).await.expect("the test's database");
    // The tiny judge says nonsense; calibrated like this it finds whatever it is asked about in place.
    let first = json!({
        "user_keys": server.users_of("train", 4).await, "interests": 1, "tags": 3, "explanations": 0, "history_tokens": 100,
    });
    server.generate_as(&admin, &first).await;
    let lenient = sqlx::query(LENIENT).execute(&pool).await.expect("a calibration");
    assert_eq!(lenient.rows_affected(), 1, "some tag was judged");
    let plan = json!({
        "users": 2, "audit_users": 2, "lang": "en", "interests": 1, "tags": 3, "explanations": 0, "history_tokens": 100,
        "log": {"days": 14, "tags": 4, "per_category": 2}, "training": {"tokens": 4096, "length": 4096, "rank": 2},
    });
    let set = server
        .client()
        .put(server.url("/api/v1/rounds/schedule"))
        .bearer_auth(&admin)
        .json(&json!({"plan": plan, "every_days": 14}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(set.status(), 204, "{}", set.text().await.unwrap_or_default());

    // Whoever starts looks at once; both do, and one round is started.
    server.restart().await;
    let beside = server.beside().await;
    let round = ended(&server, &admin, &ann).await;
    assert_eq!(round["state"], "done", "{round}");
    assert_eq!(number(&pool, "rounds").await, 1);
    let schedule: Value = server.get(&admin, "/api/v1/rounds/schedule").await.json().await.expect("JSON");
    assert_eq!(
        (&schedule["every_days"], &schedule["by"]),
        (&json!(14), &json!("admin@example.org")),
        "{schedule}"
    );
    let next = number(
        &pool,
        "round_schedule where next_at between now() + interval '13 days' and now() + interval '14 days'",
    );
    assert_eq!(next.await, 1, "{schedule}");

    let step = |name: &str| -> Value {
        let steps = round["steps"].as_array().expect("steps");
        steps.iter().find(|it| it["name"] == name).cloned().unwrap_or_default()
    };
    for it in round["steps"].as_array().expect("steps") {
        assert_eq!(it["state"], "done", "{it}");
    }
    let gathered = &step("gather")["detail"];
    println!("{gathered}");
    assert!(gathered["rows"].as_i64() > Some(0), "{gathered}");
    let most: i32 = sqlx::query_scalar("select max(matched + completed) from log_lessons")
        .fetch_one(&pool)
        .await
        .expect("a number");
    assert!((1..=4).contains(&most), "{most}");
    // The answers are the titles of what was chosen, and the prompt knows none of the last days.
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select r ->> 'user', r ->> 'assistant' from log_lessons, jsonb_array_elements(rows) r",
    )
    .fetch_all(&pool)
    .await
    .expect("rows");
    for (prompt, answer) in rows {
        let answer: Value = serde_json::from_str(&answer).expect("the tags' document");
        for tag in answer["tags"].as_array().expect("tags") {
            let title = tag["tag"].as_str().expect("a title").trim_end_matches('…').to_owned();
            let items: i64 = sqlx::query_scalar("select count(*) from items where starts_with(title, $1)")
                .bind(&title)
                .fetch_one(&pool)
                .await
                .expect("a count");
            assert!(items > 0 && tag["interest"].as_i64() > Some(0), "{tag}");
            assert!(!prompt.contains(&title), "{title} is in what was read before: {prompt}");
        }
    }
    let hits = &step("hit_rate")["detail"]["hit_rate"];
    assert_eq!(
        (&hits["before"]["n"], &hits["after"]["n"], &hits["gain"]["n"]),
        (&json!(2), &json!(2), &json!(2))
    );
    let page = format!("/evolve/rounds/{}", round["id"].as_str().expect("an id"));
    let shown = server.get(&admin, &page).await.text().await.expect("a page");
    assert!(shown.contains("data-testid=\"hit-rate\""), "{shown}");

    // What was trained from lies nowhere beside the model; deleting a user names the model that learnt of them.
    let model = step("train")["detail"]["model"].as_str().expect("a model").to_owned();
    let folders = [server.data(), beside.data()].map(|data| data.join("trained"));
    let trained: Vec<_> = folders
        .iter()
        .filter_map(|it| std::fs::read_dir(it).ok())
        .flatten()
        .flatten()
        .map(|it| it.path())
        .collect();
    assert_eq!(trained.len(), 1, "one of the servers trained: {trained:?}");
    let files: Vec<_> =
        std::fs::read_dir(&trained[0]).expect("its files").flatten().map(|it| it.path()).collect();
    assert!(files.contains(&trained[0].join("model.gguf")), "{files:?}");
    assert!(files.iter().all(|it| it.extension().is_none_or(|it| it != "jsonl")), "{files:?}");
    let key: String = sqlx::query_scalar(
        "select u.key from log_lessons l join users u on u.id = l.user_id where jsonb_array_length(l.rows) > 0",
    )
    .fetch_one(&pool)
    .await
    .expect("a user");
    let deleted = server.command(&["user", "delete", "--json", &key]).await;
    let said = String::from_utf8_lossy(&deleted.stdout).into_owned();
    assert!(deleted.status.success(), "{said} {}", String::from_utf8_lossy(&deleted.stderr));
    assert!(said.contains(&model), "{said}");

    let off = server.client().delete(server.url("/api/v1/rounds/schedule")).bearer_auth(&admin).send().await;
    assert_eq!(off.expect("an answer").status(), 204);
    let none: Value = server.get(&admin, "/api/v1/rounds/schedule").await.json().await.expect("JSON");
    assert!(none.is_null(), "{none}");
}
