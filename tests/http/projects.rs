//! Projects separate teams: no data crosses. Two of them on one server, over HTTP.

use concord_tests::TestServer;
use reqwest::header::{CONTENT_TYPE, COOKIE, HOST};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const PASSWORD: &str = "a long enough passphrase 7";

/// A project as its people see it.
struct Team<'s> {
    server: &'s TestServer,
    name: &'static str,
    /// Role and bearer token.
    tokens: BTreeMap<&'static str, String>,
}

impl<'s> Team<'s> {
    /// Makes a project while the server runs, and an account of each role in it.
    async fn found(server: &'s TestServer, name: &'static str) -> Self {
        run(server, &["project", "add", name]).await;
        let mut it = Self { server, name, tokens: BTreeMap::new() };
        for role in ["annotator", "lead", "admin"] {
            let email = format!("{role}@example.org");
            let args = ["account", "add", &email, "--role", role, "--token", "--project", name];
            let said = run(server, &args).await;
            it.tokens.insert(role, said.split_whitespace().last().expect("a token").to_owned());
        }
        it.open().await;
        it
    }

    /// Waits until the running server answers for it.
    async fn open(&self) {
        let began = Instant::now();
        while self.ask(Method::GET, "/sign-in").send().await.expect("an answer").status() != StatusCode::OK {
            assert!(began.elapsed() < Duration::from_secs(60), "{} is not opened", self.name);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A request at this project's host.
    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.server.client().request(method, self.server.url(path));
        request.header(HOST, format!("{}.localhost", self.name))
    }

    /// The same as one of its people.
    fn ask_as(&self, role: &str, method: Method, path: &str) -> RequestBuilder {
        self.ask(method, path).bearer_auth(&self.tokens[role])
    }

    async fn post(&self, role: &str, path: &str, body: Value) -> Value {
        let answer =
            self.ask_as(role, Method::POST, path).header("idempotency-key", "k").json(&body).send().await;
        let answer = answer.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap_or_default());
        answer.json().await.unwrap_or_default()
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask_as("admin", Method::GET, path).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json().await.expect("JSON")
    }

    /// Signs its lead in by the form; gives the session's cookie.
    async fn session(&self) -> String {
        let email = format!("person@{}.example", self.name);
        let mut child = std::process::Command::new(concord_tests::target().join("debug/concord"));
        child.env("DATABASE_URL", self.server.database_url());
        child.args(["account", "add", &email, "--role", "lead", "--password-stdin", "--project", self.name]);
        let mut child = child
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("it runs");
        std::io::Write::write_all(&mut child.stdin.take().expect("its input"), PASSWORD.as_bytes())
            .expect("sent");
        assert!(child.wait().expect("it ends").success());
        let body = format!("email={}&password={}", email.replace('@', "%40"), PASSWORD.replace(' ', "+"));
        let form =
            self.ask(Method::POST, "/rpc/sign_in").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = form.body(body).send().await.expect("an answer");
        let line = answer.headers()["set-cookie"].to_str().expect("text").to_owned();
        assert!(!line.to_lowercase().contains("domain="), "the cookie is of this host alone: {line}");
        line.split(';').next().expect("a pair").to_owned()
    }

    /// Some of everything, under the same names as in every other project.
    async fn fill(&self) {
        for n in 1..=3 {
            let sample = json!({"sample": format!("s{n}"), "task": "summary", "cluster": format!("c{n}"),
                "text": format!("{} said {n}", self.name)});
            let verdict = json!({"sample": format!("s{n}"), "task": "summary", "criterion": "faithful", "judge": "j",
                "label": "pass", "cluster": format!("c{n}"), "rationale": format!("{} thinks", self.name)});
            for (kind, row) in [("samples", sample), ("verdicts", verdict)] {
                let counted = self.post("admin", &format!("/api/v1/import/{kind}"), row).await;
                assert_eq!(counted["new"], 1, "{counted}");
            }
        }
        self.post("admin", "/api/v1/import/users", json!({"user": "u1", "profile": {"team": self.name}}))
            .await;
        self.post(
            "lead",
            "/api/v1/webhooks",
            json!({"url": "https://example.org/hook", "events": ["drift.alarm"]}),
        )
        .await;
        let next = self.post("annotator", "/api/v1/queue/next", json!({"count": 2})).await;
        let id = next["assignments"][0]["id"].as_str().expect("an assignment").to_owned();
        let answers = json!({"phase": "blind", "answers": [{"criterion": "faithful", "label": "pass"}]});
        self.post("annotator", &format!("/api/v1/assignments/{id}/labels"), answers).await;
    }

    async fn pool(&self) -> PgPool {
        PgPool::connect(&database_of(self.server, self.name)).await.expect("the project's database")
    }
}

/// The address of a project's database: the default one's with the project behind its name.
fn database_of(server: &TestServer, name: &str) -> String {
    let mut url = reqwest::Url::parse(server.database_url()).expect("an address");
    let path = format!("{}--{name}", url.path());
    url.set_path(&path);
    url.into()
}

async fn run(server: &TestServer, args: &[&str]) -> String {
    let output = server.command(args).await;
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Every method and path of the API.
async fn routes(server: &TestServer) -> Vec<(Method, String)> {
    let document =
        server.client().get(server.url("/api/v1/openapi.json")).header(HOST, "localhost").send().await;
    let document: Value = document.expect("an answer").json().await.expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let of = |(path, item): (&String, &Value)| -> Vec<(Method, String)> {
        let methods = item.as_object().expect("methods").keys();
        methods.map(|it| (it.to_uppercase().parse().expect("a method"), path.clone())).collect()
    };
    paths.iter().flat_map(of).collect()
}

/// A path with this in place of every parameter.
fn filled(path: &str, value: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { value.to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// One id of every column of ids in a project's database that has any.
async fn ids(pool: &PgPool) -> BTreeSet<String> {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "select table_name::text, column_name::text from information_schema.columns
         where table_schema = 'public' and data_type = 'uuid'",
    )
    .fetch_all(pool)
    .await
    .expect("columns");
    let mut found = BTreeSet::new();
    for (table, column) in columns {
        let nil = "00000000-0000-0000-0000-000000000000";
        let sql = format!(
            "select {column}::text from {table} where {column} is not null and {column} <> '{nil}' limit 1"
        );
        found.extend(
            sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)).fetch_optional(pool).await.expect("ids"),
        );
    }
    found
}

/// How many rows the tables have that people change.
async fn rows(pool: &PgPool) -> Vec<(&'static str, i64)> {
    let mut counted = Vec::new();
    for table in [
        "accounts",
        "tokens",
        "sessions",
        "invitations",
        "users",
        "samples",
        "verdicts",
        "assignments",
        "submissions",
        "labels",
        "adjudications",
        "certificates",
        "webhooks",
        "exports",
        "generations",
    ] {
        let n =
            sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}"))).fetch_one(pool).await;
        counted.push((table, n.expect("a count")));
    }
    counted
}

#[tokio::test]
async fn no_token_session_or_id_of_one_project_is_any_good_in_another() {
    let server = TestServer::start().await;
    let (red, blue) = (Team::found(&server, "red").await, Team::found(&server, "blue").await);
    red.fill().await;
    blue.fill().await;
    let session = red.session().await;
    let routes = routes(&server).await;
    assert!(routes.len() > 50, "{routes:?}");

    // Whoever is somebody in red is nobody in blue and nobody in the default project.
    let hosts = ["blue.localhost", "localhost", "127.0.0.1"];
    for (method, path) in &routes {
        let path = filled(path, "00000000-0000-0000-0000-000000000000");
        for host in hosts {
            let ask = || server.client().request(method.clone(), server.url(&path)).header(HOST, host);
            let mut asked: Vec<_> = red.tokens.values().map(|token| ask().bearer_auth(token)).collect();
            asked.push(ask().header(COOKIE, &session));
            for request in asked {
                let status = request.json(&json!({})).send().await.expect("an answer").status();
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path} at {host}");
            }
        }
    }
    for page in ["/", "/review", "/account", "/audit", "/samples", "/exports"] {
        let answer = blue.ask(Method::GET, page).header(COOKIE, &session).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{page}");
        assert!(answer.headers()["location"].to_str().expect("text").starts_with("/sign-in"), "{page}");
        let own = red.ask(Method::GET, page).header(COOKIE, &session).send().await.expect("an answer");
        assert!(
            own.status().is_success() || own.status() == StatusCode::FORBIDDEN,
            "{page}: {}",
            own.status()
        );
    }
    let answer = blue.ask(Method::POST, "/api/v1/queue/next").header("origin", "http://red.localhost");
    let answer =
        answer.header("sec-fetch-site", "same-site").json(&json!({})).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "a page of red asks blue");

    // Nothing of red is there for those who may do everything in blue.
    let (red_db, blue_db) = (red.pool().await, blue.pool().await);
    let ids = ids(&red_db).await;
    assert!(ids.len() >= 8, "{ids:?}");
    let with_id: Vec<_> =
        routes.iter().filter(|(_, path)| path.contains('{') && !path.contains("import")).collect();
    let mut good_at_home = 0;
    for (_, path) in with_id.iter().filter(|(method, _)| method == Method::GET) {
        for id in &ids {
            let own = red.ask_as("admin", Method::GET, &filled(path, id)).send().await.expect("an answer");
            good_at_home += usize::from(own.status().is_success());
        }
    }
    assert!(good_at_home > 0, "the ids are good at home: {good_at_home}");
    let red_rows = rows(&red_db).await;
    for (method, path) in with_id {
        for id in &ids {
            let path = filled(path, id);
            let roles: &[_] = if method == Method::GET { &["admin", "annotator"] } else { &["admin"] };
            for role in roles {
                let request = blue.ask_as(role, method.clone(), &path).header("idempotency-key", "k");
                let answer =
                    request.json(&json!({"reason": "x", "why": "x"})).send().await.expect("an answer");
                let status = answer.status();
                let text = answer.text().await.unwrap_or_default();
                let empty = status == StatusCode::OK && matches!(text.as_str(), "[]" | "");
                // No recommendation model is trained here: that is said before anything is looked for.
                let untrained = status == StatusCode::SERVICE_UNAVAILABLE;
                assert!(
                    status.is_client_error() || empty || untrained,
                    "{method} {path} as {role}: {status} {text}"
                );
                assert!(
                    !text.contains("red said") && !text.contains("red thinks"),
                    "{method} {path}: {text}"
                );
            }
        }
    }
    assert_eq!(rows(&red_db).await, red_rows, "and nothing there has changed");

    // The same names are other things.
    for team in [&red, &blue] {
        let samples = team.get("/api/v1/samples").await.to_string();
        assert!(samples.contains(&format!("{} said 1", team.name)), "{samples}");
        let others = if team.name == "red" { "blue said" } else { "red said" };
        assert!(!samples.contains(others), "{samples}");
    }
    let labels = "select count(*) from labels";
    for pool in [&red_db, &blue_db] {
        assert_eq!(sqlx::query_scalar::<_, i64>(labels).fetch_one(pool).await.expect("a count"), 1);
    }
    let default = PgPool::connect(server.database_url()).await.expect("the default project's database");
    assert_eq!(sqlx::query_scalar::<_, i64>(labels).fetch_one(&default).await.expect("a count"), 0);

    // A name that is no project's leads nowhere.
    for host in ["green.localhost", "concord.example.org", "a.red.localhost", "red.localhost.evil.example"] {
        let answer =
            server.client().get(server.url("/sign-in")).header(HOST, host).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    let metrics = server.client().get(server.url("/metrics")).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    for name in ["default", "red", "blue"] {
        assert!(metrics.contains(&format!("concord_database_up{{project=\"{name}\"}} 1")), "{metrics}");
    }
}

#[tokio::test]
async fn one_worker_works_for_all_and_the_deletion_of_one_project_leaves_the_others() {
    let server = TestServer::start_with(&[
        ("CONCORD_GENERATOR_MODEL", "tiny"),
        ("CONCORD_JUDGE_MODEL", "tiny"),
        ("CONCORD_EMBEDDER_MODEL", "static-en"),
    ])
    .await;
    let (red, blue) = (Team::found(&server, "red").await, Team::found(&server, "blue").await);
    for team in [&red, &blue] {
        let args =
            ["demo", "--users", "40", "--items", "300", "--until", "2026-11-20", "--project", team.name];
        run(&server, &args).await;
        team.post(
            "admin",
            "/api/v1/generations",
            json!({"users": 1, "interests": 1, "tags": 1, "explanations": 1}),
        )
        .await;
    }
    for team in [&red, &blue] {
        let began = Instant::now();
        loop {
            let all = team.get("/api/v1/generations").await;
            let now = &all[0];
            let samples: i64 =
                now["samples"].as_array().into_iter().flatten().filter_map(|s| s[1].as_i64()).sum();
            if now["users_done"] == 1 && samples > 0 && now["judged"] == samples {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(240), "{}: {now}", team.name);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    let folder = tempfile::tempdir().expect("a folder");
    let backup = folder.path().join("blue");
    let backup = backup.to_str().expect("text");
    run(&server, &["backup", "--out", backup, "--project", "blue"]).await;
    let crossed = server.command(&["restore", backup, "--project", "green"]).await;
    assert!(String::from_utf8_lossy(&crossed.stderr).contains("no other project is to have its data"));
    assert!(!run(&server, &["project", "list"]).await.contains("green"), "nothing is left of it");

    let pool = red.pool().await;
    let before = rows(&pool).await;
    let wrong = server.command(&["project", "remove", "blue", "--confirm", "red"]).await;
    assert!(!wrong.status.success() && run(&server, &["project", "list"]).await.contains("blue"));
    let default = server.command(&["project", "remove", "default", "--confirm", "default"]).await;
    assert!(!default.status.success());
    run(&server, &["project", "remove", "blue", "--confirm", "blue"]).await;
    let began = Instant::now();
    while blue.ask(Method::GET, "/sign-in").send().await.expect("an answer").status()
        != StatusCode::MISDIRECTED_REQUEST
    {
        assert!(began.elapsed() < Duration::from_secs(30), "blue is still there");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(rows(&pool).await, before, "red is as it was");
    run(&server, &["audit-log", "verify", "--project", "red"]).await;
    let gone = server.command(&["account", "list", "--project", "blue"]).await;
    assert!(String::from_utf8_lossy(&gone.stderr).contains("there is no project blue"));

    run(&server, &["restore", backup, "--project", "blue"]).await;
    blue.open().await;
    assert!(
        blue.get("/api/v1/generations").await[0]["judged"].as_i64().is_some_and(|n| n > 0),
        "blue is back"
    );
    run(&server, &["migrate"]).await;
    let doctor = run(&server, &["project", "list", "--json"]).await;
    assert_eq!(run(&server, &["project", "list", "--names"]).await, "default\nblue\nred\n");
    let listed: Value = serde_json::from_str(&doctor).expect("JSON");
    let names: Vec<&str> =
        listed.as_array().into_iter().flatten().filter_map(|it| it["project"].as_str()).collect();
    assert_eq!(names, ["default", "blue", "red"]);
}
