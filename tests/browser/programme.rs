//! What a reviewer can say beside pass and fail: evidence that does not support, a question for a lead; and samples
//! that show the verdicts first. All by keyboard.

use crate::signed_in;
use concord_tests::{Browser, Scheme, TestServer};
use fantoccini::key::Key;
use std::time::{Duration, Instant};

#[tokio::test]
async fn evidence_is_marked_a_lead_is_asked_and_an_assisted_sample_says_so() {
    let server = TestServer::start_with_tiny_models().await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    server.generate(&admin, &server.users_of("train", 6).await).await;
    let pool = sqlx::PgPool::connect(server.database_url()).await.expect("the test's database");
    // Every sample cites a line of its history.
    sqlx::query(
        "update samples s set body = jsonb_set(s.body, '{evidence}', jsonb_build_array(g.history -> 'lines' -> 0 -> 'n'))
         from generation_users g where g.generation_id = s.generation_id and g.user_id = s.user_id",
    )
    .execute(&pool)
    .await
    .expect("evidence");
    let browser = signed_in(&server, "ann@example.org", "annotator").await;
    browser.goto("/review").await;

    browser.press("x").await;
    browser.press(&key(Key::Enter)).await;
    browser.wait_for(".mark-evidence[aria-pressed=true]").await;
    browser.screenshot("review-unsupported").await;
    browser.run("document.activeElement.blur()").await;
    answer_all(&browser).await;
    browser.press(&key(Key::Enter)).await;
    browser.wait_for("[data-testid=reveal]").await;
    let marked: i64 = sqlx::query_scalar("select count(*) from unsupported_evidence")
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert_eq!(marked, 1);
    let sample = sample(&browser).await;
    browser.press("k").await;
    wait_for_another(&browser, &sample).await;

    let sample = self::sample(&browser).await;
    browser.press("a").await;
    browser.wait_for("dialog[open]").await;
    assert_eq!(browser.accessibility().await, Vec::<String>::new());
    browser.screenshot("review-ask").await;
    browser.fill("dialog[open] input[name=more]", "is a brand a tag?").await;
    browser.click("[data-testid=skip-confirm]").await;
    wait_for_another(&browser, &sample).await;
    // The page goes on to the next sample at once; what was asked is on its way.
    let mut asked: Option<String> = None;
    for _ in 0..100 {
        asked =
            sqlx::query_scalar("select reason from escalations").fetch_optional(&pool).await.expect("a read");
        if asked.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(asked.as_deref(), Some("is a brand a tag?"));

    // From here on half of the learning samples show the verdicts first.
    sqlx::query("update programmes set assisted = true, assisted_rate = 0.5")
        .execute(&pool)
        .await
        .expect("set");
    let began = Instant::now();
    while !browser.text().await.contains("verdicts come first") {
        assert!(began.elapsed() < Duration::from_secs(60), "no assisted sample ever came");
        let sample = self::sample(&browser).await;
        browser.press("s").await;
        browser.wait_for("dialog[open]").await;
        browser.click("[data-testid=skip-confirm]").await;
        wait_for_another(&browser, &sample).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    browser.wait_for_text("tiny@").await;
    look(&browser, "review-assisted", None).await;
    let sample = self::sample(&browser).await;
    answer_all(&browser).await;
    browser.press(&key(Key::Enter)).await;
    wait_for_another(&browser, &sample).await;
    let began = Instant::now();
    while sqlx::query_scalar::<_, i64>("select count(*) from labels where assisted")
        .fetch_one(&pool)
        .await
        .expect("a count")
        == 0
    {
        assert!(began.elapsed() < Duration::from_secs(10), "the assisted answer never arrived");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    look(&browser, "me", Some("/me")).await;
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    browser.close().await;
}

/// Wide and narrow, light and dark, with nothing for axe to find.
async fn look(browser: &Browser, name: &str, path: Option<&str>) {
    for (scheme, tone) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
        browser.prefer(scheme).await;
        for (width, height, size) in [(390, 844, "narrow"), (1440, 900, "wide")] {
            browser.resize(width, height).await;
            if let Some(path) = path {
                browser.client().goto(&format!("{}{path}", origin(browser).await)).await.expect("the page");
            }
            browser.screenshot(&format!("{name}-{size}-{tone}")).await;
            assert_eq!(browser.accessibility().await, Vec::<String>::new(), "{name} {size} {tone}");
        }
    }
}

async fn origin(browser: &Browser) -> String {
    browser.run("return location.origin").await.as_str().unwrap_or_default().to_owned()
}

async fn answer_all(browser: &Browser) {
    let n = browser.run("return document.querySelectorAll('[data-testid^=criterion-]').length").await;
    for key in "12345678".chars().take(usize::try_from(n.as_u64().unwrap_or(0)).unwrap_or(0)) {
        browser.press(&key.to_string()).await;
    }
}

async fn sample(browser: &Browser) -> String {
    browser.wait_for("[data-testid=review-sample]").await.text().await.expect("text")
}

async fn wait_for_another(browser: &Browser, before: &str) {
    let began = Instant::now();
    while sample(browser).await == before {
        assert!(began.elapsed() < Duration::from_secs(10), "the next sample never came after {before:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn key(key: Key) -> String {
    char::from(key).to_string()
}
