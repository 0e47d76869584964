//! Logs in, samples out: the loop once, through commands and the API.

use concord_tests::TestServer;
use serde_json::{Value, json};
use std::fs;

#[tokio::test]
async fn agreed_samples_of_the_train_half_come_out_as_chat_rows() {
    let server = TestServer::start_with_tiny_models().await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    let ann = server.account("ann@example.org", "annotator").await;
    let users = [server.users_of("train", 2).await, server.users_of("audit", 1).await].concat();
    let generation = server.generate(&admin, &users).await;
    assert_eq!(generation["model"], "tiny");

    let (mut passed, mut n) = (Vec::new(), 0);
    while let Some(assignment) = server.next(&ann).await {
        n += 1;
        let pass = n % 3 != 0;
        let key = format!("key-{n}");
        let answer = server.submit(&ann, &assignment, &key, "blind", pass).await;
        assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap_or_default());
        let reveal = format!("/api/v1/assignments/{}/reveal", assignment["id"].as_str().expect("an id"));
        let revealed: Value = server.post(&ann, &reveal, &json!({})).await.json().await.expect("JSON");
        let criteria = assignment["rubric"]["criteria"].as_array().expect("criteria").len();
        assert_eq!(revealed["verdicts"].as_array().map(Vec::len), Some(criteria), "{revealed}");
        assert!(revealed["verdicts"][0]["p_pass"].as_f64().is_some_and(|p| (0.0..=1.0).contains(&p)));
        assert_eq!(server.submit(&ann, &assignment, &format!("{key}r"), "revised", pass).await.status(), 201);
        let user = assignment["sample"]["user"]["key"].as_str().expect("a user").to_owned();
        if pass && users[..2].contains(&user) {
            passed.push(assignment["sample"]["id"].as_str().expect("an id").to_owned());
        }
    }
    assert!(n >= 9 && !passed.is_empty(), "{n} samples, {} to export", passed.len());

    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("agreed");
    let output = server.command(&["export", "--out", out.to_str().expect("text")]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = |name: &str| -> Vec<Value> {
        let text = fs::read_to_string(out.join(name)).expect(name);
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    };
    let (rows, lineage) = (lines("train.jsonl"), lines("lineage.jsonl"));
    assert_eq!(rows.len(), passed.len());
    let exported: Vec<&str> = lineage.iter().filter_map(|line| line["sample"].as_str()).collect();
    passed.sort_unstable();
    assert_eq!(exported, passed, "exactly the agreed samples of the train half");
    for row in &rows {
        let roles: Vec<&str> =
            row["messages"].as_array().into_iter().flatten().filter_map(|m| m["role"].as_str()).collect();
        assert_eq!(roles, ["system", "user", "assistant"]);
        let answer = row["messages"][2]["content"].as_str().expect("content");
        serde_json::from_str::<Value>(answer)
            .expect("the assistant's answer is the JSON that the schema asks for");
    }
    let manifest: Value =
        serde_json::from_slice(&fs::read(out.join("manifest.json")).expect("manifest")).expect("JSON");
    assert_eq!(manifest["rows"], rows.len());
    let again = server.command(&["export", "--out", out.to_str().expect("text")]).await;
    assert_eq!(again.status.code(), Some(1), "a folder with something in it is refused");
}

#[tokio::test]
async fn without_weights_only_generation_stops() {
    let empty = tempfile::tempdir().expect("a folder");
    let weights = empty.path().to_str().expect("text");
    let server =
        TestServer::start_with(&[("CONCORD_WEIGHTS", weights), ("CONCORD_GENERATOR_MODEL", "smollm2-135m")])
            .await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    let refused = server.post(&admin, "/api/v1/generations", &json!({"users": 1})).await;
    assert_eq!(refused.status(), 503);
    let problem: Value = refused.json().await.expect("JSON");
    assert_eq!(problem["code"], "unavailable");
    let detail = problem["detail"].as_str().expect("detail");
    assert!(detail.contains("SmolLM2-135M") && detail.contains(weights), "which file and where: {detail}");
    assert!(
        detail.contains("b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"),
        "its hash: {detail}"
    );
    let overview: Value = server.get(&admin, "/api/v1/overview").await.json().await.expect("JSON");
    assert!(overview["lead"]["users"].as_i64() > Some(0), "logs are in and shown");
    assert_eq!(server.next(&admin).await, None, "review works, with nothing to review");
}
