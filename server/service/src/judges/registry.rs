//! Heads in the registry of models: what was trained, what the gate decided, and a judge that takes or loses its place.

use super::calibrate::RecalibrateArgs;
use super::setup::{self, Names, Wanted};
use crate::error::{OrInternal, internal};
use crate::evolve::{Change, store};
use concord_domain::api::Result;
use concord_domain::ports::ModelInfo;
use concord_domain::{
    AccountId, Actor, Error, GateDecision, GateMeasure, HeadOutcome, HeadRequest, JudgesCompared, ModelPlace,
    Promotion, TrainedModel,
};
use concord_store::heads::{self, Head as Stored};
use concord_store::models::{self, Which};
use concord_store::{jobs, judges};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A judge with new heads as a model of the registry, and the gate's decision on it, in the caller's transaction.
pub(super) async fn record(
    tx: &mut PgConnection,
    actor: &Actor,
    (task, request): (&str, &HeadRequest),
    (info, names, wanted): (&ModelInfo, &Names, &Wanted),
    outcome: &HeadOutcome,
) -> Result<()> {
    let heads: BTreeMap<&String, Uuid> = wanted.heads.iter().map(|(name, it)| (name, it.id)).collect();
    let parameters: BTreeMap<&String, serde_json::Value> = wanted
        .heads
        .iter()
        .map(|(name, it)| (name, json!({"made_by": it.made_by, "parameters": it.parameters})))
        .collect();
    let text = json!(parameters).to_string();
    let sha256 = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let place = ModelPlace::judge(task);
    let model = TrainedModel {
        id: Uuid::now_v7(),
        place: place.clone(),
        name: names.judge.clone(),
        base: info.name.clone(),
        base_sha256: info.hash.clone(),
        parent: None,
        export: None,
        dir: None,
        body: Some(json!({"ids": heads, "heads": parameters})),
        sha256,
        bytes: i64::try_from(text.len()).unwrap_or(i64::MAX),
        settings: json!(request),
        losses: Vec::new(),
        created_at: jiff::Timestamp::now(),
        standing: false,
    };
    models::lock(tx, &place).await.or_internal()?;
    // The same labels make the same heads, which have the same name.
    models::insert(tx, &model, Some(actor.account)).await.or_internal()?;
    let stored = models::list(tx, Which::Name(&model.name)).await.or_internal()?.pop();
    let id = stored.map_or(model.id, |it| it.id);
    let replaced = models::standing(tx, &place).await.or_internal()?;
    let kind = if outcome.refused.is_empty() { "promote" } else { "refuse" };
    let decision = GateDecision {
        promote: outcome.refused.is_empty(),
        refused: outcome.refused.clone(),
        compared: outcome.compared.first().map(measures).unwrap_or_default(),
    };
    store(tx, actor, Change { place, kind, model: Some(id), replaced }, decision).await?;
    Ok(())
}

fn measures(of: &JudgesCompared) -> Vec<GateMeasure> {
    let measure = |name: &str, [old, new, gain]: &[concord_domain::Estimate; 3]| GateMeasure {
        name: name.to_owned(),
        old: old.est,
        new: new.est,
        gain: gain.clone(),
    };
    vec![measure("specificity", &of.specificity), measure("kappa", &of.kappa)]
}

/// What follows for the task's judge when a model of the registry takes or loses its place: it has that model's heads, or
/// none. A judge whose weights are another file is named in the settings, and nothing follows here.
pub(crate) async fn follow(tx: &mut PgConnection, of: &Promotion, by: AccountId) -> Result<()> {
    let Some(task) = of.place.task.as_deref().filter(|_| of.kind != "refuse") else { return Ok(()) };
    let mut both = [None, None];
    for (found, id) in both.iter_mut().zip([of.model, of.replaced]) {
        if let Some(id) = id {
            *found = models::list(tx, Which::Id(id)).await.or_internal()?.pop().filter(has_heads);
        }
    }
    match both {
        [None, None] => Ok(()),
        [now, _] => stand(tx, task, now.as_ref(), by).await,
    }
}

fn has_heads(of: &TrainedModel) -> bool {
    of.body.as_ref().is_some_and(|body| body["ids"].is_object())
}

/// The registry says that the task's judge has no head any more.
pub(super) async fn dropped(tx: &mut PgConnection, actor: &Actor, task: &str) -> Result<()> {
    let place = ModelPlace::judge(task);
    models::lock(tx, &place).await.or_internal()?;
    let Some(replaced) = models::standing(tx, &place).await.or_internal()? else { return Ok(()) };
    let change = Change { place, kind: "rollback", model: None, replaced: Some(replaced) };
    store(tx, actor, change, GateDecision::default()).await?;
    Ok(())
}

/// Makes the task's judge the one with this model's heads, or, without a model, the one without heads; its verdicts are
/// read anew by a job. In the caller's transaction.
async fn stand(tx: &mut PgConnection, task: &str, model: Option<&TrainedModel>, by: AccountId) -> Result<()> {
    judges::lock(tx, task).await.or_internal()?;
    let configs = judges::configs(tx, task, true).await.or_internal()?;
    let no_judge = || Error::conflict("no_judge", format!("{task} has no judge yet"));
    let first = configs.first().ok_or_else(no_judge)?;
    let known = judges::registered(tx, &first.judge).await.or_internal()?.ok_or_else(no_judge)?;
    let info =
        ModelInfo { name: known.model, hash: known.model_hash, family: known.family, backend: known.backend };
    let mut wanted = setup::wanted_of(&configs);
    wanted.heads = match model {
        None => BTreeMap::new(),
        Some(model) => {
            let ids = model.body.as_ref().map(|body| body["ids"].clone()).unwrap_or_default();
            let ids: BTreeMap<String, Uuid> =
                serde_json::from_value(ids).map_err(|error| internal(&error))?;
            let ids: Vec<Uuid> = ids.into_values().collect();
            let found = heads::by_ids(tx, &ids).await.or_internal()?;
            found.into_iter().map(|head: Stored| (head.criterion.clone(), head)).collect()
        }
    };
    for criterion in wanted.heads.keys().cloned().collect::<Vec<_>>() {
        wanted.calibrations.remove(&criterion);
    }
    let names = setup::adopt(tx, task, &info, &wanted, "head", Some(by)).await.or_internal()?;
    let job = RecalibrateArgs { task: task.to_owned(), judge: names.judge }.job(Some(by));
    jobs::enqueue_again(tx, &job).await.or_internal()
}
