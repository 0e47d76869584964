//! A judge audited from files: samples, verdicts and labels made elsewhere, brought in over the API.

use crate::TestServer;
use serde_json::{Value, json};
use std::fmt::Write;

/// Task, criterion and judge of the files.
pub const TASK: &str = "summary";
/// The one criterion.
pub const CRITERION: &str = "faithful";
/// The judge that passes everything, and is sure of it.
pub const JUDGE: &str = "judge-7b v1";

/// Imports `n` samples after number `from`, each passed by the judge, and people's labels on them: `human` by number.
///
/// # Panics
/// When the import refuses.
pub async fn import(server: &TestServer, token: &str, from: u32, n: u32, human: impl Fn(u32) -> bool) {
    let (mut samples, mut verdicts, mut labels) = (String::new(), String::new(), String::new());
    for k in from + 1..=from + n {
        // Sure of everything, of some a little less.
        let p = 0.8 + 0.19 * f64::from(k * 7919 % 1000) / 1000.0;
        let label = if human(k) { "pass" } else { "fail" };
        let sample = json!({"sample": format!("s{k}"), "task": TASK, "text": format!("The parcel left on day {k} and came two days later."),
            "cluster": format!("c{k}"), "lang": "en", "context": {"source": format!("Parcel log {k}: sent on day {k}, delivered two days after.")}});
        let key = json!({"sample": format!("s{k}"), "task": TASK, "criterion": CRITERION, "cluster": format!("c{k}")});
        let with = |more: Value| {
            let mut row = key.clone();
            let fields = row.as_object_mut().expect("an object");
            fields.extend(more.as_object().expect("an object").clone());
            row
        };
        let _ = writeln!(samples, "{sample}");
        let _ = writeln!(verdicts, "{}", with(json!({"judge": JUDGE, "label": "pass", "p_pass": p})));
        let _ = writeln!(labels, "{}", with(json!({"rater": "ann", "label": label})));
    }
    for (kind, body) in [("samples", samples), ("verdicts", verdicts), ("labels", labels)] {
        let request = server.client().post(server.url(&format!("/api/v1/import/{kind}?format=jsonl")));
        let answer = request.bearer_auth(token).body(body).send().await.expect("an answer");
        let said: Value = answer.json().await.expect("JSON");
        assert!(said["rejected"] == 0 && said["new"] == n, "{kind}: {said}");
    }
}

/// Attempts a certificate for passes at ε = δ = .1, with the statement that imported labels need.
///
/// # Panics
/// When there is no answer.
pub async fn certify(server: &TestServer, lead: &str) -> Value {
    let request = json!({"task": TASK, "criterion": CRITERION, "judge": JUDGE, "verdicts": ["pass"], "eps": 0.1, "delta": 0.1,
        "statement": {"uniform": true, "blind": true}});
    // A label is read once no older transaction runs, and other tests share the database's cluster.
    for _ in 0..100 {
        let answer = server.post(lead, "/api/v1/certificates", &request).await;
        let made: Value = answer.json().await.expect("JSON");
        if made[0]["n"] != 0 {
            return made[0].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("no label was read within 10 s");
}
