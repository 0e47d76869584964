//! The web surface: cookies, TLS, compression, and what a person sees of their account.

use super::{App, get};
use axum::http::header::{ACCEPT_ENCODING, CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use axum::http::{Request, StatusCode};
use concord_domain::Role;
use concord_domain::api::Accounts;
use concord_service::accounts::AccountsService;
use serde_json::json;
use sqlx::PgPool;

/// Adds an account and signs it in by the form; gives the whole cookie line.
async fn sign_in(app: &App, email: &str, role: Role, scheme: &str, old: Option<&str>) -> String {
    let password = AccountsService::new_password();
    if app.accounts.find(email).await.expect("answer").is_none() {
        app.accounts.add_account(email, role, Some(password.clone())).await.expect("account");
    } else {
        app.accounts.set_password(email, password.clone()).await.expect("set");
    }
    let mut form = Request::post("/rpc/sign_in")
        .header(HOST, "concord.example.org")
        .header(ORIGIN, format!("{scheme}://concord.example.org"))
        .header("x-forwarded-proto", scheme)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(old) = old {
        form = form.header(COOKIE, old);
    }
    let body = format!("email={}&password={password}", email.replace('@', "%40"));
    let answer = app.send(form, body).await;
    answer.headers["set-cookie"].to_str().expect("cookie").to_owned()
}

fn pair(cookie: &str) -> String {
    cookie.split(';').next().unwrap_or_default().to_owned()
}

#[sqlx::test(migrations = "../migrations")]
async fn the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(pool: PgPool) {
    let app = App::new(pool);
    let plain = sign_in(&app, "a@example.org", Role::Annotator, "http", None).await;
    assert!(
        plain.contains("; HttpOnly") && plain.contains("; SameSite=Lax") && !plain.contains("Secure"),
        "{plain}"
    );
    let tls = sign_in(&app, "b@example.org", Role::Annotator, "https", None).await;
    assert!(tls.contains("; HttpOnly") && tls.contains("; Secure"), "{tls}");
}

#[sqlx::test(migrations = "../migrations")]
async fn signing_in_again_ends_the_session_that_was_there(pool: PgPool) {
    let app = App::new(pool);
    let first = pair(&sign_in(&app, "a@example.org", Role::Annotator, "http", None).await);
    let other = pair(&sign_in(&app, "b@example.org", Role::Annotator, "http", Some(&first)).await);
    assert_ne!(first, other);
    app.send(get("/api/v1/me").header(COOKIE, &first), "").await.is_problem(401, "not_signed_in");
    let me = app.send(get("/api/v1/me").header(COOKIE, &other), "").await;
    assert_eq!(me.json()["email"], "b@example.org");
}

#[sqlx::test(migrations = "../migrations")]
async fn browsers_that_came_by_tls_are_told_to_stay_there(pool: PgPool) {
    let app = App::new(pool);
    let tls = app.send(get("/sign-in").header("x-forwarded-proto", "https"), "").await;
    assert_eq!(tls.headers["strict-transport-security"], "max-age=31536000");
    let plain = app.send(get("/sign-in"), "").await;
    assert!(!plain.headers.contains_key("strict-transport-security"));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_answer_that_holds_a_secret_is_not_compressed(pool: PgPool) {
    let app = App::new(pool);
    let session = pair(&sign_in(&app, "admin@example.org", Role::Admin, "http", None).await);
    let post = |path: &str, kind: &str| {
        Request::post(path)
            .header(COOKIE, &session)
            .header(CONTENT_TYPE, kind)
            .header(HOST, "concord.example.org")
            .header(ORIGIN, "http://concord.example.org")
            .header(ACCEPT_ENCODING, "br, gzip")
    };
    let document = app.send(get("/api/v1/openapi.json").header(ACCEPT_ENCODING, "br"), "").await;
    assert_eq!(document.headers["content-encoding"], "br", "what holds no secret is compressed");
    let form = "application/x-www-form-urlencoded";
    let long = "n".repeat(100);
    for (path, kind, body, shown) in [
        ("/api/v1/tokens", "application/json", json!({"name": long}).to_string(), "concord_"),
        (
            "/api/v1/invitations",
            "application/json",
            json!({"email": "x@y", "role": "lead"}).to_string(),
            "code=",
        ),
        ("/account/tokens", form, format!("name={long}"), "concord_"),
        (
            "/account/invitations",
            form,
            "email=z%40y&role=lead".to_owned(),
            "http://concord.example.org/invitation?code=",
        ),
    ] {
        let answer = app.send(post(path, kind), body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{path}");
        assert!(!answer.headers.contains_key("content-encoding"), "{path}");
        assert!(String::from_utf8_lossy(&answer.body).contains(shown), "{path} shows its secret");
    }
    let page = app.send(get("/account").header(COOKIE, &session), "").await;
    let page = String::from_utf8_lossy(&page.body).into_owned();
    assert!(page.contains(&long) && !page.contains("concord_") && !page.contains("?code="), "never again");
}

#[sqlx::test(migrations = "../migrations")]
async fn whoever_has_the_link_of_an_invitation_joins_by_a_plain_form(pool: PgPool) {
    let app = App::new(pool);
    let session = pair(&sign_in(&app, "admin@example.org", Role::Admin, "http", None).await);
    let new = json!({"email": "ann@example.org", "role": "annotator"}).to_string();
    let request = Request::post("/api/v1/invitations")
        .header(COOKIE, &session)
        .header(CONTENT_TYPE, "application/json");
    let made = app.send(request, new).await.json();
    let link = made["link"].as_str().expect("a link");
    let page = app.send(get(link), "").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&page.body).contains("ann@example.org"));
    let code = link.split('=').nth(1).expect("a code");
    let form = || Request::post("/invitation").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let short = app.send(form(), format!("code={code}&password=short")).await;
    assert_eq!(short.status, StatusCode::UNPROCESSABLE_ENTITY);
    let joined = app.send(form(), format!("code={code}&password=correct+horse+battery")).await;
    assert_eq!(joined.status, StatusCode::SEE_OTHER);
    let cookie = joined.headers["set-cookie"].to_str().expect("cookie");
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"), "{cookie}");
    let me = app.send(get("/api/v1/me").header(COOKIE, pair(cookie)), "").await.json();
    assert_eq!((&me["email"], &me["role"]), (&json!("ann@example.org"), &json!("annotator")));
    assert_eq!(app.send(get(link), "").await.status, StatusCode::NOT_FOUND, "the link works once");
    let again = app.send(form(), format!("code={code}&password=correct+horse+battery")).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    let (ann, _) =
        app.accounts.sign_in("ann@example.org", "correct horse battery", None).await.expect("sign in");
    assert_eq!(ann.role, Role::Annotator);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_anothers_is_not_there(pool: PgPool) {
    let app = App::new(pool);
    let ann = pair(&sign_in(&app, "ann@example.org", Role::Annotator, "http", None).await);
    let bob = pair(&sign_in(&app, "bob@example.org", Role::Annotator, "http", None).await);
    let post = |path: &str, who: &str| {
        Request::post(path)
            .header(COOKIE, who)
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", "k")
    };
    let token = app.send(post("/api/v1/tokens", &ann), r#"{"name":"mine"}"#).await.json();
    let id = token["id"].as_str().expect("an id");
    let delete = |who: &str| Request::delete(format!("/api/v1/tokens/{id}")).header(COOKIE, who);
    app.send(delete(&bob), "").await.is_problem(404, "not_found");
    assert_eq!(app.send(get("/api/v1/tokens").header(COOKIE, &bob), "").await.json(), json!([]));

    let admin = app.token(Role::Admin).await;
    let sample = r#"{"sample":"s1","task":"summary","text":"The parcel left on Monday.","cluster":"c1"}"#;
    let verdict = r#"{"sample":"s1","task":"summary","criterion":"faithful","judge":"j","label":"pass","cluster":"c1"}"#;
    for (kind, row) in [("samples", sample), ("verdicts", verdict)] {
        let done = app.send(super::post(&format!("/api/v1/import/{kind}"), &admin), row).await;
        assert_eq!(done.json()["new"], 1, "{kind}");
    }
    let next = app.send(post("/api/v1/queue/next", &ann), "{}").await;
    assert_eq!(next.status, StatusCode::OK, "Ann is given a sample");
    let id = next.json()["assignments"][0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/assignments/{id}");
    app.send(get(&path).header(COOKIE, &bob), "").await.is_problem(404, "not_found");
    let answers = r#"{"phase":"blind","answers":[{"criterion":"faithful","label":"pass"}]}"#;
    for (what, body) in [
        ("labels", answers),
        ("reveal", ""),
        ("skip", r#"{"reason":"x"}"#),
        ("escalate", r#"{"reason":"x"}"#),
    ] {
        app.send(post(&format!("{path}/{what}"), &bob), body).await.is_problem(404, "not_found");
    }
    for function in ["submit_answers", "reveal_verdicts", "skip_sample", "reopen_sample"] {
        let submission: serde_json::Value = serde_json::from_str(answers).expect("JSON");
        let body = json!({"id": id, "key": "k", "submission": submission, "reason": "x", "escalate": false});
        let answer = app.send(post(&format!("/rpc/{function}"), &bob), body.to_string()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{function}");
    }
    let own = app.send(post(&format!("{path}/labels"), &ann), answers).await;
    assert_eq!(own.status, StatusCode::CREATED, "it is still Ann's");
}
