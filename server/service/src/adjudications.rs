//! Cases that need a lead, and what leads decide on them. Decisions are only added to; the reports count the
//! last one of a case instead of the people's majority.

use crate::error::OrInternal;
use async_trait::async_trait;
use concord_domain::api::{self, Result};
use concord_domain::{
    Actor, Adjudication, CASE_ORDERS, CASE_STATES, Capability, CaseDetail, CaseFilter, CasePage, Criterion,
    Error, MAX_ADJUDICATIONS, NewAdjudication, Outcome, SampleId,
};
use concord_store::adjudications::{self as stored, Which};
use concord_store::cases::{self, Place};
use concord_store::{events, review, samples, verdicts};
use sqlx::PgPool;
use std::collections::HashSet;
use uuid::Uuid;

/// The most cases of one page.
const MAX_PAGE: u32 = 1000;

/// The use cases of adjudication.
#[derive(Debug, Clone)]
pub struct AdjudicationsService {
    pool: PgPool,
}

impl AdjudicationsService {
    /// On this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl api::Adjudications for AdjudicationsService {
    async fn cases(&self, actor: &Actor, filter: CaseFilter, limit: u32) -> Result<CasePage> {
        actor.require(Capability::ReadAll)?;
        check_filter(&filter)?;
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(Error::invalid("limit", format!("between 1 and {MAX_PAGE}")));
        }
        let after = filter.after.as_deref().map(parse_place).transpose()?;
        crate::audit::catch_up(&self.pool).await?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let (mut rows, total) =
            cases::list(&mut tx, actor, &filter, after.as_ref(), i64::from(limit) + 1).await.or_internal()?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let seen: Vec<SampleId> = rows.iter().map(|row| row.case.sample).collect();
        review::log_views(&mut tx, actor.account, &seen).await.or_internal()?;
        tx.commit().await.or_internal()?;
        let next = more.then(|| rows.last().map(|row| write_place(&row.place))).flatten();
        Ok(CasePage { rows: rows.into_iter().map(|row| row.case).collect(), total, next })
    }

    async fn case(&self, actor: &Actor, sample: SampleId, criterion: &str) -> Result<CaseDetail> {
        actor.require(Capability::ReadAll)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let loaded = samples::load(&mut tx, &[sample])
            .await
            .or_internal()?
            .pop()
            .ok_or_else(|| Error::not_found("sample"))?;
        let mut known = stored::criteria(&mut tx, &[sample]).await.or_internal()?;
        let known = known.remove(&sample).unwrap_or_default();
        let found = known.into_iter().find(|it| it.name == criterion);
        let found = found.ok_or_else(|| Error::not_found("criterion"))?;
        let verdicts = verdicts::of_sample(&mut tx, sample).await.or_internal()?;
        let detail = CaseDetail {
            criterion: found,
            rubric: loaded.rubric_version,
            votes: stored::votes(&mut tx, sample, criterion).await.or_internal()?,
            verdicts: verdicts.into_iter().filter(|verdict| verdict.criterion == criterion).collect(),
            adjudications: stored::list(&mut tx, Which::Case(sample, criterion)).await.or_internal()?,
            own: !stored::labelled_by(&mut tx, actor, &[sample]).await.or_internal()?.is_empty(),
            sample: loaded.sample,
        };
        review::log_views(&mut tx, actor.account, &[sample]).await.or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(detail)
    }

    async fn adjudicate(&self, actor: &Actor, new: Vec<NewAdjudication>) -> Result<Vec<Adjudication>> {
        actor.require(Capability::Adjudicate)?;
        if new.is_empty() || new.len() > MAX_ADJUDICATIONS {
            return Err(Error::invalid("adjudications", format!("1 to {MAX_ADJUDICATIONS} at once")));
        }
        let mut tx = self.pool.begin().await.or_internal()?;
        let samples: Vec<SampleId> = new.iter().map(|it| it.sample).collect();
        let known = stored::criteria(&mut tx, &samples).await.or_internal()?;
        let mut named = HashSet::new();
        let mut labels = Vec::with_capacity(new.len());
        for (place, one) in new.iter().enumerate() {
            let field = |name: &str| format!("adjudications[{place}].{name}");
            let criteria = known.get(&one.sample).ok_or_else(|| Error::not_found(field("sample")))?;
            let criterion = criteria.iter().find(|it| it.name == one.criterion);
            let criterion = criterion.ok_or_else(|| {
                Error::invalid(field("criterion"), format!("{} is not one of this sample's", one.criterion))
            })?;
            if !named.insert((one.sample, one.criterion.as_str())) {
                return Err(Error::invalid(field("criterion"), "this sample and criterion stand twice"));
            }
            if one.note.as_ref().is_some_and(|note| note.chars().count() > 4000 || note.contains('\0')) {
                return Err(Error::invalid(field("note"), "at most 4000 characters, no NUL"));
            }
            labels.push(label(criterion, one).map_err(|why| Error::invalid(field("label"), why))?);
        }
        let own = stored::labelled_by(&mut tx, actor, &samples).await.or_internal()?;
        if let Some(sample) = own.first() {
            return Err(Error::conflict(
                "own_label",
                format!("you labelled sample {sample} yourself: another lead has to decide on it"),
            ));
        }
        let ids: Vec<Uuid> = new.iter().map(|_| Uuid::now_v7()).collect();
        stored::insert(&mut tx, actor, &ids, &new, &labels).await.or_internal()?;
        review::log_views(&mut tx, actor.account, &samples).await.or_internal()?;
        for one in &new {
            let detail =
                serde_json::json!({"criterion": one.criterion, "outcome": one.outcome, "reason": one.reason});
            events::append(&mut tx, Some(actor.account), "adjudicate", &one.sample.to_string(), &detail)
                .await
                .or_internal()?;
        }
        let done = stored::list(&mut tx, Which::Ids(&ids)).await.or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(done)
    }
}

/// The label to store: the one named, of that outcome; else the outcome's first.
fn label(criterion: &Criterion, one: &NewAdjudication) -> std::result::Result<Option<String>, String> {
    let pass = match one.outcome {
        Outcome::Ambiguous if one.label.is_some() => return Err("an ambiguous case has none".into()),
        Outcome::Ambiguous => return Ok(None),
        Outcome::Pass => true,
        Outcome::Fail => false,
    };
    let found = match &one.label {
        None => criterion.first_label(pass),
        Some(name) => {
            let found = criterion.label(name).ok_or_else(|| {
                let known: Vec<&str> = criterion.labels.iter().map(|label| label.name.as_str()).collect();
                format!("{name} is none of {}", known.join(", "))
            })?;
            if found.pass != pass {
                return Err(format!("{name} is no label of {}", one.outcome.as_str()));
            }
            Some(found)
        }
    };
    found.map(|label| Some(label.name.clone())).ok_or_else(|| "the criterion has none of this outcome".into())
}

fn check_filter(filter: &CaseFilter) -> Result<()> {
    let among = |field: &str, value: &Option<String>, known: &[&str]| match value {
        Some(value) if !known.contains(&value.as_str()) => {
            Err(Error::invalid(field, format!("one of {}", known.join(", "))))
        }
        _ => Ok(()),
    };
    among("state", &filter.state, &CASE_STATES)?;
    among("sort", &filter.sort, &CASE_ORDERS)?;
    among("half", &filter.half, &["audit", "train"])?;
    for (field, value) in [
        ("task", &filter.task),
        ("criterion", &filter.criterion),
        ("judge", &filter.judge),
        ("category", &filter.category),
        ("lang", &filter.lang),
        ("generator", &filter.generator),
        ("annotator", &filter.annotator),
    ] {
        if value.as_ref().is_some_and(|text| text.chars().count() > 256 || text.contains('\0')) {
            return Err(Error::invalid(field, "at most 256 characters, no NUL"));
        }
    }
    Ok(())
}

/// A place as text: it stands in addresses.
fn write_place(place: &Place) -> String {
    format!("{}~{}~{}~{}", place.first, place.second, place.sample, place.criterion)
}

fn parse_place(text: &str) -> Result<Place> {
    let read = || {
        let mut parts = text.splitn(4, '~');
        let mut number = || parts.next()?.parse::<f64>().ok().filter(|n| n.is_finite());
        let (first, second) = (number()?, number()?);
        let sample = parts.next()?.parse().ok()?;
        let criterion = parts.next().filter(|name| !name.contains('\0'))?.to_owned();
        Some(Place { first, second, sample, criterion })
    };
    read().ok_or_else(|| Error::invalid("after", "a place that a page before gave as next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let place = Place { first: 3.0, second: -0.1 - 0.2, sample: Uuid::now_v7(), criterion: "a~b".into() };
        assert_eq!(parse_place(&write_place(&place)), Ok(place));
        for text in ["", "1~2", "nan~0~x~y", "1~2~00000000-0000-0000-0000-000000000000"] {
            assert!(parse_place(text).is_err(), "{text}");
        }
    }
}
