//! The pages load, come alive, and complain of nothing.

use concord_tests::{Browser, Scheme, TestServer};

#[tokio::test]
async fn the_sign_in_page_comes_alive_without_a_complaint() {
    let server = TestServer::start().await;
    let browser = Browser::open(&server).await;

    browser.goto("/").await;

    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    assert_eq!(browser.accessibility().await, Vec::<String>::new());
    browser.screenshot("sign-in-light").await;
    browser.prefer(Scheme::Dark).await;
    assert_eq!(browser.accessibility().await, Vec::<String>::new(), "dark");
    browser.screenshot("sign-in-dark").await;
    browser.resize(390, 844).await;
    browser.screenshot("sign-in-narrow").await;
    browser.close().await;
}
