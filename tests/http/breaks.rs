//! What breaks around the server: a database that takes no writes, a pool that is used up, two servers, a worker that
//! hangs, clients that say nothing, a migration cut off, PostgreSQL killed. Nothing is lost and nothing doubled.

use concord_tests::{TestDatabase, TestServer, audited, free_port, root, target};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

/// A server of its own process, ended with the test.
struct Another(Child);

impl Another {
    fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.0.id().to_string()]).status();
        assert!(done.is_ok_and(|it| it.success()), "kill runs");
    }
}

impl Drop for Another {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

async fn pool(server: &TestServer) -> PgPool {
    PgPool::connect(server.database_url()).await.expect("the test's database")
}

async fn count(pool: &PgPool, what: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {what}")))
        .fetch_one(pool)
        .await
        .expect("a count")
}

/// Imported samples, judged, that people may label.
async fn samples(server: &TestServer, n: u32) {
    let admin = server.account("admin@example.org", "admin").await;
    audited::import(server, &admin, 0, n, |_| true).await;
    // An imported label takes a place; one more person is asked.
    let programme = json!({"overlap": 3, "lease_seconds": 600, "gold_rate": 0.0});
    let path = server.url(&format!("/api/v1/tasks/{}/programme", audited::TASK));
    let set = server.client().put(path).bearer_auth(&admin).json(&programme).send().await.expect("an answer");
    assert!(set.status().is_success(), "{}", set.text().await.unwrap_or_default());
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_said_and_what_was_sent_goes_in_later_once() {
    let server = TestServer::start().await;
    samples(&server, 3).await;
    let ann = server.account("ann@example.org", "annotator").await;
    let assignment = server.next(&ann).await.expect("something to label");
    let pool = pool(&server).await;
    let name: String =
        sqlx::query_scalar("select current_database()").fetch_one(&pool).await.expect("its name");
    let before = count(&pool, "labels").await;
    let set = async |value: &str| {
        let sql = format!("alter database {name} set default_transaction_read_only = {value}");
        // A session of its own, which may write whatever the default is.
        let mut own = pool.acquire().await.expect("a connection");
        sqlx::query("set default_transaction_read_only = off").execute(&mut *own).await.expect("set");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *own).await.expect("set");
        sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'concord' and datname = current_database()")
            .execute(&mut *own)
            .await
            .expect("sessions begin anew");
    };
    set("on").await;
    let began = Instant::now();
    let refused = loop {
        let answer = server.submit(&ann, &assignment, "k", "blind", true).await;
        let status = answer.status();
        let said: Value = answer.json().await.expect("JSON");
        if said["detail"].as_str().is_some_and(|words| words.contains("no writes"))
            || began.elapsed() > Duration::from_secs(20)
        {
            break (status.as_u16(), said);
        }
    };
    assert_eq!((refused.0, refused.1["code"].as_str()), (503, Some("unavailable")), "{}", refused.1);
    assert_eq!(server.get(&ann, "/api/v1/me").await.status(), 200, "reading goes on");
    assert_eq!(server.get(&ann, "/readyz").await.status(), 503);
    set("off").await;
    let began = Instant::now();
    while server.submit(&ann, &assignment, "k", "blind", true).await.status() != 201 {
        assert!(began.elapsed() < Duration::from_secs(20), "it recovers by itself");
    }
    assert_eq!(server.submit(&ann, &assignment, "k", "blind", true).await.status(), 201);
    assert_eq!(count(&pool, "labels").await, before + 1, "one criterion, one label");
}

#[tokio::test]
async fn when_every_connection_is_taken_requests_are_told_to_come_again_and_then_served() {
    let server = TestServer::start_with(&[("CONCORD_WORKERS", "0"), ("CONCORD_DB_POOL", "3")]).await;
    samples(&server, 6).await;
    let ann = server.account("ann@example.org", "annotator").await;
    let pool = pool(&server).await;
    let mut lock = pool.begin().await.expect("a transaction");
    sqlx::query("lock table assignments in access exclusive mode").execute(&mut *lock).await.expect("locked");
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let request = server.client().post(server.url("/api/v1/queue/next")).bearer_auth(&ann);
            tokio::spawn(request.json(&json!({"count": 1})).send())
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(6)).await;
    lock.rollback().await.expect("released");
    let mut told = 0;
    for answer in waiting {
        let answer = answer.await.expect("not cancelled").expect("an answer");
        let status = answer.status().as_u16();
        assert!(matches!(status, 200 | 503), "{status}");
        if status == 503 {
            let said: Value = answer.json().await.expect("JSON");
            assert_eq!(said["code"], "unavailable", "{said}");
            told += 1;
        }
    }
    assert!(told > 0, "some found no connection");
    let assignment = server.next(&ann).await.expect("served again");
    assert_eq!(server.submit(&ann, &assignment, "k", "blind", true).await.status(), 201);
}

#[tokio::test]
async fn two_servers_on_one_database_give_no_slot_twice() {
    let server = TestServer::start().await;
    samples(&server, 10).await;
    let port = free_port();
    let twin = Another(server.spawn(&["serve"], &[("CONCORD_ADDR", &format!("127.0.0.1:{port}"))]));
    let began = Instant::now();
    while !reqwest::get(format!("http://127.0.0.1:{port}/readyz"))
        .await
        .is_ok_and(|it| it.status().is_success())
    {
        assert!(began.elapsed() < Duration::from_secs(60), "the twin comes up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut people = Vec::new();
    for n in 0..6 {
        people.push(server.account(&format!("p{n}@example.org"), "annotator").await);
    }
    let work = people.into_iter().enumerate().map(|(n, token)| {
        let base = if n % 2 == 0 { server.url("") } else { format!("http://127.0.0.1:{port}") };
        let client = server.client();
        async move {
            for k in 0..20 {
                let next = client.post(format!("{base}/api/v1/queue/next")).bearer_auth(&token).json(&json!({"count": 1}));
                let next = next.send().await.expect("an answer");
                if next.status() != 200 {
                    break;
                }
                let given: Value = next.json().await.expect("JSON");
                let id = given["assignments"][0]["id"].as_str().expect("an id").to_owned();
                let body = json!({"phase": "blind", "answers": [{"criterion": audited::CRITERION, "label": "pass"}]});
                let submit = client.post(format!("{base}/api/v1/assignments/{id}/labels")).bearer_auth(&token);
                let done = submit.header("Idempotency-Key", format!("{n}-{k}")).json(&body).send().await;
                let status = done.expect("an answer").status();
                assert!(matches!(status.as_u16(), 201 | 409), "{status}");
            }
        }
    });
    let tasks: Vec<_> = work.map(tokio::spawn).collect();
    for task in tasks {
        task.await.expect("a person's work");
    }
    let pool = pool(&server).await;
    let most: Option<i64> = sqlx::query_scalar(
        "select max(n) from (select count(*) n from assignments where state = 'submitted' group by sample_id) each",
    )
    .fetch_one(&pool)
    .await
    .expect("a count");
    let done = count(&pool, "assignments where state = 'submitted'").await;
    assert!(
        most.is_some_and(|most| most <= 3) && done > 0,
        "overlap 3, {most:?} on one sample, {done} in all"
    );
    let twice = count(&pool, "(select 1 from labels where phase = 'blind' group by sample_id, criterion, rater having count(*) > 1) twice").await;
    assert_eq!(twice, 0);
    drop(twin);
}

#[tokio::test]
async fn the_work_of_a_worker_that_hangs_is_done_by_another_and_stored_once() {
    let tiny = [
        ("CONCORD_WORKERS", "0"),
        ("CONCORD_GENERATOR_MODEL", "tiny"),
        ("CONCORD_JUDGE_MODEL", "tiny"),
        ("CONCORD_EMBEDDER_MODEL", "static-en"),
    ];
    let server = TestServer::start_with(&tiny).await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    let users = server.users_of("train", 3).await;
    let request = json!({"user_keys": users, "interests": 2, "tags": 2, "explanations": 1});
    assert_eq!(server.post(&admin, "/api/v1/generations", &request).await.status(), 202);
    let pool = pool(&server).await;
    let hung = Another(server.spawn(&["work"], &[("CONCORD_WORKERS", "1")]));
    let began = Instant::now();
    while count(&pool, "jobs where kind = 'generate' and state = 'running'").await == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "a job begins");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    hung.signal("-STOP");
    // Its lease lapses: a minute in life, at once here.
    sqlx::query("update jobs set lease_expires_at = now() where state = 'running'")
        .execute(&pool)
        .await
        .expect("done");
    let _other = Another(server.spawn(&["work"], &[("CONCORD_WORKERS", "1")]));
    let began = Instant::now();
    while count(&pool, "jobs where kind in ('generate', 'judge') and state <> 'done'").await > 0 {
        assert!(began.elapsed() < Duration::from_secs(200), "the other worker does it");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    hung.signal("-CONT");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let distinct = count(&pool, "(select distinct user_id, task, seed from calls) each").await;
    assert_eq!(count(&pool, "calls").await, distinct, "no call is stored twice");
    assert_eq!(count(&pool, "samples where not judged").await, 0);
}

#[tokio::test]
async fn clients_that_send_half_a_request_keep_nobody_waiting() {
    let server = TestServer::start().await;
    let ann = server.account("ann@example.org", "annotator").await;
    let address = server.url("").replace("http://", "");
    let mut slow = Vec::new();
    for n in 0..200 {
        let mut client =
            tokio::net::TcpStream::connect(address.trim_end_matches('/')).await.expect("connected");
        let half = if n % 2 == 0 {
            "POST /api/v1/queue/next HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{".to_owned()
        } else {
            "GET / HTTP/1.1\r\nhost".to_owned()
        };
        client.write_all(half.as_bytes()).await.expect("sent");
        slow.push(client);
    }
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(server.get(&ann, "/api/v1/me").await.status(), 200);
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_migration_that_is_cut_off_goes_on_with_the_next_start() {
    let database = TestDatabase::create().await;
    let url = database.url().to_owned();
    let migrate = move || {
        let mut command = Command::new(target().join("debug/concord"));
        command.arg("migrate").current_dir(root()).env("DATABASE_URL", &url);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    for delay in [20, 60, 120, 200, 300] {
        let mut child = migrate().spawn().expect("concord runs");
        tokio::time::sleep(Duration::from_millis(delay)).await;
        child.kill().ok();
        child.wait().ok();
    }
    let done = tokio::task::spawn_blocking(move || migrate().output()).await.expect("not cancelled");
    let output = done.expect("concord runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let pool = PgPool::connect(database.url()).await.expect("the test's database");
    assert_eq!(count(&pool, "_sqlx_migrations where not success").await, 0);
    let files = std::fs::read_dir(root().join("migrations")).expect("migrations").count();
    assert_eq!(usize::try_from(count(&pool, "_sqlx_migrations").await).ok(), Some(files));
}

/// The private cluster of a server's data folder: its postmaster, killed with the test whatever becomes of it.
struct Postmaster(std::path::PathBuf);

impl Postmaster {
    fn of(server: &TestServer) -> Self {
        let data = server.data();
        let recorded = std::fs::read_to_string(data.join("cluster-home")).ok();
        let home = recorded.map_or_else(|| data.join("pg"), |home| home.trim_end().into());
        Self(home.join("data/postmaster.pid"))
    }

    fn kill(&self) -> bool {
        let pid = std::fs::read_to_string(&self.0).ok();
        let Some(pid) = pid.as_deref().and_then(|text| text.lines().next()).map(str::trim) else {
            return false;
        };
        Command::new("kill").args(["-9", pid]).status().is_ok_and(|it| it.success())
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        self.kill();
    }
}

#[tokio::test]
async fn postgresql_killed_in_the_middle_of_submits_loses_and_doubles_no_answer() {
    let mut server = TestServer::start_with(&[("DATABASE_URL", ""), ("CONCORD_WORKERS", "0")]).await;
    let postmaster = Postmaster::of(&server);
    samples(&server, 12).await;
    let lead = server.account("lead@example.org", "lead").await;
    let ann = server.account("ann@example.org", "annotator").await;
    let (mut sent, mut stored) = (Vec::<(Value, String)>::new(), 0);
    for n in 0..8 {
        let Some(assignment) = server.next(&ann).await else { break };
        if n == 4 {
            assert!(postmaster.kill(), "PostgreSQL is killed");
        }
        let key = format!("k{n}");
        let answer = server.submit(&ann, &assignment, &key, "blind", true).await;
        let status = answer.status().as_u16();
        sent.push((assignment, key));
        if status != 201 {
            let said: Value = answer.json().await.expect("JSON");
            assert_eq!((status, said["code"].as_str()), (503, Some("unavailable")), "{said}");
            break;
        }
        stored += 1;
    }
    assert!(stored >= 4, "{stored} were answered before");
    // Nobody has to start it again.
    let began = Instant::now();
    let (last, key) = sent.last().expect("one was sent");
    while server.submit(&ann, last, key, "blind", true).await.status() != 201 {
        assert!(began.elapsed() < Duration::from_secs(60), "the server starts PostgreSQL again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("recovered in {:.1} s", began.elapsed().as_secs_f64());
    for (assignment, key) in &sent {
        for _ in 0..2 {
            let again = server.submit(&ann, assignment, key, "blind", true).await;
            assert_eq!(again.status(), 201, "{}", again.text().await.unwrap_or_default());
        }
    }
    let log = server.get(&lead, "/api/v1/labels").await.text().await.expect("the label log");
    let log: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    let of_ann = |sample: &Value| {
        log.iter().filter(|it| it["sample_id"] == *sample && it["rater"] == "ann@example.org").count()
    };
    for (assignment, key) in &sent {
        assert_eq!(of_ann(&assignment["sample"]["id"]), 1, "{key}: one criterion, one label");
    }
    assert!(server.stop(), "it ends well, and stops its cluster");
}
