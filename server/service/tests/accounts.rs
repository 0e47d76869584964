//! Signing in, against a real database.

use concord_domain::api::Accounts;
use concord_domain::{Capability, Error, NewInvitation, NewToken, Role};
use concord_service::accounts::AccountsService;
use sqlx::PgPool;

const PASSWORD: &str = "correct horse battery";

#[sqlx::test(migrations = "../../migrations")]
async fn a_password_opens_a_session_and_a_new_one_ends_it(pool: PgPool) {
    let service = AccountsService::new(pool);
    service.add_account(" Ann@Example.org ", Role::Lead, Some(PASSWORD.into())).await.expect("account");
    let (actor, secret) = service.sign_in("ANN@example.org", PASSWORD, None).await.expect("sign in");
    assert_eq!((actor.email.as_str(), actor.role), ("ann@example.org", Role::Lead));
    let (_, second) = service.sign_in("ann@example.org", PASSWORD, None).await.expect("sign in");
    assert_ne!(secret, second);
    assert_eq!(service.by_session(&secret).await, Ok(Some(actor)));
    service.sign_out(&secret).await.expect("sign out");
    assert_eq!(service.by_session(&secret).await, Ok(None));
    service.set_password("ann@example.org", "another long password".into()).await.expect("set");
    assert_eq!(service.by_session(&second).await, Ok(None));
    assert_eq!(service.sign_in("ann@example.org", PASSWORD, None).await, Err(Error::WrongCredentials));
}

#[sqlx::test(migrations = "../../migrations")]
async fn an_unknown_account_is_refused_in_the_same_words(pool: PgPool) {
    let service = AccountsService::new(pool);
    service.add_account("token@example.org", Role::Lead, None).await.expect("account");
    for email in ["nobody@example.org", "token@example.org"] {
        assert_eq!(service.sign_in(email, PASSWORD, None).await, Err(Error::WrongCredentials), "{email}");
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn secrets_are_not_in_the_database(pool: PgPool) {
    let service = AccountsService::new(pool.clone());
    let account =
        service.add_account("a@example.org", Role::Annotator, Some(PASSWORD.into())).await.expect("account");
    let token =
        service.new_token(account.id, None, bot(&[], None)).await.expect("token").secret.expect("a secret");
    assert!(token.starts_with("concord_"));
    let (actor, session) = service.sign_in("a@example.org", PASSWORD, None).await.expect("sign in");
    let by_token = service.by_token(&token).await.expect("answer").expect("an actor");
    assert_eq!((by_token.account, by_token.role), (actor.account, actor.role));
    assert_eq!(service.by_token(&session).await, Ok(None), "a session is no token");
    let stored: String = sqlx::query_scalar(
        "select concat((select string_agg(a::text, ' ') from accounts a), (select string_agg(s::text, ' ') from sessions s),
                       (select string_agg(t::text, ' ') from tokens t), (select string_agg(i::text, ' ') from invitations i), (select string_agg(e::text, ' ') from audit_events e))",
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
    assert_eq!(one.sign_in(email, password, None).await.expect("sign in").0.role, Role::Admin);
    assert_eq!(one.ensure_first_admin().await, Ok(None));
}

#[sqlx::test(migrations = "../../migrations")]
async fn guessing_has_to_wait(pool: PgPool) {
    let service = AccountsService::new(pool);
    for _ in 0..10 {
        assert_eq!(service.sign_in("nobody@example.org", "guess", None).await, Err(Error::WrongCredentials));
    }
    let refused = service.sign_in("nobody@example.org", "guess", None).await;
    assert!(matches!(refused, Err(Error::Busy { .. })), "{refused:?}");
}

fn bot(scopes: &[Capability], days: Option<u32>) -> NewToken {
    NewToken { name: "bot".into(), scopes: scopes.to_vec(), days }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_token_is_made_by_a_person_within_their_role_and_taken_back_at_once(pool: PgPool) {
    let service = AccountsService::new(pool);
    service.add_account("a@example.org", Role::Annotator, Some(PASSWORD.into())).await.expect("account");
    service.add_account("b@example.org", Role::Annotator, Some(PASSWORD.into())).await.expect("account");
    let (ann, _) = service.sign_in("a@example.org", PASSWORD, None).await.expect("sign in");
    let (bob, _) = service.sign_in("b@example.org", PASSWORD, None).await.expect("sign in");
    let refused = service.make_token(&ann, bot(&[Capability::Certify], None)).await;
    assert!(matches!(refused, Err(Error::Invalid { ref field, .. }) if field == "scopes"), "{refused:?}");
    for days in [0, 3651] {
        let refused = service.make_token(&ann, bot(&[], Some(days))).await;
        assert!(matches!(refused, Err(Error::Invalid { ref field, .. }) if field == "days"), "{refused:?}");
    }
    let made = service.make_token(&ann, bot(&[Capability::ReadOwn], Some(1))).await.expect("a token");
    let secret = made.secret.expect("its secret, this once");
    let actor = service.by_token(&secret).await.expect("answer").expect("an actor");
    assert_eq!(actor.scopes, Some(vec![Capability::ReadOwn]));
    assert_eq!(service.make_token(&actor, bot(&[], None)).await, Err(Error::Forbidden), "a token makes none");
    let listed = service.tokens(&ann).await.expect("a list");
    assert_eq!((listed.len(), &listed[0].secret), (1, &None));
    assert!(matches!(service.revoke_token(&bob, made.id).await, Err(Error::NotFound { .. })), "not Bob's");
    assert!(service.by_token(&secret).await.expect("answer").is_some());
    service.revoke_token(&ann, made.id).await.expect("revoked");
    assert_eq!(service.by_token(&secret).await, Ok(None));
}

#[sqlx::test(migrations = "../../migrations")]
async fn signing_out_everywhere_ends_every_session_of_that_account_alone(pool: PgPool) {
    let service = AccountsService::new(pool);
    let mut sessions = Vec::new();
    for email in ["a@example.org", "b@example.org"] {
        service.add_account(email, Role::Annotator, Some(PASSWORD.into())).await.expect("account");
        for _ in 0..2 {
            sessions.push(service.sign_in(email, PASSWORD, None).await.expect("sign in"));
        }
    }
    assert_eq!(service.sessions(&sessions[0].0).await, Ok(2));
    assert_eq!(service.sign_out_everywhere(&sessions[0].0).await, Ok(2));
    for (k, (_, secret)) in sessions.iter().enumerate() {
        assert_eq!(service.by_session(secret).await.expect("answer").is_some(), k >= 2, "{k}");
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn an_invitation_lets_one_person_in_once(pool: PgPool) {
    let service = AccountsService::new(pool.clone());
    service.add_account("admin@example.org", Role::Admin, Some(PASSWORD.into())).await.expect("account");
    service.add_account("lead@example.org", Role::Lead, Some(PASSWORD.into())).await.expect("account");
    let (admin, _) = service.sign_in("admin@example.org", PASSWORD, None).await.expect("sign in");
    let (lead, _) = service.sign_in("lead@example.org", PASSWORD, None).await.expect("sign in");
    let new = |email: &str| NewInvitation { email: email.into(), role: Role::Annotator };
    assert_eq!(service.invite(&lead, new("ann@example.org")).await, Err(Error::Forbidden));
    let taken = service.invite(&admin, new("LEAD@example.org")).await;
    assert!(matches!(taken, Err(Error::Conflict { .. })), "{taken:?}");
    let made = service.invite(&admin, new(" Ann@Example.org")).await.expect("an invitation");
    let link = made.link.expect("its link, this once");
    let code = link.strip_prefix("/invitation?code=").expect("a code");
    assert_eq!(service.invitations(&admin).await.expect("a list")[0].link, None);
    assert_eq!(service.invited(code).await.expect("it waits").email, "ann@example.org");
    assert!(matches!(service.join("another", PASSWORD.into()).await, Err(Error::NotFound { .. })));
    let short = service.join(code, "short".into()).await;
    assert!(matches!(short, Err(Error::Invalid { ref field, .. }) if field == "password"), "{short:?}");
    let (one, two) = tokio::join!(service.join(code, PASSWORD.into()), service.join(code, PASSWORD.into()));
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
    let (ann, session) = one.or(two).expect("one of them");
    assert_eq!((ann.email.as_str(), ann.role), ("ann@example.org", Role::Annotator));
    assert_eq!(service.by_session(&session).await, Ok(Some(ann)));
    service.sign_in("ann@example.org", PASSWORD, None).await.expect("with the password they chose");

    let made = service.invite(&admin, new("bob@example.org")).await.expect("an invitation");
    let code = made.link.expect("a link").replace("/invitation?code=", "");
    service.withdraw_invitation(&admin, made.id).await.expect("withdrawn");
    assert!(matches!(service.join(&code, PASSWORD.into()).await, Err(Error::NotFound { .. })));
    let made = service.invite(&admin, new("bob@example.org")).await.expect("an invitation");
    sqlx::query("update invitations set expires_at = now()").execute(&pool).await.expect("expire");
    let code = made.link.expect("a link").replace("/invitation?code=", "");
    assert!(matches!(service.join(&code, PASSWORD.into()).await, Err(Error::NotFound { .. })));
}
