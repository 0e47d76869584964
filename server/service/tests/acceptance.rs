//! What becomes of judged samples: drawn for the audit with a known probability, accepted by certificates, and given
//! back to people when those end.

use crate::audited::World;
use concord_domain::api::{Audit, Review};
use concord_domain::{Answer, AuditSampling, Phase, Role, Submission};
use concord_service::review::ReviewService;
use concord_store::{acceptance, certificates};
use sqlx::PgPool;

const EVERYTHING: AuditSampling = AuditSampling { rate_pass: 1.0, rate_fail: 1.0, floor: 0.05 };

#[sqlx::test(migrations = "../../migrations")]
async fn the_audit_is_drawn_by_verdict_and_labels_carry_its_probability(pool: PgPool) {
    let world = World::new(pool).await;
    let to = AuditSampling { rate_pass: 0.2, rate_fail: 0.5, floor: 0.05 };
    world.audit.set_sampling(&world.lead, "t", to).await.expect("set");
    world.samples(0, 1200, 1).await;
    world.verdicts((1, 1000), Some(true), Some(0.9)).await;
    world.verdicts((1001, 1200), Some(false), Some(0.1)).await;
    world.open().await;
    let drawn = |pass: bool| {
        world.count_of(if pass { "audit_drawn and audit_pi = 0.2" } else { "audit_drawn and audit_pi = 0.5" })
    };
    let (passes, fails) = (drawn(true).await, drawn(false).await);
    // Five standard deviations: 63 and 35.
    assert!((137..=263).contains(&passes) && (65..=135).contains(&fails), "{passes} and {fails}");
    assert_eq!(world.count_of("open_slots > 0").await, passes + fails, "the rest is not served");

    // People answer all that is served: the truth is that every tenth pass is wrong, and every fifth fail.
    let review = ReviewService::new(world.pool.clone());
    let ann = world.account("ann", Role::Annotator).await;
    loop {
        let batch = review.next(&ann, None, 4).await.expect("assignments");
        if batch.is_empty() {
            break;
        }
        for given in batch {
            let k: i32 = given.sample.key.trim_start_matches('s').parse().expect("a number");
            let pass = if k <= 1000 { k % 10 != 0 } else { k % 5 == 0 };
            let label = if pass { "pass" } else { "fail" };
            let answers = vec![Answer { criterion: "ok".into(), label: label.into() }];
            let unsupported = Vec::new();
            let body = Submission { phase: Phase::Blind, answers, comment: None, seconds: None, unsupported };
            review.submit(&ann, given.id, &given.id.to_string(), body).await.expect("stored");
        }
    }
    let card = world.card("ok").await;
    assert!(card.weighted);
    let weighted = card.cells_weighted.expect("weights");
    let horvitz_thompson = [
        f64::from(u32::try_from(card.cells.tp).expect("small")) / 0.2,
        f64::from(u32::try_from(card.cells.fp).expect("small")) / 0.2,
        f64::from(u32::try_from(card.cells.fn_).expect("small")) / 0.5,
        f64::from(u32::try_from(card.cells.tn).expect("small")) / 0.5,
    ];
    for (found, by_hand) in
        [weighted.tp, weighted.fp, weighted.fn_, weighted.tn].into_iter().zip(horvitz_thompson)
    {
        assert!((found - by_hand).abs() < 1e-6, "{found} is not {by_hand}");
    }
    let specificity = card.specificity.est.expect("an estimate");
    let by_hand = horvitz_thompson[3] / (horvitz_thompson[3] + horvitz_thompson[1]);
    assert!((specificity - by_hand).abs() < 1e-9);

    let plan = world.audit.allocate(&world.lead, "t", 200).await.expect("a plan");
    assert_eq!(plan.strata.iter().map(|it| it.labels).sum::<u64>(), 200);
    assert_eq!(plan.strata[0].size + plan.strata[1].size, 1200);
    let refused =
        world.audit.set_sampling(&world.lead, "t", AuditSampling { floor: 0.0, ..EVERYTHING }).await;
    assert!(refused.is_err(), "accepted samples keep a floor");
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_certificate_accepts_what_it_covers_but_for_a_floor_and_gives_it_back_when_it_ends(pool: PgPool) {
    let world = World::new(pool).await;
    world.cells([300, 6, 0, 0]).await;
    let live = world.certify(world.request(&["pass"], 0.1, 0.1)).await;
    assert_eq!(live.shown.status, "live");
    let threshold = live.shown.threshold.expect("a threshold");
    world.samples(1000, 600, 1).await;
    world.verdicts((1001, 1400), Some(true), Some(0.95)).await;
    world.verdicts((1401, 1500), Some(true), Some(threshold - 0.01)).await;
    world.verdicts((1501, 1600), Some(false), Some(0.05)).await;
    world.open().await;

    let accepted = world.accepted("reopened_at is null").await;
    assert_eq!(accepted, 400, "sure passes, and only those");
    let drawn = world.count_of("audit_pi = 0.05 and audit_drawn").await;
    assert!((4..=43).contains(&drawn), "five in a hundred are looked at all the same: {drawn}");
    assert_eq!(world.count_of("open_slots > 0").await, 200 + drawn);

    // People look at the floor and find every second one wrong.
    world.label_drawn(|place| place % 2 == 0).await;
    let shown = world.audit.certificates(&world.lead, Some(live.id)).await.expect("a certificate").remove(0);
    let found = u64::try_from(drawn).expect("small");
    assert_eq!((shown.acts.accepted, shown.acts.audited, shown.acts.errors), (400, found, found / 2));
    assert_eq!(shown.acts.reopened, 0);

    let mut conn = world.pool.acquire().await.expect("a connection");
    assert!(certificates::end(&mut conn, live.id, "suspended", "a test").await.expect("ended"));
    assert_eq!(world.accepted("reopened_at is null").await, 0);
    assert_eq!(
        world.count_of("open_slots > 0").await,
        600 - drawn,
        "what nobody looked at is back, what was labelled is not"
    );
    let shown = world.audit.certificates(&world.lead, Some(live.id)).await.expect("a certificate").remove(0);
    assert_eq!((shown.acts.accepted, shown.acts.reopened), (400, 400));

    // What comes back was not drawn: its labels are no audit, and no estimate is bent by them.
    let review = ReviewService::new(world.pool.clone());
    let ann = world.account("ann", Role::Annotator).await;
    while !review.next(&ann, None, 4).await.expect("assignments").is_empty() {
        sqlx::query("update assignments set state = 'skipped', slot = null, skip_reason = 'seen' where state = 'leased'")
            .execute(&world.pool).await.expect("skipped");
    }
    let wrong: i64 = sqlx::query_scalar(
        "select count(*) from assignments a join samples s on s.id = a.sample_id
         where (a.stream = 'audit') <> s.audit_drawn or (s.audit_drawn and a.pi <> s.audit_pi)",
    )
    .fetch_one(&world.pool)
    .await
    .expect("a count");
    assert_eq!(wrong, 0);
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_new_certificate_takes_over_what_it_covers_and_sweeps_what_nobody_has(pool: PgPool) {
    let world = World::new(pool).await;
    world.cells([300, 6, 0, 0]).await;
    world.samples(1000, 100, 1).await;
    world.verdicts((1001, 1100), Some(true), Some(0.95)).await;
    world.open().await;
    assert_eq!(world.accepted("true").await, 0);
    let review = ReviewService::new(world.pool.clone());
    let ann = world.account("ann", Role::Annotator).await;
    let held = review.next(&ann, None, 4).await.expect("assignments");
    let first = world.certify(world.request(&["pass"], 0.1, 0.1)).await;
    world.sweep().await;
    assert_eq!(world.accepted("reopened_at is null").await, 96, "what a person holds stays with that person");
    let still = review.next(&ann, None, 4).await.expect("assignments");
    assert_eq!(
        held.iter().map(|it| it.id).collect::<Vec<_>>(),
        still.iter().map(|it| it.id).collect::<Vec<_>>()
    );
    let second = world.certify(world.request(&["pass"], 0.15, 0.1)).await;
    assert_eq!((world.status(first.id).await, world.status(second.id).await), ("void".into(), "live".into()));
    assert_eq!(world.accepted("reopened_at is null").await, 96, "the new certificate accepts them too");
    let rubric = crate::audited::rubric("2.0", &["ok"]);
    use concord_domain::api::Rubrics;
    let rubrics = concord_service::rubrics::RubricsService::new(world.pool.clone());
    rubrics.publish(&world.lead, rubric).await.expect("a major version");
    assert_eq!(world.status(second.id).await, "void");
    assert_eq!(world.accepted("reopened_at is null").await, 0);
}

#[sqlx::test(migrations = "../../migrations")]
async fn several_criteria_are_covered_by_one_certificate_each_or_one_for_all(pool: PgPool) {
    let world = World::with(pool, &["ok", "clear"]).await;
    world.samples(0, 3, 1).await;
    for (criterion, verdicts) in [
        ("ok", [(true, 0.95), (true, 0.95), (false, 0.02)]),
        ("clear", [(true, 0.9), (false, 0.3), (true, 0.99)]),
    ] {
        for (k, (pass, p)) in (1..).zip(verdicts) {
            world.verdict_on(criterion, k, pass, p).await;
        }
    }
    let accepted = async || {
        world.reset_draws().await;
        world.open().await;
        world.accepted("true").await
    };
    assert_eq!(accepted().await, 0);
    world.live("ok", "pass", 0.9).await;
    assert_eq!(accepted().await, 0, "one criterion's certificate is not the sample's");
    world.live("clear", "pass", 0.85).await;
    assert_eq!(accepted().await, 1, "both criteria, each by its own");
    world.live("ok", "fail", 0.95).await;
    assert_eq!(accepted().await, 2, "a sure fail beside a sure pass");
    world.live("all", "fail", 0.7).await;
    assert_eq!(accepted().await, 3, "whole samples by the least sure criterion: 1 − .3");
    let mut conn = world.pool.acquire().await.expect("a connection");
    let gone = certificates::void_other_judges(&mut conn, "t", "other").await.expect("voided");
    assert_eq!(
        (gone.len(), world.accepted("reopened_at is null").await),
        (0, 3),
        "an imported judge is nobody's successor"
    );
    sqlx::query("update judges set origin = 'concord'").execute(&world.pool).await.expect("ours");
    let gone = certificates::void_other_judges(&mut conn, "t", "other").await.expect("voided");
    assert_eq!(
        (gone.len(), world.accepted("reopened_at is null").await),
        (4, 0),
        "another judge: void at once"
    );
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_warning_doubles_the_audit_and_never_beyond_everything(pool: PgPool) {
    let world = World::new(pool).await;
    let to = AuditSampling { rate_pass: 0.7, rate_fail: 0.25, floor: 0.05 };
    world.audit.set_sampling(&world.lead, "t", to).await.expect("set");
    let live = world.live("ok", "pass", 0.9).await;
    sqlx::query(
        "insert into drift_monitors (id, task, criterion, judge, major, verdict, certificate_id, threshold, p0, alarm_at,
            started_at, read_to, state, prefix_hash, status)
         values (gen_random_uuid(), 't', 'ok', 'j', 1, 'pass', $1, 0.9, 0.9, 1000, 0, 0, '{}', '', 'warning')",
    )
    .bind(live)
    .execute(&world.pool)
    .await
    .expect("a monitor that warns");
    world.samples(0, 3, 1).await;
    world.verdicts((1, 1), Some(true), Some(0.95)).await;
    world.verdicts((2, 2), Some(true), Some(0.6)).await;
    world.verdicts((3, 3), Some(false), Some(0.3)).await;
    world.open().await;
    let pis: Vec<f64> = sqlx::query_scalar("select audit_pi from samples order by key")
        .fetch_all(&world.pool)
        .await
        .expect("probabilities");
    assert_eq!(pis, [0.1, 1.0, 0.5]);
    let mut conn = world.pool.acquire().await.expect("a connection");
    assert_eq!(
        acceptance::recheck(&mut conn, &[live]).await.expect("a look"),
        0,
        "a live certificate loses nothing"
    );
}
