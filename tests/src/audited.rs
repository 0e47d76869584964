//! A judge audited from files: samples, verdicts and labels made elsewhere, brought in over the API.

use crate::TestServer;
use serde_json::{Value, json};
use std::fmt::Write;

/// Task, criterion and judge of the files.
pub const TASK: &str = "summary";
/// The one criterion.
pub const CRITERION: &str = "faithful";
/// The judge that passes everything, and is sure of it.
pub const JUDGE: &str = "judge-7b v1";

/// Imports `n` samples after number `from`, each passed by the judge, and people's labels on them: `human` by number.
///
/// # Panics
/// When the import refuses.
pub async fn import(server: &TestServer, token: &str, from: u32, n: u32, human: impl Fn(u32) -> bool) {
    let (mut samples, mut verdicts, mut labels) = (String::new(), String::new(), String::new());
    for k in from + 1..=from + n {
        // Sure of everything, of some a little less.
        let p = 0.8 + 0.19 * f64::from(k * 7919 % 1000) / 1000.0;
        let label = if human(k) { "pass" } else { "fail" };
        let sample = json!({"sample": format!("s{k}"), "task": TASK, "text": format!("The parcel left on day {k} and came two days later."),
            "cluster": format!("c{k}"), "lang": "en", "context": {"source": format!("Parcel log {k}: sent on day {k}, delivered two days after.")}});
        let key = json!({"sample": format!("s{k}"), "task": TASK, "criterion": CRITERION, "cluster": format!("c{k}")});
        let with = |more: Value| {
            let mut row = key.clone();
            let fields = row.as_object_mut().expect("an object");
            fields.extend(more.as_object().expect("an object").clone());
            row
        };
        let _ = writeln!(samples, "{sample}");
        let _ = writeln!(verdicts, "{}", with(json!({"judge": JUDGE, "label": "pass", "p_pass": p})));
        let _ = writeln!(labels, "{}", with(json!({"rater": "ann", "label": label})));
    }
    for (kind, body) in [("samples", samples), ("verdicts", verdicts), ("labels", labels)] {
        let request = server.client().post(server.url(&format!("/api/v1/import/{kind}?format=jsonl")));
        let answer = request.bearer_auth(token).body(body).send().await.expect("an answer");
        let said: Value = answer.json().await.expect("JSON");
        assert!(said["rejected"] == 0 && said["new"] == n, "{kind}: {said}");
    }
}

/// Attempts a certificate for passes at ε = δ = .1, with the statement that imported labels need.
///
/// # Panics
/// When there is no answer.
pub async fn certify(server: &TestServer, lead: &str) -> Value {
    let request = json!({"task": TASK, "criterion": CRITERION, "judge": JUDGE, "verdicts": ["pass"], "eps": 0.1, "delta": 0.1,
        "statement": {"uniform": true, "blind": true}});
    settle(server).await;
    let answer = server.post(lead, "/api/v1/certificates", &request).await;
    let (status, made) = (answer.status(), answer.json::<Value>().await.expect("JSON"));
    assert!(status.is_success(), "{status} {made}");
    made[0].clone()
}

/// Waits until every label and verdict lies below the oldest transaction of the database's cluster, which other tests
/// share: only then is it read.
///
/// # Panics
/// When that takes a minute.
pub async fn settle(server: &TestServer) {
    let pool = sqlx::PgPool::connect(server.database_url()).await.expect("the test's database");
    for _ in 0..1200 {
        let settled: bool = sqlx::query_scalar(
            "select not exists (select from labels where tx >= concord_log_horizon())
                and not exists (select from verdicts where tx >= concord_log_horizon())",
        )
        .fetch_one(&pool)
        .await
        .expect("an answer");
        if settled {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the log has not settled within a minute");
}

/// A task of real-looking volume: 1,200 samples in 500 clusters, three people, three judges and four criteria,
/// straight into the database.
///
/// # Panics
/// When the database refuses.
pub async fn volume(server: &TestServer) {
    let pool = sqlx::PgPool::connect(server.database_url()).await.expect("the test's database");
    for statement in VOLUME {
        sqlx::raw_sql(sqlx::AssertSqlSafe(*statement)).execute(&pool).await.expect(statement);
    }
}

/// How often each judge agrees with people, by criterion, and how sure it says it is.
const VOLUME: &[&str] = &[
    "insert into judges (name, model, model_hash, model_family, backend, prompt_version, origin)
     select n, n, '', 'imported', 'imported', '', 'imported'
     from unnest(array['qwen2.5-7b@1f2e3d4c judge/3', 'qwen2.5-7b@1f2e3d4c judge/4', 'llama-3.1-70b@77aa01bc judge/4']) n",
    "insert into samples (id, key, task, text, lang, half, origin, cluster, rubric_version, serve_order, audit_pi, audit_drawn, generator)
     select gen_random_uuid(), 'v' || n, 'explanation',
            (array['You liked the waterproof trail shoes, so here is a light jacket for the same walks.',
                   '你最近常看露营灯，这款可充电的营地灯亮度更高，也更耐用。',
                   'Because you bought a pour-over kettle last week, this grinder keeps the grind even.',
                   'A cosy winter read, chosen because you finished two mysteries in December.'])[1 + n % 4],
            case when n % 4 = 1 then 'zh' else 'en' end, 'audit', 'imported', 'u' || n % 500, '1.0', n, 1, true,
            (array['gen-a 2026-10', 'gen-b 2026-11'])[1 + n % 2]
     from generate_series(1, 1200) n",
    "insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, origin)
     select gen_random_uuid(), s.id, 'explanation', c, r.name, case when said then 'pass' else 'fail' end, said, 'blind', 'audit', 1, '1.0', 'imported'
     from samples s cross join unnest(array['relevance', 'factuality', 'clarity', 'safety']) c
     cross join (values ('ann@example.org', 0, 60), ('bo@example.org', 1, 25), ('chen@example.org', 2, 15)) r (name, place, share)
     cross join lateral (select hashtextextended(s.id::text || c, 0) & 1023 < case c when 'relevance' then 800 when 'factuality' then 860 when 'clarity' then 940 else 1010 end truth) t
     cross join lateral (select t.truth <> (hashtextextended(s.id::text || c || r.name, 1) & 1023 < 60) said) l
     where s.task = 'explanation' and hashtextextended(s.id::text || r.name, 2) & 127 < r.share",
    "insert into verdicts (id, sample_id, criterion, judge, rubric_version, status, label, pass, p_pass)
     select gen_random_uuid(), s.id, c, j.name, '1.0', 'ok', case when said then 'pass' else 'fail' end, said,
            case when said then 0.5 + sure / 2 else 0.5 - sure / 2 end
     from samples s cross join unnest(array['relevance', 'factuality', 'clarity', 'safety']) c
     cross join (values ('qwen2.5-7b@1f2e3d4c judge/3', 780), ('qwen2.5-7b@1f2e3d4c judge/4', 900), ('llama-3.1-70b@77aa01bc judge/4', 960)) j (name, right_of)
     cross join lateral (select hashtextextended(s.id::text || c, 0) & 1023 < case c when 'relevance' then 800 when 'factuality' then 860 when 'clarity' then 940 else 1010 end truth,
                                sqrt((hashtextextended(s.id::text || c || j.name, 3) & 1023) / 1024.0) sure) t
     cross join lateral (select t.truth = (hashtextextended(s.id::text || c || j.name, 4) & 1023 < j.right_of + 60 * t.sure) said) v
     where s.task = 'explanation'",
];
