//! Signing in, against a real database.

use concord_domain::api::Accounts;
use concord_domain::{Error, Role};
use concord_service::accounts::AccountsService;
use sqlx::PgPool;

const PASSWORD: &str = "correct horse battery";

#[sqlx::test(migrations = "../../migrations")]
async fn a_password_opens_a_session_and_a_new_one_ends_it(pool: PgPool) {
    let service = AccountsService::new(pool);
    service.add_account(" Ann@Example.org ", Role::Lead, Some(PASSWORD.into())).await.expect("account");
    let (actor, secret) = service.sign_in("ANN@example.org", PASSWORD).await.expect("sign in");
    assert_eq!((actor.email.as_str(), actor.role), ("ann@example.org", Role::Lead));
    let (_, second) = service.sign_in("ann@example.org", PASSWORD).await.expect("sign in");
    assert_ne!(secret, second);
    assert_eq!(service.by_session(&secret).await, Ok(Some(actor)));
    service.sign_out(&secret).await.expect("sign out");
    assert_eq!(service.by_session(&secret).await, Ok(None));
    service.set_password("ann@example.org", "another long password".into()).await.expect("set");
    assert_eq!(service.by_session(&second).await, Ok(None));
    assert_eq!(service.sign_in("ann@example.org", PASSWORD).await, Err(Error::WrongCredentials));
}

#[sqlx::test(migrations = "../../migrations")]
async fn an_unknown_account_is_refused_in_the_same_words(pool: PgPool) {
    let service = AccountsService::new(pool);
    service.add_account("token@example.org", Role::Lead, None).await.expect("account");
    for email in ["nobody@example.org", "token@example.org"] {
        assert_eq!(service.sign_in(email, PASSWORD).await, Err(Error::WrongCredentials), "{email}");
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn secrets_are_not_in_the_database(pool: PgPool) {
    let service = AccountsService::new(pool.clone());
    let account =
        service.add_account("a@example.org", Role::Annotator, Some(PASSWORD.into())).await.expect("account");
    let token = service.issue_token(account.id).await.expect("token");
    assert!(token.starts_with("concord_"));
    let (actor, session) = service.sign_in("a@example.org", PASSWORD).await.expect("sign in");
    assert_eq!(service.by_token(&token).await, Ok(Some(actor)));
    assert_eq!(service.by_token(&session).await, Ok(None), "a session is no token");
    let stored: String = sqlx::query_scalar(
        "select concat((select string_agg(a::text, ' ') from accounts a), (select string_agg(s::text, ' ') from sessions s),
                       (select string_agg(t::text, ' ') from tokens t), (select string_agg(e::text, ' ') from audit_events e))",
    )
    .fetch_one(&pool)
    .await
    .expect("rows");
    assert!(stored.contains("$argon2id$"));
    for secret in [PASSWORD, token.as_str(), session.as_str()] {
        assert!(!stored.contains(secret) && !stored.contains(&hex(secret)));
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn the_first_run_makes_one_administrator(pool: PgPool) {
    let (one, two) = (AccountsService::new(pool.clone()), AccountsService::new(pool));
    let (first, second) = tokio::join!(one.ensure_first_admin(), two.ensure_first_admin());
    let made: Vec<_> = [first.expect("first"), second.expect("second")].into_iter().flatten().collect();
    let [(email, password)] = made.as_slice() else { panic!("one and no more: {}", made.len()) };
    assert_eq!(password.len(), 20);
    assert_eq!(one.sign_in(email, password).await.expect("sign in").0.role, Role::Admin);
    assert_eq!(one.ensure_first_admin().await, Ok(None));
}

#[sqlx::test(migrations = "../../migrations")]
async fn guessing_has_to_wait(pool: PgPool) {
    let service = AccountsService::new(pool);
    for _ in 0..10 {
        assert_eq!(service.sign_in("nobody@example.org", "guess").await, Err(Error::WrongCredentials));
    }
    let refused = service.sign_in("nobody@example.org", "guess").await;
    assert!(matches!(refused, Err(Error::Busy { .. })), "{refused:?}");
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
