//! Signing in with a real OpenID Connect provider on loopback.

use concord_tests::{Provider, TestServer};
use reqwest::{Client, StatusCode, Url};
use serde_json::{Value, json};
use std::time::Duration;

async fn running(more: &[(&'static str, &str)]) -> (TestServer, Provider) {
    let mut provider = Provider::reserve();
    let mut settings = provider.settings();
    settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = TestServer::start_with(&settings).await;
    provider.start(&server, "first").await;
    (server, provider)
}

/// Leaves for the provider; gives where to.
async fn leave(server: &TestServer, client: &Client, next: &str) -> String {
    let left =
        client.get(server.url(&format!("/sign-in/provider?next={next}"))).send().await.expect("an answer");
    assert_eq!(left.status(), StatusCode::SEE_OTHER);
    let cookie = left.headers()["set-cookie"].to_str().expect("a cookie").to_owned();
    for part in ["concord_away=", "; Path=/sign-in/return", "; Max-Age=600", "; SameSite=Lax", "; HttpOnly"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    left.headers()["location"].to_str().expect("text").to_owned()
}

/// Comes back; gives the status, where it leads to, and the page.
async fn arrive(client: &Client, address: &str) -> (StatusCode, String, String) {
    let answer = client.get(address).header("accept-language", "en").send().await.expect("an answer");
    let leads =
        answer.headers().get("location").and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
    (answer.status(), leads, answer.text().await.expect("a page"))
}

/// The whole way of one person, in a browser of their own.
async fn sign_in(server: &TestServer, person: &str) -> (Client, (StatusCode, String, String)) {
    let client = server.client();
    let to = leave(server, &client, "").await;
    let back = Provider::pass(&client, &to, person).await;
    let arrived = arrive(&client, &back).await;
    (client, arrived)
}

async fn me(server: &TestServer, client: &Client) -> Value {
    client.get(server.url("/api/v1/me")).send().await.expect("an answer").json().await.expect("JSON")
}

/// A query's parameter, changed.
fn with(address: &str, name: &str, value: &str) -> String {
    let mut url = Url::parse(address).expect("an address");
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    assert!(pairs.iter().any(|(key, _)| key == name), "{address} has no {name}");
    url.query_pairs_mut()
        .clear()
        .extend_pairs(pairs.iter().map(|(key, old)| (key, if key == name { value } else { old.as_str() })));
    url.into()
}

#[tokio::test]
async fn people_sign_in_with_a_provider_by_code_and_pkce() {
    let (server, mut provider) = running(&[]).await;
    server.account("ann@example.org", "annotator").await;
    let client = server.client();

    let page =
        client.get(server.url("/sign-in?next=/me")).send().await.expect("a page").text().await.expect("text");
    assert!(
        page.contains("/sign-in/provider?next=%2Fme") && page.contains("Sign in with 127.0.0.1"),
        "{page}"
    );
    let to = leave(&server, &client, "/me").await;
    for part in
        ["response_type=code", "code_challenge_method=S256", "&nonce=", "&state=", "scope=openid+email"]
    {
        assert!(to.contains(part), "{to}");
    }
    let back = Provider::pass(&client, &to, "ann@example.org").await;
    let (status, leads, _) = arrive(&client, &back).await;
    assert_eq!((status, leads.as_str()), (StatusCode::SEE_OTHER, "/me"));
    assert_eq!(me(&server, &client).await["email"], "ann@example.org");

    // The same answer again, in the browser that has been let in and in one that keeps the first one's secret.
    let (status, _, page) = arrive(&client, &back).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(page.contains("begun in another browser, or too long ago"), "{page}");

    // The provider changes its keys while the old ones are known here.
    provider.start(&server, "second").await;
    let (again, (status, _, page)) = sign_in(&server, "ann@example.org").await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
    assert_eq!(me(&server, &again).await["email"], "ann@example.org");

    let pool = sqlx::PgPool::connect(server.database_url()).await.expect("the test's database");
    let kinds: Vec<String> = sqlx::query_scalar("select action from audit_events order by id")
        .fetch_all(&pool)
        .await
        .expect("events");
    let times = |kind: &str| kinds.iter().filter(|it| *it == kind).count();
    assert_eq!((times("identity_linked"), times("signed_in")), (1, 2), "{kinds:?}");
}

#[tokio::test]
async fn answers_that_are_not_the_providers_to_this_browser_now_let_nobody_in() {
    let (server, _provider) = running(&[]).await;
    for person in ["ann", "audience", "audiences", "issuer", "late", "signature", "unsigned", "unverified"] {
        server.account(&format!("{person}@example.org"), "lead").await;
    }
    let unverifiable = "could not be verified";
    let elsewhere = "begun in another browser";

    let client = server.client();
    let to = leave(&server, &client, "").await;
    let back = Provider::pass(&client, &with(&to, "nonce", "another"), "ann@example.org").await;
    refused(arrive(&client, &back).await, unverifiable, "another nonce");

    let client = server.client();
    let to = leave(&server, &client, "").await;
    let back = Provider::pass(&client, &to, "ann@example.org").await;
    refused(arrive(&client, &with(&back, "state", "another")).await, elsewhere, "another state");

    let client = server.client();
    let to = leave(&server, &client, "").await;
    let back = Provider::pass(&client, &to, "ann@example.org").await;
    refused(
        arrive(&client, &with(&back, "iss", "https://evil.example")).await,
        unverifiable,
        "another issuer",
    );

    let client = server.client();
    let to = leave(&server, &client, "").await;
    let back = Provider::pass(&client, &to, "ann@example.org").await;
    refused(arrive(&server.client(), &back).await, elsewhere, "another browser");

    // A code is good for eight seconds here, and once: a thief who has the secret of the browser too gains nothing.
    let client = server.client();
    let to = leave(&server, &client, "").await;
    let back = Provider::pass(&client, &to, "ann@example.org").await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    refused(arrive(&client, &back).await, unverifiable, "a code that has ended");

    let thief = server.client();
    let left = thief.get(server.url("/sign-in/provider")).send().await.expect("an answer");
    let secret = left.headers()["set-cookie"]
        .to_str()
        .expect("a cookie")
        .split(';')
        .next()
        .expect("a pair")
        .to_owned();
    let to = left.headers()["location"].to_str().expect("text").to_owned();
    let back = Provider::pass(&thief, &to, "ann@example.org").await;
    let with_secret = || server.client().get(&back).header("cookie", &secret).send();
    assert_eq!(with_secret().await.expect("an answer").status(), StatusCode::SEE_OTHER, "once");
    let again = with_secret().await.expect("an answer");
    assert_eq!(again.status(), StatusCode::CONFLICT, "a code that is used up");
    assert!(again.text().await.expect("a page").contains(unverifiable));

    for person in ["audience", "audiences", "issuer", "late", "signature", "unsigned"] {
        let (_, arrived) = sign_in(&server, &format!("{person}@example.org")).await;
        refused(arrived, unverifiable, person);
    }
    let (_, arrived) = sign_in(&server, "unverified@example.org").await;
    refused(arrived, "does not say that your e-mail address is verified", "unverified");
}

fn refused((status, _, page): (StatusCode, String, String), why: &str, what: &str) {
    assert_eq!(status, StatusCode::CONFLICT, "{what}");
    assert!(page.contains(why), "{what}: {page}");
}

#[tokio::test]
async fn who_is_new_comes_in_by_invitation_or_by_the_role_of_their_domain() {
    let (server, _provider) = running(&[]).await;
    let (_, arrived) = sign_in(&server, "ann@example.org").await;
    refused(arrived, "no account with your address", "a stranger");

    let invited = server.command(&["account", "invite", "ann@example.org", "--role", "lead"]).await;
    assert!(invited.status.success(), "{}", String::from_utf8_lossy(&invited.stderr));
    let (client, (status, ..)) = sign_in(&server, "ann@example.org").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(me(&server, &client).await["role"], json!("lead"));

    // An address that has passed on to somebody else does not bring the account with it.
    server.account("moved@example.org", "admin").await;
    let (_, (status, ..)) = sign_in(&server, "moved+1@example.org").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let (_, arrived) = sign_in(&server, "moved+2@example.org").await;
    refused(arrived, "belongs to somebody else", "the second with the address");

    let settings = [("CONCORD_OIDC_DOMAINS", "example.org"), ("CONCORD_OIDC_ROLE", "annotator")];
    let (open, _provider) = running(&settings).await;
    let (client, (status, _, page)) = sign_in(&open, "new@example.org").await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
    assert_eq!(me(&open, &client).await["role"], json!("annotator"));
    open.account("bob@elsewhere.org", "lead").await;
    let (_, arrived) = sign_in(&open, "bob@elsewhere.org").await;
    refused(arrived, "e-mail domain may not", "another domain");
}
