//! Judges against a real database and a scripted model: what a judge is made of, what a change of it ends, what
//! calibration reads and does not ask, and what probes leave alone.

use crate::scripted::{Bench, MANY};
use concord_domain::api::{Judges, Samples};
use concord_domain::{
    CalibrationRequest, DrawRequest, Error, Grade, ProbeRequest, Role, SeniorRule, TaskJudge,
};
use concord_service::samples::SamplesService;
use sqlx::PgPool;

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.expect_err("should be refused").code().to_owned()
}

fn name(judge: &TaskJudge) -> String {
    judge.judge.clone().expect("a judge")
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_judge_is_named_by_its_parts_and_another_part_voids_what_rested_on_it(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    bench.samples(0, 12).await;
    bench.rejudge(false).await;
    let first = bench.judge().await;
    assert_eq!(name(&first), "scripted@aaaaaaaa judge/2");
    assert_eq!((first.judged, first.samples, first.history.len()), (12, 12, 1));
    assert_eq!((first.history[0].why.as_str(), first.criteria.len()), ("first", 4));
    let certificate = bench.certificate(&name(&first)).await;

    bench.rejudge(false).await;
    assert_eq!(bench.judge().await.history.len(), 1, "the same parts are the same judge");
    assert_eq!(bench.status(certificate).await, "live");

    bench.other_weights();
    bench.rejudge(false).await;
    let second = bench.judge().await;
    assert_eq!(name(&second), "scripted@bbbbbbbb judge/2");
    assert_eq!((second.history[0].why.as_str(), second.judged), ("model", 12));
    assert_eq!(bench.status(certificate).await, "void");
    assert_eq!(bench.events("certificate_void").await, 1);
    assert_eq!(bench.events("judge").await, 2);
}

#[sqlx::test(migrations = "../../migrations")]
async fn examples_are_balanced_of_the_train_half_and_the_database_takes_no_other(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    bench.samples(0, MANY).await;
    let draw = |seed| DrawRequest { per_side: 2, sets: 1, seed };
    assert_eq!(code(bench.judges.draw(&bench.lead, "tag", draw(1)).await), "too_few_labels");
    bench.label(0, MANY).await;
    bench.rejudge(true).await;
    let before = bench.judge().await;
    let certificate = bench.certificate(&name(&before)).await;
    let with = bench.judges.draw(&bench.lead, "tag", draw(1)).await.unwrap();
    assert_ne!(name(&with), name(&before));
    assert!(name(&with).contains(" examples-"), "{}", name(&with));
    assert_eq!((bench.status(certificate).await.as_str(), with.judged), ("void", 0));
    for criterion in &with.criteria {
        let passes = criterion.examples.iter().filter(|it| it.pass).count();
        assert_eq!((criterion.examples.len(), passes), (4, 2), "{}", criterion.criterion);
    }
    assert_eq!(bench.one::<i64>("select count(*) from judge_examples e join samples s on s.id = e.sample_id where s.half <> 'train'").await, 0);
    assert_eq!(name(&bench.judges.draw(&bench.lead, "tag", draw(1)).await.unwrap()), name(&with), "by seed");
    assert_ne!(name(&bench.judges.draw(&bench.lead, "tag", draw(2)).await.unwrap()), name(&with));

    let plant = "insert into judge_examples (draw_id, set_no, place, criterion, sample_id, pass, half)
        select d.id, 0, 900, 'relevance', s.id, true, HALF from judge_draws d, samples s where s.half = 'audit' limit 1";
    for half in ["'train'", "'audit'", "s.half"] {
        assert!(bench.world.try_sql(&plant.replace("HALF", half)).await.is_err(), "{half}");
    }
    let none = DrawRequest { per_side: 0, ..DrawRequest::default() };
    assert_eq!(
        name(&bench.judges.draw(&bench.lead, "tag", none).await.unwrap()),
        name(&before),
        "by content"
    );
    assert!(matches!(
        bench.judges.draw(&bench.lead, "tag", DrawRequest { per_side: 7, ..draw(1) }).await,
        Err(Error::Invalid { field, .. }) if field == "per_side"
    ));
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_calibration_asks_no_model_and_reads_no_label_of_the_audit_half(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    bench.samples(0, MANY).await;
    bench.rejudge(false).await;
    let platt = CalibrationRequest::default();
    let refused = bench.judges.calibrate(&bench.lead, "tag", platt.clone()).await;
    assert!(
        refused.as_ref().is_err_and(|why| why.to_string().contains("relevance: platt needs 30 labels")),
        "{refused:?}"
    );
    assert_eq!(code(refused), "too_few_labels");
    bench.label(0, MANY).await;

    let (asked, before) = (bench.calls(), bench.judge().await);
    let done = bench.judges.calibrate(&bench.lead, "tag", platt.clone()).await.unwrap();
    assert_eq!((done.criteria.len(), done.refused.len()), (4, 0));
    bench.drain().await;
    assert_eq!(bench.calls(), asked, "no inference");
    let after = bench.judge().await;
    assert_eq!((name(&after), after.judged), (done.judge.clone(), i64::from(MANY)));
    assert!(done.judge.starts_with(&name(&before)) && done.judge.contains(" calibrated-"), "{}", done.judge);
    let shown = after.criteria[0].calibration.as_ref().expect("a calibration");
    let train = bench.one::<i64>("select count(*) from samples where half = 'train'").await;
    assert_eq!((shown.method.as_str(), shown.n), ("platt", train));
    assert!(shown.after.ece.est < shown.before.ece.est, "{shown:?}");
    assert!(shown.before.ece.ci.is_some() && shown.after.brier.n == u64::try_from(train).unwrap());
    assert_eq!(bench.one::<i64>("select count(*) from judge_calibration_labels l join samples s on s.id = l.sample_id where s.half <> 'train'").await, 0);

    // Monotone: whoever was given more before is given no less now.
    let turned = format!(
        "select count(*) from verdicts a join verdicts b using (criterion, judge)
         join verdicts x on x.sample_id = a.sample_id and x.criterion = a.criterion and x.judge = '{old}'
         join verdicts y on y.sample_id = b.sample_id and y.criterion = b.criterion and y.judge = '{old}'
         where a.judge = '{new}' and x.p_pass < y.p_pass and a.p_pass > b.p_pass",
        old = name(&before),
        new = done.judge
    );
    assert_eq!(bench.one::<i64>(&turned).await, 0);
    assert!(
        bench
            .one::<bool>("select bool_and(calibrated) from standing_verdicts where judge like '%calibrated%'")
            .await
    );

    // Audit labels of the opposite kind change nothing; a train label does.
    bench.contradict("audit").await;
    let again = bench.judges.calibrate(&bench.lead, "tag", platt.clone()).await.unwrap();
    assert_eq!(again.judge, done.judge, "the same parameters, so the same name");
    bench.contradict("train").await;
    assert_ne!(bench.judges.calibrate(&bench.lead, "tag", platt).await.unwrap().judge, done.judge);
    let none = CalibrationRequest { method: "none".into(), criterion: None };
    assert_eq!(bench.judges.calibrate(&bench.lead, "tag", none).await.unwrap().judge, name(&before));
}

#[sqlx::test(migrations = "../../migrations")]
async fn several_sets_are_simulated_annotators_and_their_mean_is_read_again_from_logits(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    bench.samples(0, MANY).await;
    bench.label(0, MANY).await;
    let request = DrawRequest { per_side: 2, sets: 3, seed: 4 };
    let drawn = bench.judges.draw(&bench.lead, "tag", request).await.unwrap();
    assert_eq!(drawn.sets, 3);
    let asked = bench.calls();
    bench.rejudge(true).await;
    assert_eq!(bench.calls() - asked, 3 * usize::try_from(MANY).unwrap(), "a question a set");
    let sets = "select max(jsonb_array_length(logits -> 'Yes')) from standing_verdicts where judge like '%examples%'";
    assert_eq!(bench.one::<i32>(sets).await, 3);
    let shown = bench.one::<i64>("select count(distinct sample_id) from judge_examples").await;
    let done = bench.judges.calibrate(&bench.lead, "tag", CalibrationRequest::default()).await.unwrap();
    bench.drain().await;
    let after = bench.judge().await;
    let n = after.criteria[0].calibration.as_ref().expect("a calibration").n;
    let train = bench.one::<i64>("select count(*) from samples where half = 'train'").await;
    assert_eq!(n, train - shown, "a judge's own examples are no labels");
    assert_eq!((bench.calls() - asked, after.judge), (3 * usize::try_from(MANY).unwrap(), Some(done.judge)));
}

#[sqlx::test(migrations = "../../migrations")]
async fn what_cannot_be_read_is_counted_and_a_bare_word_has_no_probability(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    bench.samples(0, 3).await;
    bench.text("0", "#mute").await;
    bench.text("1", "#word").await;
    bench.text("2", "#endless").await;
    bench.rejudge(false).await;
    let of = |key: &str, column: &str| {
        format!(
            "select {column} from standing_verdicts v join samples s on s.id = v.sample_id where s.key = '{key}' and v.criterion = 'relevance'"
        )
    };
    for key in ["0", "2"] {
        assert_eq!(bench.one::<String>(&of(key, "v.status")).await, "unparsed", "{key}");
        assert!(bench.one::<bool>(&of(key, "v.pass is null and v.p_pass is null")).await);
    }
    assert!(
        bench
            .one::<bool>(&of("1", "v.pass and v.p_pass is null and not v.calibrated and v.status = 'ok'"))
            .await
    );
    assert_eq!(bench.judge().await.judged, 3, "they count as judged: asking again gives the same");
}

#[sqlx::test(migrations = "../../migrations")]
async fn judging_that_stopped_goes_on_with_what_is_missing(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    bench.samples(0, 10).await;
    bench.break_after(4);
    bench.rejudge_until_it_fails().await;
    let (asked, judged) = (bench.calls(), bench.judge().await.judged);
    assert_eq!(judged, 4);
    bench.break_after(usize::MAX);
    bench.rejudge(false).await;
    assert_eq!((bench.judge().await.judged, bench.calls() - asked), (10, 6));
}

#[sqlx::test(migrations = "../../migrations")]
async fn probes_are_no_samples_and_say_what_the_judge_lets_through(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    bench.samples(0, 20).await;
    let tables = ["samples", "verdicts", "labels", "assignments"];
    let mut before = Vec::new();
    for table in tables {
        before.push(bench.world.count(table).await);
    }
    let asked = bench.judges.probe(&bench.lead, "tag", ProbeRequest { samples: 10, seed: 3 }).await.unwrap();
    assert_eq!(asked.finished_at, None);
    bench.drain().await;
    for (table, before) in tables.into_iter().zip(before) {
        assert_eq!(bench.world.count(table).await, before, "{table}");
    }
    let report = bench.judges.probes(&bench.lead, "tag").await.unwrap().remove(0);
    assert!(report.finished_at.is_some() && report.judge.is_some());
    let of = |kind: &str, criterion: &str| {
        report.negatives.iter().find(|it| it.kind == kind && it.criterion == criterion).cloned()
    };
    let planted = of("other_user", "relevance").expect("another user's tags");
    assert_eq!(planted.specificity.n, 10);
    assert!(planted.specificity.ci.is_some());
    assert!(of("other_user", "validity").is_none(), "a borrowed tag may well exist");
    let padding = report.changes.iter().find(|it| it.kind == "padding").expect("padding");
    assert_eq!((padding.flips.n, padding.pass_to_fail), (10, 0));
    assert!(report.changes.iter().all(|it| it.kind != "order"), "no history, no order");
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_lead_sees_the_grade_and_an_annotator_nothing_of_judges(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    let ids = bench.samples(0, 2).await;
    bench.text("0", "tag p=0.95").await;
    bench.text("1", "tag p=0.05").await;
    bench.rejudge(false).await;
    let samples = SamplesService::new(pool.clone());
    let grade = async |at: usize| samples.get(&bench.lead, ids[at]).await.unwrap().grade;
    assert_eq!((grade(0).await, grade(1).await), (Some(Grade::S), Some(Grade::B)));
    let strict = SeniorRule { strong: 0.99, share: 1.0 };
    bench.judges.set_senior(&bench.lead, "tag", strict).await.unwrap();
    assert_eq!((grade(0).await, bench.judge().await.senior), (Some(Grade::A), strict));
    let too_low = SeniorRule { strong: 0.1, share: 1.0 };
    assert!(
        matches!(bench.judges.set_senior(&bench.lead, "tag", too_low).await, Err(Error::Invalid { field, .. }) if field == "strong")
    );

    let ann = bench.world.account("ann", Role::Annotator).await;
    assert_eq!(samples.get(&ann, ids[0]).await.unwrap().grade, None);
    let judges = &bench.judges;
    assert_eq!(code(judges.judges(&ann, None).await), "forbidden");
    assert_eq!(code(judges.draw(&ann, "tag", DrawRequest::default()).await), "forbidden");
    assert_eq!(code(judges.calibrate(&ann, "tag", CalibrationRequest::default()).await), "forbidden");
    assert_eq!(code(judges.rejudge(&ann, "tag", false).await), "forbidden");
    assert_eq!(code(judges.probe(&ann, "tag", ProbeRequest::default()).await), "forbidden");
    assert_eq!(code(judges.probes(&ann, "tag").await), "forbidden");
    assert_eq!(code(judges.set_senior(&ann, "tag", strict).await), "forbidden");
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_judge_of_the_generator_s_family_is_pointed_out(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    bench.samples(0, 2).await;
    bench.rejudge(false).await;
    assert!(!bench.judge().await.shares_family);
    bench.world.try_sql("update samples set generator = 'scripted-family' where key = '0'").await.unwrap();
    let judge = bench.judge().await;
    assert!(judge.shares_family, "{:?}", judge.generators);
}
