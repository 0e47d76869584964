//! A model that says nothing: the work waits for it, people do not.

use concord_tests::TestServer;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A server that takes every question and answers none; counts them.
async fn silent() -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((question, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            open.push(question);
        }
    });
    (url, asked)
}

/// The model here is worse than slow: no token ever comes. Whatever waited for one would end with the client's patience.
#[tokio::test]
async fn no_page_and_no_answer_of_a_person_waits_for_a_token() {
    let (url, asked) = silent().await;
    let settings = [
        ("CONCORD_LLM_URL", &*url),
        ("CONCORD_LLM_MODEL", "silent"),
        ("CONCORD_EMBEDDER_MODEL", "static-en"),
    ];
    let server = TestServer::start_with(&settings).await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    let ann = server.account("ann@example.org", "annotator").await;
    let users = server.users_of("train", 2).await;
    let request = json!({"user_keys": users, "interests": 2, "tags": 2, "explanations": 1});
    let started = server.post(&admin, "/api/v1/generations", &request).await;
    assert_eq!(started.status(), 202);
    let started: Value = started.json().await.expect("JSON");
    let began = Instant::now();
    while asked.load(Ordering::SeqCst) == 0 {
        assert!(began.elapsed() < Duration::from_secs(120), "the model is asked: {}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let generation = format!("/api/v1/generations/{}", started["id"].as_str().expect("an id"));
    for path in ["/", "/samples", "/review", "/audit", "/judges", "/api/v1/overview", "/readyz", &generation]
    {
        let status = server.get(&admin, path).await.status();
        assert_eq!(status, 200, "{path}");
    }
    server.plain_samples(2).await;
    for key in ["one", "two"] {
        let assignment = server.next(&ann).await.expect("a sample to label");
        let answered = server.submit(&ann, &assignment, key, "blind", true).await;
        assert_eq!(answered.status(), 201, "{}", answered.text().await.unwrap_or_default());
    }
    let now: Value = server.get(&admin, &generation).await.json().await.expect("JSON");
    assert_eq!(
        (&now["users_done"], &now["failed"]),
        (&json!(0), &json!(0)),
        "the model was still asked: {now}"
    );
}
