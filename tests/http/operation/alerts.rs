//! Every alert rule fires on what the real server says when the fault is really there. promtool evaluates the
//! rules; the series are two scrapes of `/metrics`, and what changed between them goes on at that rate.

use concord_tests::{TestServer, root, target};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

type Series = BTreeMap<String, f64>;

/// A scrape, each series with the labels that Prometheus adds.
async fn scrape(server: &TestServer) -> Series {
    let answer = server.client().get(server.url("/metrics")).send().await.expect("an answer");
    let text = answer.text().await.expect("text");
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(series, number)| {
            let with = r#"job="concord",instance="a""#;
            let series = match series.split_once('{') {
                Some((name, labels)) => format!("{name}{{{with},{labels}"),
                None => format!("{series}{{{with}}}"),
            };
            Some((series, number.parse().ok()?))
        })
        .collect()
}

/// One alert, and the scrapes before and after its fault.
struct Case {
    alert: &'static str,
    before: Series,
    after: Series,
}

/// promtool's notation: counters, and gauges whose change is what a rule reads, go on as between the scrapes.
fn test_of(case: &Case, minutes: usize) -> String {
    let mut text = format!("  - name: {}\n    interval: 1m\n    input_series:\n", case.alert);
    for (series, after) in &case.after {
        let name = series.split('{').next().unwrap_or_default();
        let counts =
            ["_total", "_bucket", "_count", "_sum", "leases_expired"].iter().any(|end| name.ends_with(end));
        let change = if counts { after - case.before.get(series).unwrap_or(&0.0) } else { 0.0 };
        let begin = if counts { after - change } else { *after };
        writeln!(text, "      - series: '{series}'\n        values: '{begin}+{change}x{minutes}'")
            .expect("written");
    }
    // That it fires is asked of the ALERTS series: which labels and words it carries is not tested here.
    write!(
        text,
        "    promql_expr_test:\n      - expr: 'count(ALERTS{{alertname=\"{}\",alertstate=\"firing\"}}) > bool 0'\n        \
         eval_time: {minutes}m\n        exp_samples:\n          - labels: '{{}}'\n            value: 1\n",
        case.alert
    )
    .expect("written");
    text
}

fn promtool() -> PathBuf {
    let own = target().join("tools/promtool");
    if own.exists() { own } else { "promtool".into() }
}

/// The database's answers, for a while, to nobody.
async fn with_database_closed(server: &TestServer, work: impl AsyncFnOnce()) {
    let url = reqwest::Url::parse(server.database_url()).expect("an address");
    let name = url.path().trim_start_matches('/').to_owned();
    let mut other = url.clone();
    other.set_path("/postgres");
    let pool = PgPool::connect(other.as_str()).await.expect("the server's own database");
    let run = async |statement: String| {
        sqlx::query(AssertSqlSafe(statement)).execute(&pool).await.expect("done");
    };
    run(format!("alter database {name} allow_connections false")).await;
    run(format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")).await;
    work().await;
    run(format!("alter database {name} allow_connections true")).await;
}

/// The advisory lock of whoever seals the audit log.
const SEALER: i64 = 0x636f_6e63_6f72_6405;
const LAPSED: &str = "insert into assignments (id, sample_id, account_id, slot, lease_expires_at)
    select gen_random_uuid(), s.id, (select id from accounts where email = 'ann@example.org'), 0, now() - interval '1 minute'
    from samples s";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_alert_fires_when_its_fault_is_there() {
    let settings = [
        ("CONCORD_DB_POOL", "4"),
        // Nobody listens on the discard port: every call of a model fails.
        ("CONCORD_LLM_URL", "http://127.0.0.1:9/v1"),
        ("CONCORD_LLM_MODEL", "nobody"),
        // What comes before the first call needs no weights but these.
        ("CONCORD_EMBEDDER_MODEL", "static-en"),
    ];
    let mut server = TestServer::start_with(&settings).await;
    let pool = PgPool::connect(server.database_url()).await.expect("the test's database");
    let run = async |statement: &str| {
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&pool).await.expect("done");
    };
    let ann = server.account("ann@example.org", "annotator").await;
    let mut cases = Vec::new();
    let quiet = scrape(&server).await;

    // People ask and nothing is there. Nor was there ever a backup.
    server.post(&ann, "/api/v1/queue/next", &json!({"count": 1})).await;
    let after = scrape(&server).await;
    cases.push(Case { alert: "ConcordNothingToLabel", before: quiet.clone(), after: after.clone() });
    cases.push(Case { alert: "ConcordBackupOld", before: quiet.clone(), after: after.clone() });

    // Decisions wait for a lock.
    let mut lock = pool.begin().await.expect("a transaction");
    sqlx::query("lock table assignments in access exclusive mode").execute(&mut *lock).await.expect("locked");
    let held = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        lock.commit().await.expect("done");
    });
    server.post(&ann, "/api/v1/queue/next", &json!({"count": 1})).await;
    held.await.expect("not cancelled");
    cases.push(Case { alert: "ConcordDecisionsSlow", before: after, after: scrape(&server).await });

    // The database is away while people work.
    let before = scrape(&server).await;
    with_database_closed(&server, async || {
        for _ in 0..3 {
            let status = server.post(&ann, "/api/v1/queue/next", &json!({"count": 1})).await.status();
            assert!(status.is_server_error(), "{status}");
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        let after = scrape(&server).await;
        cases.push(Case { alert: "ConcordDecisionsFail", before: before.clone(), after: after.clone() });
        cases.push(Case { alert: "ConcordDatabaseDown", before: before.clone(), after });
    })
    .await;

    // Every connection of the server waits for a lock.
    let mut lock = pool.begin().await.expect("a transaction");
    sqlx::query("lock table assignments in access exclusive mode").execute(&mut *lock).await.expect("locked");
    let (client, url) = (server.client(), server.url("/api/v1/queue/next"));
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let request = client.post(&url).bearer_auth(&ann).json(&json!({"count": 1}));
            tokio::spawn(async move { request.send().await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = scrape(&server).await;
    lock.rollback().await.expect("done");
    for it in waiting {
        it.await.expect("not cancelled").expect("an answer");
    }
    cases.push(Case { alert: "ConcordConnectionsExhausted", before: quiet.clone(), after });

    // Jobs that fail, wait, and are left by a dead worker; leases that run out; a judge that drifts; a log that is
    // not sealed because another has the seal and does nothing.
    let before = scrape(&server).await;
    let mut seal = pool.acquire().await.expect("a connection");
    sqlx::query("select pg_advisory_lock($1)").bind(SEALER).execute(&mut *seal).await.expect("locked");
    server.plain_samples(60).await;
    for statement in [
        "insert into jobs (id, kind, args) values (gen_random_uuid(), 'export', '{}')",
        "insert into jobs (id, kind, args, run_after) values (gen_random_uuid(), 'evolve', '{}', now() - interval '1 hour')",
        "insert into jobs (id, kind, args, state, lease_expires_at)
         values (gen_random_uuid(), 'evolve', '{}', 'running', now() - interval '1 hour')",
        "update samples set open_slots = 0",
        LAPSED,
        "insert into judges (name, model, model_hash, model_family, backend, prompt_version) values ('j', 'm', 'h', 'f', 'b', 'p')",
        "insert into drift_monitors (id, task, criterion, judge, major, verdict, p0, alarm_at, started_at, read_to, state,
                                     prefix_hash, status, alarmed_at)
         values (gen_random_uuid(), 'tag', 'relevance', 'j', 1, 'pass', 0.9, 100, 0, 0, '{}', '', 'alarm', now())",
        "insert into audit_events (at, action, subject) values (now() - interval '10 minutes', 'test', 'x')",
        // A job that asks the model.
        "insert into users (key, half) values ('u', 'train')",
        "insert into items (key, title) select 'i' || n, 'title ' || n from generate_series(1, 8) n",
        "insert into behaviours (user_id, kind, item_id, position, reliable)
         select (select id from users where key = 'u'), 'purchase', id, id, true from items",
    ] {
        run(statement).await;
    }
    let lead = server.account("lead@example.org", "lead").await;
    let asked = server.post(&lead, "/api/v1/generations", &json!({"user_keys": ["u"]})).await;
    assert_eq!(asked.status(), 202, "{}", asked.text().await.unwrap_or_default());
    // This frees the leases that ran out.
    let next = server.post(&ann, "/api/v1/queue/next", &json!({"count": 1})).await;
    assert!(next.status().is_success(), "{}", next.text().await.unwrap_or_default());
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut after = scrape(&server).await;
    for _ in 0..120 {
        if after.keys().any(|series| series.starts_with("concord_model_call_errors_total")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        after = scrape(&server).await;
    }
    for alert in [
        "ConcordJobsFail",
        "ConcordJobsStuck",
        "ConcordWorkerDied",
        "ConcordModelFails",
        "ConcordLeasesExpire",
        "ConcordDriftAlarm",
        "ConcordAuditLogUnsealed",
    ] {
        cases.push(Case { alert, before: before.clone(), after: after.clone() });
    }

    // The server is gone: Prometheus itself says so.
    server.kill();
    assert!(server.client().get(server.url("/metrics")).send().await.is_err());
    let up = |n| Series::from([(r#"up{job="concord",instance="a"}"#.to_owned(), n)]);
    cases.push(Case { alert: "ConcordDown", before: up(1.0), after: up(0.0) });

    check(&cases);
}

/// Every rule has a case, and promtool says that each fires.
fn check(cases: &[Case]) {
    let rules = std::fs::read_to_string(root().join("deploy/prometheus/rules.yml")).expect("the rules");
    let alerts: BTreeSet<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let fired: BTreeSet<&str> = cases.iter().map(|case| case.alert).collect();
    assert_eq!(alerts, fired, "each alert has its fault here");

    let folder = tempfile::tempdir().expect("a folder");
    let rules = root().join("deploy/prometheus/rules.yml");
    let mut text = format!("rule_files: [{}]\nevaluation_interval: 30s\ntests:\n", rules.display());
    for case in cases {
        // promtool's clock begins at 0: only after 26 hours can a backup be missed.
        text += &test_of(case, if case.alert == "ConcordBackupOld" { 1620 } else { 40 });
    }
    let path = folder.path().join("alerts.test.yml");
    std::fs::write(&path, &text).expect("written");
    let output = Command::new(promtool())
        .args(["test", "rules"])
        .arg(&path)
        .output()
        .expect("promtool: tools/setup.sh test");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{said}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_dashboard_and_the_rules_ask_only_for_series_that_exist() {
    let known = registered();
    for file in ["deploy/prometheus/rules.yml", "deploy/grafana/concord.json"] {
        let text = std::fs::read_to_string(root().join(file)).expect("the file");
        for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            if word.starts_with("concord_") {
                let base =
                    ["_total", "_bucket", "_count", "_sum"].iter().find_map(|end| word.strip_suffix(end));
                assert!(known.iter().any(|it| it == word || Some(it.as_str()) == base), "{file}: {word}");
            }
        }
    }
}

/// The names of the metrics, from the lines that register them: a scrape leaves out what has no series yet.
fn registered() -> BTreeSet<String> {
    ["server/src/metrics.rs", "server/src/metrics/gauges.rs"]
        .iter()
        .flat_map(|file| {
            let text = std::fs::read_to_string(root().join(file)).expect("the file");
            let calls = text.split("registry.register(").skip(1);
            calls.filter_map(|call| Some(format!("concord_{}", call.split('"').nth(1)?))).collect::<Vec<_>>()
        })
        .collect()
}
