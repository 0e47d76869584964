//! The audit: report cards, what stands behind their cells, certificates and drift. Reports read counts that
//! are kept up to date, and are kept themselves as long as nothing changes.

mod annotators;
mod card;
mod certify;
mod drift;
mod fold;
mod investigation;
mod pattern;
mod sampling;
mod tally;
mod views;
mod watch;

pub(crate) use card::estimate;
pub use drift::advance;
pub(crate) use fold::catch_up;
pub use fold::{fold, refold};
pub(crate) use tally::major_of;
pub use watch::watch;

use crate::error::OrInternal;
use async_trait::async_trait;
use card::{Head, People};
use concord_agreement as agreement;
use concord_domain::api::{self, Result};
use concord_domain::{
    AUDIT_SCHEMA, Actor, AltTest, AltTestRater, AnnotatorReport, AuditAllocation, AuditFilter, AuditReport,
    AuditSampling, Capability, Card, Certificate, CertificateRequest, Decision, DecisionFilter, DriftMonitor,
    Error, Investigation, JudgePair, Reliability, Replay, Slice, Statement,
};
use concord_store::audit::CardRow;
use concord_store::{acceptance, audit, certificates};
use pattern::Pattern;
use sqlx::{PgConnection, PgPool};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use tally::{CardKey, POOLED, Rule, WHOLE};
use uuid::Uuid;

/// Allowance of the alternative annotator test for skilled annotators (Calderon, Reichart and Dror 2025, §4).
const ALT_TEST_EPS: f64 = 0.15;
/// Its false discovery rate.
const ALT_TEST_Q: f64 = 0.05;

/// The audit use cases.
#[derive(Debug, Clone)]
pub struct AuditService {
    pool: PgPool,
    kept: Arc<Mutex<Kept>>,
}

/// Cards by card and rule, as long as the version holds.
#[derive(Debug, Default)]
struct Kept {
    version: i64,
    cards: HashMap<(i32, Rule), Card>,
}

impl AuditService {
    /// On this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool, kept: Arc::default() }
    }

    /// Cards from what is folded now.
    async fn cards(&self, filter: &AuditFilter) -> Result<Vec<Card>> {
        let rule = Rule::parse(filter.reference.as_deref())?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let (version, _) = audit::version(&mut conn).await.or_internal()?;
        let rows = audit::cards(&mut conn).await.or_internal()?;
        let wanted: Vec<&CardRow> = rows.iter().filter(|row| is_wanted(row, filter)).collect();
        let missing: Vec<&CardRow> =
            wanted.iter().copied().filter(|row| self.kept(version, row.id, rule).is_none()).collect();
        if !missing.is_empty() {
            let made = make(&mut conn, &rows, &missing, rule).await?;
            self.keep(version, rule, made);
        }
        let mut cards: Vec<Card> = wanted.iter().filter_map(|row| self.kept(version, row.id, rule)).collect();
        self.add_current(&mut conn, &mut cards).await?;
        Ok(cards)
    }

    fn kept(&self, version: i64, card: i32, rule: Rule) -> Option<Card> {
        let kept = self.kept.lock().ok()?;
        (kept.version == version).then(|| kept.cards.get(&(card, rule)).cloned())?
    }

    fn keep(&self, version: i64, rule: Rule, made: Vec<(i32, Card)>) {
        let Ok(mut kept) = self.kept.lock() else { return };
        if kept.version != version {
            *kept = Kept { version, cards: HashMap::new() };
        }
        kept.cards.extend(made.into_iter().map(|(id, card)| ((id, rule), card)));
    }

    /// Certificates and monitors change without new labels, so they are never kept.
    async fn add_current(&self, conn: &mut PgConnection, cards: &mut [Card]) -> Result<()> {
        let certificates = certificates::list(conn, None, None, None).await.or_internal()?;
        let monitors = concord_store::drift::list(conn, None, false).await.or_internal()?;
        for card in cards {
            let same = |task: &str, criterion: &str, judge: &str| {
                (task, criterion, judge) == (&*card.task, &*card.criterion, &*card.judge)
            };
            let major = tally::major_of(&card.rubric);
            card.certificates = certificates
                .iter()
                .filter(|(of, c)| *of == major && same(&c.task, &c.criterion, &c.judge))
                .map(|(_, c)| c.shown.clone())
                .collect();
            card.drift = monitors
                .iter()
                .filter(|row| row.major == major && same(&row.task, &row.criterion, &row.judge))
                .map(drift::shown)
                .collect();
        }
        Ok(())
    }
}

fn is_wanted(row: &CardRow, filter: &AuditFilter) -> bool {
    let same = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
    row.judge.as_deref().is_some_and(|judge| same(&filter.judge, judge))
        && same(&filter.task, &row.task)
        && same(&filter.criterion, &row.criterion)
}

/// Makes cards from their patterns.
async fn make(
    conn: &mut PgConnection,
    all: &[CardRow],
    wanted: &[&CardRow],
    rule: Rule,
) -> Result<Vec<(i32, Card)>> {
    let patterns = patterns(conn, all, rule).await?;
    let none = Vec::new();
    let mut cards = Vec::with_capacity(wanted.len());
    for row in wanted {
        let key = CardKey::of(row);
        let of_people = CardKey { judge: None, ..key.clone() };
        let judge = patterns.get(&key).unwrap_or(&none);
        let people = People::of(patterns.get(&of_people).unwrap_or(&none));
        let alt_test = alt_test(conn, row).await?;
        // The arithmetic takes milliseconds a card; other requests go on meanwhile.
        tokio::task::yield_now().await;
        let head = Head { key: &key, rubric: row.rubric_version.clone(), rule, alt_test };
        cards.push((row.id, card::card(head, judge, &people)));
    }
    Ok(cards)
}

async fn patterns(
    conn: &mut PgConnection,
    all: &[CardRow],
    rule: Rule,
) -> Result<BTreeMap<CardKey, Vec<(Pattern, i64)>>> {
    if rule != Rule::Majority {
        return fold::count_by(conn, rule).await.or_internal();
    }
    let ids: Vec<i32> = all.iter().map(|row| row.id).collect();
    let keys: HashMap<i32, CardKey> = all.iter().map(|row| (row.id, CardKey::of(row))).collect();
    let mut patterns: BTreeMap<CardKey, Vec<(Pattern, i64)>> = BTreeMap::new();
    for (card, pattern, times) in audit::patterns(conn, &ids).await.or_internal()? {
        let pattern = fold::decode(&pattern).or_internal()?;
        patterns.entry(keys[&card].clone()).or_default().push((pattern, times));
    }
    Ok(patterns)
}

/// The alternative annotator test on the decisions that several people share with the judge. Whole samples
/// are not tested: their votes are those of their criteria.
async fn alt_test(conn: &mut PgConnection, row: &CardRow) -> Result<AltTest> {
    let empty = |why: &str| AltTest {
        eps: ALT_TEST_EPS,
        q: ALT_TEST_Q,
        winning_rate: None,
        advantage: None,
        pass: None,
        raters: Vec::new(),
        why: Some(why.to_owned()),
    };
    if row.criterion == WHOLE {
        return Ok(empty("tested by criterion, not on whole samples"));
    }
    let judge = row.judge.as_deref().unwrap_or_default();
    let criterion = (row.criterion != POOLED).then_some(row.criterion.as_str());
    let shared = audit::shared_decisions(conn, &row.task, criterion, judge, row.major).await.or_internal()?;
    if shared.is_empty() {
        return Ok(empty("0 decisions that two people share with the judge"));
    }
    let mut names: Vec<&String> = shared.iter().flat_map(|(raters, _, _)| raters).collect();
    names.sort_unstable();
    names.dedup();
    let items: Vec<agreement::AltTestItem> = shared
        .iter()
        .map(|(raters, votes, judge)| agreement::AltTestItem {
            judge: f64::from(u8::from(*judge)),
            humans: raters
                .iter()
                .zip(votes)
                .filter_map(|(rater, vote)| {
                    Some((names.binary_search(&rater).ok()?, f64::from(u8::from(*vote))))
                })
                .collect(),
        })
        .collect();
    let tested = agreement::alt_test(&items, agreement::Score::Accuracy, ALT_TEST_EPS, ALT_TEST_Q);
    Ok(AltTest {
        eps: ALT_TEST_EPS,
        q: ALT_TEST_Q,
        winning_rate: tested.winning_rate,
        advantage: tested.advantage,
        pass: tested.pass,
        raters: tested
            .humans
            .iter()
            .map(|human| AltTestRater {
                rater: names[human.rater].clone(),
                n: human.n,
                p: human.p,
                rejected: human.rejected,
            })
            .collect(),
        why: tested.why,
    })
}

#[async_trait]
impl api::Audit for AuditService {
    async fn report(&self, actor: &Actor, filter: AuditFilter) -> Result<AuditReport> {
        actor.require(Capability::ReadAll)?;
        let waiting = catch_up(&self.pool).await?;
        Ok(AuditReport { schema: AUDIT_SCHEMA.to_owned(), waiting, cards: self.cards(&filter).await? })
    }

    async fn decisions(&self, actor: &Actor, filter: DecisionFilter) -> Result<Vec<Decision>> {
        actor.require(Capability::ReadAll)?;
        views::decisions(&self.pool, actor, &filter).await
    }

    async fn reliability(
        &self,
        actor: &Actor,
        task: &str,
        criterion: &str,
        judge: &str,
    ) -> Result<Reliability> {
        actor.require(Capability::ReadAll)?;
        views::reliability(&self.pool, task, criterion, judge).await
    }

    async fn slices(&self, actor: &Actor, task: &str, criterion: &str, judge: &str) -> Result<Vec<Slice>> {
        actor.require(Capability::ReadAll)?;
        views::slices(&self.pool, task, criterion, judge).await
    }

    async fn annotators(&self, actor: &Actor) -> Result<Vec<AnnotatorReport>> {
        actor.require(Capability::ReadAll)?;
        annotators::annotators(&self.pool).await
    }

    async fn pairs(&self, actor: &Actor, task: &str) -> Result<Vec<JudgePair>> {
        actor.require(Capability::ReadAll)?;
        views::pairs(&self.pool, task).await
    }

    async fn certify(&self, actor: &Actor, request: CertificateRequest) -> Result<Vec<Certificate>> {
        actor.require(Capability::Certify)?;
        certify::certify(&self.pool, actor, &request).await
    }

    async fn certificates(&self, actor: &Actor, id: Option<Uuid>) -> Result<Vec<Certificate>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let found = certificates::list(&mut conn, None, None, id).await.or_internal()?;
        let mut found: Vec<Certificate> = found.into_iter().map(|(_, certificate)| certificate).collect();
        let issued: Vec<Uuid> = found.iter().filter(|it| it.shown.status != "none").map(|it| it.id).collect();
        let acts = acceptance::acts(&mut conn, &issued).await.or_internal()?;
        for certificate in &mut found {
            certificate.acts = acts.get(&certificate.id).copied().unwrap_or_default();
        }
        Ok(found)
    }

    async fn void(&self, actor: &Actor, id: Uuid, why: &str) -> Result<()> {
        actor.require(Capability::Certify)?;
        let why = why.trim();
        if why.is_empty() || why.chars().count() > 500 {
            return Err(Error::invalid("why", "1 to 500 characters"));
        }
        certify::void(&self.pool, actor, id, why).await
    }

    async fn monitors(&self, actor: &Actor) -> Result<Vec<DriftMonitor>> {
        actor.require(Capability::ReadAll)?;
        catch_up(&self.pool).await?;
        drift::monitors(&self.pool).await
    }

    async fn investigations(&self, actor: &Actor, id: Option<Uuid>) -> Result<Vec<Investigation>> {
        actor.require(Capability::ReadAll)?;
        investigation::list(&self.pool, id).await
    }

    async fn investigate(&self, actor: &Actor, id: Uuid, step: &str, note: &str) -> Result<()> {
        actor.require(Capability::Certify)?;
        investigation::step(&self.pool, actor, id, step, note).await
    }

    async fn relabel(&self, actor: &Actor, id: Uuid, n: u32) -> Result<u64> {
        actor.require(Capability::Certify)?;
        investigation::relabel(&self.pool, actor, id, n).await
    }

    async fn certify_anew(
        &self,
        actor: &Actor,
        id: Uuid,
        judge: Option<String>,
        statement: Option<Statement>,
    ) -> Result<Certificate> {
        actor.require(Capability::Certify)?;
        investigation::certify(&self.pool, actor, id, judge, statement).await
    }

    async fn replay(&self, actor: &Actor, id: Option<Uuid>) -> Result<Vec<Replay>> {
        actor.require(Capability::ReadAll)?;
        drift::replay(&self.pool, id).await
    }

    async fn sampling(&self, actor: &Actor, task: &str) -> Result<AuditSampling> {
        actor.require(Capability::ReadAll)?;
        sampling::now(&self.pool, task).await
    }

    async fn set_sampling(&self, actor: &Actor, task: &str, to: AuditSampling) -> Result<AuditSampling> {
        actor.require(Capability::ManageProgramme)?;
        sampling::set(&self.pool, actor, task, to).await
    }

    async fn allocate(&self, actor: &Actor, task: &str, budget: u64) -> Result<AuditAllocation> {
        actor.require(Capability::ReadAll)?;
        sampling::allocate(&self.pool, task, budget).await
    }
}
