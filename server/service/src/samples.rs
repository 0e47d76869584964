//! Looking at samples. Verdicts go to leads, or to a person whose own blind answer is stored; every such
//! look is logged, and who has looked is never given the sample blind.

use crate::error::OrInternal;
use async_trait::async_trait;
use concord_domain::api::{self, Result};
use concord_domain::{
    Actor, Capability, Error, Grade, Rubric, SampleDetail, SampleFilter, SampleId, SamplePage, SeniorRule,
    Verdict,
};
use concord_store::{review, rubrics, samples, senior, verdicts};
use sqlx::PgPool;

const PAGE: usize = 50;

/// The sample use cases.
#[derive(Debug, Clone)]
pub struct SamplesService {
    pool: PgPool,
}

impl SamplesService {
    /// On this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl api::Samples for SamplesService {
    async fn list(&self, actor: &Actor, filter: SampleFilter) -> Result<SamplePage> {
        actor.require(Capability::ReadOwn)?;
        check_filter(&filter)?;
        let lead = actor.can(Capability::ReadAll);
        let mut tx = self.pool.begin().await.or_internal()?;
        let limit = PAGE as i64 + 1;
        let mut rows = samples::list(&mut tx, actor.account, lead, &filter, limit).await.or_internal()?;
        let more = rows.len() > PAGE;
        rows.truncate(PAGE);
        if lead {
            let shown: Vec<SampleId> = rows
                .iter()
                .filter(|row| {
                    row.lead.as_ref().is_some_and(|lead| lead.judge_pass.is_some() || lead.people > 0)
                })
                .map(|row| row.id)
                .collect();
            review::log_views(&mut tx, actor.account, &shown).await.or_internal()?;
        }
        tx.commit().await.or_internal()?;
        let next = more.then(|| rows.last().map(|row| row.id)).flatten();
        Ok(SamplePage { rows, next })
    }

    async fn get(&self, actor: &Actor, id: SampleId) -> Result<SampleDetail> {
        actor.require(Capability::ReadOwn)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let loaded = samples::load(&mut tx, &[id])
            .await
            .or_internal()?
            .pop()
            .ok_or_else(|| Error::not_found("sample"))?;
        let rubric =
            rubrics::version(&mut tx, &loaded.sample.task, &loaded.rubric_version).await.or_internal()?;
        let mine = review::own_answers(&mut tx, actor.account, id).await.or_internal()?;
        let lead = actor.can(Capability::ReadAll);
        let may_see = lead || review::has_seen(&mut tx, actor.account, id).await.or_internal()?;
        let mut detail = SampleDetail {
            sample: loaded.sample,
            rubric,
            mine,
            verdicts: None,
            labels: None,
            linked: Vec::new(),
            unsupported: Vec::new(),
            provenance: None,
            grade: None,
        };
        if may_see {
            review::log_views(&mut tx, actor.account, &[id]).await.or_internal()?;
            detail.verdicts = Some(verdicts::of_sample(&mut tx, id).await.or_internal()?);
            let answered_by = (!lead).then_some(actor.account);
            detail.linked = review::linked_fails(&mut tx, id, answered_by).await.or_internal()?;
        }
        if lead {
            let rule = senior::rule(&mut tx, &detail.sample.task).await.or_internal()?;
            detail.grade = grade(rule, &detail.rubric, detail.verdicts.as_deref().unwrap_or_default());
            // What people say of an earlier link is shown with it.
            let links: Vec<SampleId> = detail.linked.iter().map(|link| link.sample).collect();
            review::log_views(&mut tx, actor.account, &links).await.or_internal()?;
            detail.unsupported = review::unsupported(&mut tx, id).await.or_internal()?;
            detail.labels = Some(samples::labels(&mut tx, id).await.or_internal()?);
            detail.provenance = Some(samples::provenance(&mut tx, id).await.or_internal()?);
        }
        tx.commit().await.or_internal()?;
        Ok(detail)
    }
}

/// The senior reviewer's grade: of the judge whose verdicts are complete; of several, the best known is not guessed.
fn grade(rule: SeniorRule, rubric: &Rubric, verdicts: &[Verdict]) -> Option<Grade> {
    let first = verdicts.first()?;
    if verdicts.iter().any(|it| it.judge != first.judge) {
        return None;
    }
    let of = |criterion: &concord_domain::Criterion| {
        let verdict = verdicts.iter().find(|it| it.criterion == criterion.name);
        let label = verdict.and_then(|it| criterion.label(it.label.as_deref()?));
        (label.map(|label| label.pass), verdict.and_then(|it| it.p_pass))
    };
    rule.grade(&rubric.criteria.iter().map(of).collect::<Vec<_>>())
}

fn check_filter(filter: &SampleFilter) -> Result<()> {
    for (field, value) in [("text", &filter.text), ("user", &filter.user), ("task", &filter.task)] {
        if value.as_ref().is_some_and(|text| text.chars().count() > 256 || text.contains('\0')) {
            return Err(Error::invalid(field, "at most 256 characters, no NUL"));
        }
    }
    Ok(())
}
