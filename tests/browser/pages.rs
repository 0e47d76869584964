//! Every page, wide and narrow, light and dark, full and empty: looked at by axe here, by people in
//! `target/screenshots`.

use crate::signed_in;
use concord_tests::{Browser, Scheme, TestServer};

const PAGES: [(&str, &str); 7] = [
    ("home", "/"),
    ("review", "/review"),
    ("samples", "/samples"),
    ("exports", "/exports"),
    ("account", "/account"),
    ("pipeline", "/pipeline"),
    ("preset-interests", "/pipeline/interests"),
];

#[tokio::test]
async fn full_pages_have_nothing_for_axe_to_find() {
    let server = TestServer::start_with_tiny_models().await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    let users = server.users_of("train", 2).await;
    server.generate(&admin, &users).await;
    for args in [&["retrieve", "train", "--epochs", "1"][..], &["retrieve", "index"]] {
        let done = server.command(args).await;
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    let built = server.post(&admin, "/api/v1/preset-interests/build", &serde_json::json!({})).await;
    assert_eq!(built.status(), 200);
    let browser = signed_in(&server, "lead@example.org", "lead").await;
    look(&browser, "full", &PAGES).await;
    let person = format!("/recommend/{}", users[0]);
    look(&browser, "full", &[("recommend", "/recommend"), ("recommended", person.as_str())]).await;
    let sample =
        browser.run("return document.querySelector('a[href^=\"/samples/\"]')?.getAttribute('href')").await;
    browser.goto("/samples").await;
    let href =
        browser.run("return document.querySelector('a[href^=\"/samples/\"]').getAttribute('href')").await;
    let href = sample.as_str().or(href.as_str()).expect("a sample's link").to_owned();
    look(&browser, "full", &[("sample", href.as_str())]).await;
    browser.close().await;
}

#[tokio::test]
async fn empty_pages_say_what_to_do_next() {
    let server = TestServer::start().await;
    let browser = signed_in(&server, "lead@example.org", "lead").await;
    look(&browser, "empty", &PAGES).await;
    look(&browser, "empty", &[("recommend", "/recommend")]).await;
    browser.goto("/").await;
    assert!(browser.text().await.contains("concord demo"), "the empty home page names the command");
    browser.goto("/review").await;
    browser.wait_for("[data-testid=queue-empty]").await;
    browser.goto("/no-such-page").await;
    browser.screenshot("not-found").await;
    browser.close().await;
}

async fn look(browser: &Browser, state: &str, pages: &[(&str, &str)]) {
    for (name, path) in pages {
        for (scheme, tone) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
            browser.prefer(scheme).await;
            for (width, height, size) in [(1440, 900, "wide"), (390, 844, "narrow")] {
                browser.resize(width, height).await;
                browser.goto(path).await;
                browser.screenshot(&format!("{name}-{state}-{size}-{tone}")).await;
                let found = browser.accessibility().await;
                assert_eq!(found, Vec::<String>::new(), "{name} {state} {size} {tone}");
            }
        }
    }
}
