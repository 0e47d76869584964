//! Blind first: nothing an annotator can fetch gives a verdict away before their own answer is stored.

use concord_tests::TestServer;
use serde_json::Value;
use std::collections::BTreeSet;

/// Put into every rationale; found in no answer to an annotator.
const PLANTED: &str = "PLANTED-RATIONALE-7Q";

#[tokio::test]
async fn no_get_gives_an_annotator_a_verdict_before_the_blind_answer() {
    let server = TestServer::start_with_tiny_models().await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    let ann = server.account("ann@example.org", "annotator").await;
    server.generate(&admin, &server.users_of("train", 1).await).await;
    plant(&server).await;
    let assignment = server.next(&ann).await.expect("something to label");

    let mut seen = BTreeSet::new();
    for path in paths(&server, &assignment).await {
        let answer = server.get(&ann, &path).await;
        let status = answer.status();
        let body = answer.text().await.unwrap_or_default();
        assert!(!status.is_server_error(), "{path}: {status} {body}");
        assert!(!body.contains(PLANTED), "{path} gives the rationale away");
        assert!(
            !body.contains("p_pass") && !body.contains("judge_pass\":true"),
            "{path} speaks of a verdict"
        );
        seen.insert(status.as_u16());
    }
    assert!(seen.contains(&200) && seen.contains(&403), "pages and refusals were both crawled: {seen:?}");
    for word in ["stream", "gold", "repeat", "assisted", "overlap", "half"] {
        assert!(
            !assignment.to_string().contains(&format!("\"{word}")),
            "an assignment says nothing of {word}"
        );
    }

    let own = server.submit(&ann, &assignment, "k", "blind", true).await;
    assert_eq!(own.status(), 201);
    let reveal = format!("/api/v1/assignments/{}/reveal", assignment["id"].as_str().expect("an id"));
    let revealed = server.post(&ann, &reveal, &serde_json::json!({})).await.text().await.expect("text");
    assert!(revealed.contains(PLANTED), "after the blind answer the rationale is shown: {revealed}");
}

async fn plant(server: &TestServer) {
    let pool = sqlx::PgPool::connect(server.database_url()).await.expect("the test's database");
    sqlx::query("insert into rationales (verdict_id, text) select id, $1 from verdicts on conflict (verdict_id) do update set text = $1")
        .bind(PLANTED)
        .execute(&pool)
        .await
        .expect("planted");
}

/// Every GET of the API document, and every page, with ids that exist.
async fn paths(server: &TestServer, assignment: &Value) -> Vec<String> {
    let document: Value = reqwest::get(server.url("/api/v1/openapi.json"))
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let sample = assignment["sample"]["id"].as_str().expect("an id");
    let mut paths: Vec<String> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .filter(|(_, item)| item.get("get").is_some())
        .map(|(path, _)| if path.starts_with("/api/") { path.clone() } else { format!("/api/v1{path}") })
        .map(|path| {
            let id =
                if path.contains("assignments") { assignment["id"].as_str().expect("an id") } else { sample };
            path.replace("{id}", id).replace("{task}", "tag").replace("{name}", "train.jsonl")
        })
        .collect();
    assert!(paths.len() >= 8, "the document lists the API: {paths:?}");
    for state in ["agree", "disagree", "unlabelled", "mine"] {
        paths.push(format!("/api/v1/samples?state={state}&half=audit"));
        paths.push(format!("/samples?state={state}&half=audit"));
    }
    paths.extend(
        ["/", "/review", "/samples", "/exports", "/judges", "/judges/tag/probes", "/me", "/recommend"]
            .map(str::to_owned),
    );
    paths.push(format!("/samples/{sample}"));
    paths
}
