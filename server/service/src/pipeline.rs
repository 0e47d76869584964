//! What people steer of the pipeline: the preset interests, φ, batches; and the online look-up of explanations.

use crate::error::{OrInternal, internal, of_model};
use crate::explain::ExplainArgs;
use crate::generation::GenerateArgs;
use crate::lens::{self, Lens};
use crate::models::Models;
use async_trait::async_trait;
use concord_domain::api::{self, Result};
use concord_domain::{
    Actor, Batch, Capability, Error, ExplainRequest, GenerationId, JobId, NewPreset, PhiReport, PresetChange,
    PresetInterest, ShownExplanation, Steer,
};
use concord_pipeline::{explanations as rules, presets as naming};
use concord_store::jobs::NewJob;
use concord_store::{batches, events, explanations, generations, jobs, phi, presets, users};
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Categories that presets are made of at most, the largest first.
const CATEGORIES: i64 = 2000;
/// Items looked up at once.
const ITEMS: usize = 200;

/// The pipeline's use cases.
#[derive(Clone)]
pub struct PipelineService {
    pool: PgPool,
    models: Models,
    lens: Arc<Lens>,
}

impl PipelineService {
    /// On this database, these models and this lens.
    #[must_use]
    pub fn new(pool: PgPool, models: Models, lens: Arc<Lens>) -> Self {
        Self { pool, models, lens }
    }
}

#[async_trait]
impl api::Pipeline for PipelineService {
    async fn presets(&self, actor: &Actor) -> Result<Vec<PresetInterest>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        presets::list(&mut conn, None, true).await.or_internal()
    }

    async fn build_presets(&self, actor: &Actor) -> Result<u64> {
        actor.require(Capability::ManageProgramme)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let found = presets::catalogue_categories(&mut tx, CATEGORIES).await.or_internal()?;
        let made: Vec<(String, String, Vec<String>)> = found
            .into_iter()
            .filter_map(|(path, lang, _)| Some((naming::name_of(&path)?, lang, path)))
            .collect();
        if made.is_empty() {
            return Err(Error::conflict(
                "no_categories",
                "no titled item has a category: import a catalogue first",
            ));
        }
        let new = presets::add_from_catalogue(&mut tx, &made).await.or_internal()?;
        let detail = serde_json::json!({"categories": made.len(), "new": new});
        events::append(&mut tx, Some(actor.account), "presets_build", "catalogue", &detail)
            .await
            .or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(new)
    }

    async fn add_preset(&self, actor: &Actor, new: NewPreset) -> Result<PresetInterest> {
        actor.require(Capability::ManageProgramme)?;
        let name = checked_name(&new.name)?;
        if !matches!(new.lang.as_str(), "en" | "zh") {
            return Err(Error::invalid("lang", "en or zh"));
        }
        let mut tx = self.pool.begin().await.or_internal()?;
        let added = presets::add(&mut tx, &name, &new.lang, actor.account).await.or_internal()?;
        let added = added.ok_or_else(taken)?;
        let detail = serde_json::json!({"lang": added.lang});
        events::append(&mut tx, Some(actor.account), "preset_add", &added.id.to_string(), &detail)
            .await
            .or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(added)
    }

    async fn change_preset(&self, actor: &Actor, id: i64, change: PresetChange) -> Result<PresetInterest> {
        actor.require(Capability::ManageProgramme)?;
        let name = change.name.as_deref().map(checked_name).transpose()?;
        let mut tx = self.pool.begin().await.or_internal()?;
        if let Some(name) = &name
            && presets::is_taken(&mut tx, id, name).await.or_internal()?
        {
            return Err(taken());
        }
        let changed = presets::change(&mut tx, id, name.as_deref(), change.active).await.or_internal()?;
        let changed = changed.ok_or_else(|| Error::not_found("preset interest"))?;
        let detail = serde_json::json!({"renamed": name.is_some(), "active": change.active});
        events::append(&mut tx, Some(actor.account), "preset_change", &id.to_string(), &detail)
            .await
            .or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(changed)
    }

    async fn phi(&self, actor: &Actor) -> Result<Option<PhiReport>> {
        actor.require(Capability::ReadAll)?;
        let name = self.embedder().await?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        Ok(phi::newest(&mut conn, &name).await.or_internal()?.map(|stored| stored.report))
    }

    async fn train_phi(&self, actor: &Actor, seed: u64) -> Result<PhiReport> {
        actor.require(Capability::Generate)?;
        self.embedder().await?;
        let stored =
            lens::train(&self.pool, &*self.models.embedder, seed).await.map_err(|why| internal(&why))?;
        self.lens.look_again().await;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let detail = serde_json::json!({"categories": stored.report.categories, "seed": seed});
        events::append(&mut conn, Some(actor.account), "phi_train", &stored.report.embedder, &detail)
            .await
            .or_internal()?;
        Ok(stored.report)
    }

    async fn explanations(
        &self,
        actor: &Actor,
        user: &str,
        items: Vec<String>,
    ) -> Result<Vec<ShownExplanation>> {
        actor.require(Capability::ReadAll)?;
        if items.len() > ITEMS {
            return Err(Error::invalid("item", format!("at most {ITEMS}")));
        }
        let mut conn = self.pool.acquire().await.or_internal()?;
        let user =
            users::by_key(&mut conn, user).await.or_internal()?.ok_or_else(|| Error::not_found("user"))?;
        let ids = explanations::item_ids(&mut conn, &items).await.or_internal()?;
        look_up(&mut conn, user.id, &ids).await.or_internal()
    }

    async fn build_explanations(&self, actor: &Actor, request: ExplainRequest) -> Result<JobId> {
        actor.require(Capability::Generate)?;
        let bounds = [("per_tag", request.per_tag, 1..=50), ("limit", request.limit, 1..=1_000_000)];
        for (field, value, range) in bounds {
            if !range.contains(&value) {
                return Err(Error::invalid(field, format!("between {} and {}", range.start(), range.end())));
            }
        }
        let ExplainRequest { per_tag, limit, seed } = request;
        let id = JobId(Uuid::now_v7());
        let job = NewJob {
            id,
            kind: "explain",
            args: serde_json::json!(ExplainArgs { per_tag, limit, seed }),
            priority: 5,
            dedupe_key: None,
            created_by: Some(actor.account),
        };
        let mut tx = self.pool.begin().await.or_internal()?;
        jobs::enqueue(&mut tx, &job).await.or_internal()?;
        events::append(&mut tx, Some(actor.account), "explain", &id.to_string(), &job.args)
            .await
            .or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(id)
    }

    async fn batches(&self, actor: &Actor, id: Option<GenerationId>) -> Result<Vec<Batch>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let mut found = Vec::new();
        for generation in generations::list(&mut conn, id, 50).await.or_internal()? {
            found.push(batches::of(&mut conn, generation).await.or_internal()?);
        }
        match (id, found.is_empty()) {
            (Some(_), true) => Err(Error::not_found("generation")),
            _ => Ok(found),
        }
    }

    async fn steer(&self, actor: &Actor, id: GenerationId, steer: Steer) -> Result<Batch> {
        actor.require(Capability::Generate)?;
        if let Steer::Priority { priority } = steer
            && !(0..=19).contains(&priority)
        {
            return Err(Error::invalid("priority", "between 0 and 19"));
        }
        let mut tx = self.pool.begin().await.or_internal()?;
        let generation = generations::list(&mut tx, Some(id), 1).await.or_internal()?.pop();
        let generation = generation.ok_or_else(|| Error::not_found("generation"))?;
        match steer {
            Steer::Pause => drop(batches::pause(&mut tx, id).await.or_internal()?),
            Steer::Resume => drop(batches::resume(&mut tx, id).await.or_internal()?),
            Steer::Priority { priority } => {
                batches::set_priority(&mut tx, id, priority).await.or_internal()?
            }
            Steer::Cancel => {
                for user in batches::stop(&mut tx, id, "cancelled").await.or_internal()? {
                    let job = GenerateArgs { generation: id, user }.judge_job();
                    jobs::enqueue_again(&mut tx, &job).await.or_internal()?;
                }
            }
        }
        let detail = serde_json::json!(steer);
        events::append(&mut tx, Some(actor.account), "batch", &id.to_string(), &detail)
            .await
            .or_internal()?;
        let generation =
            generations::list(&mut tx, Some(id), 1).await.or_internal()?.pop().unwrap_or(generation);
        let batch = batches::of(&mut tx, generation).await.or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(batch)
    }
}

impl PipelineService {
    async fn embedder(&self) -> Result<String> {
        self.models.embedder.info().await.map_err(of_model)?;
        lens::name_of(&*self.models.embedder).await.map_err(|why| internal(&why))
    }
}

/// The best line for each item that has one for an interest of this user, by item: a linked one before a quality, earlier
/// interests before later ones. What recommendations show; no model is asked.
///
/// # Errors
/// The database's.
pub async fn look_up(
    conn: &mut PgConnection,
    user: i64,
    items: &[i64],
) -> concord_store::Result<Vec<ShownExplanation>> {
    let interests = explanations::interests_of(conn, user).await?;
    let keys: Vec<String> = interests
        .iter()
        .flat_map(|(text, preset)| preset.iter().chain([text]))
        .map(|text| rules::interest_key(text))
        .filter(|key| !key.is_empty())
        .collect();
    let mut best: BTreeMap<i64, ShownExplanation> = BTreeMap::new();
    for line in explanations::look_up(conn, &keys, items).await? {
        let better = best.get(&line.item_id).is_none_or(|it| it.kind != "linked" && line.kind == "linked");
        if better {
            best.insert(line.item_id, line);
        }
    }
    Ok(best.into_values().collect())
}

fn checked_name(name: &str) -> Result<String> {
    let name = concord_pipeline::prompt::one_line(name, 61);
    let n = name.chars().count();
    if (2..=60).contains(&n) { Ok(name) } else { Err(Error::invalid("name", "2 to 60 characters")) }
}

fn taken() -> Error {
    Error::conflict("preset_taken", "there is a preset interest of this name already")
}
