//! The remote backend against a small real server that speaks the protocol.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use concord_domain::ports::{GenerateRequest, LanguageModel, ModelError, Priority, ScoreRequest};
use concord_inference::{OpenAiConfig, OpenAiModel};
use serde_json::{Value, json};

/// Answers by the model's name, so that each test picks the server's mood.
async fn answer(
    State(calls): State<Arc<AtomicUsize>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let call = calls.fetch_add(1, Ordering::SeqCst);
    let mood = body["model"].as_str().unwrap();
    if headers.get("authorization").is_none_or(|key| key != "Bearer key-1") {
        return (StatusCode::UNAUTHORIZED, "no key").into_response();
    }
    let usage =
        json!({"prompt_tokens": 40, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 30}});
    let say = |content: &str, reason: &str| {
        let choice = json!({"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": reason});
        Json(json!({"choices": [choice], "usage": usage})).into_response()
    };
    match mood {
        "busy-then-good" if call == 0 => {
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")], "").into_response()
        }
        "limited" if call == 0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")], "").into_response(),
        "limited-for-long" => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3600")], "").into_response(),
        "busy-then-good" if call == 1 => (StatusCode::BAD_GATEWAY, "").into_response(),
        "good" | "busy-then-good" if body["max_tokens"] == 1 => {
            assert_eq!(body["logprobs"], true);
            let top = json!([
                {"token": "Yes", "logprob": -0.5}, {"token": " Yes", "logprob": -3.0},
                {"token": "No", "logprob": -1.5}, {"token": "Maybe", "logprob": -4.0},
            ]);
            let logprobs = json!({"content": [{"token": "Yes", "logprob": -0.5, "top_logprobs": top}]});
            let choice =
                json!({"message": {"content": "Yes"}, "finish_reason": "length", "logprobs": logprobs});
            Json(json!({"choices": [choice], "usage": usage})).into_response()
        }
        "good" | "busy-then-good" | "limited" => {
            assert_eq!(body["response_format"]["json_schema"]["schema"]["additionalProperties"], false);
            say(r#"{"tag":"露营"}"#, "stop")
        }
        // As llama-cpp-python's server says it.
        "older" if body["response_format"]["type"] == "json_schema" => {
            (StatusCode::INTERNAL_SERVER_ERROR, "Input should be 'text' or 'json_object'").into_response()
        }
        "older" => {
            assert_eq!(body["response_format"]["schema"]["additionalProperties"], false);
            say(r#"{"tag":"露营"}"#, "stop")
        }
        "cut-off" => say(r#"{"tag":"露"#, "length"),
        "disobedient" => say(r#"{"tag":"far too long a tag"}"#, "stop"),
        "no-logprobs" => say(" yes.", "length"),
        "no-logprobs-zh" => say("否。", "length"),
        "rambling" => say("No problem", "length"),
        "refusing" => (StatusCode::BAD_REQUEST, "context too long").into_response(),
        "slow" => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            say("late", "stop")
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A model on a fresh server, and how often that server was called.
async fn model(mood: &str, key: Option<&str>) -> (OpenAiModel, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let routes = Router::new().route("/v1/chat/completions", post(answer)).with_state(Arc::clone(&calls));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let mut config = OpenAiConfig::new(&url, key.map(str::to_owned), mood, "test");
    config.timeout = Duration::from_millis(500);
    config.retries = 2;
    (OpenAiModel::new(&config).unwrap(), calls)
}

fn write() -> GenerateRequest {
    GenerateRequest {
        system: "Write a tag.".to_owned(),
        user: "camping tent".to_owned(),
        schema: Some(json!({
            "type": "object",
            "properties": {"tag": {"type": "string", "maxLength": 8}},
            "required": ["tag"]
        })),
        max_tokens: 30,
        temperature: 0.0,
        seed: 1,
        priority: Priority::Person,
    }
}

fn judge() -> ScoreRequest {
    ScoreRequest {
        system: "Judge.".to_owned(),
        preamble: String::new(),
        shared: "An explanation.\n".to_owned(),
        questions: vec!["Is it polite?".to_owned(), "Is it true?".to_owned()],
        answers: vec!["Yes".to_owned(), "No".to_owned()],
        priority: Priority::Batch,
    }
}

#[tokio::test]
async fn a_document_and_its_counts_come_back() {
    let (model, _) = model("good", Some("key-1")).await;
    let written = model.generate(write()).await.unwrap();
    assert_eq!(written.text, r#"{"tag":"露营"}"#);
    assert_eq!((written.prompt_tokens, written.output_tokens, written.truncated), (40, 3, false));
    let info = model.info().await.unwrap();
    assert!(info.hash.starts_with("remote:http://127.0.0.1") && info.backend == "openai");
}

#[tokio::test]
async fn scores_come_from_the_log_probabilities_of_the_answers() {
    let (model, _) = model("good", Some("key-1")).await;
    let scored = model.score(judge()).await.unwrap();
    assert_eq!(scored.scores.len(), 2);
    assert_eq!(scored.scores[0].logits, Some(vec![-0.5, -1.5]));
    assert!((scored.scores[0].p_first.unwrap() - 0.731_06).abs() < 1e-4);
    assert_eq!(scored.prefilled_tokens, 20);
}

#[tokio::test]
async fn without_log_probabilities_the_text_is_the_answer_and_has_no_probability() {
    for (mood, said) in [("no-logprobs", Some(0)), ("no-logprobs-zh", None), ("rambling", None)] {
        let (model, _) = model(mood, Some("key-1")).await;
        let scored = model.score(judge()).await.unwrap();
        assert!(
            scored.scores.iter().all(|score| score.logits.is_none() && score.p_first.is_none()),
            "{mood}"
        );
        assert!(scored.scores.iter().all(|score| score.said == said), "{mood}: {scored:?}");
    }
    let (zh, _) = model("no-logprobs-zh", Some("key-1")).await;
    let request = ScoreRequest { answers: vec!["是".to_owned(), "否".to_owned()], ..judge() };
    assert_eq!(zh.score(request).await.unwrap().scores[0].said, Some(1));
    let (sure, _) = model("good", Some("key-1")).await;
    assert_eq!(sure.score(judge()).await.unwrap().scores[0].said, None, "a probability says it already");
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let (model, calls) = model("busy-then-good", Some("key-1")).await;
    model.generate(write()).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_server_that_knows_schemas_only_in_their_older_form_gets_that() {
    let (model, calls) = model("older", Some("key-1")).await;
    for known in [2, 3] {
        assert_eq!(model.generate(write()).await.unwrap().text, r#"{"tag":"露营"}"#);
        assert_eq!(calls.load(Ordering::SeqCst), known, "it is told once");
    }
}

#[tokio::test]
async fn a_rate_limit_is_kept_by_every_request() {
    let (model, calls) = model("limited", Some("key-1")).await;
    let started = std::time::Instant::now();
    let first = model.generate(write());
    let second = async {
        while calls.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        model.generate(write()).await
    };
    let (first, second) = tokio::join!(first, second);
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    assert!(started.elapsed() >= Duration::from_secs(1), "asked before the server allowed it");
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    let (model, calls) = self::model("limited-for-long", Some("key-1")).await;
    for _ in 0..3 {
        assert_eq!(model.generate(write()).await, Err(ModelError::Overloaded));
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1, "an hour's limit is not tested again");
}

#[tokio::test]
async fn invalid_and_cut_off_documents_are_failures() {
    for mood in ["cut-off", "disobedient"] {
        let (model, calls) = model(mood, Some("key-1")).await;
        let failed = model.generate(write()).await;
        assert!(matches!(failed, Err(ModelError::Failed(_))), "{mood}: {failed:?}");
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn what_will_not_change_is_not_tried_again() {
    let (refusing, calls) = model("refusing", Some("key-1")).await;
    assert!(matches!(refusing.generate(write()).await, Err(ModelError::BadRequest(_))));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    let (keyless, calls) = model("good", None).await;
    assert!(matches!(keyless.generate(write()).await, Err(ModelError::Unavailable { .. })));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_that_is_slow_broken_or_absent_is_given_up_on() {
    let (slow, calls) = model("slow", Some("key-1")).await;
    assert!(matches!(slow.generate(write()).await, Err(ModelError::Unavailable { .. })));
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    let (broken, _) = model("broken", Some("key-1")).await;
    assert!(matches!(broken.generate(write()).await, Err(ModelError::Failed(_))));
    let mut config =
        OpenAiConfig::new("http://127.0.0.1:1/v1", Some("secret-key".to_owned()), "none", "test");
    config.retries = 0;
    let error = OpenAiModel::new(&config).unwrap().generate(write()).await.unwrap_err();
    assert!(!error.to_string().contains("secret-key"), "{error}");
}

#[test]
fn an_address_with_credentials_is_refused() {
    for url in ["http://user:pass@host/v1", "file:///etc/passwd", "not an address"] {
        assert!(OpenAiModel::new(&OpenAiConfig::new(url, None, "m", "f")).is_err(), "{url}");
    }
}
