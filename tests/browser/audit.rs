//! A lead's audit: a certificate on imported labels, the alarm that suspends it, the investigation; and every audit page
//! wide and narrow, light and dark, full, empty and refused.

use crate::signed_in;
use concord_tests::audited::{self, CRITERION, JUDGE, TASK};
use concord_tests::{Browser, Scheme, TestServer};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Opens a document: it has no script and never hydrates.
async fn open(browser: &Browser, path: &str) {
    browser.goto(path).await;
    browser.wait_for("main#content").await;
}

/// Wide and narrow, light and dark: a picture each, and nothing for axe to find.
async fn look(browser: &Browser, state: &str, pages: &[(&str, &str)]) {
    for (name, path) in pages {
        for (scheme, tone) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
            browser.prefer(scheme).await;
            for (width, height, size) in [(1440, 1400, "wide"), (390, 1600, "narrow")] {
                browser.resize(width, height).await;
                open(browser, path).await;
                picture(browser, &format!("audit-{name}-{state}-{size}-{tone}")).await;
            }
        }
    }
    browser.prefer(Scheme::Light).await;
    browser.resize(1440, 900).await;
}

async fn picture(browser: &Browser, name: &str) {
    browser.screenshot(name).await;
    assert_eq!(browser.accessibility().await, Vec::<String>::new(), "{name}");
    // A window that has just been resized may be laid out a moment later.
    let mut wider = serde_json::Value::Null;
    for _ in 0..20 {
        wider = browser
            .run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            .await;
        if wider == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(wider, 0, "{name} is wider than its window");
}

fn card() -> String {
    let judge = JUDGE.replace(' ', "%20");
    format!("/audit/card?task={TASK}&criterion={CRITERION}&judge={judge}")
}

/// Loads a page again until an element says this.
async fn until(browser: &Browser, path: &str, css: &str, words: &str) {
    let began = Instant::now();
    loop {
        // Right after a large import the first answer may be that it takes too long.
        browser.goto(path).await;
        let script =
            format!("return [...document.querySelectorAll('{css}')].map(e => e.textContent).join(' ')");
        let said = browser.run(&script).await;
        if said.as_str().is_some_and(|said| said.contains(words)) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{path}: {css} says {said}, not {words}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_certificate_on_imported_labels_is_suspended_by_the_drift_alarm_and_investigated() {
    let server = TestServer::start().await;
    let token = server.account("api@example.org", "lead").await;
    audited::import(&server, &token, 0, 400, |k| k % 25 != 0).await;
    let browser = signed_in(&server, "lead@example.org", "lead").await;
    until(&browser, "/audit", "[data-testid=audit-row]", "400").await;

    // Without the statement imported labels certify nothing, and the attempt says so.
    open(&browser, &card()).await;
    browser.click("[data-testid=issue-certificate]").await;
    browser.wait_for_text("imported labels certify nothing until a lead states").await;

    // With it a certificate is issued that prints who stated what. Labels are read once no older transaction of the
    // cluster runs, and other tests share it.
    let began = Instant::now();
    loop {
        open(&browser, &card()).await;
        browser.click("input[name=uniform]").await;
        browser.click("input[name=blind]").await;
        browser.click("[data-testid=issue-certificate]").await;
        browser.wait_for("[data-testid=certificate]").await;
        let first = browser
            .run("return document.querySelector('[data-testid=certificate-status]').textContent")
            .await;
        if first == "live" {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "never issued: {}", browser.text().await);
    }
    browser.wait_for_text("lead@example.org states of the imported labels: a uniform sample").await;
    until(&browser, "/audit", ".conclusion", "May accept PASS on faithful").await;
    until(&browser, "/audit/drift", "[data-testid=monitor-state]", "steady").await;

    // New labels come in that disagree every other time.
    audited::import(&server, &token, 400, 100, |k| k % 2 == 0).await;
    until(&browser, "/audit/drift", "[data-testid=monitor-state]", "alarm").await;
    picture(&browser, "audit-drift-alarm-wide-light").await;
    until(&browser, "/audit/certificates", "[data-testid=certificate-status]", "suspended").await;
    browser.wait_for_text("the drift alarm rang after").await;
    until(&browser, "/audit", ".conclusion", "No certificate is live").await;

    open(&browser, "/audit/drift").await;
    browser.click("a[href^='/audit/investigations/']").await;
    browser.wait_for("[data-testid=step-relabel]").await;
    let address = browser.client().current_url().await.expect("an address").path().to_owned();
    browser.click("[data-testid=step-relabel] button").await;
    browser.wait_for_text("30 samples given to one more person each").await;
    browser.wait_for_text("0 of 30 answered again").await;
    browser.click("[data-testid=step-certify] input[name=uniform]").await;
    browser.click("[data-testid=step-certify] input[name=blind]").await;
    browser.click("[data-testid=step-certify] button").await;
    browser.wait_for("[data-testid=step-certify] [data-testid=certificate-status]").await;
    look(&browser, "full", &[("investigation", &address), ("certificates", "/audit/certificates")]).await;
    open(&browser, &address).await;
    browser.fill("[data-testid=step-close] input[name=note]", "the source log had changed its format").await;
    browser.click("[data-testid=step-close] button").await;
    until(&browser, &address, "[data-testid=investigation-state]", "closed").await;
    browser.close().await;
}

/// Makes a sample of the volume a gold question, and gives its id.
async fn gold_question(server: &TestServer) -> String {
    let lead = server.account("gold@example.org", "lead").await;
    let listed = server.client().get(server.url("/api/v1/samples?task=explanation")).bearer_auth(&lead);
    let listed: Value = listed.send().await.expect("an answer").json().await.expect("JSON");
    // The one whose longest word makes its column widest, so that the last column lies beyond a narrow window.
    let width = |row: &&Value| row["text"].as_str().and_then(|it| it.split_whitespace().map(str::len).max());
    let english = listed["rows"].as_array().expect("rows").iter().filter(|row| row["lang"] == "en");
    let sample = english.max_by_key(width).expect("a sample")["id"].as_str().expect("its id").to_owned();
    let answers = ["relevance", "factuality", "clarity", "safety"].map(|criterion| {
        json!({"criterion": criterion, "label": "pass", "reason": "The jacket is light and meant for walks in the rain, as the shoes are."})
    });
    let request =
        server.client().put(server.url(&format!("/api/v1/samples/{sample}/gold"))).bearer_auth(&lead);
    let done = request.json(&json!({"answers": answers})).send().await.expect("an answer");
    assert!(done.status().is_success(), "{}", done.text().await.unwrap_or_default());
    sample
}

#[tokio::test]
async fn full_audit_pages_have_nothing_for_axe_to_find() {
    let server =
        TestServer::start_with(&[("CONCORD_WORKERS", "0"), ("CONCORD_WEBHOOK_PRIVATE", "true")]).await;
    audited::volume(&server).await;
    let browser = signed_in(&server, "lead@example.org", "lead").await;
    until(&browser, "/audit", "[data-testid=audit-row]", "safety").await;
    open(&browser, "/audit/webhooks").await;
    browser.fill("input[name=url]", "http://127.0.0.1:9/hooks/concord").await;
    browser.click("[data-testid=webhook-form] button").await;
    browser.wait_for("[data-testid=webhook-secret]").await;
    picture(&browser, "audit-webhooks-added-wide-light").await;
    browser.click("form[action$='/ping'] button").await;
    until(&browser, "/audit/webhooks", "[data-testid=delivery]", "no connection").await;
    let judge = "llama-3.1-70b%4077aa01bc%20judge%2F4";
    let card = format!("/audit/card?task=explanation&criterion=factuality&judge={judge}");
    let sample = gold_question(&server).await;
    let gold = format!("/audit/gold/{sample}");
    let wrong = format!("/audit/decisions?task=explanation&criterion=factuality&judge={judge}&cell=fp");
    let pages = [
        ("overview", "/audit"),
        ("card", card.as_str()),
        ("decisions", wrong.as_str()),
        ("drift", "/audit/drift"),
        ("sampling", "/audit/sampling?task=explanation&budget=300"),
        ("programme", "/audit/programme?task=explanation"),
        ("gold", gold.as_str()),
        ("webhooks", "/audit/webhooks"),
    ];
    look(&browser, "full", &pages).await;
    browser.close().await;
}

#[tokio::test]
async fn empty_and_refused_audit_pages_say_what_to_do() {
    let server = TestServer::start().await;
    let browser = signed_in(&server, "lead@example.org", "lead").await;
    let pages = [
        ("overview", "/audit"),
        ("certificates", "/audit/certificates"),
        ("drift", "/audit/drift"),
        ("sampling", "/audit/sampling"),
        ("programme", "/audit/programme"),
        ("webhooks", "/audit/webhooks"),
        ("card-missing", "/audit/card?task=tag&criterion=x&judge=nobody"),
    ];
    look(&browser, "empty", &pages).await;
    open(&browser, "/audit/webhooks").await;
    browser.fill("input[name=url]", "http://192.168.1.5/hook").await;
    browser.click("[data-testid=webhook-form] button").await;
    browser.wait_for_text("lies in a private network").await;
    picture(&browser, "audit-webhooks-refused-wide-light").await;
    open(&browser, "/audit/sampling?task=tag&budget=100").await;
    browser.wait_for_text("no sample of the audit half has a verdict").await;
    picture(&browser, "audit-sampling-refused-wide-light").await;
    browser.close().await;
}
