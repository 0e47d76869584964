//! The registry, and the gate between a new model and what serves: a better model takes the place, an equal one and a
//! worse one do not, on labels that came the usual way.

use crate::world::World;
use concord_domain::api::{Evolve, Exports as _, Review as _};
use concord_domain::{
    Actor, Answer, Error, ExportId, GateRequest, GenerationId, ModelPlace, Phase, Role, SampleId, Submission,
    TrainedModel,
};
use concord_service::evolve::EvolveService;
use concord_service::exports::ExportsService;
use concord_service::privacy;
use concord_service::review::ReviewService;
use concord_store::{acceptance, roles};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

/// Users of the audit half who have two tags of each model.
const USERS: i64 = 60;

struct Desk {
    pool: PgPool,
    evolve: EvolveService,
    lead: Actor,
    ann: Actor,
}

impl Desk {
    async fn new(pool: &PgPool) -> Self {
        let world = World::new(pool).await;
        let (lead, ann) =
            (world.account("lead", Role::Lead).await, world.account("ann", Role::Annotator).await);
        let desk = Self { pool: pool.clone(), evolve: EvolveService::new(pool.clone()), lead, ann };
        desk.sql(&format!(
            "insert into users (key, half) select 'a' || n, 'audit' from generate_series(1, {USERS}) n"
        ))
        .await;
        desk
    }

    async fn sql(&self, statement: &str) {
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&self.pool).await.expect(statement);
    }

    /// A generation by the model with these weights: two tags a user, judged, of which so many per hundred are good.
    /// The text says which, for whoever labels; the judge is wrong about one of five.
    async fn generation(&self, weights: &str, good: i32) -> GenerationId {
        let id = Uuid::now_v7();
        self.sql(&format!(
            "insert into generations (id, seed, settings, model, model_hash, model_family, prompts)
             values ('{id}', 1, '{{}}', '{weights}', '{weights}', 'f', 'p')"
        ))
        .await;
        self.sql(&format!(
            "insert into generation_users (generation_id, user_id, history, stage, finished_at)
             select '{id}', u.id, '{{}}', 'done', now() from users u where u.half = 'audit'"
        ))
        .await;
        self.sql(&format!(
            "insert into samples (id, key, task, text, half, user_id, generation_id, ordinal, rubric_version, serve_order, judged)
             select gen_random_uuid(), '{id}' || u.key || t, 'tag',
                    case when audit_number(md5('{weights}' || u.key || t)::uuid, 7) * 100 < {good} then 'good' else 'bad' end,
                    'audit', u.id, '{id}', t, (select version from rubrics where task = 'tag' and current), u.id, true
             from users u, generate_series(0, 1) t where u.half = 'audit'"
        ))
        .await;
        self.sql(&format!(
            "insert into verdicts (id, sample_id, criterion, judge, rubric_version, status, label, pass, p_pass)
             select gen_random_uuid(), s.id, c ->> 'name', 'test judge', s.rubric_version, 'ok', 'x', p.pass, case when p.pass then 0.8 else 0.2 end
             from samples s join rubrics r on r.task = s.task and r.version = s.rubric_version,
                  jsonb_array_elements(r.body -> 'criteria') c,
                  lateral (select (s.text = 'good' or c ->> 'name' <> 'relevance') <> (audit_number(s.id, 9) < 0.2 and c ->> 'name' = 'relevance') pass) p
             where s.generation_id = '{id}'"
        ))
        .await;
        let ids: Vec<Uuid> = sqlx::query_scalar("select id from samples where generation_id = $1")
            .bind(id)
            .fetch_all(&self.pool)
            .await
            .unwrap();
        let ids: Vec<SampleId> = ids.into_iter().map(SampleId).collect();
        let mut tx = self.pool.begin().await.unwrap();
        acceptance::open(&mut tx, &ids).await.unwrap();
        tx.commit().await.unwrap();
        GenerationId(id)
    }

    /// The annotator labels all there is, as anybody does.
    async fn label(&self) {
        let review = ReviewService::new(self.pool.clone());
        while let Some(assignment) = review.next(&self.ann, None, 1).await.unwrap().pop() {
            let good = assignment.sample.text == "good";
            let answers = assignment.rubric.criteria.iter().map(|criterion| {
                let label = criterion.first_label(good || criterion.name != "relevance").expect("both sides");
                Answer { criterion: criterion.name.clone(), label: label.name.clone() }
            });
            let submission = Submission {
                phase: Phase::Blind,
                answers: answers.collect(),
                comment: None,
                seconds: None,
                unsupported: Vec::new(),
            };
            review.submit(&self.ann, assignment.id, "key", submission).await.unwrap();
        }
    }

    async fn register(&self, weights: &str) -> Uuid {
        self.evolve.register(&self.lead, &model(weights, None)).await.unwrap()
    }

    async fn standing(&self) -> Option<String> {
        let models = self.evolve.models(&self.lead).await.unwrap();
        models.into_iter().find(|it| it.standing).map(|it| it.name)
    }

    async fn count(&self, what: &str) -> i64 {
        let statement = format!("select count(*) from {what}");
        sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(&self.pool).await.unwrap()
    }
}

fn model(weights: &str, export: Option<ExportId>) -> TrainedModel {
    TrainedModel {
        id: Uuid::now_v7(),
        place: ModelPlace::generator(),
        name: format!("{weights} model"),
        base: "tiny".into(),
        base_sha256: "base".into(),
        parent: None,
        export,
        dir: Some("/models/x".into()),
        body: None,
        sha256: weights.into(),
        bytes: 10,
        settings: json!({}),
        losses: vec![2.0, 1.0],
        created_at: jiff::Timestamp::now(),
        standing: false,
    }
}

fn between(old: GenerationId, new: GenerationId) -> GateRequest {
    GateRequest { old: Some(old), new: Some(new), ..GateRequest::default() }
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_better_model_is_promoted_an_equal_one_and_a_worse_one_are_refused(pool: PgPool) {
    let desk = Desk::new(&pool).await;
    let base = desk.generation("base", 60).await;
    let (better, equal, worse) = (
        desk.generation("better", 92).await,
        desk.generation("equal", 60).await,
        desk.generation("worse", 30).await,
    );
    desk.label().await;
    assert_eq!(desk.count("labels").await, 4 * 2 * 4 * USERS);
    let [worse_id, equal_id, better_id] =
        [desk.register("worse").await, desk.register("equal").await, desk.register("better").await];

    let refused = desk.evolve.promote(&desk.lead, worse_id, between(base, worse)).await.unwrap();
    assert_eq!(refused.kind, "refuse");
    assert!(refused.decision.refused[0].contains("not shown to be better"), "{:?}", refused.decision);
    assert!(refused.decision.refused.iter().any(|it| it.starts_with("tag relevance falls")));
    let refused = desk.evolve.promote(&desk.lead, equal_id, between(base, equal)).await.unwrap();
    assert_eq!(
        (refused.kind.as_str(), refused.decision.promote),
        ("refuse", false),
        "{:?}",
        refused.decision
    );
    assert_eq!(desk.standing().await, None);

    let promoted = desk.evolve.promote(&desk.lead, better_id, between(base, better)).await.unwrap();
    assert_eq!((promoted.kind.as_str(), promoted.replaced), ("promote", None), "{:?}", promoted.decision);
    let gain = &promoted.decision.compared[0];
    assert_eq!(gain.name, "passes every criterion");
    assert!(
        gain.gain.ci.is_some_and(|(low, _)| low > 0.1) && gain.gain.n == USERS.cast_unsigned(),
        "{gain:?}"
    );
    // The judge errs, and labels correct what it says.
    assert!((gain.new.unwrap() - 0.92).abs() < 0.06, "{gain:?}");
    assert_eq!(desk.standing().await.as_deref(), Some("better model"));

    // What is compared must be what it says it is.
    let again = desk.evolve.promote(&desk.lead, better_id, between(base, better)).await.unwrap_err();
    assert!(matches!(again, Error::Conflict { .. }), "{again}");
    let field = |error: Error| match error {
        Error::Invalid { field, .. } => field,
        other => panic!("{other}"),
    };
    let stale = desk.evolve.promote(&desk.lead, equal_id, between(base, equal)).await.unwrap_err();
    assert_eq!(field(stale), "old", "the model of the settings does not stand any more");
    let foreign = desk.evolve.promote(&desk.lead, equal_id, between(better, worse)).await.unwrap_err();
    assert_eq!(field(foreign), "new", "another model wrote it");
    let denied = desk.evolve.promote(&desk.ann, equal_id, between(better, equal)).await.unwrap_err();
    assert_eq!(denied, Error::Forbidden);

    let back = desk.evolve.roll_back(&desk.lead, ModelPlace::generator()).await.unwrap();
    assert_eq!((back.kind.as_str(), back.model, back.replaced), ("rollback", None, Some(better_id)));
    assert_eq!(desk.standing().await, None);
    let nothing = desk.evolve.roll_back(&desk.lead, ModelPlace::generator()).await.unwrap_err();
    assert!(matches!(nothing, Error::Conflict { .. }), "{nothing}");
    for (action, n) in
        [("model_trained", 3), ("model_refuse", 2), ("model_promote", 1), ("model_rollback", 1)]
    {
        assert_eq!(desk.count(&format!("audit_events where action = '{action}'")).await, n, "{action}");
    }
    let history = desk.evolve.promotions(&desk.lead).await.unwrap();
    assert_eq!(
        history.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>(),
        ["rollback", "promote", "refuse", "refuse"]
    );
    assert!(
        sqlx::query("update promotions set kind = 'promote'").execute(&pool).await.is_err(),
        "append-only"
    );
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_sample_leads_to_the_models_that_learnt_from_it_and_so_does_a_deleted_user(pool: PgPool) {
    roles::grant(&mut pool.acquire().await.unwrap(), false).await.unwrap();
    let desk = Desk::new(&pool).await;
    desk.sql("insert into users (key, half) values ('t', 'train')").await;
    desk.sql(
        "insert into samples (id, key, task, text, half, user_id, rubric_version, serve_order)
         select gen_random_uuid(), 's', 'tag', 'x', 'train', id, '1.0', 0 from users where key = 't'",
    )
    .await;
    let export = ExportId(Uuid::now_v7());
    desk.sql(&format!(
        "insert into exports (id, policy, dir, finished_at, sha256, rows) values ('{export}', '', '/e', now(), 'f', 1)"
    ))
    .await;
    desk.sql(&format!(
        "insert into export_rows (export_id, line, sample_id) select '{export}', 1, id from samples"
    ))
    .await;
    let first = desk.evolve.register(&desk.lead, &model("one", Some(export))).await.unwrap();
    let heir = TrainedModel { parent: Some(first), ..model("two", None) };
    let second = desk.evolve.register(&desk.lead, &heir).await.unwrap();
    desk.register("three").await;

    // The same model again is that model; another one of its name is refused.
    assert_eq!(desk.evolve.register(&desk.lead, &model("one", Some(export))).await.unwrap(), first);
    let other = TrainedModel { sha256: "else".into(), ..model("one", None) };
    assert!(matches!(desk.evolve.register(&desk.lead, &other).await, Err(Error::Conflict { .. })));
    let nameless =
        TrainedModel { place: ModelPlace { task: Some("tag".into()), ..ModelPlace::generator() }, ..other };
    assert!(matches!(desk.evolve.register(&desk.lead, &nameless).await, Err(Error::Invalid { .. })));

    let sample: Uuid = sqlx::query_scalar("select id from samples").fetch_one(&pool).await.unwrap();
    let exports = ExportsService::new(pool.clone(), "/exports");
    let lineage = exports.lineage(&desk.lead, SampleId(sample)).await.unwrap();
    assert_eq!(lineage.models, [first, second]);
    let admin = Actor { role: Role::Admin, ..desk.lead.clone() };
    let receipt = privacy::delete(&pool, &admin, "t").await.unwrap();
    assert_eq!(
        receipt["models"],
        json!([{"table": "models", "id": first}, {"table": "models", "id": second}])
    );
    assert_eq!(desk.count("models").await, 3, "what a model has learnt is not in the database");
}
