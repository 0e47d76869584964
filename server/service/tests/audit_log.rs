//! The audit log: sealed in order, verified from end to end, and telling on whoever changes it.

use crate::world::World;
use concord_domain::api::Review as _;
use concord_domain::{Answer, Phase, Role, Submission};
use concord_service::audit_log::{self, verify};
use concord_service::review::ReviewService;
use sqlx::PgPool;

/// Two labelled samples, sealed.
async fn labelled(pool: &PgPool) -> World {
    let world = World::new(pool).await;
    world.tags(2).await;
    let ann = world.account("ann", Role::Annotator).await;
    let review = ReviewService::new(pool.clone());
    for _ in 0..2 {
        let assignment = review.next(&ann, None, 1).await.unwrap().pop().unwrap();
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
    world
}

/// Seals so many rows. The horizon is the server's: other tests' transactions hold it back for a moment.
async fn seal(pool: &PgPool, rows: i64) {
    let mut sealed = 0;
    for _ in 0..200 {
        sealed += audit_log::seal(pool).await.unwrap();
        if sealed >= rows {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(sealed, rows);
}

/// Seals everything there is.
async fn seal_all(pool: &PgPool) {
    let rows = verify(pool, None).await.unwrap().unsealed;
    seal(pool, rows).await;
}

/// What somebody with the owner's rights could do, triggers and all.
async fn tamper(world: &World, table: &str, statement: &str) {
    for statement in [
        format!("alter table {table} disable trigger user"),
        statement.to_owned(),
        format!("alter table {table} enable trigger user"),
    ] {
        world.try_sql(&statement).await.unwrap();
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn every_label_and_event_is_sealed_once_and_verified(pool: PgPool) {
    let world = labelled(&pool).await;
    let before = verify(&pool, None).await.unwrap();
    assert!(before.ok && before.blocks == 0 && before.unsealed > 0, "{before:?}");
    seal(&pool, before.unsealed).await;
    assert_eq!(audit_log::seal(&pool).await.unwrap(), 0, "nothing is sealed twice");
    let counted = world.count("labels").await
        + world.count("submissions").await
        + world.count("verdicts").await
        + world.count("audit_events").await;
    let after = verify(&pool, None).await.unwrap();
    assert!(after.ok, "{after:?}");
    assert_eq!((after.entries, after.unsealed), (counted, 0));

    // Later rows go into the next block, and the head that was noted is still in the chain.
    world.try_sql("insert into audit_events (action, subject) values ('test', 'x')").await.unwrap();
    seal(&pool, 1).await;
    let noted: Vec<u8> =
        (0..32).map(|n| u8::from_str_radix(&after.head[2 * n..2 * n + 2], 16).unwrap()).collect();
    let later = verify(&pool, Some(&noted)).await.unwrap();
    assert!(later.ok && later.blocks == after.blocks + 1, "{later:?}");
    assert!(!verify(&pool, Some(&[7; 32])).await.unwrap().ok, "a head that never was");
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_row_changed_taken_or_added_behind_the_chain_is_told(pool: PgPool) {
    let world = labelled(&pool).await;
    seal_all(&pool).await;
    for (table, statement, what) in [
        ("labels", "update labels set pass = not pass where seq = 1", "was changed"),
        (
            "submissions",
            "update submissions set comment = 'another' where comment is not null",
            "was changed",
        ),
        ("labels", "delete from labels where seq = 2", "is gone"),
        ("audit_events", "delete from audit_events where action = 'reveal'", "is gone"),
        (
            "verdicts",
            "insert into verdicts (id, sample_id, criterion, judge, status, tx)
             select gen_random_uuid(), sample_id, 'other', judge, 'unparsed', tx from verdicts limit 1",
            "was added",
        ),
    ] {
        let before = verify(&pool, None).await.unwrap().problems.len();
        tamper(&world, table, statement).await;
        let after = verify(&pool, None).await.unwrap();
        assert!(!after.ok && after.problems.len() > before, "{statement}: {after:?}");
        assert!(
            after.problems.iter().any(|it| it.what.starts_with(table) && it.what.contains(what)),
            "{after:?}"
        );
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_chain_written_anew_does_not_contain_the_head_that_was_noted(pool: PgPool) {
    let world = labelled(&pool).await;
    seal_all(&pool).await;
    let noted = concord_store::audit_log::head(&mut pool.acquire().await.unwrap()).await.unwrap().hash;
    tamper(&world, "labels", "update labels set pass = not pass where seq = 1").await;
    tamper(&world, "audit_log_blocks", "delete from audit_log_blocks").await;
    seal_all(&pool).await;
    assert!(verify(&pool, None).await.unwrap().ok, "the new chain fits the changed rows");
    let against = verify(&pool, Some(&noted)).await.unwrap();
    assert!(!against.ok && against.problems[0].what.contains("that was noted"), "{against:?}");
}

#[sqlx::test(migrations = "../../migrations")]
async fn rows_of_a_transaction_still_open_are_left_for_a_later_block(pool: PgPool) {
    let event = "insert into audit_events (action, subject) values ('test', 'x')";
    let mut slow = pool.begin().await.unwrap();
    sqlx::query(event).execute(&mut *slow).await.unwrap();
    sqlx::query(event).execute(&pool).await.unwrap();
    assert_eq!(audit_log::seal(&pool).await.unwrap(), 0, "the later one waits for the earlier");
    slow.commit().await.unwrap();
    seal(&pool, 2).await;
    assert!(verify(&pool, None).await.unwrap().ok);
}
