//! Two servers on one database are replaced one after the other while people label: a client that goes to the other
//! one loses nothing.

use concord_tests::TestServer;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const PEOPLE: usize = 4;
const SAMPLES: i32 = 400;
/// A client that asks each server so often has no server.
const TRIES: usize = 200;

/// A client that takes the servers in turn, and goes to the next where one does not answer or is not ready.
struct RoundRobin {
    client: reqwest::Client,
    servers: Vec<String>,
    token: String,
    turn: usize,
    moved: Arc<AtomicUsize>,
}

impl RoundRobin {
    async fn post(&mut self, path: &str, key: &str, body: &Value) -> reqwest::Response {
        for _ in 0..TRIES {
            let server = &self.servers[self.turn % self.servers.len()];
            self.turn += 1;
            let request = self.client.post(format!("{server}{path}")).bearer_auth(&self.token);
            match request.header("Idempotency-Key", key).json(body).send().await {
                Ok(answer) if answer.status() != 503 => return answer,
                _ => {
                    self.moved.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        panic!("no server took {path}");
    }

    /// Labels until there is nothing left; every answer must be one that a person can go on with.
    async fn label(mut self, name: usize) -> usize {
        let mut done = 0;
        loop {
            let next = self.post("/api/v1/queue/next", "none", &json!({"count": 1})).await;
            match next.status().as_u16() {
                204 => return done,
                200 => {}
                other => panic!("queue/next: {other} {}", next.text().await.unwrap_or_default()),
            }
            let next: Value = next.json().await.expect("JSON");
            let assignment = &next["assignments"][0];
            let criteria = assignment["rubric"]["criteria"].as_array().expect("criteria");
            let answers: Vec<Value> = criteria
                .iter()
                .map(|it| json!({"criterion": it["name"], "label": it["labels"][0]["name"]}))
                .collect();
            let path = format!("/api/v1/assignments/{}/labels", assignment["id"].as_str().expect("an id"));
            let body = json!({"phase": "blind", "answers": answers});
            let stored = self.post(&path, &format!("{name}-{done}"), &body).await;
            assert_eq!(stored.status(), 201, "{}", stored.text().await.unwrap_or_default());
            done += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_are_replaced_under_load_with_no_failed_request() {
    let settings = [("CONCORD_WORKERS", "0"), ("CONCORD_DRAIN_SECONDS", "1")];
    let mut old = TestServer::start_with(&settings).await;
    let mut other = old.beside().await;
    old.plain_samples(SAMPLES).await;
    let moved = Arc::new(AtomicUsize::new(0));
    let mut people = Vec::new();
    for name in 0..PEOPLE {
        let client = RoundRobin {
            client: old.client(),
            servers: vec![old.url(""), other.url("")],
            token: old.account(&format!("ann{name}@example.org"), "annotator").await,
            turn: name,
            moved: Arc::clone(&moved),
        };
        people.push(tokio::spawn(client.label(name)));
    }
    for server in [&mut old, &mut other] {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (client, ready) = (server.client(), server.url("/readyz"));
        // While it drains it says so, and still answers.
        let drained = tokio::spawn(async move {
            loop {
                match client.get(&ready).send().await {
                    Ok(answer) if answer.status() == 503 => return answer.text().await.expect("text"),
                    Ok(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                    Err(error) => panic!("it went away without a word: {error}"),
                }
            }
        });
        assert!(tokio::task::block_in_place(|| server.stop()), "it ends well");
        assert!(drained.await.expect("not cancelled").contains("stopping"));
        server.restart().await;
    }
    let mut done = 0;
    for person in people {
        done += person.await.expect("no request failed");
    }
    assert_eq!(i32::try_from(done), Ok(SAMPLES));
    let pool = sqlx::PgPool::connect(old.database_url()).await.expect("the database");
    let (submissions, once): (i64, i64) =
        sqlx::query_as("select count(*), count(distinct assignment_id) from submissions")
            .fetch_one(&pool)
            .await
            .expect("counts");
    assert_eq!((submissions, once), (i64::from(SAMPLES), i64::from(SAMPLES)), "none lost, none twice");
    let verified = old.command(&["audit-log", "verify"]).await;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    println!("{done} decisions, {} requests went to the other server", moved.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_running_ends_before_the_server_does() {
    let mut server = TestServer::start().await;
    server.plain_samples(1).await;
    let ann = server.account("ann@example.org", "annotator").await;
    let pool = sqlx::PgPool::connect(server.database_url()).await.expect("the database");
    let mut lock = pool.begin().await.expect("a transaction");
    sqlx::query("lock table assignments in access exclusive mode").execute(&mut *lock).await.expect("locked");
    let request =
        server.client().post(server.url("/api/v1/queue/next")).bearer_auth(&ann).json(&json!({"count": 1}));
    let running = tokio::spawn(async move { request.send().await.expect("an answer").status() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let release = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(700)).await;
        lock.rollback().await.expect("done");
    });
    assert!(tokio::task::block_in_place(|| server.stop()), "it ends well");
    assert_eq!(running.await.expect("not cancelled"), 200);
    release.await.expect("not cancelled");
}
