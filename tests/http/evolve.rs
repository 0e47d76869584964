//! Training, promotion and rounds against the real server: what is killed goes on, and what is promoted serves.

use concord_tests::TestServer;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

async fn pool(server: &TestServer) -> PgPool {
    PgPool::connect(server.database_url()).await.expect("the test's database")
}

async fn count(pool: &PgPool, what: &str) -> i64 {
    let statement = format!("select count(*) from {what}");
    sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(pool).await.expect("a count")
}

fn well(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Samples of one user, all passed, exported for training. The history is short, and so are the rows.
async fn exported(server: &TestServer, admin: &str, out: &Path) {
    let ann = server.account("ann@example.org", "annotator").await;
    short(server, admin, &server.users_of("train", 1).await).await;
    let mut n = 0;
    while let Some(assignment) = server.next(&ann).await {
        n += 1;
        assert_eq!(server.submit(&ann, &assignment, &format!("key-{n}"), "blind", true).await.status(), 201);
    }
    well(&server.command(&["export", "--out", out.to_str().expect("text")]).await);
}

/// Generates for these users what needs few tokens to be read, and waits until it is judged.
async fn short(server: &TestServer, admin: &str, users: &[String]) {
    let request =
        json!({"user_keys": users, "interests": 2, "tags": 2, "explanations": 1, "history_tokens": 100});
    server.generate_as(admin, &request).await;
}

fn train<'a>(export: &'a str, name: &'a str, out: &'a str) -> Vec<&'a str> {
    let settings = ["--base", "tiny", "--tokens", "28672", "--length", "4096", "--rank", "2"];
    [&["evolve", "train", "--json", "--export", export, "--name", name, "--out", out][..], &settings].concat()
}

#[tokio::test]
async fn a_killed_training_ends_with_the_same_weights_and_a_promoted_model_serves_without_a_dropped_request()
{
    let server = TestServer::start_with_tiny_models().await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    let export = path("export");
    exported(&server, &admin, Path::new(&export)).await;

    let (one, two) = (path("one"), path("two"));
    let made: Value =
        serde_json::from_str(&well(&server.command(&train(&export, "one", &one)).await)).expect("JSON");
    assert_eq!((&made[0]["role"], &made[0]["base"]), (&json!("generator"), &json!("tiny")));
    let mut killed = server.spawn(&train(&export, "two", &two), &[]);
    let checkpoint = Path::new(&two).join("checkpoint.json");
    let began = Instant::now();
    while !checkpoint.exists() {
        assert!(
            began.elapsed() < PATIENCE && killed.try_wait().expect("a state").is_none(),
            "no checkpoint came"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    killed.kill().expect("killed");
    killed.wait().expect("ended");
    assert!(!Path::new(&two).join("model.gguf").exists(), "it was in the middle");
    let run = async |name: &str| -> Value {
        let all: Value = server.get(&admin, "/api/v1/training/runs").await.json().await.expect("JSON");
        all.as_array().and_then(|all| all.iter().find(|it| it["name"] == name)).cloned().expect("the run")
    };
    let cut = run("two").await;
    let heard = cut["losses"].as_array().map_or(0, Vec::len);
    let steps = usize::try_from(cut["steps"].as_u64().expect("steps")).expect("few");
    assert!(cut["state"] == "running" && heard < steps, "killed in the middle it was heard of last: {cut}");
    well(&server.command(&train(&export, "two", &two)).await);
    let (whole, unbroken) = (run("two").await, run("one").await);
    assert_eq!((&whole["id"], &whole["starts"], &whole["state"]), (&cut["id"], &json!(2), &json!("done")));
    assert_eq!(whole["losses"], unbroken["losses"], "the same losses as unbroken");
    assert_eq!(whole["losses"].as_array().map(Vec::len), Some(steps));
    assert!(
        whole["tokens_per_second"].as_f64() > Some(0.0) && whole["data_sha256"] == unbroken["data_sha256"]
    );
    let page = format!("/evolve/runs/{}", whole["id"].as_str().expect("an id"));
    let shown = server.get(&admin, &page).await.text().await.expect("a page");
    assert!(shown.contains("chart wide-chart") && shown.contains("tokens/s"), "{shown}");
    let weights = |dir: &str| fs::read(Path::new(dir).join("model.gguf")).expect("weights");
    assert!(weights(&one) == weights(&two), "the same bytes as unbroken");
    // Once more is not once more.
    well(&server.command(&train(&export, "two", &two)).await);
    let pool = pool(&server).await;
    assert_eq!(count(&pool, "models").await, 2);
    let models: Value = server.get(&admin, "/api/v1/models").await.json().await.expect("JSON");
    assert!(models[0]["losses"].as_array().is_some_and(|it| it.len() > 5), "{models}");

    // The gate's yes, as it stands in the database; the process that serves takes the model while it is asked.
    let users = server.users_of("train", 1).await;
    let request = json!({"user_keys": users, "interests": 1, "tags": 1, "explanations": 0});
    let started = async || -> Value {
        let answer = server.post(&admin, "/api/v1/generations", &request).await;
        assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap_or_default());
        answer.json().await.expect("JSON")
    };
    let begun = started().await;
    assert_eq!(begun["model"], "tiny");
    sqlx::query(
        "insert into promotions (id, role, kind, model_id, decision) select gen_random_uuid(), 'generator', 'promote', id, '{}' from models where name = 'one'",
    )
    .execute(&pool)
    .await
    .expect("promoted");
    let began = Instant::now();
    let mut last = begun["model"].clone();
    while last != "one" {
        assert!(began.elapsed() < Duration::from_secs(60), "the promotion was not seen");
        last = started().await["model"].clone();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let began = Instant::now();
    while count(&pool, "generation_users where stage <> 'done'").await > 0 {
        assert_eq!(count(&pool, "generation_users where stage = 'failed'").await, 0, "nothing was dropped");
        assert!(began.elapsed() < PATIENCE, "{}", server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let back = server.post(&admin, "/api/v1/rollbacks", &json!({"role": "generator"})).await;
    assert_eq!(back.status(), 200);
    let began = Instant::now();
    while started().await["model"] != "tiny" {
        assert!(began.elapsed() < Duration::from_secs(60), "the rollback was not seen");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Two models' generations for forty audit users, the second one better, judged and labelled.
const PLANTED: &str = "
    insert into users (key, half) select 'p' || n, 'audit' from generate_series(1, 40) n;
    insert into models (id, role, name, base, base_sha256, dir, sha256, bytes, settings, losses)
        values ('00000000-0000-0000-0000-00000000000a', 'generator', 'better', 'tiny', 'x', '/none', 'better', 1, '{}', '{}');
    insert into judges (name, model, model_hash, model_family, backend, prompt_version) values ('j', 'j', 'j', 'j', 'j', 'j');
    insert into generations (id, seed, settings, model, model_hash, model_family, prompts)
        values ('00000000-0000-0000-0000-000000000001', 1, '{}', 'tiny', 'tiny', 'f', 'p'), ('00000000-0000-0000-0000-000000000002', 1, '{}', 'better', 'better', 'f', 'p');
    insert into generation_users (generation_id, user_id, history, stage) select g.id, u.id, '{}', 'done' from generations g, users u where u.key like 'p%' and g.prompts = 'p';
    insert into samples (id, key, task, text, half, user_id, generation_id, rubric_version, serve_order, judged)
        select gen_random_uuid(), g.model || u.key, 'tag', 'x', 'audit', u.id, g.id, (select version from rubrics where task = 'tag' and current), 0, true
        from generations g, users u where u.key like 'p%' and g.prompts = 'p';
    insert into verdicts (id, sample_id, criterion, judge, rubric_version, status, label, pass, p_pass)
        select gen_random_uuid(), s.id, c, 'j', s.rubric_version, 'ok', 'pass', true, 0.9
        from samples s, unnest(array['relevance', 'consistency', 'specificity', 'validity']) c;
    insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, origin)
        select gen_random_uuid(), s.id, 'tag', c, 'r', 'x', c <> 'relevance' or s.key like 'better%' or right(s.key, 1) in ('1', '2'), 'blind', 'audit', 1, s.rubric_version, 'imported'
        from samples s, unnest(array['relevance', 'consistency', 'specificity', 'validity']) c";

#[tokio::test]
async fn a_promotion_that_is_cut_off_is_there_whole_or_not_at_all() {
    let mut server = TestServer::start().await;
    let admin = server.account("admin@example.org", "admin").await;
    let pool = pool(&server).await;
    for statement in PLANTED.split(";\n") {
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&pool).await.expect(statement);
    }
    let model = "00000000-0000-0000-0000-00000000000a";
    let of = |n: u8| format!("00000000-0000-0000-0000-00000000000{n}");
    let request = json!({"old": of(1), "new": of(2)});
    let path = format!("/api/v1/models/{model}/promotions");
    for (turn, delay) in [0, 4, 8, 16, 40, 2_000].into_iter().enumerate() {
        let sent = server.post(&admin, &path, &request);
        let answered = tokio::time::timeout(Duration::from_millis(delay), sent).await;
        if turn % 2 == 0 {
            server.kill();
            server.restart().await;
        } else {
            // The connection of whatever is under way is cut.
            sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'concord'")
                .execute(&mut *pool.acquire().await.expect("a connection"))
                .await
                .ok();
        }
        let began = Instant::now();
        let (promoted, told) = loop {
            let promoted = count(&pool, "promotions where kind = 'promote'").await;
            let told = count(&pool, "audit_events where action = 'model_promote'").await;
            let works = count(&pool, "pg_stat_activity where datname = current_database() and state = 'active' and query like 'insert into promotions%'").await;
            if works == 0 {
                break (promoted, told);
            }
            assert!(began.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(promoted, told, "after {delay} ms: with its event or without it");
        if let Ok(answer) = answered
            && answer.status() == 200
        {
            let said: Value = answer.json().await.expect("JSON");
            assert_eq!(said["kind"], "promote", "{said}");
            assert!(promoted > 0, "what was answered is there");
        }
        let models: Value = server.get(&admin, "/api/v1/models").await.json().await.expect("JSON");
        if models[0]["standing"] == true {
            let back = server.post(&admin, "/api/v1/rollbacks", &json!({"role": "generator"})).await;
            assert_eq!(back.status(), 200, "{}", back.text().await.unwrap_or_default());
        }
    }
    let done = server.post(&admin, &path, &request).await;
    let said: Value = done.json().await.expect("JSON");
    assert_eq!(said["kind"], "promote", "{said}");
    let verified = server.command(&["audit-log", "verify"]).await;
    well(&verified);
}

#[tokio::test]
async fn rounds_run_unattended_and_one_that_is_killed_goes_on() {
    let server = TestServer::start_with(&[
        ("CONCORD_GENERATOR_MODEL", "tiny"),
        ("CONCORD_JUDGE_MODEL", "tiny"),
        ("CONCORD_EMBEDDER_MODEL", "static-en"),
        // The command brings workers of its own.
        ("CONCORD_WORKERS", "0"),
    ])
    .await;
    server.load_demo().await;
    let pool = pool(&server).await;
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("report.md");
    // What this model writes is nonsense: annotators that let nearly all of it pass leave something to learn.
    let args = [
        "evolve",
        "run",
        "--rounds",
        "1",
        "--users",
        "2",
        "--audit-users",
        "2",
        "--history-tokens",
        "100",
        "--tokens",
        "4096",
        "--length",
        "4096",
        "--noise",
        "0.01",
        "--bias",
        "0.99",
        "--report",
        report.to_str().expect("text"),
    ];
    let mut killed = server.spawn(&args, &[]);
    let began = Instant::now();
    while count(&pool, "labels").await < 4 {
        if killed.try_wait().expect("a state").is_some() {
            well(&server.command(&args).await);
        }
        assert!(began.elapsed() < PATIENCE, "nobody labelled");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    killed.kill().expect("killed");
    killed.wait().expect("ended");
    // The dead worker's leases would hold its jobs for a minute.
    sqlx::query("update jobs set lease_expires_at = now() where state = 'running'")
        .execute(&pool)
        .await
        .expect("done");

    let said = server.command(&args).await;
    well(&said);
    let text = fs::read_to_string(&report).expect("a report");
    assert!(text.contains("**Demo world, simulated annotators: 2 of them, noise 0.01, bias 0.99"), "{text}");
    assert!(
        text.contains("## How many labels a gain needs") && text.contains("Other data, not reached here")
    );
    let shown = server.account("admin@example.org", "admin").await;
    let rounds: Value = server.get(&shown, "/api/v1/rounds").await.json().await.expect("JSON");
    assert_eq!(
        (&rounds[0]["number"], &rounds[0]["state"], rounds[1].is_null()),
        (&json!(1), &json!("done"), true),
        "{rounds}"
    );
    for step in rounds[0]["steps"].as_array().expect("steps") {
        assert_eq!(step["state"], "done", "{step}");
    }
    assert!(
        rounds[0]["cost"]["training_tokens"].as_i64() > Some(0)
            && rounds[0]["cost"]["labels"].as_i64() > Some(0)
    );
    for (what, n) in [("generations", 2), ("exports", 1), ("models", 1), ("promotions", 1), ("rounds", 1)] {
        assert_eq!(count(&pool, what).await, n, "{what}: nothing is done twice");
    }
    let refused = text.contains("| refused |") || text.contains("| promoted |");
    assert!(refused, "{text}");
    // The same command again has nothing to do.
    well(&server.command(&args).await);
    assert_eq!(count(&pool, "rounds").await, 1);
}

/// A policy's file.
fn policy(folder: &Path, text: &str) -> String {
    let path = folder.join("policy.toml");
    fs::write(&path, text).expect("a policy");
    path.to_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_judge_learns_its_verdicts_word_and_a_curriculum_is_learnt_in_its_order() {
    let server = TestServer::start_with_tiny_models().await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    let ann = server.account("ann@example.org", "annotator").await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    short(&server, &admin, &server.users_of("train", 3).await).await;
    let mut n = 0;
    while let Some(assignment) = server.next(&ann).await {
        n += 1;
        let status =
            server.submit(&ann, &assignment, &format!("key-{n}"), "blind", n % 2 == 0).await.status();
        assert_eq!(status, 201);
    }
    let judged = policy(folder.path(), "target = \"judge\"\nhold_out = 0.34\nseed = 3\n");
    let export = path("judged");
    well(&server.command(&["export", "--policy", &judged, "--out", &export]).await);
    let lineage = fs::read_to_string(Path::new(&export).join("lineage.jsonl")).expect("lineage");
    let first: Value = serde_json::from_str(lineage.lines().next().expect("a row")).expect("JSON");
    let (task, criterion) =
        (first["task"].as_str().expect("a task"), first["criterion"].as_str().expect("one"));
    let train = ["evolve", "train", "--json", "--export", &export, "--judge", task, "--criterion", criterion];
    let settings =
        ["--base", "tiny", "--name", "its", "--tokens", "24576", "--length", "4096", "--top-layers", "1"];
    let (judge, no, schooled) = (path("judge"), path("no"), path("schooled"));
    let args = [&train[..], &settings, &["--out", &judge]].concat();
    let made: Value = serde_json::from_str(&well(&server.command(&args).await)).expect("JSON");
    assert_eq!((&made[0]["role"], &made[0]["task"]), (&json!("judge"), &json!(task)));
    let losses = made[0]["losses"].as_array().expect("losses");
    assert!(losses[losses.len() - 1].as_f64() < losses[0].as_f64(), "{losses:?}");
    let held = &made[0]["settings"]["held_out"];
    let in_eval = |line: &&str| {
        line.contains("\"part\":\"eval\"")
            && line.contains(&format!("\"criterion\":\"{criterion}\""))
            && line.contains(&format!("\"task\":\"{task}\""))
    };
    assert_eq!(held["n"].as_u64(), Some(lineage.lines().filter(in_eval).count() as u64), "{held}");
    let wrong =
        [&["evolve", "train", "--export", &export, "--judge", "none", "--out", &no][..], &settings[..4]]
            .concat();
    assert!(!server.command(&wrong).await.status.success(), "no rows of such a task");

    // A curriculum of two sub-tasks, the harder one first in the file.
    let row = |subtask: &str, n: i32| {
        let said = json!([{"role": "user", "content": format!("{subtask} {n}")}, {"role": "assistant", "content": "yes"}]);
        json!({"subtask": subtask, "messages": said}).to_string()
    };
    let rows: Vec<String> =
        (0..6).map(|n| row(if n < 3 { "recommendation" } else { "query_category" }, n)).collect();
    fs::write(path("rows.jsonl"), rows.join("\n")).expect("rows");
    let (rows_file, ordered_file) = (path("rows.jsonl"), path("ordered.jsonl"));
    let arrange = ["evolve", "curriculum", "--json", "--rows", &rows_file, "--out", &ordered_file];
    let said: Value = serde_json::from_str(&well(&server.command(&arrange).await)).expect("JSON");
    assert_eq!((&said["rows"], &said["stages"][0]["name"]), (&json!(6), &json!("query_category")));
    let ordered = fs::read_to_string(path("ordered.jsonl")).expect("rows");
    let names: Vec<String> = ordered
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).expect("JSON")["subtask"].as_str().expect("one").to_owned()
        })
        .collect();
    assert!(names[..3].iter().all(|it| it == "query_category"), "{names:?}");
    assert!(!server.command(&arrange).await.status.success(), "nothing is written over");
    let train =
        ["evolve", "train", "--json", "--rows", &ordered_file, "--base", "tiny", "--name", "schooled"];
    let args = [&train[..], &["--tokens", "400", "--length", "200", "--out", &schooled]].concat();
    let made: Value = serde_json::from_str(&well(&server.command(&args).await)).expect("JSON");
    assert_eq!((&made[0]["export"], &made[0]["settings"]["run"]["in_order"]), (&Value::Null, &json!(true)));
    assert!(made[0]["settings"]["data"].as_str().is_some_and(|it| it.len() == 64));
}
