//! A generator that obeys schemas and nothing else: it cites lines that do not exist, and writes brands, slogans and the same
//! thing twice. And an embedder of words, so that the catalogue has categories to learn.

use crate::world::World;
use async_trait::async_trait;
use concord_domain::api::Pipeline;
use concord_domain::ports::{
    EmbedKind, Embedder, GenerateRequest, Generated, LanguageModel, ModelError, ModelInfo, Score,
    ScoreRequest, Scored,
};
use concord_domain::{Actor, GenerationRequest, PresetInterest};
use concord_service::demo::{self, World as DemoWorld};
use concord_service::exports::ExportsService;
use concord_service::generation::Generator;
use concord_service::jobs::Worker;
use concord_service::judging::Judge;
use concord_service::models::Models;
use concord_service::pipeline::PipelineService;
use concord_service::webhooks::{Courier, Reach};
use concord_service::work::WorkService;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// What it writes of, by seed: words of the demo world's catalogue.
const THINGS: [&str; 8] = [
    "barbless dry hooks",
    "gooseneck kettle",
    "crash mat",
    "railing planter",
    "silk fan",
    "burr grinder",
    "wading boots",
    "finger tape",
];
const HOW: [&str; 6] = ["light", "sturdy", "compact", "quiet", "warm", "foldable"];

pub(crate) struct Author {
    millis: u64,
    calls: AtomicUsize,
    left: AtomicUsize,
}

impl Default for Author {
    fn default() -> Self {
        Self { millis: 0, calls: AtomicUsize::new(0), left: AtomicUsize::new(usize::MAX) }
    }
}

impl Author {
    /// One that takes so many milliseconds a call.
    pub(crate) fn slow(millis: u64) -> Self {
        Self { millis, ..Self::default() }
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// So many calls from now on; then it is unavailable.
    pub(crate) fn leave(&self, calls: usize) {
        self.left.store(calls, Ordering::SeqCst);
    }
}

fn info() -> ModelInfo {
    ModelInfo {
        name: "author".into(),
        hash: "a".repeat(64),
        family: "author".into(),
        backend: "candle".into(),
    }
}

#[async_trait]
impl LanguageModel for Author {
    async fn info(&self) -> Result<ModelInfo, ModelError> {
        Ok(info())
    }

    async fn count_tokens(&self, text: &str) -> Result<usize, ModelError> {
        Ok(text.len())
    }

    async fn generate(&self, request: GenerateRequest) -> Result<Generated, ModelError> {
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err() {
            return Err(ModelError::Unavailable {
                name: "author".into(),
                why: "gone".into(),
                mend: "wait".into(),
            });
        }
        tokio::time::sleep(Duration::from_millis(self.millis)).await;
        self.calls.fetch_add(1, Ordering::SeqCst);
        let schema = request.schema.expect("a schema");
        let text = write(&schema, request.seed).to_string();
        Ok(Generated {
            text,
            prompt_tokens: 9,
            output_tokens: 9,
            forced_tokens: 0,
            truncated: false,
            millis: 1,
        })
    }

    async fn score(&self, request: ScoreRequest) -> Result<Scored, ModelError> {
        let score = Score { logits: Some(vec![1.0, 0.0]), p_first: Some(0.73), said: None };
        Ok(Scored {
            scores: vec![score; request.questions.len()],
            prefix_tokens: 1,
            prefilled_tokens: 2,
            millis: 1,
        })
    }
}

fn write(schema: &Value, seed: u64) -> Value {
    let at = |list: &[&'static str], n: u64| list[usize::try_from(n % list.len() as u64).unwrap()];
    let properties = &schema["properties"];
    if let Some(list) = properties.get("interests") {
        let n = list["maxItems"].as_u64().unwrap();
        let lines = list["items"]["properties"]["evidence"]["items"]["maximum"].as_u64().unwrap();
        let interests: Vec<Value> = (0..n)
            .map(|it| match it {
                // The last one cites what is not there, and the first is a preset's name.
                _ if it + 1 == n && n > 1 => json!({"evidence": [lines + 7], "interest": format!("made up {seed}"), "reason": "none", "stage": "current"}),
                0 => json!({"evidence": (1..=lines.min(6)).collect::<Vec<_>>(), "interest": "angling", "reason": "so many", "stage": "long_term"}),
                _ => json!({"evidence": [1, lines.min(4)], "interest": format!("{} {it}", at(&THINGS, seed + it)), "reason": "two", "stage": "current"}),
            })
            .collect();
        return json!({ "interests": interests });
    }
    if properties.get("interest").is_some() {
        return json!({"interest": format!("thread of {}", at(&THINGS, seed)), "reason": "the same people"});
    }
    if properties.get("personas").is_some() {
        return json!({"personas": ["the one at home", "the one outside"]});
    }
    if properties.get("style").is_some() {
        return json!({"style": "short and dry, no praise"});
    }
    if let Some(list) = properties.get("chosen") {
        let most = list["items"]["maximum"].as_u64().unwrap();
        return json!({"chosen": (1..=most.min(list["maxItems"].as_u64().unwrap())).collect::<Vec<_>>()});
    }
    if let Some(list) = properties.get("tags") {
        let n = list["maxItems"].as_u64().unwrap();
        let mut tags = vec![
            "smart coffee scale".to_owned(),
            "Rillbrook wading boots".into(),
            "headphones WH-1000XM4".into(),
            "boots".into(),
        ];
        for it in 0..n {
            tags.push(format!("{} {}", at(&HOW, seed / 8 + it), at(&THINGS, seed + it)));
        }
        tags.push(tags[4].split(' ').rev().collect::<Vec<_>>().join(" "));
        let of = |tag: String| json!({"interest": 1, "tag": tag, "why": "it serves"});
        return json!({ "tags": tags.into_iter().map(of).collect::<Vec<_>>() });
    }
    let line =
        if seed.is_multiple_of(3) { "the perfect choice for you" } else { "steady hands on cold mornings" };
    json!({"related": seed.is_multiple_of(2), "detail": "Colour: olive", "line": line})
}

/// Words as directions.
struct Words;

#[async_trait]
impl Embedder for Words {
    async fn info(&self) -> Result<ModelInfo, ModelError> {
        Ok(info())
    }

    async fn embed(&self, _: EmbedKind, texts: Vec<String>) -> Result<Vec<Vec<f32>>, ModelError> {
        Ok(texts.iter().map(|text| vector(text)).collect())
    }
}

fn vector(text: &str) -> Vec<f32> {
    let mut out = vec![0.0_f32; 64];
    for piece in concord_pipeline::words::pieces(text) {
        let hash = piece
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        out[usize::try_from(hash % 64).unwrap()] += sign;
    }
    let length = out.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
    out.iter_mut().for_each(|x| *x /= length);
    out
}

/// The demo world's logs, and who writes of them.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) pipeline: PipelineService,
    pub(crate) work: WorkService,
    pub(crate) author: Arc<Author>,
    pool: PgPool,
    worker: Worker,
}

impl Bench {
    pub(crate) async fn new(pool: &PgPool, author: Author) -> Self {
        let world = World::new(pool).await;
        let until = Some(jiff::civil::date(2026, 6, 15));
        demo::load(pool, DemoWorld { seed: 7, users: 14, items: 300, until }).await.unwrap();
        let author = Arc::new(author);
        let models = Models { generator: author.clone(), judge: author.clone(), embedder: Arc::new(Words) };
        let lens = Arc::default();
        let worker = Worker {
            pool: pool.clone(),
            generator: Generator {
                pool: pool.clone(),
                models: models.clone(),
                index: Arc::default(),
                lens: Arc::clone(&lens),
            },
            judge: Judge { pool: pool.clone(), models: models.clone() },
            exports: ExportsService::new(pool.clone(), std::env::temp_dir()),
            rounds: None,
            courier: Courier { pool: pool.clone(), reach: Reach::Public },
            meter: Arc::new(()),
        };
        Self {
            world,
            pipeline: PipelineService::new(pool.clone(), models.clone(), lens),
            work: WorkService::new(pool.clone(), models),
            author,
            pool: pool.clone(),
            worker,
        }
    }

    pub(crate) async fn generate(&self, lead: &Actor, users: u32) {
        let request = GenerationRequest {
            users,
            interests: 3,
            tags: 4,
            explanations: 3,
            ..GenerationRequest::default()
        };
        concord_domain::api::Work::generate(&self.work, lead, request).await.unwrap();
        self.drain(&["generate", "judge"]).await;
    }

    pub(crate) async fn drain(&self, kinds: &[&str]) {
        let (_tell, stop) = watch::channel(false);
        self.worker.drain(kinds, 1, stop).await.unwrap();
        let failed: Option<String> = self.one("select max(message) from jobs where state = 'failed'").await;
        assert_eq!(failed, None);
    }

    /// A worker of its own, as another process is.
    pub(crate) fn start(&self) -> tokio::task::JoinHandle<()> {
        let worker = self.worker.clone();
        tokio::spawn(async move {
            let (_tell, stop) = watch::channel(false);
            worker.run(&["generate", "judge"], stop).await;
        })
    }

    pub(crate) async fn run_until(&self, condition: &str) {
        let worker = self.start();
        for _ in 0..1500 {
            if self.one::<bool>(condition).await {
                worker.abort();
                let _ = worker.await;
                // Its process is gone; the next one need not wait for its leases.
                let lapsed = "update jobs set lease_expires_at = now() where state = 'running'";
                sqlx::query(lapsed).execute(&self.pool).await.unwrap();
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{condition} never held");
    }

    pub(crate) async fn preset(&self, lead: &Actor, name: &str) -> PresetInterest {
        let all = self.pipeline.presets(lead).await.unwrap();
        all.into_iter().find(|it| it.name == name && it.lang == "en").unwrap()
    }

    /// Text, marks and evidence of each interest.
    pub(crate) async fn interests(&self) -> Vec<(String, Vec<String>, Vec<i64>)> {
        let rows: Vec<(String, Value)> =
            sqlx::query_as("select text, body from samples where task = 'interest'")
                .fetch_all(&self.pool)
                .await
                .unwrap();
        let list = |body: &Value, name: &str| body[name].as_array().cloned().unwrap_or_default();
        rows.into_iter()
            .map(|(text, body)| {
                let marks =
                    list(&body, "marks").iter().filter_map(|it| it.as_str().map(str::to_owned)).collect();
                let behaviours = list(&body, "behaviours").iter().filter_map(Value::as_i64).collect();
                (text, marks, behaviours)
            })
            .collect()
    }

    pub(crate) async fn one<T>(&self, statement: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(AssertSqlSafe(statement.to_owned())).fetch_one(&self.pool).await.unwrap()
    }
}
