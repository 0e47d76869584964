//! Review holds its promises against a real database: blind first, overlap, once, append-only.

use crate::world::World;
use concord_domain::api::{Exports, Review, Samples};
use concord_domain::{
    Answer, Error, ExportPolicy, Phase, Programme, Role, SampleFilter, Submission, api::Result,
};
use concord_service::exports::ExportsService;
use concord_service::review::ReviewService;
use concord_service::samples::SamplesService;
use sqlx::PgPool;

const CRITERIA: [&str; 4] = ["relevance", "consistency", "specificity", "validity"];

fn answers(label: &str) -> Submission {
    let answers = CRITERIA.iter().map(|c| Answer { criterion: (*c).into(), label: label.into() }).collect();
    Submission { phase: Phase::Blind, answers, comment: None, seconds: Some(3.5), unsupported: Vec::new() }
}

fn revised(label: &str) -> Submission {
    Submission { phase: Phase::Revised, ..answers(label) }
}

fn code<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.expect_err("should be refused").code().to_owned()
}

#[sqlx::test(migrations = "../../migrations")]
async fn the_same_submit_three_times_is_stored_once(pool: PgPool) {
    let world = World::new(&pool).await;
    world.tags(2).await;
    let review = ReviewService::new(pool.clone());
    let ann = world.account("ann", Role::Annotator).await;
    let one = review.next(&ann, None, 1).await.unwrap().remove(0);
    let first = review.submit(&ann, one.id, "k1", answers("pass")).await.unwrap();
    for _ in 0..2 {
        assert_eq!(review.submit(&ann, one.id, "k1", answers("pass")).await.unwrap(), first);
    }
    assert!(matches!(
        review.submit(&ann, one.id, "k1", answers("fail")).await,
        Err(Error::Invalid { field, .. }) if field == "Idempotency-Key"
    ));
    assert_eq!(code(review.submit(&ann, one.id, "k2", answers("fail")).await), "already_submitted");
    assert_eq!(world.count("labels").await, 4);
}

#[sqlx::test(migrations = "../../migrations")]
async fn verdicts_come_only_after_the_blind_answer(pool: PgPool) {
    let world = World::new(&pool).await;
    world.tags(1).await;
    let review = ReviewService::new(pool.clone());
    let samples = SamplesService::new(pool.clone());
    let ann = world.account("ann", Role::Annotator).await;
    let one = review.next(&ann, None, 1).await.unwrap().remove(0);
    assert_eq!(code(review.reveal(&ann, one.id).await), "not_submitted");
    assert_eq!(code(review.submit(&ann, one.id, "r", revised("pass")).await), "not_revealed");
    assert!(samples.get(&ann, one.sample.id).await.unwrap().verdicts.is_none());
    review.submit(&ann, one.id, "b", answers("pass")).await.unwrap();
    assert!(samples.get(&ann, one.sample.id).await.unwrap().verdicts.is_none(), "submitted but not revealed");
    let reveal = review.reveal(&ann, one.id).await.unwrap();
    assert_eq!(reveal.verdicts.len(), 4);
    assert!(reveal.verdicts.iter().all(|v| v.rationale.as_deref() == Some(crate::world::RATIONALE)));
    review.submit(&ann, one.id, "r", revised("fail")).await.unwrap();
    let (_, latest) = review.reopen(&ann, one.id).await.unwrap();
    assert!(latest.iter().all(|answer| answer.label == "fail"));
    assert_eq!(world.count("labels").await, 8, "the blind answers stay");
}

#[sqlx::test(migrations = "../../migrations")]
async fn who_has_seen_the_verdicts_is_never_given_the_sample_blind(pool: PgPool) {
    let world = World::new(&pool).await;
    let ids = world.tags(2).await;
    let (review, samples) = (ReviewService::new(pool.clone()), SamplesService::new(pool.clone()));
    let lead = world.account("lead", Role::Lead).await;
    let held = review.next(&lead, None, 1).await.unwrap().remove(0);
    samples.get(&lead, held.sample.id).await.unwrap();
    assert_eq!(code(review.submit(&lead, held.id, "k", answers("pass")).await), "already_seen");
    samples.list(&lead, SampleFilter::default()).await.unwrap();
    assert!(review.next(&lead, None, 4).await.unwrap().is_empty());
    assert_eq!(ids.len(), 2);
}

#[sqlx::test(migrations = "../../migrations")]
async fn an_annotator_learns_nothing_from_the_list(pool: PgPool) {
    let world = World::new(&pool).await;
    world.tags(3).await;
    let samples = SamplesService::new(pool.clone());
    let ann = world.account("ann", Role::Annotator).await;
    for state in ["agree", "disagree", "unlabelled"] {
        let filter =
            SampleFilter { state: Some(state.into()), half: Some("audit".into()), ..SampleFilter::default() };
        let page = samples.list(&ann, filter).await.unwrap();
        assert_eq!(page.rows.len(), 3, "{state} filters nothing for an annotator");
        assert!(page.rows.iter().all(|row| row.lead.is_none()));
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_crowd_never_exceeds_the_overlap(pool: PgPool) {
    let world = World::new(&pool).await;
    let ids = world.tags(6).await;
    let lead = world.account("lead", Role::Lead).await;
    let review = ReviewService::new(pool.clone());
    let programme = Programme { overlap: 2, ..Programme::default() };
    review.set_programme(&lead, "tag", programme).await.unwrap();
    let mut people = tokio::task::JoinSet::new();
    for n in 0..5 {
        let (review, person) = (review.clone(), world.account(&format!("p{n}"), Role::Annotator).await);
        people.spawn(async move {
            let mut done = 0;
            while let Some(one) = review.next(&person, Some("tag"), 1).await.unwrap().pop() {
                review.submit(&person, one.id, &format!("{}", one.id), answers("pass")).await.unwrap();
                done += 1;
            }
            done
        });
    }
    let mut done = 0;
    while let Some(n) = people.join_next().await {
        done += n.unwrap();
    }
    assert_eq!(done, ids.len() * 2);
    assert_eq!(world.count("labels").await, (ids.len() * 2 * CRITERIA.len()) as i64);
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_late_answer_is_taken_while_a_slot_is_free_and_refused_after(pool: PgPool) {
    let world = World::new(&pool).await;
    world.tags(1).await;
    let review = ReviewService::new(pool.clone());
    let (ann, bob) =
        (world.account("ann", Role::Annotator).await, world.account("bob", Role::Annotator).await);
    let hers = review.next(&ann, None, 1).await.unwrap().remove(0);
    world.lapse_leases().await;
    let his = review.next(&bob, None, 1).await.unwrap().remove(0);
    assert_eq!(his.sample.id, hers.sample.id);
    assert_eq!(code(review.submit(&ann, hers.id, "a", answers("pass")).await), "overlap_full");
    review.skip(&bob, his.id, "unclear").await.unwrap();
    review.submit(&ann, hers.id, "a", answers("pass")).await.unwrap();
    assert!(review.next(&bob, None, 1).await.unwrap().is_empty(), "a skipped sample does not come back");
    assert!(
        matches!(review.reveal(&bob, hers.id).await, Err(Error::NotFound { .. })),
        "another's assignment"
    );
}

#[sqlx::test(migrations = "../../migrations")]
async fn lowering_the_overlap_below_live_leases_stops_nobody(pool: PgPool) {
    let world = World::new(&pool).await;
    world.tags(2).await;
    let lead = world.account("lead", Role::Lead).await;
    let review = ReviewService::new(pool.clone());
    let programme = |overlap| Programme { overlap, ..Programme::default() };
    review.set_programme(&lead, "tag", programme(3)).await.unwrap();
    let mut held = Vec::new();
    for n in 0..3 {
        let person = world.account(&format!("p{n}"), Role::Annotator).await;
        let mut leased = review.next(&person, None, 2).await.unwrap();
        held.push((person, leased.remove(0), leased.remove(0)));
    }
    review.set_programme(&lead, "tag", programme(1)).await.unwrap();
    review.submit(&held[0].0, held[0].1.id, "k", answers("pass")).await.unwrap();
    review.skip(&held[1].0, held[1].1.id, "unclear").await.unwrap();
    review.skip(&held[2].0, held[2].1.id, "unclear").await.unwrap();
    world.lapse_leases().await;
    let late = world.account("late", Role::Annotator).await;
    let next = review.next(&late, None, 4).await.unwrap();
    assert_eq!(next.iter().map(|a| a.sample.id).collect::<Vec<_>>(), [held[0].2.sample.id]);
    assert_eq!(code(review.submit(&held[1].0, held[1].1.id, "k", answers("pass")).await), "overlap_full");
}

#[sqlx::test(migrations = "../../migrations")]
async fn an_answer_must_name_every_criterion_once(pool: PgPool) {
    let world = World::new(&pool).await;
    world.tags(1).await;
    let review = ReviewService::new(pool.clone());
    let ann = world.account("ann", Role::Annotator).await;
    let one = review.next(&ann, None, 1).await.unwrap().remove(0);
    let mut missing = answers("pass");
    missing.answers.pop();
    let error = review.submit(&ann, one.id, "k", missing).await.unwrap_err().to_string();
    assert!(error.contains("validity is missing"), "{error}");
    let mut twice = answers("pass");
    twice.answers[3].criterion = "relevance".into();
    assert!(
        review.submit(&ann, one.id, "k", twice).await.unwrap_err().to_string().contains("answered twice")
    );
    let unknown = answers("maybe");
    assert!(
        review
            .submit(&ann, one.id, "k", unknown)
            .await
            .unwrap_err()
            .to_string()
            .contains("none of pass, fail")
    );
    assert_eq!(world.count("labels").await, 0);
}

#[sqlx::test(migrations = "../../migrations")]
async fn labels_cannot_be_changed_or_removed(pool: PgPool) {
    let world = World::new(&pool).await;
    world.tags(1).await;
    let review = ReviewService::new(pool.clone());
    let ann = world.account("ann", Role::Annotator).await;
    let one = review.next(&ann, None, 1).await.unwrap().remove(0);
    review.submit(&ann, one.id, "k", answers("pass")).await.unwrap();
    for statement in
        ["update labels set pass = false", "delete from labels", "truncate labels", "delete from submissions"]
    {
        let error = world.try_sql(statement).await.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{statement}: {error}");
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn an_export_takes_only_agreed_samples_of_the_train_half(pool: PgPool) {
    let world = World::new(&pool).await;
    world.tags(40).await;
    let review = ReviewService::new(pool.clone());
    let ann = world.account("ann", Role::Annotator).await;
    let lead = world.account("lead", Role::Lead).await;
    let mut n = 0;
    while let Some(one) = review.next(&ann, None, 1).await.unwrap().pop() {
        n += 1;
        let label = if n % 4 == 0 { "fail" } else { "pass" };
        review.submit(&ann, one.id, &one.id.to_string(), answers(label)).await.unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let exports = ExportsService::new(pool.clone(), dir.path().join("exports"));
    let policy = ExportPolicy::default();
    let preview = exports.preview(&lead, &policy).await.unwrap();
    let (mut files, mut rows) = (Vec::new(), 0);
    for name in ["one", "two"] {
        let out = dir.path().join(name);
        rows = exports.write(&policy, &out.to_string_lossy()).await.unwrap();
        files.push(
            ["train.jsonl", "lineage.jsonl", "manifest.json"]
                .map(|file| std::fs::read(out.join(file)).unwrap()),
        );
    }
    assert_eq!(files[0], files[1], "the same policy on the same data gives the same bytes");
    assert_eq!(preview.rows.iter().map(|(_, n)| n).sum::<i64>(), rows as i64);
    assert_eq!(rows as i64, world.passed_train().await);
    assert!(rows > 0 && (rows as i64) < world.count("samples").await, "some are audit, some failed");
    let refused = exports.write(&policy, &dir.path().join("one").to_string_lossy()).await.unwrap_err();
    assert!(refused.why.contains("not empty"), "{refused}");
    let smuggle = "insert into export_rows (export_id, line, sample_id)
         select e.id, 99999, s.id from exports e, samples s where s.half = 'audit' limit 1";
    assert!(world.try_sql(smuggle).await.is_err(), "the database refuses an audit sample");
}
