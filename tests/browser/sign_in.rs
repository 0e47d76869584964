//! Signing in with a provider, by a person's clicks.

use concord_tests::{Browser, Provider, Scheme, TestServer};

#[tokio::test]
async fn a_person_signs_in_with_the_provider_in_either_language() {
    let mut provider = Provider::reserve();
    let settings = provider.settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = TestServer::start_with(&settings).await;
    provider.start(&server, "first").await;
    server.account("ann@example.org", "annotator").await;
    let browser = Browser::open(&server).await;

    browser.goto("/me").await;
    browser.wait_for_text("Sign in with 127.0.0.1").await;
    assert_eq!(browser.accessibility().await, Vec::<String>::new());
    browser.screenshot("sign-in-provider").await;
    browser.prefer(Scheme::Dark).await;
    browser.resize(390, 844).await;
    browser.click("[data-testid=nav-lang]").await;
    browser.wait_for_text("使用 127.0.0.1 登录").await;
    assert_eq!(browser.accessibility().await, Vec::<String>::new(), "dark, narrow");
    browser.screenshot("sign-in-provider-zh-dark-narrow").await;

    browser.click("[data-testid=sign-in-provider]").await;
    browser.fill("input[name=login]", "nobody@example.org").await;
    browser.fill("input[name=password]", "x").await;
    browser.click("button[type=submit]").await;
    browser.wait_for("input[name=prompt][value=consent]").await;
    browser.click("button[type=submit]").await;
    browser.wait_for_text("您的邮箱尚无账户").await;
    assert_eq!(browser.accessibility().await, Vec::<String>::new(), "refused");
    browser.screenshot("sign-in-refused").await;
    browser.close().await;

    let browser = Browser::open(&server).await;
    browser.goto("/me").await;
    browser.click("[data-testid=sign-in-provider]").await;
    browser.fill("input[name=login]", "ann@example.org").await;
    browser.fill("input[name=password]", "x").await;
    browser.click("button[type=submit]").await;
    browser.wait_for("input[name=prompt][value=consent]").await;
    browser.click("button[type=submit]").await;
    browser.wait_for("[data-testid=nav-me][aria-current=page]").await;
    browser.close().await;
}
