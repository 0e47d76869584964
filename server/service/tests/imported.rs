//! Samples, labels and verdicts made elsewhere: in any order, once, and never into training.

use concord_service::intake::{Format, ImportOptions, ImportReport, Kind, Reject, import};
use sqlx::PgPool;

async fn load(pool: &PgPool, kind: Kind, format: Format, text: &str) -> (ImportReport, Vec<Reject>) {
    let mut rejects = Vec::new();
    let options = ImportOptions { task: Some("t".into()), ..ImportOptions::new(kind, format) };
    let reader = std::io::Cursor::new(text.to_owned().into_bytes());
    let report = import(pool, reader, &options, &mut rejects, |_| {}).await.expect("an import");
    assert_eq!(report.failed, None);
    (report, rejects)
}

async fn counts(pool: &PgPool, kind: Kind, text: &str) -> (u64, u64, u64, Vec<(u64, String)>) {
    let (report, rejects) = load(pool, kind, Format::Jsonl, text).await;
    let why = rejects.into_iter().map(|reject| (reject.line, reject.reason)).collect();
    (report.new, report.duplicate, report.rejected, why)
}

async fn one<T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>>(
    pool: &PgPool,
    sql: &'static str,
) -> T {
    sqlx::query_scalar(sql).fetch_one(pool).await.expect(sql)
}

const SAMPLES: &str = r#"{"sample":"a","task":"t","text":"one","context":{"q":"shoes","n":3},"cluster":"c1"}
{"sample":"b","task":"t","text":"two","user":"u1"}
{"sample":3,"text":"three"}"#;
const LABELS: &str = r#"{"sample":"a","task":"t","criterion":"ok","rater":"ann","label":"yes"}
{"sample":"b","task":"t","criterion":"ok","rater":"ann","label":"good","pass":true,"pi":0.5}
{"sample":"3","task":"t","criterion":"ok","rater":"ann","label":0}
{"sample":"3","task":"t","criterion":"ok","rater":"bob","label":"fail","at":"2026-01-02T03:04:05Z"}"#;
const VERDICTS: &str = r#"{"sample":"a","task":"t","criterion":"ok","judge":"j","p_pass":0.9,"rationale":"it is"}
{"sample":"b","task":"t","criterion":"ok","judge":"j","label":"no","logits":{"yes":-1.5,"no":2}}
{"sample":"3","task":"t","criterion":"ok","judge":"j","status":"unparsed"}"#;

#[sqlx::test(migrations = "../../migrations")]
async fn files_may_come_in_any_order_and_twice(pool: PgPool) {
    let files = [(Kind::Verdicts, VERDICTS, 3), (Kind::Labels, LABELS, 4), (Kind::Samples, SAMPLES, 3)];
    for (kind, text, n) in files {
        assert_eq!(counts(&pool, kind, text).await, (n, 0, 0, vec![]), "{kind:?}");
    }
    for (kind, text, n) in files.into_iter().rev() {
        assert_eq!(counts(&pool, kind, text).await, (0, n, 0, vec![]), "{kind:?} again");
    }
    assert_eq!(
        one::<i64>(&pool, "select count(*) from samples where half = 'audit' and origin = 'imported'").await,
        3
    );
    assert_eq!(one::<String>(&pool, "select half from users where key = 'u1'").await, "audit");
    assert_eq!(one::<String>(&pool, "select text from samples where key = 'a'").await, "one");
    let context =
        one::<serde_json::Value>(&pool, "select body -> 'context' from samples where key = 'a'").await;
    assert_eq!(context, serde_json::json!([["q", "shoes"], ["n", "3"]]));
    assert_eq!(one::<i64>(&pool, "select count(*) from labels where pass").await, 2);
    assert_eq!(
        one::<String>(&pool, "select body -> 'criteria' -> 0 ->> 'name' from rubrics where task = 't'").await,
        "ok"
    );
    assert_eq!(one::<i64>(&pool, "select count(*) from samples where open_slots = 1 and judged").await, 3);
    assert_eq!(one::<i64>(&pool, "select count(*) from rationales").await, 1);
    let card = concord_service::audit::AuditService::new(pool.clone());
    let lead = concord_domain::Actor {
        account: concord_domain::AccountId(uuid::Uuid::nil()),
        email: "x@y".into(),
        role: concord_domain::Role::Lead,
        scopes: None,
    };
    let report = concord_domain::api::Audit::report(&card, &lead, concord_domain::AuditFilter::default())
        .await
        .unwrap();
    let ok = report.cards.iter().find(|card| card.criterion == "ok").unwrap();
    assert_eq!((ok.cells.tp, ok.cells.fn_, ok.n_unparsed, ok.reference.n_raters), (1, 1, 1, 2));
}

#[sqlx::test(migrations = "../../migrations")]
async fn another_value_under_the_same_key_is_a_conflict(pool: PgPool) {
    load(&pool, Kind::Samples, Format::Jsonl, SAMPLES).await;
    load(&pool, Kind::Labels, Format::Jsonl, LABELS).await;
    load(&pool, Kind::Verdicts, Format::Jsonl, VERDICTS).await;
    for (kind, row) in [
        (Kind::Samples, r#"{"sample":"a","text":"another"}"#),
        (Kind::Samples, r#"{"sample":"a","text":"one","cluster":"c2"}"#),
        (Kind::Labels, r#"{"sample":"a","criterion":"ok","rater":"ann","label":"no"}"#),
        (Kind::Labels, r#"{"sample":"a","criterion":"ok","rater":"zoe","label":"no","cluster":"elsewhere"}"#),
        (Kind::Verdicts, r#"{"sample":"a","criterion":"ok","judge":"j","p_pass":0.8}"#),
        (Kind::Verdicts, r#"{"sample":"3","criterion":"ok","judge":"j","pass":true}"#),
    ] {
        let (new, duplicate, rejected, why) = counts(&pool, kind, row).await;
        assert_eq!((new, duplicate, rejected), (0, 0, 1), "{row}: {why:?}");
        assert!(why[0].0 == 1 && why[0].1.starts_with("conflict"), "{row}: {why:?}");
    }
    let twice = r#"{"sample":"z","criterion":"ok","rater":"ann","label":"pass"}
{"sample":"z","criterion":"ok","rater":"ann","label":"pass"}
{"sample":"z","criterion":"ok","rater":"ann","label":"fail"}"#;
    let (new, duplicate, rejected, why) = counts(&pool, Kind::Labels, twice).await;
    assert_eq!((new, duplicate, rejected, why[0].0), (1, 1, 1, 3), "{why:?}");
}

#[sqlx::test(migrations = "../../migrations")]
async fn what_cannot_be_used_is_rejected_with_line_field_and_reason(pool: PgPool) {
    for (row, words) in [
        (r#"{"sample":"a","criterion":"ok","rater":"r","label":"yes","pass":false}"#, "contradiction"),
        (r#"{"sample":"a","criterion":"ok","rater":"r","label":"meh"}"#, "not known to the rubric"),
        (r#"{"sample":"a","criterion":"ok","rater":"r"}"#, "is missing"),
        (r#"{"sample":"a","criterion":"all","rater":"r","label":"yes"}"#, "kept for pooled"),
        (r#"{"sample":"a","criterion":"ok","rater":"r","label":"yes","pi":0}"#, "cannot be drawn"),
        (r#"{"sample":"a","criterion":"ok","rater":"r","label":"yes","pi":2}"#, "from 0 to 1"),
        (r#"{"sample":"a","criterion":"ok","rater":"r","label":"yes","phase":"late"}"#, "none of blind"),
        (r#"{"criterion":"ok","rater":"r","label":"yes"}"#, "is missing"),
        (r#"{"sample":"a\u0000","criterion":"ok","rater":"r","label":"yes"}"#, "u0000"),
        ("[1]", "not a JSON object"),
    ] {
        let text =
            format!("{{\"sample\":\"x\",\"criterion\":\"ok\",\"rater\":\"q\",\"label\":\"yes\"}}\n{row}");
        let (_, _, rejected, why) = counts(&pool, Kind::Labels, &text).await;
        assert!(rejected == 1 && why[0].0 == 2 && why[0].1.contains(words), "{row}: {why:?}");
    }
    for (row, words) in [
        (r#"{"sample":"a","criterion":"ok","judge":"j","status":"unparsed","pass":true}"#, "unparsed"),
        (r#"{"sample":"a","criterion":"ok","judge":"j"}"#, "neither label nor pass"),
        (r#"{"sample":"a","criterion":"ok","judge":"j","p_pass":1.5}"#, "from 0 to 1"),
        (r#"{"sample":"a","criterion":"ok","judge":"j","pass":true,"logits":{"yes":"high"}}"#, "numbers"),
    ] {
        let (_, _, rejected, why) = counts(&pool, Kind::Verdicts, row).await;
        assert!(rejected == 1 && why[0].1.contains(words), "{row}: {why:?}");
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn audited_clusters_move_to_the_audit_half_unless_they_were_exported(pool: PgPool) {
    let rows: Vec<String> =
        (0..40).map(|n| format!(r#"{{"sample":"s{n}","text":"x{n}","cluster":"c{}"}}"#, n / 2)).collect();
    load(&pool, Kind::Samples, Format::Jsonl, &rows.join("\n")).await;
    let mixed = "select count(*) from (select cluster from samples group by cluster having count(distinct half) > 1) m";
    assert_eq!(one::<i64>(&pool, mixed).await, 0, "a cluster has one half");
    let train =
        one::<String>(&pool, "select key from samples where half = 'train' order by key limit 1").await;
    let label = format!(r#"{{"sample":"{train}","criterion":"ok","rater":"r","label":"yes"}}"#);
    assert_eq!(counts(&pool, Kind::Labels, &label).await.0, 1);
    assert_eq!(one::<i64>(&pool, mixed).await, 0, "the whole cluster moved");
    let other =
        one::<String>(&pool, "select key from samples where half = 'train' order by key limit 1").await;
    sqlx::raw_sql(
        "insert into exports (id, policy, dir) values ('00000000-0000-0000-0000-000000000001', '', '');
         insert into export_rows (export_id, line, sample_id)
         select '00000000-0000-0000-0000-000000000001', 1, id from samples where half = 'train' order by key limit 1",
    )
    .execute(&pool)
    .await
    .expect("an export");
    let label = format!(r#"{{"sample":"{other}","criterion":"ok","rater":"r","label":"yes"}}"#);
    let (new, _, rejected, why) = counts(&pool, Kind::Labels, &label).await;
    assert_eq!((new, rejected), (0, 1));
    assert!(why[0].1.contains("exported for training"), "{why:?}");
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_rubric_of_concord_s_is_never_added_to(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    for rubric in concord_pipeline::rubrics::shipped().unwrap() {
        concord_store::rubrics::add(&mut conn, &rubric).await.unwrap();
    }
    drop(conn);
    let before =
        one::<serde_json::Value>(&pool, "select body from rubrics where task = 'interest' and current").await;
    let rows = r#"{"sample":"a","task":"interest","criterion":"willingness","rater":"r","label":"necessity"}
{"sample":"a","task":"interest","criterion":"charm","rater":"r","label":"yes"}
{"sample":"a","task":"interest","criterion":"reasonableness","rater":"r","label":"weak","pass":true}"#;
    let (new, _, rejected, why) = counts(&pool, Kind::Labels, rows).await;
    assert_eq!((new, rejected), (2, 1));
    assert!(why[0].0 == 3 && why[0].1.contains("the rubric says"), "{why:?}");
    assert_eq!(
        one::<serde_json::Value>(&pool, "select body from rubrics where task = 'interest' and current").await,
        before
    );
    assert!(!one::<bool>(&pool, "select pass from labels where label = 'necessity'").await);
}

#[sqlx::test(migrations = "../../migrations")]
async fn csv_reads_the_same_names(pool: PgPool) {
    let (report, rejects) = load(
        &pool,
        Kind::Labels,
        Format::Csv,
        "sample,criterion,rater,label,pi\na,ok,ann,PASS,\nb,ok,ann,no,0.25\n",
    )
    .await;
    assert_eq!((report.new, rejects.len()), (2, 0));
    assert!((one::<f64>(&pool, "select min(pi) from labels").await - 0.25).abs() < 1e-12);
    let mut rejects: Vec<Reject> = Vec::new();
    let options = ImportOptions::new(Kind::Labels, Format::Csv);
    let missing =
        import(&pool, std::io::Cursor::new("sample,rater\na,b\n"), &options, &mut rejects, |_| {}).await;
    assert!(missing.expect_err("no criterion").to_string().contains("criterion is missing"));
}

#[sqlx::test(migrations = "../../migrations")]
async fn batches_keep_the_order_of_the_file(pool: PgPool) {
    use std::fmt::Write;
    let mut rows = String::new();
    for n in 0..60_000 {
        writeln!(rows, r#"{{"sample":"s{n}","criterion":"ok","rater":"r","label":"yes"}}"#).unwrap();
    }
    let (report, _) = load(&pool, Kind::Labels, Format::Jsonl, &rows).await;
    assert_eq!((report.new, report.rejected), (60_000, 0));
    let wrong = "select count(*) from (select s.key, lag(substr(s.key, 2)::int) over (order by l.tx::text::bigint, l.seq) before
        from labels l join samples s on s.id = l.sample_id) o where substr(key, 2)::int <> before + 1";
    assert_eq!(one::<i64>(&pool, wrong).await, 0);
}
