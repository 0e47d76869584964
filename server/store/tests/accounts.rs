//! Accounts, sessions and tokens against a real database.

use concord_domain::{Account, AccountId, Capability, Role};
use concord_store::{accounts, invitations, tokens};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

const IDLE: i64 = 3600;

async fn add(conn: &mut PgConnection, email: &str) -> Account {
    let account = Account { id: AccountId(Uuid::now_v7()), email: email.into(), role: Role::Lead };
    assert!(accounts::insert(conn, &account, Some("hash")).await.expect("insert"));
    account
}

#[sqlx::test(migrations = "../../migrations")]
async fn an_address_is_taken_once(pool: PgPool) {
    let mut conn = pool.acquire().await.expect("connection");
    assert!(!accounts::any(&mut conn).await.expect("any"));
    let first = add(&mut conn, "a@example.org").await;
    let second = Account { id: AccountId(Uuid::now_v7()), ..first.clone() };
    assert!(!accounts::insert(&mut conn, &second, None).await.expect("insert"));
    assert!(accounts::any(&mut conn).await.expect("any"));
    assert_eq!(accounts::list(&mut conn).await.expect("list"), std::slice::from_ref(&first));
    let (found, hash) =
        accounts::by_email(&mut conn, "a@example.org").await.expect("query").expect("account");
    assert_eq!((found, hash.as_deref()), (first, Some("hash")));
    assert!(accounts::by_email(&mut conn, "b@example.org").await.expect("query").is_none());
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_session_lives_until_it_is_ended(pool: PgPool) {
    let mut conn = pool.acquire().await.expect("connection");
    let account = add(&mut conn, "a@example.org").await;
    accounts::open_session(&mut conn, b"one", account.id, 60).await.expect("open");
    accounts::open_session(&mut conn, b"two", account.id, 60).await.expect("open");
    assert_eq!(accounts::by_session(&mut conn, b"one", IDLE).await.expect("query"), Some(account.clone()));
    assert_eq!(accounts::end_session(&mut conn, b"one").await.expect("end"), Some(account.id));
    assert_eq!(accounts::end_session(&mut conn, b"one").await.expect("end"), None);
    assert!(accounts::by_session(&mut conn, b"one", IDLE).await.expect("query").is_none());
    assert!(accounts::by_session(&mut conn, b"two", IDLE).await.expect("query").is_some());
    accounts::end_sessions(&mut conn, account.id).await.expect("end");
    assert!(accounts::by_session(&mut conn, b"two", IDLE).await.expect("query").is_none());
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_session_ends_by_age_and_by_idleness(pool: PgPool) {
    let mut conn = pool.acquire().await.expect("connection");
    let account = add(&mut conn, "a@example.org").await;
    accounts::open_session(&mut conn, b"old", account.id, -1).await.expect("open");
    assert!(accounts::by_session(&mut conn, b"old", IDLE).await.expect("query").is_none());
    accounts::open_session(&mut conn, b"idle", account.id, 60).await.expect("open");
    sqlx::query("update sessions set seen_at = now() - interval '30 minutes'")
        .execute(&mut *conn)
        .await
        .expect("age");
    assert!(accounts::by_session(&mut conn, b"idle", 60).await.expect("query").is_none());
    // Seen within a longer limit, it counts from now again.
    assert!(accounts::by_session(&mut conn, b"idle", IDLE).await.expect("query").is_some());
    assert!(accounts::by_session(&mut conn, b"idle", 60).await.expect("query").is_some());
    let left: i64 =
        sqlx::query_scalar("select count(*) from sessions").fetch_one(&mut *conn).await.expect("count");
    assert_eq!(left, 1, "opening a session forgets those that have ended");
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_token_names_its_account_until_it_expires_or_is_taken_back(pool: PgPool) {
    let mut conn = pool.acquire().await.expect("connection");
    let account = add(&mut conn, "a@example.org").await;
    let scopes = [Capability::Review];
    let made = tokens::insert(&mut conn, b"token", account.id, "bot", &scopes, 1).await.expect("insert");
    assert_eq!((made.name.as_str(), made.scopes.as_slice(), made.secret), ("bot", scopes.as_slice(), None));
    let found = tokens::find(&mut conn, b"token").await.expect("query");
    assert_eq!(found, Some((account.clone(), scopes.to_vec())));
    assert!(tokens::list(&mut conn, account.id).await.expect("list")[0].used_at.is_some());
    assert!(tokens::find(&mut conn, b"other").await.expect("query").is_none());
    sqlx::query("update tokens set expires_at = now()").execute(&mut *conn).await.expect("expire");
    assert!(tokens::find(&mut conn, b"token").await.expect("query").is_none());
    assert!(tokens::list(&mut conn, account.id).await.expect("list").is_empty());

    let whole = tokens::insert(&mut conn, b"whole", account.id, "bot", &[], 1).await.expect("insert");
    let other = AccountId(Uuid::now_v7());
    assert_eq!(tokens::remove(&mut conn, whole.id, Some(other)).await.expect("query"), None);
    assert!(tokens::find(&mut conn, b"whole").await.expect("query").is_some());
    assert_eq!(tokens::remove(&mut conn, whole.id, None).await.expect("query"), Some(account.id));
    assert!(tokens::find(&mut conn, b"whole").await.expect("query").is_none());
}

#[sqlx::test(migrations = "../../migrations")]
async fn an_invitation_is_found_by_its_link_and_used_once(pool: PgPool) {
    let mut conn = pool.acquire().await.expect("connection");
    let put = invitations::put(&mut conn, b"first", "a@example.org", Role::Lead, 7).await.expect("put");
    invitations::put(&mut conn, b"second", "a@example.org", Role::Annotator, 7).await.expect("put");
    assert!(invitations::find(&mut conn, b"first").await.expect("query").is_none(), "the newer one counts");
    assert!(!invitations::remove(&mut conn, put.id).await.expect("query"));
    let found = invitations::find(&mut conn, b"second").await.expect("query").expect("an invitation");
    assert_eq!(invitations::list(&mut conn).await.expect("list"), std::slice::from_ref(&found));
    sqlx::query("update invitations set expires_at = now()").execute(&mut *conn).await.expect("expire");
    assert!(invitations::take(&mut conn, b"second").await.expect("query").is_none(), "it has ended");
    invitations::put(&mut conn, b"third", "a@example.org", Role::Annotator, 7).await.expect("put");
    assert!(invitations::take(&mut conn, b"third").await.expect("query").is_some());
    assert!(invitations::take(&mut conn, b"third").await.expect("query").is_none());
}
