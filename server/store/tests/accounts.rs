//! Accounts, sessions and tokens against a real database.

use concord_domain::{Account, AccountId, Role};
use concord_store::accounts;
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
async fn a_token_names_its_account_until_it_expires(pool: PgPool) {
    let mut conn = pool.acquire().await.expect("connection");
    let account = add(&mut conn, "a@example.org").await;
    accounts::insert_token(&mut conn, b"token", account.id).await.expect("insert");
    assert_eq!(accounts::by_token(&mut conn, b"token").await.expect("query"), Some(account));
    assert!(accounts::by_token(&mut conn, b"other").await.expect("query").is_none());
    sqlx::query("update tokens set expires_at = now()").execute(&mut *conn).await.expect("expire");
    assert!(accounts::by_token(&mut conn, b"token").await.expect("query").is_none());
}
