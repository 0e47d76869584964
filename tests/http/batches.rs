//! Generation and judging by file: every question once, the same checks as with a model at hand, and nothing twice.

use concord_tests::TestServer;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// The shortest document that a schema asks for.
fn instance(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("object") => schema["properties"]
            .as_object()
            .map(|all| all.iter().map(|(name, of)| (name.clone(), instance(of))).collect())
            .map_or(json!({}), Value::Object),
        Some("array") => {
            let n = schema["minItems"].as_u64().unwrap_or(1).max(1);
            (0..n).map(|_| instance(&schema["items"])).collect()
        }
        Some("integer" | "number") => schema["minimum"].as_i64().unwrap_or(1).into(),
        Some("boolean") => true.into(),
        _ => "river fishing for trout".into(),
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a batch file");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

/// What a batch runner gives back: documents for those with a schema, verdicts for those with log-probabilities. The
/// last line fails.
fn run(asked: &Path, answers: &Path, fail_last: bool) -> usize {
    let asked = lines(asked);
    let mut text = String::new();
    for (place, line) in asked.iter().enumerate() {
        assert_eq!((&line["method"], &line["url"]), (&json!("POST"), &json!("/v1/chat/completions")));
        let body = &line["body"];
        let choice = if body["logprobs"] == true {
            let top = [("Yes", -0.2), ("No", -1.8)]
                .map(|(token, logprob)| json!({"token": token, "logprob": logprob}));
            json!({"message": {"content": "Yes"}, "finish_reason": "stop", "logprobs": {"content": [{"top_logprobs": top}]}})
        } else {
            let document = instance(&body["response_format"]["json_schema"]["schema"]);
            json!({"message": {"content": document.to_string()}, "finish_reason": "stop", "logprobs": null})
        };
        let answer = if fail_last && place + 1 == asked.len() {
            json!({"custom_id": line["custom_id"], "response": null, "error": {"message": "the machine was lost"}})
        } else {
            let body = json!({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 9}});
            json!({"id": "r", "custom_id": line["custom_id"], "error": null, "response": {"status_code": 200, "body": body}})
        };
        text += &format!("{answer}\n");
    }
    fs::write(answers, text).expect("written");
    asked.len()
}

async fn concord(server: &TestServer, args: &[&str]) -> Value {
    let all = [&["--json"], args].concat();
    let output = server.command(&all).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = text.lines().last().unwrap_or_default();
    serde_json::from_str(said)
        .unwrap_or_else(|_| panic!("{args:?}: {text} {}", String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test]
async fn a_generation_and_its_verdicts_by_file_are_stored_once_however_often_the_answers_are_given() {
    // No worker: it would judge with the model at hand.
    let server =
        TestServer::start_with(&[("CONCORD_WORKERS", "0"), ("CONCORD_EMBEDDER_MODEL", "static-en")]).await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| path(name).to_string_lossy().into_owned();
    let model = ["--model", "far"];

    let generate = ["generate", "--users", "2", "--interests", "2", "--tags", "2", "--explanations", "1"];
    let first = concord(&server, &[&generate[..], &model, &["--to", &text("ask0")]].concat()).await;
    let asked = lines(&path("ask0")).len();
    assert_eq!((&first["waiting"], &first["asked"]), (&json!(2), &json!(asked)), "{first}");
    assert!(asked >= 2, "a question a thread, or one on the whole history");
    // One answer is lost on the way: its user waits, the other goes on.
    run(&path("ask0"), &path("got0"), true);
    let second =
        concord(&server, &["generate", "--model", "far", "--from", &text("got0"), "--to", &text("ask1")])
            .await;
    assert_eq!(second["received"], json!({"answers": asked - 1, "failed": 1, "repeated": 0}), "{second}");
    assert_eq!(lines(&path("ask1")).len(), 2, "the lost question again, and the other user's next");
    let mut answers = vec![text("got0")];
    for turn in 1..8 {
        run(&path(&format!("ask{turn}")), &path(&format!("got{turn}")), false);
        answers.push(text(&format!("got{turn}")));
        let to = text(&format!("ask{}", turn + 1));
        let from: Vec<&str> = answers.iter().flat_map(|it| ["--from", it]).collect();
        let said =
            concord(&server, &[&["generate", "--model", "far", "--to", &to], &from[..]].concat()).await;
        if said["asked"] == 0 {
            break;
        }
    }
    let samples = || async {
        let all: Value = server.get(&admin, "/api/v1/generations").await.json().await.expect("JSON");
        all.as_array()
            .expect("a list")
            .iter()
            .find(|it| it["model"] == "far")
            .expect("the generation")
            .clone()
    };
    let made = samples().await;
    assert_eq!((&made["users_done"], &made["failed"]), (&json!(2), &json!(0)), "{made}");
    let from: Vec<&str> = answers.iter().flat_map(|it| ["--from", it]).collect();
    server.command(&[&["generate", "--model", "far"], &from[..]].concat()).await;
    assert_eq!(samples().await["samples"], made["samples"], "the same answers again change nothing");

    let judged = concord(&server, &["judge", "--model", "far", "--to", &text("ask-j")]).await;
    let total: i64 = made["samples"].as_array().expect("counts").iter().filter_map(|it| it[1].as_i64()).sum();
    assert_eq!(judged["waiting"], json!(total), "{judged}");
    run(&path("ask-j"), &path("got-j"), true);
    let judged = concord(&server, &["judge", "--model", "far", "--from", &text("got-j")]).await;
    assert_eq!(
        (&judged["done"], &judged["waiting"]),
        (&json!(total - 1), &json!(1)),
        "one question of one sample is lost: {judged}"
    );
    assert_eq!(samples().await["judged"], json!(total - 1));
}
