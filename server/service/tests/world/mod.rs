//! A small world to review: a generation with one call a user and judged tags, up for review.

use concord_domain::ports::{Generated, ModelInfo, Score, Scored};
use concord_domain::{AccountId, Actor, ChainLink, GenerationId, GenerationRequest, Role, Rubric, SampleId};
use concord_store::generations::{Call, NewGeneration};
use concord_store::samples::{Body, NewSample};
use concord_store::verdicts::NewVerdict;
use concord_store::{generations, rubrics, samples, verdicts};
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

pub(crate) const RATIONALE: &str = "the history shows it";
const JUDGE: &str = "test judge";

pub(crate) struct World {
    pool: PgPool,
    rubric: Rubric,
}

impl World {
    pub(crate) async fn new(pool: &PgPool) -> Self {
        let mut conn = pool.acquire().await.unwrap();
        let shipped = concord_pipeline::rubrics::shipped().unwrap();
        for rubric in &shipped {
            rubrics::add(&mut conn, rubric).await.unwrap();
        }
        verdicts::register(&mut conn, JUDGE, &model(), "judge/test").await.unwrap();
        Self { pool: pool.clone(), rubric: shipped.into_iter().find(|r| r.task == "tag").unwrap() }
    }

    /// So many judged tags, each of a user of its own, open for review.
    pub(crate) async fn tags(&self, n: usize) -> Vec<SampleId> {
        let generation = GenerationId(Uuid::now_v7());
        let mut conn = self.pool.acquire().await.unwrap();
        let users: Vec<i64> = sqlx::query_scalar(
            "insert into users (key, half) select 'u' || n, concord_half('u' || n) from generate_series(1, $1) n returning id",
        )
        .bind(i32::try_from(n).unwrap())
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        let request = GenerationRequest::default();
        let info = model();
        let new =
            NewGeneration { id: generation, request: &request, model: &info, prompts: "p", created_by: None };
        generations::insert(&mut conn, &new, &users).await.unwrap();
        let mut ids = Vec::new();
        for user in users {
            ids.push(self.tag(generation, user).await);
        }
        ids
    }

    async fn tag(&self, generation: GenerationId, user: i64) -> SampleId {
        let mut conn = self.pool.acquire().await.unwrap();
        let (id, call) = (SampleId(Uuid::now_v7()), Uuid::now_v7());
        let output = Generated {
            text: format!(r#"{{"tags":[{{"interest":1,"tag":"tag {user}","why":"w"}}]}}"#),
            prompt_tokens: 10,
            output_tokens: 5,
            forced_tokens: 0,
            truncated: false,
            millis: 7,
        };
        let row = Call {
            id: call,
            generation,
            user,
            task: "tag",
            prompt_version: "tags/test",
            system: "instructions",
            prompt: "data",
            seed: 1,
            output: &output,
        };
        generations::insert_call(&mut conn, &row).await.unwrap();
        let body = Body {
            chain: vec![ChainLink { kind: "interest".into(), text: "fly fishing".into() }],
            ..Body::default()
        };
        let new = NewSample {
            id,
            task: "tag",
            text: &format!("tag {user}"),
            lang: "en",
            body: &body,
            user,
            item: None,
            generation,
            call,
            ordinal: 0,
            parent: None,
            rubric_version: &self.rubric.version,
        };
        samples::insert(&mut conn, &new).await.unwrap();
        self.judge(id).await;
        samples::open_for_review(&mut conn, id).await.unwrap();
        id
    }

    async fn judge(&self, sample: SampleId) {
        let mut conn = self.pool.acquire().await.unwrap();
        let score = Score { logits: Some(vec![1.0, 0.0]), p_first: Some(0.73), said: None };
        let scored = Scored { scores: vec![score; 4], prefix_tokens: 9, prefilled_tokens: 20, millis: 3 };
        for criterion in &self.rubric.criteria {
            let id = Uuid::now_v7();
            let new = NewVerdict {
                id,
                sample,
                criterion,
                judge: JUDGE,
                rubric_version: &self.rubric.version,
                pass: Some(true),
                p_pass: Some(0.73),
                calibrated: false,
                logits: None,
            };
            verdicts::insert(&mut conn, &new, &scored).await.unwrap();
            verdicts::insert_rationale(&mut conn, id, RATIONALE).await.unwrap();
        }
        verdicts::mark_judged(&mut conn, sample).await.unwrap();
    }

    pub(crate) async fn account(&self, name: &str, role: Role) -> Actor {
        let (id, email) = (Uuid::now_v7(), format!("{name}@example.org"));
        sqlx::query("insert into accounts (id, email, role) values ($1, $2, $3)")
            .bind(id)
            .bind(&email)
            .bind(role.as_str())
            .execute(&self.pool)
            .await
            .unwrap();
        Actor { account: AccountId(id), email, role, scopes: None }
    }

    pub(crate) async fn count(&self, table: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}")))
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Samples of the train half whose every blind label passes.
    pub(crate) async fn passed_train(&self) -> i64 {
        sqlx::query_scalar(
            "select count(*) from samples s where half = 'train'
             and (select bool_and(pass) from labels l where l.sample_id = s.id)",
        )
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }

    pub(crate) async fn lapse_leases(&self) {
        sqlx::query(
            "update assignments set lease_expires_at = now() - interval '1 second' where state = 'leased'",
        )
        .execute(&self.pool)
        .await
        .unwrap();
    }

    pub(crate) async fn try_sql(&self, statement: &str) -> Result<(), sqlx::Error> {
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&self.pool).await.map(|_| ())
    }
}

fn model() -> ModelInfo {
    ModelInfo { name: "m".into(), hash: "h".into(), family: "f".into(), backend: "candle".into() }
}
