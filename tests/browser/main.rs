//! The pages in a real browser, a file a person's task.

mod annotator;
mod audit;
mod evolve;
mod judges;
mod leads;
mod pages;
mod programme;
mod sign_in;
mod smoke;

use concord_tests::{Browser, TestServer};

/// Long enough for any rule; used only on this test's own server.
const PASSWORD: &str = "a long enough passphrase 7";

/// A browser with this account signed in through the page.
async fn signed_in(server: &TestServer, email: &str, role: &str) -> Browser {
    signed_in_at(&server.url(""), server, email, role).await
}

async fn signed_in_at(base: &str, server: &TestServer, email: &str, role: &str) -> Browser {
    server.account_with_password(email, role, PASSWORD).await;
    let browser = Browser::open_at(base).await;
    browser.goto("/sign-in").await;
    browser.fill("input[name=email]", email).await;
    browser.fill("input[name=password]", PASSWORD).await;
    browser.click("[data-testid=sign-in]").await;
    browser.wait_for("[data-testid=nav-review]").await;
    browser
}
