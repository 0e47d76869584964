//! A small world with judged samples: the demo logs, and a generation by the tiny model of the repository.
//! The code is the real one from prompt to verdict; only the words are nonsense.

use crate::TestServer;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Long enough for a busy machine; it takes a few seconds on a quiet one.
const GENERATED_WITHIN: Duration = Duration::from_secs(240);

impl TestServer {
    /// A server whose models are the test-sized ones.
    pub async fn start_with_tiny_models() -> Self {
        Self::start_with(&[
            ("CONCORD_GENERATOR_MODEL", "tiny"),
            ("CONCORD_JUDGE_MODEL", "tiny"),
            ("CONCORD_EMBEDDER_MODEL", "static-en"),
        ])
        .await
    }

    /// Loads a small demo world.
    ///
    /// # Panics
    /// When it cannot.
    pub async fn load_demo(&self) {
        let args = ["demo", "--users", "40", "--items", "300", "--until", "2026-11-20"];
        let output = self.command(&args).await;
        assert!(output.status.success(), "demo: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Generates and judges samples of these users and waits until all are open for review.
    ///
    /// # Panics
    /// When it does not happen in time.
    pub async fn generate(&self, token: &str, users: &[String]) -> Value {
        self.generate_as(token, &json!({"user_keys": users, "interests": 2, "tags": 2, "explanations": 1}))
            .await
    }

    /// The same for what is asked for.
    ///
    /// # Panics
    /// When it does not happen in time.
    pub async fn generate_as(&self, token: &str, request: &Value) -> Value {
        let started = self.post(token, "/api/v1/generations", request).await;
        assert_eq!(started.status(), 202, "{}", started.text().await.unwrap_or_default());
        let started: Value = started.json().await.expect("JSON");
        let path = format!("/api/v1/generations/{}", started["id"].as_str().expect("an id"));
        let began = Instant::now();
        loop {
            let now: Value = self.get(token, &path).await.json().await.expect("JSON");
            assert_eq!(now["failed"], 0, "{now}");
            let samples: i64 =
                now["samples"].as_array().into_iter().flatten().filter_map(|s| s[1].as_i64()).sum();
            if now["users_done"] == now["users"] && samples > 0 && now["judged"] == samples {
                return now;
            }
            assert!(began.elapsed() < GENERATED_WITHIN, "not generated in time: {now}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Keys of users of a half who have behaviour enough, in a fixed order.
    ///
    /// # Panics
    /// When the database cannot be asked.
    pub async fn users_of(&self, half: &str, n: i64) -> Vec<String> {
        let pool = sqlx::PgPool::connect(self.database_url()).await.expect("the test's database");
        sqlx::query_scalar(
            "select key from users u where half = $1 and (select count(*) from behaviours b where b.user_id = u.id and reliable) >= 5
             order by key limit $2",
        )
        .bind(half)
        .bind(n)
        .fetch_all(&pool)
        .await
        .expect("users")
    }

    /// A GET with a bearer token.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn get(&self, token: &str, path: &str) -> reqwest::Response {
        self.client().get(self.url(path)).bearer_auth(token).send().await.expect("an answer")
    }

    /// A POST of JSON with a bearer token.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn post(&self, token: &str, path: &str, body: &Value) -> reqwest::Response {
        self.client().post(self.url(path)).bearer_auth(token).json(body).send().await.expect("an answer")
    }

    /// Submits answers that pass every criterion (or take the failing label) for an assignment.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn submit(
        &self,
        token: &str,
        assignment: &Value,
        key: &str,
        phase: &str,
        pass: bool,
    ) -> reqwest::Response {
        let id = assignment["id"].as_str().expect("an id");
        let answers: Vec<Value> = assignment["rubric"]["criteria"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|criterion| {
                let labels = criterion["labels"].as_array().expect("labels");
                let label = labels.iter().find(|label| label["pass"] == pass).expect("a label of each side");
                json!({"criterion": criterion["name"], "label": label["name"]})
            })
            .collect();
        let request =
            self.client().post(self.url(&format!("/api/v1/assignments/{id}/labels"))).bearer_auth(token);
        let body = json!({"phase": phase, "answers": answers, "seconds": 2.5});
        request.header("Idempotency-Key", key).json(&body).send().await.expect("an answer")
    }

    /// The next assignment, if there is one.
    ///
    /// # Panics
    /// When the answer is no queue's.
    pub async fn next(&self, token: &str) -> Option<Value> {
        let answer = self.post(token, "/api/v1/queue/next", &json!({"count": 1})).await;
        match answer.status().as_u16() {
            204 => None,
            200 => Some(answer.json::<Value>().await.expect("JSON")["assignments"][0].clone()),
            other => panic!("queue/next: {other} {}", answer.text().await.unwrap_or_default()),
        }
    }
}
