//! The review programme over HTTP: old and new settings, gold that looks like any sample, escalations, one's own work.

use concord_tests::TestServer;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test]
async fn a_gold_question_looks_like_any_sample_and_what_leads_set_is_for_leads() {
    let server = TestServer::start_with_tiny_models().await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    let lead = server.account("lead@example.org", "lead").await;
    let (ann, bob) = (
        server.account("ann@example.org", "annotator").await,
        server.account("bob@example.org", "annotator").await,
    );
    server.generate(&admin, &server.users_of("train", 1).await).await;
    for task in ["interest", "tag", "explanation"] {
        let old = json!({"overlap": 1, "lease_seconds": 600, "gold_rate": 0.5});
        assert_eq!(put(&server, &lead, &format!("/api/v1/tasks/{task}/programme"), &old).await.0, 200);
    }
    let (status, refused) = put(
        &server,
        &lead,
        "/api/v1/tasks/tag/programme",
        &json!({"overlap": 1, "lease_seconds": 600, "gold_rate": 0, "repeat_after_days": 2}),
    )
    .await;
    assert_eq!((status, refused["code"].as_str()), (422, Some("invalid")), "{refused}");

    let regular = server.next(&ann).await.expect("something to label");
    let gold = json!({"answers": regular["rubric"]["criteria"].as_array().expect("criteria").iter()
        .map(|c| json!({"criterion": c["name"], "label": c["labels"][0]["name"], "reason": "the guideline says so"}))
        .collect::<Vec<_>>()});
    let path = format!("/api/v1/samples/{}/gold", regular["sample"]["id"].as_str().expect("an id"));
    assert_eq!(put(&server, &ann, &path, &gold).await.0, 403);
    assert_eq!(put(&server, &lead, &path, &gold).await.0, 200);
    assert_eq!(server.get(&ann, "/api/v1/gold").await.status(), 403);

    let asked = served_as_gold(&server, &bob, &regular).await;
    assert_eq!(names(&asked), names(&regular), "nothing tells a gold question from any other sample");
    assert_eq!(asked["sample"], regular["sample"]);
    assert_eq!(server.submit(&bob, &asked, "k", "blind", true).await.status(), 201);
    let records: Value = server.get(&lead, "/api/v1/gold/records").await.json().await.expect("JSON");
    let bobs =
        records.as_array().expect("records").iter().find(|r| r["email"] == "bob@example.org").expect("bob's");
    assert!(bobs["gold"]["n"].as_u64() > Some(0) && bobs["flagged"] == false, "{bobs}");

    let id = regular["id"].as_str().expect("an id");
    let escalate = format!("/api/v1/assignments/{id}/escalate");
    assert_eq!(server.post(&bob, &escalate, &json!({"reason": "not mine"})).await.status(), 404);
    assert_eq!(server.post(&ann, &escalate, &json!({"reason": "is it one?"})).await.status(), 204);
    assert_eq!(server.get(&ann, "/api/v1/escalations").await.status(), 403);
    let open: Value = server.get(&lead, "/api/v1/escalations").await.json().await.expect("JSON");
    assert_eq!(open[0]["reason"], "is it one?");
    let resolve = format!("/api/v1/escalations/{}/resolve", open[0]["id"].as_str().expect("an id"));
    assert_eq!(server.post(&ann, &resolve, &json!({"outcome": "wont", "note": "n"})).await.status(), 403);
    assert_eq!(
        server.post(&lead, &resolve, &json!({"outcome": "wont", "note": "too rare"})).await.status(),
        204
    );

    let own: Value = server.get(&bob, "/api/v1/me/work").await.json().await.expect("JSON");
    assert_eq!(
        (own["recent"][0]["surplus"].as_bool(), own["gold"]["est"].is_null()),
        (Some(false), true),
        "{own}"
    );
    assert_eq!(server.get(&ann, "/api/v1/anchoring").await.status(), 403);
    assert_eq!(server.get(&lead, "/api/v1/anchoring").await.status(), 200);
}

async fn put(server: &TestServer, token: &str, path: &str, body: &Value) -> (u16, Value) {
    let answer =
        server.client().put(server.url(path)).bearer_auth(token).json(body).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

/// Asks until the gold question comes: it is drawn with probability one half, and everything else is given back.
async fn served_as_gold(server: &TestServer, person: &str, of: &Value) -> Value {
    for _ in 0..60 {
        let Some(one) = server.next(person).await else { continue };
        if one["sample"]["id"] == of["sample"]["id"] {
            return one;
        }
        let skip = format!("/api/v1/assignments/{}/skip", one["id"].as_str().expect("an id"));
        assert_eq!(server.post(person, &skip, &json!({"reason": "later"})).await.status(), 204);
    }
    panic!("the gold question never came");
}

/// The names of everything an assignment says, at any depth.
fn names(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| std::iter::once(name.clone()).chain(names(value)))
            .collect(),
        Value::Array(values) => values.iter().flat_map(names).collect(),
        _ => BTreeSet::new(),
    }
}
