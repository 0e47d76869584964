//! Heads of judges against a real database, with planted labels: what they learn, what they may not learn from, when
//! the judge they make stands, and what ends with it.

use crate::scripted::Bench;
use concord_domain::api::{Evolve, Judges};
use concord_domain::{CalibrationRequest, HeadRequest, HeadRun, ModelPlace, TaskJudge};
use sqlx::PgPool;

/// Samples: some 280 of the train half, 120 of the audit half.
const N: i32 = 400;

/// People pass what is near its interest, and of that less where the model doubts; one in seventeen otherwise.
const TRUTH: &str = "(cos(substring(s.text from '@(.*)')::float8) + 0.3 * substring(s.text from 'p=([0-9.]*)')::float8 >= 0.58)
    <> (s.key::int % 17 = 0)";

fn name(judge: &TaskJudge) -> String {
    judge.judge.clone().expect("a judge")
}

/// Tags whose judge passes them all (.55 to .95), each as far from its interest as its text says.
async fn planted(pool: &PgPool) -> Bench {
    let bench = Bench::new(pool).await;
    bench.samples(0, N).await;
    let texts = "update samples set
            text = 'tag p=' || round((0.55 + 0.4 * ((key::int * 37) % 100) / 100.0)::numeric, 3) ||
                   ' @' || round((1.5 * ((key::int * 61) % 101) / 101.0)::numeric, 4),
            body = jsonb_build_object('chain', jsonb_build_array(jsonb_build_object('kind', 'interest', 'text', 'hiking @0')))";
    bench.world.try_sql(texts).await.unwrap();
    bench.rejudge(false).await;
    bench
}

async fn train(bench: &Bench, request: HeadRequest) -> HeadRun {
    let queued = bench.judges.train_head(&bench.lead, "tag", request).await.unwrap();
    bench.drain().await;
    let runs = bench.judges.heads(&bench.lead, "tag").await.unwrap();
    runs.into_iter().find(|it| it.id == queued.id).expect("the run")
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_head_catches_what_the_model_lets_through_and_its_judge_takes_the_place(pool: PgPool) {
    let bench = planted(&pool).await;
    bench.label_where(0, N, TRUTH).await;
    let before = bench.judge().await;
    let certificate = bench.certificate(&name(&before)).await;
    let asked = bench.calls();
    let run = train(&bench, HeadRequest::default()).await;
    let outcome = run.outcome.clone().expect("an outcome");
    assert_eq!(run.state, "promoted", "{outcome:?}");
    assert_eq!((outcome.trained.len(), outcome.untrained.len()), (4, 0));
    let all = &outcome.compared[0];
    let [old, new, gain] = &all.specificity;
    assert_eq!((all.criterion.as_str(), old.est), ("*", Some(0.0)), "the model passes everything");
    assert!(new.est > Some(0.5) && new.ci.is_some() && gain.ci.expect("an interval").0 > 0.3, "{all:?}");
    assert!(all.kappa[1].est > Some(0.4) && all.kappa[0].est == Some(0.0), "{:?}", all.kappa);
    assert!(all.only_right.1 > all.only_right.0 && all.p < Some(0.001), "{all:?}");
    let audited = bench.one::<i64>("select count(*) from samples where half = 'audit'").await;
    assert_eq!(all.n, 4 * u64::try_from(audited).unwrap(), "the audit half only");

    let after = bench.judge().await;
    assert_eq!(Some(name(&after)), run.judge);
    assert!(name(&after).starts_with(&name(&before)) && name(&after).contains(" head-"), "{}", name(&after));
    assert_eq!((after.history[0].why.as_str(), after.judged), ("head", i64::from(N)));
    assert_eq!((bench.status(certificate).await.as_str(), bench.calls()), ("void", asked), "no inference");
    let shown = after.criteria[0].head.as_ref().expect("a head");
    let train_half = bench.one::<i64>("select count(*) from samples where half = 'train'").await;
    assert_eq!(shown.n, train_half);
    let rarer = shown.n_pass.min(shown.n - shown.n_pass);
    assert_eq!(shown.kept, rarer + (rarer * 3 + 1) / 2, "1.5 of the more frequent side for each");
    assert!((shown.true_share - shown.n_pass as f64 / shown.n as f64).abs() < 1e-12);
    assert!(shown.after.auroc.est > shown.before.auroc.est && shown.after.brier.est < shown.before.brier.est);
    assert!(shown.after.ece.est < Some(0.12) && shown.after.ece.ci.is_some(), "{:?}", shown.after.ece);
    // Of the audit half, the mean probability is the share that passes: balance was moved back.
    let off = "select abs(avg(v.p_pass) - avg((l.pass)::int))::float8 from standing_verdicts v
        join labels l on l.sample_id = v.sample_id and l.criterion = v.criterion
        join samples s on s.id = v.sample_id where s.half = 'audit'";
    assert!(bench.one::<f64>(off).await < 0.1);
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_head_learns_nothing_of_the_audit_half_and_the_database_sees_to_it(pool: PgPool) {
    let bench = planted(&pool).await;
    bench.label_where(0, N, TRUTH).await;
    let first = train(&bench, HeadRequest::default()).await;
    let learnt = "select count(*) from judge_head_labels l join samples s on s.id = l.sample_id where s.half <> 'train'";
    assert_eq!(bench.one::<i64>(learnt).await, 0);
    for half in ["'train'", "'audit'", "s.half"] {
        let plant = format!(
            "insert into judge_head_labels (head_id, sample_id, half)
             select h.id, s.id, {half} from judge_heads h, samples s where s.half = 'audit' limit 1"
        );
        assert!(bench.world.try_sql(&plant).await.is_err(), "{half}");
    }
    // Labels of the audit half turned round: the head that is trained then is the same, so the judge has the same name.
    let read = bench.read();
    bench.contradict("audit").await;
    let again = train(&bench, HeadRequest::default()).await;
    assert_eq!((&again.judge, bench.read()), (&first.judge, read), "and no text is embedded twice");
    assert_eq!(again.state, "refused", "it is no better than itself");
    bench.contradict("train").await;
    assert_ne!(train(&bench, HeadRequest::default()).await.judge, first.judge);
}

#[sqlx::test(migrations = "../../migrations")]
async fn where_labels_say_nothing_the_judge_stays_and_what_rests_on_it(pool: PgPool) {
    let bench = planted(&pool).await;
    bench.label_where(0, N, "hashtext(s.key) % 10 <> 0").await;
    let before = bench.judge().await;
    let certificate = bench.certificate(&name(&before)).await;
    let run = train(&bench, HeadRequest::default()).await;
    let outcome = run.outcome.expect("an outcome");
    assert_eq!((run.state.as_str(), outcome.refused.is_empty()), ("refused", false));
    assert_eq!(name(&bench.judge().await), name(&before));
    assert_eq!(bench.status(certificate).await, "live");
    // Labels of another major version of the rubric do not count: now there are too few.
    bench.world.try_sql("update samples set rubric_version = '2.0' where key::int > 20").await.unwrap();
    let few = train(&bench, HeadRequest { similarities: false, ..HeadRequest::default() }).await;
    let why = &few.outcome.expect("an outcome").untrained[0].1;
    assert!(why.contains("16 labels of each side"), "{why}");
}

#[sqlx::test(migrations = "../../migrations")]
async fn new_samples_are_read_by_the_head_and_it_goes_with_its_embedder(pool: PgPool) {
    let bench = planted(&pool).await;
    bench.label_where(0, N, TRUTH).await;
    let plain = name(&bench.judge().await);
    let run = train(&bench, HeadRequest::default()).await;
    assert_eq!(run.state, "promoted");
    bench.samples(N, 1).await;
    let twin = format!(
        "update samples a set text = b.text, body = b.body from samples b where a.key = '{N}' and b.key = '7'"
    );
    bench.world.try_sql(&twin).await.unwrap();
    bench.rejudge(false).await;
    let same = format!(
        "select count(*) from standing_verdicts a join standing_verdicts b using (criterion, judge)
         join samples s on s.id = a.sample_id join samples t on t.id = b.sample_id
         where s.key = '{N}' and t.key = '7' and abs(a.p_pass - b.p_pass) < 1e-9 and a.calibrated"
    );
    assert_eq!(bench.one::<i64>(&same).await, 4, "the same text, judged now or read from stored logits");

    let standing = "select m.name from promotions p join models m on m.id = p.model_id where p.kind = 'promote' and m.role = 'judge' and m.task = 'tag'";
    assert_eq!(Some(bench.one::<String>(standing).await), run.judge, "the registry knows it");
    let evolve = concord_service::evolve::EvolveService::new(pool.clone());
    let back = Evolve::roll_back(&evolve, &bench.lead, ModelPlace::judge("tag")).await.unwrap();
    assert_eq!((back.model, name(&bench.judge().await)), (None, plain.clone()), "rolled back");
    bench.drain().await;
    assert_eq!(train(&bench, HeadRequest::default()).await.state, "promoted", "the same head once more");
    let refused = bench.judges.calibrate(&bench.lead, "tag", CalibrationRequest::default()).await;
    assert!(refused.is_err_and(|why| why.to_string().contains("has a head")));
    let dropped = bench.judges.drop_heads(&bench.lead, "tag").await.unwrap();
    assert_eq!(name(&dropped), plain, "by content");
    bench.drain().await;
    let own = "select count(*) from standing_verdicts where p_pass < 0.5";
    assert_eq!(bench.one::<i64>(own).await, 0, "its own answers again, of the new sample too");
    assert_eq!(bench.judge().await.judged, i64::from(N) + 1);

    assert_eq!(bench.one::<i64>("select count(*) from promotions where kind = 'rollback'").await, 2);
    assert_eq!(train(&bench, HeadRequest::default()).await.state, "promoted");
    bench.other_embedder();
    bench.samples(N + 1, 1).await;
    bench.rejudge(false).await;
    assert_eq!(name(&bench.judge().await), plain, "what it read is not there any more");
}

#[sqlx::test(migrations = "../../migrations")]
async fn what_is_asked_for_is_checked(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    let ask = |request| bench.judges.train_head(&bench.lead, "tag", request);
    let code = |result: Result<HeadRun, concord_domain::Error>| result.unwrap_err().code().to_owned();
    assert_eq!(code(ask(HeadRequest::default()).await), "no_judge");
    for (field, bad) in [
        ("ridge", HeadRequest { ridge: 0.0, ..HeadRequest::default() }),
        ("ratio", HeadRequest { ratio: f64::NAN, ..HeadRequest::default() }),
        ("half_life_days", HeadRequest { half_life_days: -1.0, ..HeadRequest::default() }),
        ("kappa_margin", HeadRequest { kappa_margin: 2.0, ..HeadRequest::default() }),
        ("seed", HeadRequest { seed: u64::MAX, ..HeadRequest::default() }),
    ] {
        let refused = ask(bad).await.unwrap_err();
        assert!(
            matches!(&refused, concord_domain::Error::Invalid { field: it, .. } if it == field),
            "{refused:?}"
        );
    }
    let annotator = bench.world.account("ann", concord_domain::Role::Annotator).await;
    assert!(bench.judges.train_head(&annotator, "tag", HeadRequest::default()).await.is_err());
    assert!(bench.judges.heads(&annotator, "tag").await.is_err());
}
