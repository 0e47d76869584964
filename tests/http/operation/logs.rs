//! Logs and metrics hold ids, counts and times, never what people, logs or models wrote.

use concord_tests::TestServer;
use serde_json::json;
use std::io::Write;

/// Every text that is planted begins with this.
const PLANT: &str = "zqplant";

#[tokio::test]
async fn no_text_of_people_or_logs_is_logged_or_counted() {
    let server = TestServer::start_with(&[
        ("CONCORD_GENERATOR_MODEL", "tiny"),
        ("CONCORD_JUDGE_MODEL", "tiny"),
        ("CONCORD_EMBEDDER_MODEL", "static-en"),
        ("CONCORD_LOG", "debug"),
        ("CONCORD_LOG_FORMAT", "json"),
    ])
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut items = String::new();
    let mut behaviours = String::new();
    for n in 0..8 {
        items += &json!({"item": format!("{PLANT}-item{n}"), "title": format!("{PLANT} title {n}"), "category": "c"})
            .to_string();
        items.push('\n');
        let at = format!("2026-11-0{}T00:00:00Z", n + 1);
        let item = format!("{PLANT}-item{n}");
        behaviours +=
            &json!({"user": format!("{PLANT}-user"), "kind": "purchase", "item": item, "at": at}).to_string();
        behaviours.push('\n');
    }
    // A line that cannot be used is quoted to who imports, not to the log.
    behaviours += &format!("{{\"user\":\"{PLANT}-broken\"\n");
    let admin = server.account("admin@example.org", "admin").await;
    for (kind, text) in [("items", &items), ("behaviours", &behaviours)] {
        let path = folder.path().join(kind);
        std::fs::File::create(&path).expect("a file").write_all(text.as_bytes()).expect("written");
        let body = std::fs::read(&path).expect("read");
        let url = server.url(&format!("/api/v1/import/{kind}?format=jsonl"));
        let request =
            server.client().post(url).bearer_auth(&admin).header("content-type", "application/x-ndjson");
        let answer = request.body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap_or_default());
    }
    server.generate(&admin, &[format!("{PLANT}-user")]).await;

    let ann = server.account(&format!("{PLANT}@example.org"), "annotator").await;
    let skipped = server.next(&ann).await.expect("a sample");
    let id = skipped["id"].as_str().expect("an id").to_owned();
    let skip = json!({"reason": format!("{PLANT} reason")});
    assert_eq!(server.post(&ann, &format!("/api/v1/assignments/{id}/skip"), &skip).await.status(), 204);
    if let Some(assignment) = server.next(&ann).await {
        let id = assignment["id"].as_str().expect("an id");
        let answers =
            json!({"phase": "blind", "answers": [{"criterion": PLANT, "label": PLANT}], "comment": PLANT});
        let url = server.url(&format!("/api/v1/assignments/{id}/labels?{PLANT}=1"));
        let request =
            server.client().post(url).bearer_auth(&ann).header("Idempotency-Key", PLANT).json(&answers);
        assert_eq!(request.send().await.expect("an answer").status(), 422);
        assert_eq!(
            server.submit(&ann, &assignment, &format!("{PLANT}-key"), "blind", true).await.status(),
            201
        );
    }
    let sign_in = [("email", format!("{PLANT}@example.org")), ("password", format!("{PLANT} password"))];
    let form = format!("email={}&password={}", sign_in[0].1, sign_in[1].1.replace(' ', "+"));
    let request = server.client().post(server.url("/rpc/sign_in"));
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .expect("an answer");
    server.get(PLANT, &format!("/samples?text={PLANT}")).await;

    let metrics = server.client().get(server.url("/metrics")).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    let log = server.log();
    for (what, text) in [("the log", &log), ("the metrics", &metrics)] {
        let found: Vec<&str> = text.lines().filter(|line| line.to_lowercase().contains(PLANT)).collect();
        assert!(found.is_empty(), "{what}: {found:#?}");
    }
    let answered: Vec<serde_json::Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &serde_json::Value| line["fields"]["message"] == "answered")
        .collect();
    assert!(answered.len() > 10);
    assert!(answered.iter().all(|line| line["span"]["request.id"].as_str().is_some_and(|id| id.len() == 32)));
}
