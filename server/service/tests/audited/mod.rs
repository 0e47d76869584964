//! A task judged elsewhere, as the audit's tests want it.

use concord_domain::api::Audit;
use concord_domain::{
    AccountId, Actor, AuditFilter, Card, Certificate, CertificateRequest, LabelDef, Localised, Role, Rubric,
    SampleId, Statement,
};
use concord_service::audit::AuditService;
use concord_store::acceptance;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

/// A task judged elsewhere: one criterion, one judge.
pub(crate) struct World {
    pub(crate) pool: PgPool,
    pub(crate) audit: AuditService,
    pub(crate) lead: Actor,
}

impl World {
    pub(crate) async fn new(pool: PgPool) -> Self {
        Self::with(pool, &["ok"]).await
    }

    pub(crate) async fn with(pool: PgPool, criteria: &[&str]) -> Self {
        let lead = Actor {
            account: AccountId(Uuid::now_v7()),
            email: "lead@x".into(),
            role: Role::Lead,
            scopes: None,
        };
        sqlx::query("insert into accounts (id, email, role) values ($1, 'lead@x', 'lead')")
            .bind(lead.account.0)
            .execute(&pool)
            .await
            .expect("an account");
        let mut conn = pool.acquire().await.expect("a connection");
        concord_store::rubrics::add(&mut conn, &rubric("1.0", criteria)).await.expect("a rubric");
        drop(conn);
        let world = Self { audit: AuditService::new(pool.clone()), pool, lead };
        world.judge("j").await;
        world
    }

    pub(crate) async fn judge(&self, name: &str) {
        sqlx::query(
            "insert into judges (name, model, model_hash, model_family, backend, prompt_version, origin)
             values ($1, $1, '', 'imported', 'imported', '', 'imported')",
        )
        .bind(name)
        .execute(&self.pool)
        .await
        .expect("a judge");
    }

    /// `n` samples of the audit half, in clusters of `each`, their numbers after `from`.
    pub(crate) async fn samples(&self, from: i32, n: i32, each: i32) {
        sqlx::query(
            "insert into samples (id, key, task, text, half, origin, cluster, rubric_version, serve_order)
             select gen_random_uuid(), 's' || k, 't', 'text ' || k, 'audit', 'imported', 'c' || ((k - 1) / $3), '1.0', 0
             from generate_series($1 + 1, $1 + $2) k",
        )
        .bind(from)
        .bind(n)
        .bind(each)
        .execute(&self.pool)
        .await
        .expect("samples");
    }

    /// A rater's blind labels on samples from..=to.
    pub(crate) async fn labels(&self, rater: &str, range: (i32, i32), pass: bool) {
        self.labels_with(rater, range, pass, "audit", 1.0, "1.0").await;
    }

    pub(crate) async fn labels_with(
        &self,
        rater: &str,
        (from, to): (i32, i32),
        pass: bool,
        stream: &str,
        pi: f64,
        rubric: &str,
    ) {
        sqlx::query(
            "insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, origin)
             select gen_random_uuid(), s.id, 't', 'ok', $1, case when $4 then 'pass' else 'fail' end, $4, 'blind', $5, $6, $7, 'imported'
             from generate_series($2, $3) k join samples s on s.key = 's' || k order by k",
        )
        .bind(rater)
        .bind(from)
        .bind(to)
        .bind(pass)
        .bind(stream)
        .bind(pi)
        .bind(rubric)
        .execute(&self.pool)
        .await
        .expect("labels");
    }

    /// Verdicts on samples from..=to; a probability of `None` is a judge that gave none.
    pub(crate) async fn verdicts(&self, (from, to): (i32, i32), pass: Option<bool>, p: Option<f64>) {
        sqlx::query(
            "insert into verdicts (id, sample_id, criterion, judge, status, pass, label, p_pass)
             select gen_random_uuid(), s.id, 'ok', 'j', case when $3::bool is null then 'unparsed' else 'ok' end, $3,
                    case when $3 then 'pass' when not $3 then 'fail' end, $4
             from generate_series($1, $2) k join samples s on s.key = 's' || k",
        )
        .bind(from)
        .bind(to)
        .bind(pass)
        .bind(p)
        .execute(&self.pool)
        .await
        .expect("verdicts");
    }

    /// Textbook cells: tp, fp, fn, tn, each decision in a cluster of its own.
    pub(crate) async fn cells(&self, cells: [i32; 4]) {
        self.samples(0, cells.iter().sum(), 1).await;
        let mut from = 1;
        for (n, (judge, human)) in
            cells.into_iter().zip([(true, true), (true, false), (false, true), (false, false)])
        {
            if n > 0 {
                let range = (from, from + n - 1);
                self.labels("ann", range, human).await;
                self.verdicts(range, Some(judge), Some(if judge { 0.9 } else { 0.2 })).await;
            }
            from += n;
        }
    }

    pub(crate) async fn card(&self, criterion: &str) -> Card {
        self.card_by(criterion, None).await
    }

    pub(crate) async fn card_by(&self, criterion: &str, rule: Option<&str>) -> Card {
        let filter = AuditFilter {
            criterion: Some(criterion.into()),
            reference: rule.map(Into::into),
            ..AuditFilter::default()
        };
        // A report waits five seconds for what changed to be counted; these are about what is counted in the end.
        concord_service::audit::fold(&self.pool).await.expect("a fold");
        let mut cards = self.audit.report(&self.lead, filter).await.expect("a report").cards;
        assert_eq!(cards.len(), 1, "{cards:?}");
        cards.remove(0)
    }

    pub(crate) fn request(&self, verdicts: &[&str], eps: f64, delta: f64) -> CertificateRequest {
        CertificateRequest {
            task: "t".into(),
            criterion: "ok".into(),
            judge: "j".into(),
            verdicts: verdicts.iter().map(|it| (*it).to_owned()).collect(),
            eps,
            delta,
            unseen_only: false,
            statement: Some(Statement { uniform: true, blind: true }),
        }
    }

    /// Waits until every label and verdict lies below the oldest transaction of the cluster, which may be another test's.
    async fn settle(&self) {
        for _ in 0..600 {
            let settled: bool = sqlx::query_scalar(
                "select not exists (select from labels where tx >= concord_log_horizon())
                    and not exists (select from verdicts where tx >= concord_log_horizon())",
            )
            .fetch_one(&self.pool)
            .await
            .expect("an answer");
            if settled {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the log has not settled within 30 s");
    }

    pub(crate) async fn certify(&self, request: CertificateRequest) -> Certificate {
        self.settle().await;
        self.audit.certify(&self.lead, request).await.expect("an attempt").remove(0)
    }

    /// The monitor of a certificate once it has read so many labels. The log is read up to the oldest transaction
    /// of the cluster, which may be another test's.
    pub(crate) async fn read_to_the_end(&self, certificate: Uuid, n: u64) -> concord_domain::DriftMonitor {
        for _ in 0..200 {
            let monitors = self.audit.monitors(&self.lead).await.expect("monitors");
            let found = monitors.into_iter().find(|m| m.certificate == Some(certificate));
            if let Some(found) = found.filter(|m| m.shown.n >= n) {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the monitor has not read {n} labels within 10 s");
    }

    /// Waits until the monitor of passes on the criterion has read so many labels.
    pub(crate) async fn read_by_all(&self, n: u64) {
        for _ in 0..200 {
            let monitors = self.audit.monitors(&self.lead).await.expect("monitors");
            let mine = monitors.iter().find(|m| m.criterion == "ok" && m.shown.verdict == "pass");
            if mine.is_some_and(|m| m.shown.n == n) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("no monitor has read {n} labels within 10 s");
    }

    /// Opens what nobody has labelled for review.
    pub(crate) async fn open(&self) {
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "select id from samples s where not exists (select from labels l where l.sample_id = s.id)",
        )
        .fetch_all(&self.pool)
        .await
        .expect("samples");
        let ids: Vec<SampleId> = ids.into_iter().map(SampleId).collect();
        let mut tx = self.pool.begin().await.expect("a transaction");
        acceptance::open(&mut tx, &ids).await.expect("opened");
        tx.commit().await.expect("committed");
    }

    pub(crate) async fn sweep(&self) {
        let mut conn = self.pool.acquire().await.expect("a connection");
        let mut after = None;
        while let Some(last) = acceptance::sweep(&mut conn, "t", after).await.expect("a sweep") {
            after = Some(last);
        }
    }

    /// As if no sample had ever been opened.
    pub(crate) async fn reset_draws(&self) {
        sqlx::raw_sql(
            "delete from acceptance_certificates; delete from acceptances;
             update samples set overlap = 0, open_slots = 0, audit_pi = null, audit_drawn = null",
        )
        .execute(&self.pool)
        .await
        .expect("reset");
    }

    pub(crate) async fn count_of(&self, which: &str) -> i64 {
        let statement = format!("select count(*) from samples where {which}");
        sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(&self.pool).await.expect("a count")
    }

    pub(crate) async fn accepted(&self, which: &str) -> i64 {
        let statement = format!("select count(*) from acceptances where {which}");
        sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(&self.pool).await.expect("a count")
    }

    /// People answer the accepted samples that were drawn; `pass` by place.
    pub(crate) async fn label_drawn(&self, pass: impl Fn(usize) -> bool) {
        let drawn: Vec<Uuid> = sqlx::query_scalar(
            "update samples s set open_slots = 0 from acceptances a where a.sample_id = s.id and s.audit_drawn returning s.id",
        )
        .fetch_all(&self.pool)
        .await
        .expect("samples");
        for (place, sample) in drawn.into_iter().enumerate() {
            sqlx::query(
                "insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, origin)
                 values (gen_random_uuid(), $1, 't', 'ok', 'bob', 'x', $2, 'blind', 'audit', 0.05, '1.0', 'imported')",
            )
            .bind(sample)
            .bind(pass(place))
            .execute(&self.pool)
            .await
            .expect("a label");
        }
    }

    pub(crate) async fn verdict_on(&self, criterion: &str, k: i32, pass: bool, p: f64) {
        sqlx::query(
            "insert into verdicts (id, sample_id, criterion, judge, status, pass, p_pass)
             select gen_random_uuid(), id, $1, 'j', 'ok', $3, $4 from samples where key = 's' || $2",
        )
        .bind(criterion)
        .bind(k)
        .bind(pass)
        .bind(p)
        .execute(&self.pool)
        .await
        .expect("a verdict");
    }

    /// A live certificate, whatever the labels say.
    pub(crate) async fn live(&self, criterion: &str, verdict: &str, threshold: f64) -> Uuid {
        let id = Uuid::now_v7();
        sqlx::query(
            "with attempt as (
                insert into certificate_attempts (id, task, criterion, judge, major, rubric_version, verdict, eps, delta,
                    attempt, delta_spent, labels_after, seed, grid, starts, pool, grid_from, created_by)
                values ($1, 't', $2, 'j', 1, '1.0', $3, 0.1, 0.1, 1, 0.05, 0, 0, '{}', '{}', 0, 'fixed', $5))
             insert into certificates (id, threshold, n, errors, ucb, coverage) values ($1, $4, 100, 1, 0.1, 0.5)",
        )
        .bind(id)
        .bind(criterion)
        .bind(verdict)
        .bind(threshold)
        .bind(self.lead.account.0)
        .execute(&self.pool)
        .await
        .expect("a certificate");
        id
    }

    pub(crate) async fn account(&self, name: &str, role: Role) -> Actor {
        let actor =
            Actor { account: AccountId(Uuid::now_v7()), email: format!("{name}@x"), role, scopes: None };
        sqlx::query("insert into accounts (id, email, role) values ($1, $2, $3)")
            .bind(actor.account.0)
            .bind(&actor.email)
            .bind(role.as_str())
            .execute(&self.pool)
            .await
            .expect("an account");
        actor
    }

    pub(crate) async fn status(&self, id: Uuid) -> String {
        self.audit.certificates(&self.lead, Some(id)).await.expect("a certificate")[0].shown.status.clone()
    }
}

pub(crate) fn rubric(version: &str, criteria: &[&str]) -> Rubric {
    let text = |text: &str| Localised([("en".to_owned(), text.to_owned())].into());
    let label = |name: &str, pass| LabelDef { name: name.into(), pass, title: text(name) };
    let criterion = |name: &&str| concord_domain::Criterion {
        name: (*name).into(),
        title: text(name),
        question: text("Is it?"),
        pass: text("yes"),
        fail: text("no"),
        labels: vec![label("pass", true), label("fail", false)],
        ordered: false,
        examples: Vec::new(),
    };
    Rubric {
        task: "t".into(),
        version: version.into(),
        name: text("T"),
        criteria: criteria.iter().map(criterion).collect(),
    }
}
