//! Rubrics: a version is stored once and never changes; the current one is what new samples are reviewed by.

use crate::error::{OrInternal, internal};
use async_trait::async_trait;
use concord_domain::api::{self, Result};
use concord_domain::{Actor, Capability, Error, Rubric, RubricVersion};
use concord_store::{certificates, events, rubrics};
use sqlx::PgPool;

/// The largest rubric as TOML, in bytes.
const TOML_LIMIT: usize = 200_000;

/// The rubric use cases.
#[derive(Debug, Clone)]
pub struct RubricsService {
    pool: PgPool,
}

impl RubricsService {
    /// On this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl api::Rubrics for RubricsService {
    async fn versions(&self, actor: &Actor, task: Option<&str>) -> Result<Vec<RubricVersion>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        rubrics::versions(&mut conn, task).await.or_internal()
    }

    async fn publish(&self, actor: &Actor, rubric: Rubric) -> Result<RubricVersion> {
        actor.require(Capability::ManageProgramme)?;
        rubric.check()?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let before = rubrics::current(&mut tx, &rubric.task).await.or_internal()?;
        let known = rubrics::versions(&mut tx, Some(&rubric.task)).await.or_internal()?;
        match known.iter().find(|known| known.rubric.version == rubric.version) {
            Some(same) if same.rubric != rubric => {
                return Err(Error::conflict(
                    "version_taken",
                    "this version is stored with other words: count the version up, its second number if labels stay comparable",
                ));
            }
            Some(_) => {}
            None => rubrics::add(&mut tx, &rubric).await.or_internal()?,
        }
        rubrics::make_current(&mut tx, &rubric.task, &rubric.version).await.or_internal()?;
        let major = |rubric: &Rubric| rubric.numbers().map(|(major, _)| major);
        if before.is_some_and(|before| major(&before) != major(&rubric)) {
            let now = major(&rubric).and_then(|major| i32::try_from(major).ok()).unwrap_or(0);
            for id in certificates::void_other_majors(&mut tx, &rubric.task, now).await.or_internal()? {
                let detail = serde_json::json!({"why": "the rubric has a new major version"});
                events::append(&mut tx, Some(actor.account), "certificate_void", &id.to_string(), &detail)
                    .await
                    .or_internal()?;
            }
        }
        let detail = serde_json::json!({"version": rubric.version});
        events::append(&mut tx, Some(actor.account), "rubric", &rubric.task, &detail).await.or_internal()?;
        let stored = rubrics::versions(&mut tx, Some(&rubric.task)).await.or_internal()?;
        tx.commit().await.or_internal()?;
        stored
            .into_iter()
            .find(|it| it.rubric.version == rubric.version)
            .ok_or_else(|| Error::not_found("rubric"))
    }

    async fn publish_toml(&self, actor: &Actor, text: &str) -> Result<RubricVersion> {
        actor.require(Capability::ManageProgramme)?;
        if text.len() > TOML_LIMIT {
            return Err(Error::invalid("rubric", "at most 200 kB"));
        }
        let rubric = toml::from_str(text).map_err(|error| Error::invalid("rubric", error.to_string()))?;
        self.publish(actor, rubric).await
    }

    async fn toml(&self, actor: &Actor, task: &str, version: &str) -> Result<String> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let known = rubrics::versions(&mut conn, Some(task)).await.or_internal()?;
        let found = known.into_iter().find(|known| known.rubric.version == version);
        let found = found.ok_or_else(|| Error::not_found("rubric version"))?;
        toml::to_string_pretty(&found.rubric).map_err(|error| internal(&error))
    }
}
