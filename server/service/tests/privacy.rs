//! Deleting a user: under a role that no server has, everywhere, and the audit log still verifies.

use crate::world::World;
use concord_domain::api::{Privacy as _, Review as _};
use concord_domain::{Actor, Answer, Error, Phase, Role, Submission};
use concord_service::audit::{fold, refold};
use concord_service::audit_log::{seal, verify};
use concord_service::privacy::{EraseError, PrivacyService, delete, delete_requested};
use concord_service::review::ReviewService;
use concord_store::roles;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

/// Eight users with a labelled and revealed sample each; the log is sealed, and the roles have their rights.
async fn labelled(pool: &PgPool) -> (World, Actor) {
    roles::grant(&mut pool.acquire().await.unwrap(), false).await.unwrap();
    let world = World::new(pool).await;
    world.tags(8).await;
    let ann = world.account("ann", Role::Annotator).await;
    let review = ReviewService::new(pool.clone());
    while let Some(assignment) = review.next(&ann, None, 1).await.unwrap().pop() {
        let answers = assignment.rubric.criteria.iter().map(|criterion| Answer {
            criterion: criterion.name.clone(),
            label: criterion.labels[0].name.clone(),
        });
        let submission = Submission {
            phase: Phase::Blind,
            answers: answers.collect(),
            comment: Some("a comment".into()),
            seconds: Some(1.5),
            unsupported: Vec::new(),
        };
        review.submit(&ann, assignment.id, "key", submission).await.unwrap();
        review.reveal(&ann, assignment.id).await.unwrap();
    }
    fold(pool).await.unwrap();
    while verify(pool, None).await.unwrap().unsealed > 0 {
        seal(pool).await.unwrap();
    }
    (world, Actor { role: Role::Admin, ..ann })
}

/// Key and number of a user of the audit half.
async fn audited(pool: &PgPool) -> (String, i64) {
    sqlx::query_as(
        "select u.key, u.id from users u join samples s on s.user_id = u.id
         join labels l on l.sample_id = s.id where s.half = 'audit' order by u.id limit 1",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Every table but the log that has a row with this text.
async fn tables_with(pool: &PgPool, text: &str) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
         and relname not in ('audit_events', '_sqlx_migrations') order by 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut found = Vec::new();
    for table in tables {
        let statement = format!("select exists (select from {table} t where position($1 in t::text) > 0)");
        if sqlx::query_scalar(AssertSqlSafe(statement)).bind(text).fetch_one(pool).await.unwrap() {
            found.push(table);
        }
    }
    found
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_deleted_user_is_nowhere_and_the_log_still_verifies(pool: PgPool) {
    let (world, admin) = labelled(&pool).await;
    let (key, user) = audited(&pool).await;
    let samples: Vec<Uuid> = sqlx::query_scalar("select id from samples where user_id = $1")
        .bind(user)
        .fetch_all(&pool)
        .await
        .unwrap();
    let certificate = certificate(&pool).await;
    world.try_sql("insert into audit_events (action, subject, detail) values ('backup', 'b1', '{\"dir\": \"/b/1\"}')").await.unwrap();
    let sample = samples[0].to_string();
    assert!(tables_with(&pool, &sample).await.len() > 5);
    let (labels, entries) = (world.count("labels").await, verify(&pool, None).await.unwrap().entries);

    let receipt = delete(&pool, &admin, &key).await.unwrap();

    fold(&pool).await.unwrap();
    assert_eq!(tables_with(&pool, &sample).await, Vec::<String>::new());
    for table in
        ["users", "samples", "labels", "submissions", "verdicts", "calls", "generation_users", "rationales"]
    {
        assert!(receipt["deleted"][table].as_u64().is_some_and(|n| n > 0), "{table}: {receipt}");
    }
    assert_eq!(world.count("labels").await, labels - receipt["deleted"]["labels"].as_i64().unwrap());
    assert_eq!(receipt["certificates"], serde_json::json!([certificate]));
    assert_eq!(receipt["backups"], serde_json::json!([{"id": "b1", "dir": "/b/1"}]));
    let status: String = sqlx::query_scalar("select status from certificates where id = $1")
        .bind(certificate)
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(status, "void");
    assert_eq!(refold(&pool).await.unwrap(), 0, "the counts of the audit are those of what is left");

    let verified = verify(&pool, None).await.unwrap();
    assert!(verified.ok && verified.entries >= entries && verified.erased > 0, "{verified:?}");
    assert!(matches!(delete(&pool, &admin, &key).await, Err(EraseError::NoUser)));
}

/// A live certificate on the labels there are.
async fn certificate(pool: &PgPool) -> Uuid {
    sqlx::query_scalar(
        "with attempt as (
            insert into certificate_attempts (id, task, criterion, judge, major, rubric_version, verdict, eps, delta, attempt,
                delta_spent, labels_after, labels_through, seed, grid, starts, pool, grid_from, created_by)
            select gen_random_uuid(), 'tag', l.criterion, v.judge, 1, l.rubric_version, 'pass', 0.1, 0.1, 1, 0.1, 0,
                   concord_log_horizon()::text::bigint + 1000000, 1, '{0.5}', '{1}', 8, 'unlabelled', '00000000-0000-0000-0000-000000000000'
            from labels l join verdicts v on v.sample_id = l.sample_id join samples s on s.id = l.sample_id where s.half = 'audit' limit 1
            returning id)
         insert into certificates (id, threshold, n, errors, ucb, coverage) select id, 0.5, 8, 0, 0.1, 0.5 from attempt returning id",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_list_of_erased_rows_that_no_receipt_tells_of_hides_nothing(pool: PgPool) {
    let (world, admin) = labelled(&pool).await;
    let (key, _) = audited(&pool).await;
    let receipt = delete(&pool, &admin, &key).await.unwrap();
    let erasure = receipt["erasure"].as_str().unwrap().to_owned();
    // Somebody with the owner's rights takes one more label away and adds it to the list.
    for statement in [
        "alter table labels disable trigger user".to_owned(),
        format!("insert into erased_rows select 3, id, '{erasure}' from labels order by seq limit 1"),
        "delete from labels where id = (select id from labels order by seq limit 1)".to_owned(),
    ] {
        world.try_sql(&statement).await.unwrap();
    }
    let verified = verify(&pool, None).await.unwrap();
    assert!(!verified.ok && verified.problems[0].what.contains(&erasure), "{verified:?}");
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_server_can_take_nothing_away_and_cannot_become_the_eraser(pool: PgPool) {
    let (_world, _) = labelled(&pool).await;
    let refused = async |statement: &str| {
        let mut tx = pool.begin().await.unwrap();
        for it in ["set local session authorization concord_server", statement] {
            if let Err(error) = sqlx::query(AssertSqlSafe(it.to_owned())).execute(&mut *tx).await {
                let code =
                    error.as_database_error().and_then(|it| it.code()).unwrap_or_default().into_owned();
                assert_eq!(code, "42501", "{statement}: {error}");
                return true;
            }
        }
        false
    };
    for table in ["labels", "submissions", "adjudications", "audit_events", "audit_log_blocks", "erased_rows"]
    {
        assert!(refused(&format!("delete from {table}")).await, "{table}");
        assert!(refused(&format!("truncate {table}")).await, "{table}");
    }
    for statement in [
        "update labels set pass = not pass",
        "alter table labels disable trigger user",
        "set role concord_eraser",
        "insert into erased_rows select 3, id, id from labels",
        "create or replace function refuse_change() returns trigger language plpgsql as 'begin return null; end'",
    ] {
        assert!(refused(statement).await, "{statement}");
    }
    assert!(!refused("update assignments set closed_at = now()").await, "what it works with it may change");
    // The eraser has no right to the log either.
    let mut tx = pool.begin().await.unwrap();
    roles::act_as_eraser(&mut tx).await.unwrap();
    assert!(sqlx::query("delete from audit_events").execute(&mut *tx).await.is_err());
}

#[sqlx::test(migrations = "../../migrations")]
async fn an_administrator_asks_and_the_operator_does_it(pool: PgPool) {
    let (world, admin) = labelled(&pool).await;
    let (key, _) = audited(&pool).await;
    let service = PrivacyService::new(pool.clone());
    let lead = world.account("lead", Role::Lead).await;
    assert_eq!(service.request_erasure(&lead, &key).await, Err(Error::Forbidden));
    assert!(matches!(service.request_erasure(&admin, "nobody").await, Err(Error::NotFound { .. })));
    let asked = service.request_erasure(&admin, &key).await.unwrap();
    assert_eq!(
        service.request_erasure(&admin, &key).await.unwrap().id,
        asked.id,
        "asked twice is asked once"
    );
    let receipts: Vec<Value> = delete_requested(&pool, &admin).await.unwrap();
    assert_eq!(receipts.len(), 1);
    let done = service.erasures(&admin).await.unwrap();
    assert_eq!((done.len(), &done[0].receipt), (1, &Some(receipts[0].clone())));
    assert!(delete_requested(&pool, &admin).await.unwrap().is_empty());
}

#[sqlx::test(migrations = "../../migrations")]
async fn behaviours_are_kept_as_long_as_asked(pool: PgPool) {
    let world = World::new(&pool).await;
    world
        .try_sql(
            "with u as (insert into users (key, half) values ('u', 'train') returning id),
                  i as (insert into items (key, title) values ('i', 't') returning id)
             select from u, i",
        )
        .await
        .unwrap();
    for (n, at) in ["now() - interval '40 days'", "now() - interval '20 days'", "null"].iter().enumerate() {
        let statement = format!(
            "insert into behaviours (user_id, kind, item_id, at, position, reliable)
             select u.id, 'view', i.id, {at}, {n}, true from users u, items i"
        );
        world.try_sql(&statement).await.unwrap();
    }
    let keep = |behaviour_days| concord_service::retention::RetainArgs { behaviour_days };
    concord_service::retention::run(&pool, keep(None)).await.unwrap();
    assert_eq!(world.count("behaviours").await, 3, "kept for good unless asked");
    concord_service::retention::run(&pool, keep(Some(30))).await.unwrap();
    assert_eq!(world.count("behaviours").await, 2, "what has no time has no age");
}

#[sqlx::test(migrations = "../../migrations")]
async fn imported_users_have_pseudonyms_if_asked(pool: PgPool) {
    use concord_service::intake::{Format, ImportOptions, Kind, PseudonymKey, RejectFile, import};
    let key = PseudonymKey::new("0123456789abcdef").unwrap();
    for (kind, text) in [
        (Kind::Users, r#"{"user":"zqplant"}"#),
        (Kind::Behaviours, r#"{"user":"zqplant","kind":"search","query":"boots"}"#),
        (Kind::Samples, r#"{"sample":"s","task":"tag","text":"t","user":"zqplant","cluster":"zqplant"}"#),
    ] {
        let options =
            ImportOptions { pseudonyms: Some(key.clone()), ..ImportOptions::new(kind, Format::Jsonl) };
        let report =
            import(&pool, text.as_bytes(), &options, &mut RejectFile::beside(None), |_| {}).await.unwrap();
        assert_eq!(report.new, 1, "{report:?}");
    }
    assert_eq!(tables_with(&pool, "zqplant").await, Vec::<String>::new());
    let one: (String, i64, i64) = sqlx::query_as(
        "select u.key, (select count(*) from behaviours where user_id = u.id), (select count(*) from samples where user_id = u.id) from users u",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(one, (key.of("zqplant"), 1, 1));
}
