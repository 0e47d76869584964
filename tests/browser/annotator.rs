//! An annotator's half hour: sign in, label by keyboard, see the reveal, revise, and an engineer exports.

use crate::{signed_in, signed_in_at};
use concord_tests::{Browser, Network, TestServer};
use fantoccini::key::Key;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test]
async fn three_samples_labelled_by_keyboard_one_revised_and_found_in_an_export() {
    let server = TestServer::start_with_tiny_models().await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    // Two users: what the tiny model writes of one may be three samples, and after the third a fourth is waited for.
    server.generate(&admin, &server.users_of("train", 2).await).await;
    let browser = signed_in(&server, "ann@example.org", "annotator").await;
    browser.goto("/review").await;

    let mut labelled = Vec::new();
    for n in 0..3 {
        let sample = text_of(&browser, "[data-testid=review-sample]").await;
        assert!(!browser.text().await.contains("tiny@"), "no judge is named before the blind answer");
        answer_all(&browser, true).await;
        if n == 0 {
            survives_a_reload(&browser).await;
        }
        browser.press(&enter()).await;
        browser.wait_for("[data-testid=reveal]").await;
        browser.wait_for_text("tiny@").await;
        if n == 0 {
            browser.screenshot("review-revealed").await;
            // One answer revised: the failing label of the last criterion, then Enter.
            let last = criteria(&browser).await.len() - 1;
            browser.press(&"qwerty"[last..=last]).await;
        }
        browser.press(&enter()).await;
        let began = Instant::now();
        wait_for_another(&browser, &sample).await;
        println!("next sample after {} ms", began.elapsed().as_millis());
        labelled.push(sample);
    }
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    browser.close().await;

    let pool = sqlx::PgPool::connect(server.database_url()).await.expect("the test's database");
    let (blind, revised, submissions): (i64, i64, i64) = sqlx::query_as(
        "select count(*) filter (where phase = 'blind' and pass), count(*) filter (where phase = 'revised' and not pass),
                (select count(*) from submissions) from labels",
    )
    .fetch_one(&pool)
    .await
    .expect("counts");
    assert!(blind >= 6, "three samples of two criteria at least: {blind}");
    assert_eq!(
        (revised, submissions),
        (1, 6),
        "one criterion revised; three blind and three revised submissions"
    );
    exported(&server, &admin, 3, "blind").await;
    exported(&server, &admin, 2, "final").await;
}

/// An engineer's export over the API takes what was labelled; with final answers the revised one is out.
async fn exported(server: &TestServer, admin: &str, rows: usize, evidence: &str) {
    let started = server.post(admin, "/api/v1/exports", &json!({"evidence": evidence})).await;
    let export: Value = started.json().await.expect("JSON");
    let id = export["id"].as_str().expect("an id").to_owned();
    let began = Instant::now();
    loop {
        let all: Vec<Value> = server.get(admin, "/api/v1/exports").await.json().await.expect("JSON");
        let now = all.into_iter().find(|export| export["id"] == id.as_str()).expect("the export");
        if now["state"] == "done" {
            break;
        }
        assert!(now["state"] != "failed" && began.elapsed() < Duration::from_secs(30), "{now}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let file = server.get(admin, &format!("/api/v1/exports/{id}/files/train.jsonl")).await;
    assert_eq!(file.text().await.expect("text").lines().count(), rows, "{evidence}");
}

#[tokio::test]
async fn an_answer_given_offline_is_kept_and_sent_once_when_the_network_is_back() {
    let server = TestServer::start_with_tiny_models().await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    server.generate(&admin, &server.users_of("train", 1).await).await;
    let browser = signed_in(&server, "ann@example.org", "annotator").await;
    browser.goto("/review").await;
    answer_all(&browser, true).await;
    browser.offline(true).await;
    browser.press(&enter()).await;
    browser.wait_for_text("1 answer").await;
    browser.screenshot("review-offline").await;
    browser.offline(false).await;
    browser.wait_for("[data-testid=reveal]").await;
    let pool = sqlx::PgPool::connect(server.database_url()).await.expect("the test's database");
    let submissions: i64 =
        sqlx::query_scalar("select count(*) from submissions").fetch_one(&pool).await.expect("a count");
    assert_eq!(submissions, 1);
    browser.close().await;
}

#[tokio::test]
async fn unsent_answers_and_drafts_outlive_a_reload_without_a_network_and_go_out_once() {
    let server = TestServer::start().await;
    server.plain_samples(4).await;
    let network = Network::before(&server).await;
    let browser = signed_in_at(&network.url(), &server, "ann@example.org", "annotator").await;
    browser.goto("/review").await;
    answer_all(&browser, true).await;
    network.cut(true);
    browser.press(&enter()).await;
    browser.wait_for_text("1 answer waiting").await;
    browser.press(&enter()).await;
    // The next sample, begun without a network.
    browser.press("q").await;
    let draft = pressed(&browser).await;
    assert_eq!(draft.as_array().map(Vec::len), Some(1), "{draft}");
    assert_eq!(kept(&browser).await, 2, "the answer and the draft lie in IndexedDB");

    // Nothing comes of loading the page now, and nothing goes.
    browser.client().refresh().await.ok();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let pool = sqlx::PgPool::connect(server.database_url()).await.expect("the test's database");
    let submissions = async || -> i64 {
        sqlx::query_scalar("select count(*) from submissions").fetch_one(&pool).await.expect("a count")
    };
    assert_eq!(submissions().await, 0);

    network.cut(false);
    browser.goto("/review").await;
    browser.wait_for_text("everything is sent").await;
    let began = Instant::now();
    while pressed(&browser).await != draft {
        assert!(began.elapsed() < Duration::from_secs(10), "the draft is there again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    browser.screenshot("review-sent-late").await;
    assert_eq!(submissions().await, 1, "once");
    browser.goto("/review").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(submissions().await, 1, "and not again");
    assert_eq!(kept(&browser).await, 1, "the draft alone");
    browser.close().await;
}

/// How many entries the browser keeps for the page.
async fn kept(browser: &Browser) -> i64 {
    let script = "const done = arguments[arguments.length - 1]; const open = indexedDB.open('concord');
        open.onsuccess = () => {
            const count = open.result.transaction('unsent').objectStore('unsent').count();
            count.onsuccess = () => { open.result.close(); done(count.result); };
        };";
    let counted = browser.client().execute_async(script, vec![]).await.expect("a count");
    counted.as_i64().expect("a number")
}

async fn survives_a_reload(browser: &Browser) {
    let before = pressed(browser).await;
    browser.client().refresh().await.expect("the page loads again");
    browser.hydrated().await;
    let began = Instant::now();
    while pressed(browser).await != before {
        assert!(began.elapsed() < Duration::from_secs(10), "the draft is gone after a reload");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Names of the answers that are chosen.
async fn pressed(browser: &Browser) -> Value {
    browser
        .run("return [...document.querySelectorAll('[data-testid^=answer-]')].filter(e => e.checked || e.querySelector('input:checked') || e.getAttribute('aria-checked') === 'true').map(e => e.dataset.testid)")
        .await
}

async fn criteria(browser: &Browser) -> Vec<Value> {
    let found = browser
        .run("return [...document.querySelectorAll('[data-testid^=criterion-]')].map(e => e.dataset.testid)")
        .await;
    found.as_array().cloned().unwrap_or_default()
}

async fn answer_all(browser: &Browser, pass: bool) {
    let n = criteria(browser).await.len();
    let keys = if pass { "123456" } else { "qwerty" };
    for key in keys.chars().take(n) {
        browser.press(&key.to_string()).await;
    }
}

async fn text_of(browser: &Browser, css: &str) -> String {
    browser.wait_for(css).await.text().await.expect("text")
}

async fn wait_for_another(browser: &Browser, before: &str) {
    let began = Instant::now();
    while text_of(browser, "[data-testid=review-sample]").await == before {
        assert!(began.elapsed() < Duration::from_secs(10), "the next sample never came after {before:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn enter() -> String {
    char::from(Key::Enter).to_string()
}
