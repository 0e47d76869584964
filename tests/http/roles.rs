//! The strictest setup: a server that signs in as a role of its own, which owns nothing.

use concord_tests::{TestDatabase, TestServer, root, target};
use reqwest::Url;
use sqlx::{AssertSqlSafe, PgPool};
use std::process::Command;

/// A role that may be what a server works as, and no more; gone with the test.
struct Role {
    name: String,
    owner: PgPool,
}

impl Role {
    async fn new(owner: &PgPool) -> Self {
        let name = format!("concord_web_{:016x}", rand::random::<u64>());
        let sql = format!("create role {name} login in role concord_server");
        sqlx::query(AssertSqlSafe(sql)).execute(owner).await.expect("a role");
        Self { name, owner: owner.clone() }
    }

    async fn drop(self) {
        let sql = format!("drop role {}", self.name);
        sqlx::query(AssertSqlSafe(sql)).execute(&self.owner).await.expect("the role owned nothing");
    }
}

fn migrate(url: &str) -> std::process::Output {
    let mut command = Command::new(target().join("debug/concord"));
    command.arg("migrate").current_dir(root()).env("DATABASE_URL", url).output().expect("concord runs")
}

#[tokio::test]
async fn a_server_with_a_role_that_owns_nothing_serves_and_can_change_no_label() {
    let database = TestDatabase::create().await;
    let owner = PgPool::connect(database.url()).await.expect("the test's database");
    assert!(migrate(database.url()).status.success());
    let role = Role::new(&owner).await;
    let mut url = Url::parse(database.url()).expect("an address");
    url.set_username(&role.name).expect("a name");
    let url = String::from(url);

    let server = TestServer::start_with(&[("CONCORD_WORKERS", "0"), ("DATABASE_URL", &url)]).await;
    let ann = server.account("ann@example.org", "annotator").await;
    sqlx::query(
        "insert into samples (id, key, task, text, half, rubric_version, overlap, open_slots, serve_order)
         select gen_random_uuid(), 's1', 'tag', 'text', 'train', r.version, 1, 1, 1
         from rubrics r where r.task = 'tag' and r.current",
    )
    .execute(&owner)
    .await
    .expect("a sample");
    let assignment = server.next(&ann).await.expect("something to label");
    assert_eq!(server.submit(&ann, &assignment, "k", "blind", true).await.status(), 201);

    let web = PgPool::connect(&url).await.expect("the role signs in");
    for statement in [
        "update labels set pass = not pass",
        "delete from labels",
        "truncate labels",
        "alter table labels disable trigger all",
        "delete from audit_events",
        "create table mine (id int)",
        "set role concord_eraser",
    ] {
        let refused = sqlx::query(statement).execute(&web).await;
        let code = refused.err().and_then(|error| error.as_database_error()?.code().map(|it| it.to_string()));
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: insufficient privilege");
    }
    web.close().await;
    drop(server);
    role.drop().await;
}

#[tokio::test]
async fn a_server_that_may_not_migrate_says_who_has_to() {
    let database = TestDatabase::create().await;
    let owner = PgPool::connect(database.url()).await.expect("the test's database");
    // The roles belong to the whole cluster; any migrated database has made them.
    let other = TestDatabase::create().await;
    assert!(migrate(other.url()).status.success());
    let role = Role::new(&owner).await;
    let mut url = Url::parse(database.url()).expect("an address");
    url.set_username(&role.name).expect("a name");
    let refused = migrate(url.as_str());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(said.contains("permission denied") || said.contains("owner"), "{said}");
    role.drop().await;
}
