//! What breaks, broken.

use concord_tests::TestServer;
use std::time::Duration;

#[tokio::test]
async fn a_server_killed_between_submit_and_answer_keeps_the_label_exactly_once() {
    let mut server = TestServer::start_with_tiny_models().await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    let ann = server.account("ann@example.org", "annotator").await;
    let users = server.users_of("train", 1).await;
    server.generate(&admin, &users).await;
    let pool = sqlx::PgPool::connect(server.database_url()).await.expect("the test's database");

    for delay in [0, 2, 5, 20] {
        let Some(assignment) = server.next(&ann).await else { break };
        let key = format!("key-{delay}");
        // The request is on its way when the server dies; whether it was stored is unknown to the client.
        let sent = tokio::time::timeout(
            Duration::from_millis(delay),
            server.submit(&ann, &assignment, &key, "blind", true),
        );
        let _ = sent.await;
        server.kill();
        server.restart().await;
        for _ in 0..2 {
            let again = server.submit(&ann, &assignment, &key, "blind", true).await;
            assert_eq!(again.status(), 201, "{}", again.text().await.unwrap_or_default());
        }
        let sample: uuid::Uuid =
            assignment["sample"]["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        let criteria = assignment["rubric"]["criteria"].as_array().map_or(0, Vec::len);
        let stored: i64 = sqlx::query_scalar("select count(*) from labels where sample_id = $1")
            .bind(sample)
            .fetch_one(&pool)
            .await
            .expect("a count");
        assert_eq!(usize::try_from(stored).ok(), Some(criteria), "after {delay} ms");
    }
}

#[tokio::test]
async fn a_generation_goes_on_after_a_kill_with_no_sample_twice() {
    let mut server = TestServer::start_with_tiny_models().await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    let users = server.users_of("train", 4).await;
    let request = serde_json::json!({"user_keys": users, "interests": 2, "tags": 2, "explanations": 1});
    assert_eq!(server.post(&admin, "/api/v1/generations", &request).await.status(), 202);
    tokio::time::sleep(Duration::from_millis(700)).await;
    server.kill();
    let pool = sqlx::PgPool::connect(server.database_url()).await.expect("the test's database");
    // The dead worker's lease would hold its job for a minute.
    sqlx::query("update jobs set lease_expires_at = now() where state = 'running'")
        .execute(&pool)
        .await
        .expect("done");
    server.restart().await;
    let began = std::time::Instant::now();
    loop {
        let pending: i64 = sqlx::query_scalar(
            "select count(*) from jobs where kind in ('generate', 'judge') and state <> 'done'",
        )
        .fetch_one(&pool)
        .await
        .expect("a count");
        if pending == 0 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(240), "{}", server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (calls, distinct): (i64, i64) =
        sqlx::query_as("select count(*), count(distinct (user_id, task, seed)) from calls")
            .fetch_one(&pool)
            .await
            .expect("counts");
    assert_eq!(calls, distinct, "no call is stored twice");
    let done: i64 = sqlx::query_scalar("select count(*) from generation_users where stage = 'done'")
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert_eq!(done, 4);
    let unjudged: i64 = sqlx::query_scalar("select count(*) from samples where not judged")
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert_eq!(unjudged, 0);
}
