//! The audit against a real database: what is counted, what is not, and what follows from it.

use crate::audited::{World, rubric};
use concord_domain::api::{Audit, Rubrics};
use concord_domain::{Actor, AuditFilter, Card, CertificateRequest, Error, Localised, Role, Statement};
use concord_service::audit::{fold, refold};
use concord_service::rubrics::RubricsService;
use sqlx::PgPool;

fn near(value: Option<f64>, expected: f64) {
    let value = value.expect("an estimate");
    assert!((value - expected).abs() < 5e-6, "{value} is not {expected}");
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_card_has_the_published_numbers(pool: PgPool) {
    let world = World::new(pool).await;
    world.cells([20, 5, 10, 15]).await;
    let card = world.card("ok").await;
    assert_eq!((card.n, card.n_human_pass, card.n_human_fail, card.n_clusters), (50, 30, 20, 50));
    near(card.accuracy.est, 0.7);
    near(card.kappa.estimate.est, 0.4);
    near(card.kappa.estimate.se, 0.126_996_063);
    near(card.ac1.est, 0.405_941);
    near(card.mcc.est, 0.408_248);
    near(card.specificity.est, 0.75);
    near(card.balanced_accuracy.est, 0.708_333);
    assert_eq!((card.accuracy.method.as_str(), card.mcc.method.as_str()), ("wilson", "cluster_bootstrap"));
    assert_eq!(card.reference.blindness, "imported");
    assert!(card.humans.alpha.est.is_none() && card.alt_test.why.is_some(), "one rater is no agreement");
    let whole = world.card("all").await;
    assert_eq!(whole.cells, card.cells, "one criterion is the whole sample");
}

#[sqlx::test(migrations = "../../migrations")]
async fn not_estimable_is_said_in_words(pool: PgPool) {
    let world = World::new(pool).await;
    world.cells([10, 0, 2, 0]).await;
    let card = world.card("ok").await;
    assert_eq!((card.specificity.est, card.specificity.why.as_deref()), (None, Some("0 that people fail")));
    assert_eq!(card.balanced_accuracy.est, None);
    assert_eq!(card.mcc.est, None);
    near(card.recall.est, 10.0 / 12.0);
}

#[sqlx::test(migrations = "../../migrations")]
async fn ties_unparsed_and_missing_verdicts_stay_outside_the_cells_and_are_counted(pool: PgPool) {
    let world = World::new(pool).await;
    world.samples(0, 10, 1).await;
    world.labels("ann", (1, 8), true).await;
    world.labels("bob", (1, 2), false).await; // two ties
    world.verdicts((1, 5), Some(true), Some(0.8)).await;
    world.verdicts((6, 7), None, None).await;
    let card = world.card("ok").await;
    assert_eq!((card.n, card.n_unparsed, card.n_no_verdict), (3, 2, 1));
    assert_eq!((card.reference.n_tied, card.reference.n_raters), (2, 2));
    let unanimous = world.card_by("ok", Some("unanimous")).await;
    assert_eq!((unanimous.n, unanimous.reference.n_tied), (3, 2));
    assert_eq!(world.card_by("ok", Some("adjudicated")).await.n, 0);
    sqlx::query(
        "insert into adjudications (id, sample_id, criterion, account_id, outcome, label, reason)
         select gen_random_uuid(), id, 'ok', $1, case key when 's1' then 'fail' else 'ambiguous' end,
                case key when 's1' then 'fail' end, 'slip' from samples where key in ('s1', 's2')",
    )
    .bind(world.lead.account.0)
    .execute(&world.pool)
    .await
    .expect("adjudications");
    let card = world.card("ok").await;
    assert_eq!((card.n, card.cells.fp, card.reference.n_tied), (4, 1, 1), "ambiguous is kept as an outcome");
    assert_eq!(world.card_by("ok", Some("adjudicated")).await.n, 1);
}

#[sqlx::test(migrations = "../../migrations")]
async fn only_blind_labels_of_the_audit_stream_and_half_count(pool: PgPool) {
    let world = World::new(pool).await;
    world.samples(0, 4, 1).await;
    world.verdicts((1, 4), Some(true), Some(0.8)).await;
    world.labels("ann", (1, 1), true).await;
    world.labels_with("ann", (2, 2), true, "learning", 1.0, "1.0").await;
    world.labels("ann", (3, 3), true).await;
    assert_eq!(world.card("ok").await.n, 2);
    sqlx::query("update samples set half = 'train' where key = 's3'")
        .execute(&world.pool)
        .await
        .expect("an update");
    assert_eq!(world.card("ok").await.n, 1, "the train half is never counted");
}

#[sqlx::test(migrations = "../../migrations")]
async fn major_versions_are_not_pooled_and_minor_ones_are(pool: PgPool) {
    let world = World::new(pool).await;
    world.samples(0, 30, 1).await;
    world.verdicts((1, 30), Some(true), Some(0.8)).await;
    world.labels_with("ann", (1, 10), true, "audit", 1.0, "1.0").await;
    world.labels_with("ann", (11, 20), true, "audit", 1.0, "1.3").await;
    world.labels_with("ann", (21, 30), false, "audit", 1.0, "2.0").await;
    let report = world
        .audit
        .report(&world.lead, AuditFilter { criterion: Some("ok".into()), ..AuditFilter::default() });
    let cards = report.await.expect("a report").cards;
    let seen: Vec<_> = cards.iter().map(|card| (card.rubric.as_str(), card.n)).collect();
    assert_eq!(seen, [("2.0", 10), ("1.3", 20)]);
}

#[sqlx::test(migrations = "../../migrations")]
async fn unequal_sampling_is_weighted(pool: PgPool) {
    let world = World::new(pool).await;
    world.samples(0, 10_000, 1).await;
    world.verdicts((1, 9000), Some(true), Some(0.9)).await;
    world.verdicts((9001, 10_000), Some(false), Some(0.1)).await;
    let (of_pass, of_fail) = (200.0 / 9000.0, 200.0 / 1000.0);
    world.labels_with("ann", (1, 170), true, "audit", of_pass, "1.0").await;
    world.labels_with("ann", (171, 200), false, "audit", of_pass, "1.0").await;
    world.labels_with("ann", (9001, 9040), true, "audit", of_fail, "1.0").await;
    world.labels_with("ann", (9041, 9200), false, "audit", of_fail, "1.0").await;
    let card = world.card("ok").await;
    assert!(card.weighted && card.n == 400);
    near(card.specificity.est, 0.372_093);
    near(card.kappa.estimate.est, 0.430_147);
    near(card.pass_rate.corrected.est, 0.785);
    near(card.pass_rate.judge.est, 0.9);
}

#[sqlx::test(migrations = "../../migrations")]
async fn what_is_kept_up_to_date_equals_what_is_counted_anew(pool: PgPool) {
    let world = World::new(pool).await;
    world.samples(0, 400, 7).await;
    let mut seed = 7_u32;
    for step in 0..25 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let from = 1 + i32::try_from(seed >> 8 & 0xff).unwrap_or(0);
        let range = (from, from + 12);
        match step % 5 {
            0 => sqlx::query("update samples set half = case half when 'audit' then 'train' else 'audit' end where key = 's' || $1")
                .bind(from).execute(&world.pool).await.map(|_| ()).expect("a move"),
            1 => sqlx::query("update samples set cluster = 'moved' where key = 's' || $1")
                .bind(from).execute(&world.pool).await.map(|_| ()).expect("a move"),
            2 => { let _ = insert_verdicts(&world, range, seed & 1 == 0).await; }
            _ => world.labels(&format!("r{step}"), range, seed & 2 == 0).await,
        }
        if step % 3 == 0 {
            fold(&world.pool).await.expect("a fold");
        }
    }
    fold(&world.pool).await.expect("a fold");
    // The monitors read on meanwhile.
    let counted = async || Card { drift: Vec::new(), ..world.card("ok").await };
    let kept = counted().await;
    assert!(kept.n > 20);
    assert_eq!(refold(&world.pool).await.expect("a refold"), 0);
    // What is not what its rows say is found, and is right again afterwards.
    for tampered in [
        "update audit_references set pass = not pass where sample_id = (select min(sample_id::text)::uuid from audit_references)",
        "delete from audit_references where sample_id = (select max(sample_id::text)::uuid from audit_references)",
        "insert into audit_references select (select id from samples s where half = 'audit' and not exists (select from labels l where l.sample_id = s.id) limit 1),
            criterion, major, rubric_version, raters, votes, adjudicated, pass, pi, imported, first_tx, first_seq, first_pass from audit_references limit 1",
    ] {
        assert_eq!(sqlx::query(tampered).execute(&world.pool).await.expect("a change").rows_affected(), 1);
        assert_eq!(refold(&world.pool).await.expect("a refold"), 0, "counts come from the rows");
        let wrong: i64 = sqlx::query_scalar(
            "select count(*) from audit_references r where not exists (
                select from labels l where l.sample_id = r.sample_id and l.criterion = r.criterion)
             or pass is distinct from (votes[1]) and cardinality(votes) = 1",
        )
        .fetch_one(&world.pool)
        .await
        .expect("a count");
        assert_eq!(wrong, 0, "after {tampered}");
    }
    sqlx::query("update audit_patterns set times = times + 1 where card_id = (select min(card_id) from audit_patterns)")
        .execute(&world.pool)
        .await
        .expect("a change");
    assert!(refold(&world.pool).await.expect("a refold") > 0);
    assert_eq!(counted().await, kept);
}

/// Verdicts where there are none yet.
async fn insert_verdicts(world: &World, (from, to): (i32, i32), pass: bool) -> u64 {
    sqlx::query(
        "insert into verdicts (id, sample_id, criterion, judge, status, pass, p_pass)
         select gen_random_uuid(), s.id, 'ok', 'j', 'ok', $3, 0.7 from generate_series($1, $2) k
         join samples s on s.key = 's' || k on conflict do nothing",
    )
    .bind(from)
    .bind(to)
    .bind(pass)
    .execute(&world.pool)
    .await
    .expect("verdicts")
    .rows_affected()
}

#[sqlx::test(migrations = "../../migrations")]
async fn whole_samples_pass_when_every_criterion_does(pool: PgPool) {
    let world = World::new(pool).await;
    let mut conn = world.pool.acquire().await.expect("a connection");
    concord_store::rubrics::add(&mut conn, &rubric("1.1", &["ok", "clear"])).await.expect("a rubric");
    concord_store::rubrics::make_current(&mut conn, "t", "1.1").await.expect("current");
    drop(conn);
    world.samples(0, 4, 1).await;
    world.labels("ann", (1, 4), true).await;
    world.verdicts((1, 4), Some(true), Some(0.9)).await;
    for (key, human, judge) in [("s1", true, true), ("s2", false, true), ("s3", true, false)] {
        sqlx::query(
            "with s as (select id from samples where key = $1),
                  l as (insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, origin)
                        select gen_random_uuid(), id, 't', 'clear', 'ann', 'x', $2, 'blind', 'audit', 1, '1.1', 'imported' from s)
             insert into verdicts (id, sample_id, criterion, judge, status, pass, p_pass)
             select gen_random_uuid(), id, 'clear', 'j', 'ok', $3, 0.6 from s",
        )
        .bind(key)
        .bind(human)
        .bind(judge)
        .execute(&world.pool)
        .await
        .expect("a decision");
    }
    let all = world.card("all").await;
    assert_eq!((all.cells.tp, all.cells.fp, all.cells.fn_, all.n), (1, 1, 1, 3), "complete samples only");
    assert_eq!(world.card("*").await.n, 7);
}

#[sqlx::test(migrations = "../../migrations")]
async fn imported_labels_certify_nothing_until_a_lead_says_what_they_are(pool: PgPool) {
    let world = World::new(pool).await;
    world.cells([150, 3, 0, 0]).await;
    let silent = CertificateRequest { statement: None, ..world.request(&["pass"], 0.1, 0.1) };
    let none = world.certify(silent).await;
    assert_eq!(none.shown.status, "none");
    assert!(none.shown.why.as_deref().is_some_and(|why| why.contains("uniform sample")), "{none:?}");
    let stated = world.certify(world.request(&["pass"], 0.1, 0.1)).await;
    assert_eq!((stated.shown.status.as_str(), stated.shown.n, stated.shown.errors), ("live", 153, 3));
    assert_eq!((stated.shown.attempt, stated.delta_spent), (1, 0.05), "what was refused has read no label");
    assert!(stated.statement.is_some_and(|said| said.contains("lead@x")));
    assert_eq!(world.card("ok").await.certificates[0].status, "live");
    let annotator = Actor { role: Role::Annotator, ..world.lead.clone() };
    let refused = world.audit.certify(&annotator, world.request(&["pass"], 0.1, 0.1)).await;
    assert!(matches!(refused, Err(Error::Forbidden)));
}

/// The watch opens monitors of classes it sees first at any moment, also between the plan of an attempt and its end.
#[sqlx::test(migrations = "../../migrations")]
async fn a_certificate_is_issued_while_the_watch_opens_a_monitor_of_its_class(pool: PgPool) {
    let world = World::new(pool).await;
    world.cells([300, 6, 0, 0]).await;
    sqlx::raw_sql(
        "create function pause() returns trigger language plpgsql as $$ begin perform pg_sleep(1); return new; end $$;
         create trigger pause before update of labels_through on certificate_attempts for each row execute function pause();
         create trigger pause after insert on drift_monitors for each row when (new.certificate_id is null) execute function pause();",
    )
    .execute(&world.pool)
    .await
    .expect("triggers");
    let watch = async {
        let planned = "select exists (select from certificate_attempts)";
        while !sqlx::query_scalar::<_, bool>(planned).fetch_one(&world.pool).await.expect("an answer") {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        concord_service::audit::advance(&world.pool).await.expect("a look at the log");
    };
    let (made, ()) = tokio::join!(world.certify(world.request(&["pass"], 0.1, 0.1)), watch);
    assert_eq!(made.shown.status, "live");
    let open: Vec<Option<uuid::Uuid>> = sqlx::query_scalar(
        "select certificate_id from drift_monitors where criterion = 'ok' and verdict = 'pass' and closed_at is null",
    )
    .fetch_all(&world.pool)
    .await
    .expect("monitors");
    assert_eq!(open, [Some(made.id)], "what the certificate accepts is watched");
}

#[sqlx::test(migrations = "../../migrations")]
async fn an_attempt_that_certifies_nothing_says_how_many_labels_would(pool: PgPool) {
    let world = World::new(pool).await;
    world.cells([40, 1, 0, 0]).await;
    let none = world.certify(world.request(&["pass"], 0.05, 0.05)).await;
    assert_eq!(
        (none.shown.status.as_str(), none.shown.why.as_deref()),
        ("none", Some("nothing certifiable"))
    );
    assert!(none.labels_needed.is_some_and(|n| n > 41), "{:?}", none.labels_needed);
    world.samples(41, 9, 1).await;
    world.labels("ann", (42, 50), false).await;
    world.verdicts((42, 50), Some(true), Some(0.95)).await;
    let worse = world.certify(world.request(&["pass"], 0.05, 0.05)).await;
    assert_eq!(
        (worse.labels_needed, worse.shown.attempt),
        (None, 2),
        "no number of labels mends one error in five"
    );
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_new_major_version_voids_and_a_minor_one_does_not(pool: PgPool) {
    let world = World::new(pool).await;
    world.cells([150, 3, 0, 0]).await;
    let live = world.certify(world.request(&["pass"], 0.1, 0.1)).await;
    let rubrics = RubricsService::new(world.pool.clone());
    rubrics.publish(&world.lead, rubric("1.1", &["ok"])).await.expect("a minor version");
    assert_eq!(world.status(live.id).await, "live");
    rubrics.publish(&world.lead, rubric("2.0", &["ok"])).await.expect("a major version");
    assert_eq!(world.status(live.id).await, "void");
    let mut changed = rubric("2.0", &["ok"]);
    changed.criteria[0].question = Localised([("en".to_owned(), "Was it?".to_owned())].into());
    assert_eq!(
        rubrics.publish(&world.lead, changed).await.expect_err("stored versions hold").code(),
        "version_taken"
    );
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_drift_alarm_suspends_the_certificate_and_opens_an_investigation(pool: PgPool) {
    let world = World::new(pool).await;
    world.cells([200, 6, 0, 0]).await;
    let live = world.certify(world.request(&["pass"], 0.1, 0.1)).await;
    assert_eq!(live.shown.status, "live");
    world.samples(206, 100, 1).await;
    world.verdicts((207, 306), Some(true), Some(0.9)).await;
    for from in (207..287).step_by(4) {
        world.labels("ann", (from, from + 2), true).await;
        world.labels("ann", (from + 3, from + 3), false).await;
    }
    let rang = world.read_to_the_end(live.id, 80).await;
    assert_eq!((rang.shown.state.as_str(), rang.shown.n, rang.agreed), ("alarm", 80, 60));
    assert_eq!(rang.points.last().map(|point| point.0), Some(80));
    assert!(
        rang.alarm_n.is_some_and(|n| n < 80) && rang.alarm_hash.is_some(),
        "the very label that rang is known"
    );
    let replayed = world.audit.replay(&world.lead, None).await.expect("replays");
    assert!(replayed.iter().all(|it| it.same), "{replayed:?}");
    let again = replayed.iter().find(|it| it.monitor == rang.id).expect("this monitor");
    assert_eq!(
        (again.n, again.alarm_n, &again.prefix_hash, again.statistic.to_bits()),
        (80, rang.alarm_n, &rang.prefix_hash, rang.shown.statistic.to_bits()),
    );
    assert_eq!(world.status(live.id).await, "suspended");
    let open = world.audit.investigations(&world.lead, None).await.expect("investigations");
    assert_eq!((open.len(), open[0].closed_at), (1, None));
    let id = open[0].id;
    assert_eq!(world.audit.relabel(&world.lead, id, 30).await.expect("given"), 30);
    assert_eq!(world.count_of("open_slots = 1").await, 30, "each is open to one more person");
    let anew =
        world.audit.certify_anew(&world.lead, id, None, Some(Statement { uniform: true, blind: true })).await;
    let anew = anew.expect("an attempt");
    assert_eq!(
        (anew.shown.status.as_str(), anew.shown.attempt, anew.shown.n),
        ("none", 0, 80),
        "unseen labels, and it is worse"
    );
    let plan = &world.audit.investigations(&world.lead, Some(id)).await.expect("it")[0];
    assert_eq!(
        (plan.relabelled.asked, plan.relabelled.answered, plan.attempts.len(), plan.steps.len()),
        (30, 0, 1, 2)
    );
    world.audit.investigate(&world.lead, id, "close", "prompt fixed").await.expect("closed");
    let late = world.audit.investigate(&world.lead, id, "relabel", "again").await;
    assert!(matches!(late, Err(Error::NotFound { .. })), "{late:?}");
    let now = world.audit.monitors(&world.lead).await.expect("monitors");
    assert!(now.iter().all(|m| m.id != rang.id), "a monitor of its own for what comes now");
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_verdict_that_comes_after_its_label_is_read_once_and_replayed_alike(pool: PgPool) {
    let world = World::new(pool).await;
    world.samples(0, 60, 1).await;
    world.verdicts((1, 20), Some(true), Some(0.9)).await;
    world.labels("ann", (1, 40), true).await;
    world.read_by_all(20).await;
    world.verdicts((21, 50), Some(true), Some(0.9)).await;
    world.read_by_all(40).await;
    world.labels("bob", (35, 60), false).await;
    world.read_by_all(50).await;
    let replayed = world.audit.replay(&world.lead, None).await.expect("replays");
    assert!(!replayed.is_empty() && replayed.iter().all(|it| it.same), "{replayed:?}");
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_reader_gets_what_is_counted_and_how_much_is_not_while_somebody_else_counts(pool: PgPool) {
    let world = World::new(pool).await;
    world.cells([20, 5, 10, 15]).await;
    assert_eq!(world.card("ok").await.n, 50);
    let mut counting = world.pool.begin().await.expect("a transaction");
    concord_store::audit::lock(&mut counting).await.expect("the lock that a long count holds");
    world.samples(50, 3, 1).await;
    world.labels("ann", (51, 53), true).await;
    world.verdicts((51, 53), Some(true), Some(0.8)).await;
    let report =
        world.audit.report(&world.lead, AuditFilter::default()).await.expect("a report all the same");
    let of_ok = |report: &concord_domain::AuditReport| {
        report.cards.iter().find(|card| card.criterion == "ok").map(|card| card.n)
    };
    assert_eq!((report.waiting, of_ok(&report)), (3, Some(50)));
    counting.rollback().await.expect("the end of it");
    let report = world.audit.report(&world.lead, AuditFilter::default()).await.expect("a report");
    assert_eq!((report.waiting, of_ok(&report)), (0, Some(53)));
}

#[sqlx::test(migrations = "../../migrations")]
async fn every_cell_opens_as_many_decisions_as_it_counts_whole_samples_included(pool: PgPool) {
    let world = World::with(pool, &["ok", "fine"]).await;
    world.samples(0, 30, 1).await;
    for (criterion, human, judge) in [("ok", 20, 12), ("fine", 25, 28)] {
        for (table, rater) in [("labels", human), ("verdicts", judge)] {
            let sql = match table {
                "labels" => "insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, origin)
                    select gen_random_uuid(), id, 't', $1, 'ann', case when pass then 'pass' else 'fail' end, pass, 'blind', 'audit', 1, '1.0', 'imported'
                    from (select id, substr(key, 2)::int <= $2 pass from samples) s",
                _ => "insert into verdicts (id, sample_id, criterion, judge, rubric_version, status, label, pass, p_pass)
                    select gen_random_uuid(), id, $1, 'j', '1.0', 'ok', case when pass then 'pass' else 'fail' end, pass, case when pass then .9 else .2 end
                    from (select id, substr(key, 2)::int <= $2 pass from samples) s",
            };
            sqlx::query(sql).bind(criterion).bind(rater).execute(&world.pool).await.expect("rows");
        }
    }
    for criterion in ["ok", "fine", "*", "all"] {
        let card = world.card(criterion).await;
        let shown = if criterion == "*" { String::new() } else { criterion.to_owned() };
        let cells = card.cells;
        for (cell, n) in [("tp", cells.tp), ("fp", cells.fp), ("fn", cells.fn_), ("tn", cells.tn)] {
            let filter = concord_domain::DecisionFilter {
                task: "t".into(),
                criterion: shown.clone(),
                judge: "j".into(),
                cell: cell.into(),
                skip: 0,
            };
            let opened = world.audit.decisions(&world.lead, filter).await.expect("decisions").len();
            assert_eq!(opened as u64, n.min(51), "{criterion} {cell}");
        }
    }
    assert_eq!(world.card("all").await.cells.tp, 12);
}
