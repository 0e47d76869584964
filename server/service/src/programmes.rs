//! The review programme beside the queue: gold questions, escalations, what seeing verdicts does to people, and
//! how each person does.

use crate::audit::estimate;
use crate::error::OrInternal;
use crate::review::answered;
use async_trait::async_trait;
use concord_agreement as agreement;
use concord_domain::api::{self, Result};
use concord_domain::{
    Actor, Anchoring, Capability, Error, Escalation, EscalationEnd, EscalationOutcome, GoldAnswer,
    GoldQuestion, GoldRequest, OwnWork, RaterRecord, SampleId,
};
use concord_store::review::{self, AnchoringRow, RecordRow};
use concord_store::{events, exports, rubrics, samples};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Who is right less often than this is to be noticed.
const GOLD_SKILL: f64 = 0.85;
/// How unlikely a record must be for somebody of that skill.
const GOLD_ALARM: f64 = 0.01;
/// Fewer answers say nothing.
const GOLD_LEAST: u64 = 5;
/// Gold questions and escalations shown at once.
const LISTED: i64 = 500;
/// Days of one's own pace.
const DAYS: i32 = 14;
/// Own samples shown.
const RECENT: i64 = 50;

/// The programme's use cases.
#[derive(Debug, Clone)]
pub struct ProgrammesService {
    pool: PgPool,
}

impl ProgrammesService {
    /// On this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl api::Programmes for ProgrammesService {
    async fn set_gold(&self, actor: &Actor, sample: SampleId, request: GoldRequest) -> Result<GoldQuestion> {
        actor.require(Capability::ManageProgramme)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let answers = right_answers(&mut tx, sample, request.answers).await?;
        if exports::holds(&mut tx, sample).await.or_internal()? {
            let why =
                "a model may have learnt this sample from an export: take another one as a gold question";
            return Err(Error::conflict("exported", why));
        }
        review::set_gold(&mut tx, actor.account, sample, &answers).await.or_internal()?;
        let detail =
            serde_json::json!({"answers": answers.iter().map(|(answer, _)| answer).collect::<Vec<_>>()});
        events::append(&mut tx, Some(actor.account), "gold", &sample.to_string(), &detail)
            .await
            .or_internal()?;
        let question = review::gold_questions(&mut tx, None, Some(sample), 1).await.or_internal()?.pop();
        tx.commit().await.or_internal()?;
        question.ok_or_else(|| Error::not_found("sample"))
    }

    async fn retire_gold(&self, actor: &Actor, sample: SampleId) -> Result<()> {
        actor.require(Capability::ManageProgramme)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        if !review::retire_gold(&mut tx, sample).await.or_internal()? {
            return Err(Error::not_found("gold question"));
        }
        let detail = serde_json::json!({});
        events::append(&mut tx, Some(actor.account), "gold_retired", &sample.to_string(), &detail)
            .await
            .or_internal()?;
        tx.commit().await.or_internal()
    }

    async fn gold(&self, actor: &Actor, task: Option<&str>) -> Result<Vec<GoldQuestion>> {
        actor.require(Capability::ReadAll)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let questions = review::gold_questions(&mut tx, task, None, LISTED).await.or_internal()?;
        // Who has read the right answers is never asked.
        let seen: Vec<SampleId> = questions.iter().map(|question| question.sample).collect();
        review::log_views(&mut tx, actor.account, &seen).await.or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(questions)
    }

    async fn records(&self, actor: &Actor) -> Result<Vec<RaterRecord>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let rows = review::records(&mut conn, None).await.or_internal()?;
        Ok(rows.into_iter().map(record).collect())
    }

    async fn escalations(&self, actor: &Actor, open: bool) -> Result<Vec<Escalation>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        review::escalations(&mut conn, open, LISTED).await.or_internal()
    }

    async fn resolve_escalation(&self, actor: &Actor, id: Uuid, outcome: EscalationOutcome) -> Result<()> {
        actor.require(Capability::ManageProgramme)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let task = review::escalation_task(&mut tx, id).await.or_internal()?;
        let task = task.ok_or_else(|| Error::not_found("escalation"))?;
        let outcome = check_outcome(&mut tx, &task, outcome).await?;
        if !review::resolve_escalation(&mut tx, actor.account, id, &outcome).await.or_internal()? {
            return Err(Error::conflict("already_resolved", "somebody has ended this escalation already"));
        }
        let detail = serde_json::json!(outcome);
        events::append(&mut tx, Some(actor.account), "escalation_resolved", &id.to_string(), &detail)
            .await
            .or_internal()?;
        tx.commit().await.or_internal()
    }

    async fn anchoring(&self, actor: &Actor) -> Result<Vec<Anchoring>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let rows = review::anchoring(&mut conn).await.or_internal()?;
        Ok(rows.into_iter().map(anchored).collect())
    }

    async fn own_work(&self, actor: &Actor) -> Result<OwnWork> {
        actor.require(Capability::ReadOwn)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let row = review::records(&mut conn, Some(actor.account)).await.or_internal()?.pop();
        let own = record(row.ok_or_else(|| Error::not_found("account"))?);
        Ok(OwnWork {
            days: review::pace(&mut conn, actor.account, DAYS).await.or_internal()?,
            gold: own.gold,
            consistency: own.consistency,
            recent: review::own_samples(&mut conn, actor.account, RECENT).await.or_internal()?,
        })
    }
}

/// A "won't" names no rubric version; a change of the guideline names one that is published.
async fn check_outcome(
    conn: &mut PgConnection,
    task: &str,
    outcome: EscalationOutcome,
) -> Result<EscalationOutcome> {
    let note = outcome.note.trim().to_owned();
    if !(1..=4000).contains(&note.chars().count()) || note.contains('\0') {
        return Err(Error::invalid("note", "1 to 4000 characters, no NUL"));
    }
    match (outcome.outcome, &outcome.rubric) {
        (EscalationEnd::Wont, Some(_)) => {
            Err(Error::invalid("rubric", "only with the outcome guideline: a won't changes nothing"))
        }
        (EscalationEnd::Guideline, None) => {
            Err(Error::invalid("rubric", "say which rubric version answers it: publish it first"))
        }
        (EscalationEnd::Guideline, Some(version))
            if !rubrics::exists(conn, task, version).await.or_internal()? =>
        {
            Err(Error::invalid("rubric", format!("{version} is no version of the rubric of {task}")))
        }
        _ => Ok(EscalationOutcome { note, ..outcome }),
    }
}

/// Counts as estimates. Intervals take decisions as independent; those of one person are not quite.
fn anchored(row: AnchoringRow) -> Anchoring {
    let share = |(n, k): (i64, i64)| estimate(agreement::proportion(natural(k), natural(n)));
    let difference = agreement::difference(
        (natural(row.assisted.1), natural(row.assisted.0)),
        (natural(row.blind.1), natural(row.blind.0)),
    );
    Anchoring {
        task: row.task,
        judge: row.judge,
        towards: share(row.differing),
        away: share(row.agreeing),
        assisted: share(row.assisted),
        blind: share(row.blind),
        difference: estimate(difference),
    }
}

fn natural(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// The right answers, as sent or as adjudicated, one a criterion of the sample's rubric, with whether they pass.
async fn right_answers(
    conn: &mut PgConnection,
    sample: SampleId,
    sent: Vec<GoldAnswer>,
) -> Result<Vec<(GoldAnswer, bool)>> {
    let loaded = samples::load(conn, &[sample]).await.or_internal()?.pop();
    let loaded = loaded.ok_or_else(|| Error::not_found("sample"))?;
    if loaded.sample.text.is_empty() {
        return Err(Error::invalid("sample", "has no text, so nobody can be asked about it"));
    }
    let answers = if sent.is_empty() { review::adjudicated(conn, sample).await.or_internal()? } else { sent };
    for (place, answer) in answers.iter().enumerate() {
        let length = answer.reason.trim().chars().count();
        if !(1..=2000).contains(&length) || answer.reason.contains('\0') {
            return Err(Error::invalid(format!("answers[{place}].reason"), "1 to 2000 characters, no NUL"));
        }
    }
    let rubric = rubrics::version(conn, &loaded.sample.task, &loaded.rubric_version).await.or_internal()?;
    let named: Vec<(&str, &str)> =
        answers.iter().map(|answer| (answer.criterion.as_str(), answer.label.as_str())).collect();
    let checked = answered(&rubric, &named)?;
    Ok(checked.into_iter().map(|(place, pass)| (answers[place].clone(), pass)).collect())
}

/// Counts as estimates, and the exact rule for noticing a person: P(X ≤ right) of X binomial with skill 0.85 is
/// below 0.01, after five answers at least.
pub(crate) fn record(row: RecordRow) -> RaterRecord {
    let share = |(n, k): (i64, i64)| estimate(agreement::proportion(natural(k), natural(n)));
    let (n, correct) = (natural(row.gold.0), natural(row.gold.1));
    let gold_p = (n >= GOLD_LEAST).then(|| agreement::binom_cdf(correct, n, GOLD_SKILL));
    RaterRecord {
        account: row.account,
        email: row.email,
        gold: share(row.gold),
        gold_p,
        flagged: gold_p.is_some_and(|p| p < GOLD_ALARM),
        consistency: share(row.repeated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use concord_domain::AccountId;

    fn of(n: i64, correct: i64) -> RaterRecord {
        let account = AccountId(uuid::Uuid::nil());
        record(RecordRow { account, email: String::new(), gold: (n, correct), repeated: (0, 0) })
    }

    #[test]
    fn a_person_is_flagged_by_the_exact_binomial_rule_and_not_before_five_answers() {
        assert_eq!((of(4, 0).gold_p, of(4, 0).flagged), (None, false));
        // P(X ≤ 1) = .15⁵ + 5 · .85 · .15⁴ = .00222…; P(X ≤ 2) = .0266…
        assert!((of(5, 1).gold_p.expect("enough") - 0.002_227_5).abs() < 1e-9);
        assert!(of(5, 1).flagged && !of(5, 2).flagged && !of(40, 34).flagged);
        assert_eq!(of(0, 0).consistency.est, None, "nothing seen is not estimable");
    }
}
