//! The in-process backend through its public face, with the tiny model of the repository.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use concord_domain::ports::{GenerateRequest, LanguageModel, ModelError, Priority, ScoreRequest};
use concord_inference::{Catalogue, Options, open_embedder, open_language_model};
use serde_json::{Value, json};

fn catalogue() -> Catalogue {
    Catalogue::read(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models/catalogue.toml")).unwrap()
}

fn tiny(options: Options) -> Arc<dyn LanguageModel> {
    open_language_model(&catalogue(), "tiny", Path::new("unused"), options).unwrap()
}

fn write(max_tokens: usize, priority: Priority) -> GenerateRequest {
    let item = json!({
        "type": "object",
        "properties": {
            "tag": {"type": "string", "minLength": 2, "maxLength": 40},
            "reason": {"type": "string", "minLength": 40, "maxLength": 200},
            "evidence": {"type": "array", "minItems": 1, "maxItems": 5,
                "items": {"type": "integer", "minimum": 1, "maximum": 99}}
        },
        "required": ["tag", "reason", "evidence"]
    });
    GenerateRequest {
        system: "Write interest tags as JSON.".to_owned(),
        user: "1. camping tent\n2. hiking shoes\n3. 咖啡杯\n".repeat(10),
        schema: Some(json!({
            "type": "object",
            "properties": {"tags": {"type": "array", "minItems": 10, "maxItems": 12, "items": item}},
            "required": ["tags"]
        })),
        max_tokens,
        temperature: 0.7,
        seed: 3,
        priority,
    }
}

#[tokio::test]
async fn a_document_of_hundreds_of_tokens_takes_well_under_a_second() {
    let model = tiny(Options::default());
    model.generate(write(500, Priority::Person)).await.unwrap();
    let started = Instant::now();
    let written = model.generate(write(500, Priority::Person)).await.unwrap();
    eprintln!("{} tokens in {:?}: {}", written.output_tokens, started.elapsed(), written.text);
    let document: Value = serde_json::from_str(&written.text).unwrap();
    assert!((10..=12).contains(&document["tags"].as_array().unwrap().len()));
    assert!((100..=500).contains(&written.output_tokens) && written.forced_tokens < written.output_tokens);
}

#[tokio::test]
async fn scores_are_probabilities_and_the_prefix_is_read_once() {
    let scored = tiny(Options::default())
        .score(ScoreRequest {
            system: "Judge. Answer Yes or No.".to_owned(),
            preamble: String::new(),
            shared: "An explanation that is shared by all questions.\n".repeat(8),
            questions: (0..4).map(|question| format!("Is criterion {question} met?")).collect(),
            answers: vec!["Yes".to_owned(), "No".to_owned()],
            priority: Priority::Batch,
        })
        .await
        .unwrap();
    assert!(scored.scores.iter().all(|score| score.p_first.is_some_and(|p| (0.0..=1.0).contains(&p))));
    assert!(scored.prefilled_tokens > scored.prefix_tokens);
    assert!(scored.prefilled_tokens < 2 * scored.prefix_tokens);
}

#[tokio::test]
async fn counting_tokens_does_not_wait_for_a_running_job() {
    let model = tiny(Options::default());
    assert_eq!(model.count_tokens("").await.unwrap(), 0);
    let busy = Arc::clone(&model);
    let job = tokio::spawn(async move { busy.generate(write(4000, Priority::Batch)).await });
    assert!(model.count_tokens("the tent").await.unwrap() >= 2);
    job.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_withdrawn_request_frees_the_model() {
    let model = tiny(Options::default());
    let long = GenerateRequest { schema: None, ..write(12_000, Priority::Batch) };
    let withdrawn = tokio::time::timeout(Duration::from_millis(200), model.generate(long)).await;
    assert!(withdrawn.is_err(), "it ended by itself: {withdrawn:?}");
    let started = Instant::now();
    model.generate(write(500, Priority::Person)).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_keeps_its_word_to_those_within() {
    let model = tiny(Options { queue: 4, ..Options::default() });
    // Loaded first, so that the queue empties only as answers end.
    model.generate(GenerateRequest { schema: None, ..write(1, Priority::Person) }).await.unwrap();
    let all: Vec<_> = (0..30)
        .map(|_| {
            let (model, request) = (Arc::clone(&model), write(500, Priority::Batch));
            tokio::spawn(async move { model.generate(request).await })
        })
        .collect();
    let (mut answered, mut refused) = (0, 0);
    for one in all {
        match one.await.unwrap() {
            Ok(written) => {
                assert!(serde_json::from_str::<Value>(&written.text).is_ok(), "{}", written.text);
                answered += 1;
            }
            Err(ModelError::Overloaded) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(answered >= 4 && refused > 0, "{answered} answered, {refused} refused");
    // Nothing is left behind: the next one is served.
    model.generate(write(500, Priority::Person)).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_not_what_the_catalogue_says_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let entry = catalogue().entry("smollm2-135m").unwrap().files[0].clone();
    let file = std::fs::File::create(dir.path().join(&entry.name)).unwrap();
    file.set_len(entry.bytes).unwrap();
    let model = open_language_model(&catalogue(), "smollm2-135m", dir.path(), Options::default()).unwrap();
    let error = model.generate(write(100, Priority::Person)).await.unwrap_err();
    let ModelError::Unavailable { why, mend, .. } = error else { panic!("{error:?}") };
    assert!(why.contains(&*entry.sha256), "{why}");
    assert!(mend.contains("fetch.py smollm2-135m"), "{mend}");
}

#[tokio::test]
async fn missing_weights_make_every_request_unavailable_with_the_way_to_mend_it() {
    let dir = tempfile::tempdir().unwrap();
    let model =
        open_language_model(&catalogue(), "qwen2.5-coder-1.5b", dir.path(), Options::default()).unwrap();
    let errors = [
        model.info().await.map(|_| ()).unwrap_err(),
        model.generate(write(100, Priority::Person)).await.map(|_| ()).unwrap_err(),
        model.count_tokens("text").await.map(|_| ()).unwrap_err(),
    ];
    for error in errors {
        let ModelError::Unavailable { why, mend, .. } = error else { panic!("{error:?}") };
        assert!(why.contains("missing") && mend.contains("fetch.py qwen2.5-coder-1.5b"), "{why} {mend}");
    }
}

#[test]
fn a_model_is_opened_only_for_what_it_can_do() {
    let catalogue = catalogue();
    let dir = Path::new("unused");
    assert!(open_language_model(&catalogue, "multilingual-e5-small", dir, Options::default()).is_err());
    assert!(open_embedder(&catalogue, "tiny", dir, Options::default()).is_err());
}
