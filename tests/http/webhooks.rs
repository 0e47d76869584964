//! Webhooks against a real receiver: signed, tried again while it is down, never redirected, never into the private
//! network unless that is allowed.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use concord_tests::{TestServer, audited, free_port};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A request as it came in.
struct Received {
    head: String,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
        line.and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value.trim())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// Checks the signature as the receiver's library would.
    fn is_signed_by(&self, secret: &str) {
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
        let (id, at) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        mac.update(format!("{id}.{at}.{}", self.body).as_bytes());
        let expected = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(self.header("webhook-signature"), expected, "{}", self.head);
    }
}

/// Listens; the first answers are these, later ones 200.
async fn receiver(port: u16, first: &'static [&'static str]) -> mpsc::UnboundedReceiver<Received> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    let (sent, received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut answers = first.iter();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            let request = loop {
                let mut part = [0; 4096];
                let n = stream.read(&mut part).await.unwrap_or(0);
                bytes.extend_from_slice(&part[..n]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let it = Received { head: head.to_owned(), body: body.to_owned() };
                let length: usize = it.header("content-length").parse().unwrap_or(0);
                if n == 0 || it.body.len() >= length {
                    break it;
                }
            };
            let answer = answers.next().copied().unwrap_or("200 OK\r\n");
            let answer = format!("HTTP/1.1 {answer}content-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.ok();
            if sent.send(request).is_err() {
                return;
            }
        }
    });
    received
}

async fn next(received: &mut mpsc::UnboundedReceiver<Received>) -> Received {
    let waited = tokio::time::timeout(Duration::from_secs(60), received.recv()).await;
    waited.expect("a message within a minute").expect("the receiver runs")
}

async fn until(server: &TestServer, token: &str, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let seen: Value = server.get(token, path).await.json().await.expect("JSON");
        if holds(&seen[0]) {
            return seen;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{seen}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_receiver_that_is_down_gets_its_message_when_it_is_up_and_is_told_of_certificates() {
    let server =
        TestServer::start_with(&[("CONCORD_WORKERS", "0"), ("CONCORD_WEBHOOK_PRIVATE", "true")]).await;
    let lead = server.account("lead@example.org", "lead").await;
    let port = free_port();
    let new = json!({"url": format!("http://127.0.0.1:{port}/hook"),
        "events": ["certificate.issued", "certificate.voided"]});
    let added = server.post(&lead, "/api/v1/webhooks", &new).await;
    assert_eq!(added.status(), 201);
    let added: Value = added.json().await.expect("JSON");
    let (id, secret) = (added["id"].as_str().expect("an id"), added["secret"].as_str().expect("a secret"));
    let listed: Value = server.get(&lead, "/api/v1/webhooks").await.json().await.expect("JSON");
    assert!(listed[0]["secret"].is_null(), "the secret is shown once: {listed}");

    assert_eq!(server.post(&lead, &format!("/api/v1/webhooks/{id}/ping"), &json!({})).await.status(), 202);
    let deliveries = format!("/api/v1/webhooks/{id}/deliveries");
    let down = until(&server, &lead, &deliveries, |it| it["attempts"].as_u64() >= Some(1)).await;
    assert_eq!(
        (down[0]["state"].as_str(), down[0]["error"].as_str()),
        (Some("waiting"), Some("no connection"))
    );
    let mut received = receiver(port, &["302 Found\r\nlocation: /elsewhere\r\n", "500 Oh\r\n"]).await;
    let tries = [next(&mut received).await, next(&mut received).await, next(&mut received).await];
    for message in &tries {
        assert!(message.head.starts_with("POST /hook HTTP/1.1"), "no redirect is followed: {}", message.head);
        message.is_signed_by(secret);
        assert_eq!(message.json()["type"], "ping");
        assert_eq!(message.header("webhook-id"), tries[0].header("webhook-id"), "one message, one id");
    }
    let done = until(&server, &lead, &deliveries, |it| it["state"] == "delivered").await;
    assert!(done[0]["attempts"].as_u64() >= Some(4) && done[0]["status"] == 200, "{done}");

    audited::import(&server, &lead, 0, 300, |_| true).await;
    let made = audited::certify(&server, &lead).await;
    assert_eq!(made["status"], "live", "{made}");
    let told = next(&mut received).await;
    told.is_signed_by(secret);
    let told = told.json();
    assert_eq!((&told["type"], &told["data"]["certificate"]), (&json!("certificate.issued"), &made["id"]));
    let void = format!("/api/v1/certificates/{}/void", made["id"].as_str().expect("an id"));
    assert_eq!(server.post(&lead, &void, &json!({"why": "a test"})).await.status(), 204);
    let told = next(&mut received).await.json();
    assert_eq!((&told["type"], &told["data"]["why"]), (&json!("certificate.voided"), &json!("a test")));
}

#[tokio::test]
async fn private_addresses_are_refused_unless_the_operator_allows_them_and_annotators_see_nothing() {
    let server = TestServer::start().await;
    let lead = server.account("lead@example.org", "lead").await;
    let annotator = server.account("ann@example.org", "annotator").await;
    for url in [
        "http://127.0.0.1:9/",
        "http://localhost:9/",
        "http://169.254.169.254/latest",
        "http://[::1]/",
        "gopher://x/",
    ] {
        let refused =
            server.post(&lead, "/api/v1/webhooks", &json!({"url": url, "events": ["drift.alarm"]})).await;
        assert_eq!(refused.status(), 422, "{url}");
        let problem: Value = refused.json().await.expect("JSON");
        assert!(problem.to_string().contains("url"), "{problem}");
    }
    let none =
        server.post(&lead, "/api/v1/webhooks", &json!({"url": "https://1.1.1.1/", "events": ["x"]})).await;
    assert_eq!(none.status(), 422);
    assert_eq!(server.get(&annotator, "/api/v1/webhooks").await.status(), 403);
    assert_eq!(server.get(&annotator, "/audit/webhooks").await.status(), 403);
    assert_eq!(server.get(&annotator, "/audit/sampling").await.status(), 403);
}
