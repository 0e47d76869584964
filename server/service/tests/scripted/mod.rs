//! A judge whose answers are in the text: `p=0.8` is what it gives the sample, a little less with examples. It counts
//! how often it is asked, can break, and reads some words as no answer.

use crate::world::World;
use async_trait::async_trait;
use concord_domain::api::Judges;
use concord_domain::ports::{
    EmbedKind, Embedder, GenerateRequest, Generated, LanguageModel, ModelError, ModelInfo, Score,
    ScoreRequest, Scored,
};
use concord_domain::{Actor, Role, SampleId, TaskJudge};
use concord_service::exports::ExportsService;
use concord_service::generation::Generator;
use concord_service::jobs::Worker;
use concord_service::judges::JudgesService;
use concord_service::judging::Judge;
use concord_service::models::Models;
use concord_service::webhooks::{Courier, Reach};
use sqlx::{AssertSqlSafe, PgPool};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::watch;
use uuid::Uuid;

/// Samples enough for a calibration of the train half.
pub(crate) const MANY: i32 = 120;

#[derive(Default)]
struct Scripted {
    calls: AtomicUsize,
    left: AtomicUsize,
    other: AtomicBool,
    other_eye: AtomicBool,
    read: AtomicUsize,
}

/// The number that stands after a mark.
fn number(text: &str, mark: &str) -> Option<f64> {
    let rest = text.split_once(mark)?.1;
    rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect::<String>().parse().ok()
}

#[async_trait]
impl LanguageModel for Scripted {
    async fn info(&self) -> Result<ModelInfo, ModelError> {
        let hash = if self.other.load(Ordering::SeqCst) { "b" } else { "a" }.repeat(64);
        Ok(ModelInfo {
            name: "scripted".into(),
            hash,
            family: "scripted-family".into(),
            backend: "candle".into(),
        })
    }

    async fn count_tokens(&self, text: &str) -> Result<usize, ModelError> {
        Ok(text.len())
    }

    async fn generate(&self, _: GenerateRequest) -> Result<Generated, ModelError> {
        Err(ModelError::Failed("this model only judges".into()))
    }

    async fn score(&self, request: ScoreRequest) -> Result<Scored, ModelError> {
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err() {
            return Err(ModelError::Unavailable {
                name: "scripted".into(),
                why: "broken".into(),
                mend: "mend".into(),
            });
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        if request.questions[0].contains("#endless") {
            return Err(ModelError::BadRequest("too long".into()));
        }
        let shown = f64::from(u8::try_from(request.preamble.len() % 7).unwrap()) * 0.02;
        let scores = request.questions.iter().map(|question| score(question, shown)).collect();
        Ok(Scored { scores, prefix_tokens: 10, prefilled_tokens: 20, millis: 4 })
    }
}

fn score(question: &str, less: f64) -> Score {
    if question.contains("#mute") {
        return Score { logits: None, p_first: None, said: None };
    }
    if question.contains("#word") {
        return Score { logits: None, p_first: None, said: Some(0) };
    }
    let p = number(question, "p=").unwrap_or(0.6);
    let p: f64 = (p - less).clamp(0.01, 0.99);
    #[expect(clippy::cast_possible_truncation, reason = "logits are f32")]
    let logit = (p / (1.0 - p)).ln() as f32;
    Score { logits: Some(vec![logit, 0.0]), p_first: Some(p), said: None }
}

#[async_trait]
impl Embedder for Scripted {
    async fn info(&self) -> Result<ModelInfo, ModelError> {
        let hash = if self.other_eye.load(Ordering::SeqCst) { "d" } else { "c" }.repeat(64);
        Ok(ModelInfo { hash, ..LanguageModel::info(self).await? })
    }

    /// `@0.8` in a text is the direction of its vector.
    async fn embed(&self, _: EmbedKind, texts: Vec<String>) -> Result<Vec<Vec<f32>>, ModelError> {
        self.read.fetch_add(texts.len(), Ordering::SeqCst);
        let angle = |text: &String| number(text, "@").unwrap_or(0.0) as f32;
        Ok(texts.iter().map(angle).map(|angle| vec![angle.cos(), angle.sin()]).collect())
    }
}

/// Tags to be judged, and who judges them.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) lead: Actor,
    pub(crate) judges: JudgesService,
    pool: PgPool,
    model: Arc<Scripted>,
    worker: Worker,
}

impl Bench {
    pub(crate) async fn new(pool: &PgPool) -> Self {
        let world = World::new(pool).await;
        let lead = world.account("lead", Role::Lead).await;
        let model = Arc::new(Scripted { left: AtomicUsize::new(usize::MAX), ..Scripted::default() });
        let models = Models { generator: model.clone(), judge: model.clone(), embedder: model.clone() };
        let worker = Worker {
            pool: pool.clone(),
            generator: Generator {
                pool: pool.clone(),
                models: models.clone(),
                index: Arc::default(),
                lens: Arc::default(),
            },
            judge: Judge { pool: pool.clone(), models: models.clone() },
            exports: ExportsService::new(pool.clone(), std::env::temp_dir()),
            rounds: None,
            courier: Courier { pool: pool.clone(), reach: Reach::Public },
            meter: Arc::new(()),
        };
        Self {
            world,
            lead,
            judges: JudgesService::new(pool.clone(), models),
            pool: pool.clone(),
            model,
            worker,
        }
    }

    /// Tags, each of a user of its own; the model gives those with a higher number more.
    pub(crate) async fn samples(&self, from: i32, n: i32) -> Vec<SampleId> {
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "with u as (insert into users (key, half) select 'u' || k, concord_half('u' || k)
                        from generate_series($1, $1 + $2 - 1) k returning id, key, half),
             s as (insert into samples (id, key, task, text, half, user_id, rubric_version, serve_order)
                   select gen_random_uuid(), substr(key, 2), 'tag',
                          'tag p=' || round((0.35 + 0.6 * ((substr(key, 2)::int * 37) % 100) / 100.0)::numeric, 3), half, id, '1.0', 0
                   from u returning id, key)
             select id from s order by key::int",
        )
        .bind(from)
        .bind(n)
        .fetch_all(&self.pool)
        .await
        .unwrap();
        ids.into_iter().map(SampleId).collect()
    }

    pub(crate) async fn text(&self, key: &str, text: &str) {
        sqlx::query("update samples set text = $2 where key = $1")
            .bind(key)
            .bind(text)
            .execute(&self.pool)
            .await
            .unwrap();
    }

    /// A person's blind labels on every criterion: passes where the model gives .7 and more, now and then otherwise.
    pub(crate) async fn label(&self, from: i32, n: i32) {
        self.label_as(
            "ann",
            from,
            n,
            "(substring(s.text from 'p=([0-9.]*)')::float8 >= 0.7) <> (s.key::int % 7 = 0)",
        )
        .await;
    }

    /// Two more people say the opposite on a few samples of a half, so that its majorities turn.
    pub(crate) async fn contradict(&self, half: &str) {
        let turned = format!(
            "not (substring(s.text from 'p=([0-9.]*)')::float8 >= 0.7) <> (s.key::int % 7 = 0) and s.half = '{half}'"
        );
        for rater in [format!("bo {half}"), format!("cy {half}")] {
            let only = format!("and s.half = '{half}' and s.key::int % 5 = 1");
            self.insert_labels(&rater, 0, MANY, &turned, &only).await;
        }
    }

    /// A person's blind labels on every criterion by an SQL condition over a sample `s`.
    pub(crate) async fn label_where(&self, from: i32, n: i32, pass: &str) {
        self.label_as("ann", from, n, pass).await;
    }

    async fn label_as(&self, rater: &str, from: i32, n: i32, pass: &str) {
        self.insert_labels(rater, from, n, pass, "").await;
    }

    async fn insert_labels(&self, rater: &str, from: i32, n: i32, pass: &str, only: &str) {
        let statement = format!(
            "insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, origin)
             select gen_random_uuid(), id, 'tag', criterion, $1, case when pass then 'pass' else 'fail' end, pass, 'blind', 'audit', 1, '1.0', 'imported'
             from (select s.id, c criterion, {pass} as pass from samples s
                   cross join unnest(array['relevance', 'consistency', 'specificity', 'validity']) c
                   where s.key::int >= $2 and s.key::int < $2 + $3 {only}) l"
        );
        sqlx::query(AssertSqlSafe(statement))
            .bind(rater)
            .bind(from)
            .bind(n)
            .execute(&self.pool)
            .await
            .unwrap();
    }

    pub(crate) async fn judge(&self) -> TaskJudge {
        self.judges.judges(&self.lead, Some("tag")).await.unwrap().remove(0)
    }

    pub(crate) async fn rejudge(&self, labelled_only: bool) {
        self.judges.rejudge(&self.lead, "tag", labelled_only).await.unwrap();
        self.drain().await;
    }

    /// Runs until the model breaks; the job then waits for it, so the worker is told to stop.
    pub(crate) async fn rejudge_until_it_fails(&self) {
        self.judges.rejudge(&self.lead, "tag", false).await.unwrap();
        let (tell, stop) = watch::channel(false);
        let worker = self.worker.clone();
        let running = tokio::spawn(async move { worker.run(&["rejudge"], stop).await });
        loop {
            let waiting = "select count(*) from jobs where kind = 'rejudge' and state = 'queued' and message like '%broken%'";
            if self.one::<i64>(waiting).await == 1 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        tell.send_replace(true);
        running.await.unwrap();
        self.world.try_sql("update jobs set state = 'cancelled' where kind = 'rejudge'").await.unwrap();
    }

    pub(crate) async fn drain(&self) {
        let (_tell, stop) = watch::channel(false);
        self.worker.drain(&["rejudge", "recalibrate", "probe", "head"], 1, stop).await.unwrap();
        let failed = self.one::<i64>("select count(*) from jobs where state = 'failed'").await;
        assert_eq!(failed, 0, "{:?}", self.one::<Option<String>>("select max(message) from jobs").await);
    }

    pub(crate) fn calls(&self) -> usize {
        self.model.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn other_weights(&self) {
        self.model.other.store(true, Ordering::SeqCst);
    }

    /// Texts that the embedder has read.
    pub(crate) fn read(&self) -> usize {
        self.model.read.load(Ordering::SeqCst)
    }

    pub(crate) fn other_embedder(&self) {
        self.model.other_eye.store(true, Ordering::SeqCst);
    }

    pub(crate) fn break_after(&self, calls: usize) {
        self.model.left.store(calls, Ordering::SeqCst);
    }

    /// A live certificate of this judge.
    pub(crate) async fn certificate(&self, judge: &str) -> Uuid {
        let id = Uuid::now_v7();
        sqlx::query(
            "with a as (insert into certificate_attempts (id, task, criterion, judge, major, rubric_version, verdict, eps, delta, attempt,
                delta_spent, labels_after, seed, grid, starts, pool, grid_from, created_by)
             values ($1, 'tag', 'relevance', $2, 1, '1.0', 'pass', 0.1, 0.05, 1, 0.025, 0, 1, '{0.9}', '{0}', 0, 'fixed', $3))
             insert into certificates (id, threshold, n, errors, ucb, coverage) values ($1, 0.9, 60, 0, 0.05, 0.5)",
        )
        .bind(id)
        .bind(judge)
        .bind(self.lead.account.0)
        .execute(&self.pool)
        .await
        .unwrap();
        id
    }

    pub(crate) async fn status(&self, certificate: Uuid) -> String {
        self.one(&format!("select status from certificates where id = '{certificate}'")).await
    }

    pub(crate) async fn events(&self, action: &str) -> i64 {
        self.one(&format!("select count(*) from audit_events where action = '{action}'")).await
    }

    pub(crate) async fn one<T>(&self, statement: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(AssertSqlSafe(statement.to_owned())).fetch_one(&self.pool).await.unwrap()
    }
}
