//! Exports: what people agree on, as training files with a manifest.

pub mod policy;
mod record;
mod write;

use crate::error::{OrInternal, internal};
use crate::jobs::JobError;
use async_trait::async_trait;
use concord_domain::api::{self, Result};
use concord_domain::{
    AccountId, Actor, Capability, Error, Export, ExportId, ExportPolicy, ExportPreview, JobId, SampleId,
    SampleLineage,
};
use concord_store::jobs::NewJob;
use concord_store::{events, exports, jobs, review};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use std::path::{Path, PathBuf};
use uuid::Uuid;
use write::fill;

/// The export use cases.
#[derive(Debug, Clone)]
pub struct ExportsService {
    pool: PgPool,
    /// A folder, or `s3://BUCKET/PREFIX`.
    place: String,
}

/// What an export job works on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ExportArgs {
    /// The export.
    pub export: ExportId,
}

impl ExportArgs {
    /// The job that writes it.
    pub(crate) fn job(&self, by: Option<AccountId>) -> NewJob {
        NewJob {
            id: JobId(Uuid::now_v7()),
            kind: "export",
            args: serde_json::json!(self),
            priority: 20,
            dedupe_key: Some(format!("export:{}", self.export)),
            created_by: by,
        }
    }
}

impl ExportsService {
    /// On this database; exports started from pages lie under `place`, a folder or `s3://BUCKET/PREFIX`.
    #[must_use]
    pub fn new(pool: PgPool, place: impl Into<PathBuf>) -> Self {
        Self { pool, place: place.into().to_string_lossy().into_owned() }
    }

    fn place_of(&self, id: ExportId) -> String {
        format!("{}/{id}", self.place.trim_end_matches('/'))
    }

    /// Writes what a policy takes to `out`, a folder or `s3://BUCKET/PREFIX`, and records it, for a command. Gives the
    /// rows written.
    ///
    /// # Errors
    /// [`JobError`] with the reason in words; nothing is recorded then.
    pub async fn write(&self, policy: &ExportPolicy, out: &str) -> std::result::Result<u64, JobError> {
        let give_up = |error: Error| JobError::give_up(error.to_string());
        policy.check().map_err(give_up)?;
        let text = policy_text(policy).map_err(give_up)?;
        let id = ExportId(Uuid::now_v7());
        let mut tx = self.pool.begin().await?;
        exports::insert(&mut tx, id, &text, out, None).await?;
        folder_for(out).await?;
        fill(tx, id, policy, out).await
    }

    /// Asks for an export in the caller's transaction: its row, its job and its event.
    pub(crate) async fn insert(
        &self,
        tx: &mut PgConnection,
        actor: &Actor,
        id: ExportId,
        policy: &ExportPolicy,
    ) -> Result<()> {
        actor.require(Capability::Export)?;
        policy.check()?;
        let text = policy_text(policy)?;
        exports::insert(tx, id, &text, &self.place_of(id), Some(actor.account)).await.or_internal()?;
        jobs::enqueue(tx, &ExportArgs { export: id }.job(Some(actor.account))).await.or_internal()?;
        let detail = serde_json::json!(policy);
        events::append(tx, Some(actor.account), "export", &id.to_string(), &detail).await.or_internal()
    }

    /// Runs an export job.
    ///
    /// # Errors
    /// [`JobError`] with the reason in words.
    pub async fn run(&self, args: ExportArgs) -> std::result::Result<(), JobError> {
        let mut conn = self.pool.acquire().await?;
        let export = exports::list(&mut conn, Some(args.export), 1).await?.pop();
        drop(conn);
        let export = export.ok_or_else(|| JobError::give_up("the export is gone"))?;
        let policy: ExportPolicy =
            toml::from_str(&export.policy).map_err(|error| JobError::give_up(error.to_string()))?;
        let out = self.place_of(args.export);
        if out.contains("://") {
            // Of a try that was killed: the prefix bears this export's id, so nothing else lies there.
            concord_export::sweep_store(&out).await.map_err(|error| JobError::again(5, error.to_string()))?;
        } else if Path::new(&out).exists() {
            // A try that was killed after the rename but before the record: the same rows are written again.
            tokio::fs::remove_dir_all(&out).await.map_err(|error| JobError::again(5, error.to_string()))?;
        }
        folder_for(&out).await?;
        fill(self.pool.begin().await?, args.export, &policy, &out).await.map(|_| ())
    }
}

#[async_trait]
impl api::Exports for ExportsService {
    async fn preview(&self, actor: &Actor, policy: &ExportPolicy) -> Result<ExportPreview> {
        actor.require(Capability::Export)?;
        policy.check()?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let (preview, seen) = exports::preview(&mut tx, policy).await.or_internal()?;
        // Who has read that people agree on a sample never labels it blind.
        review::log_views(&mut tx, actor.account, &seen).await.or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(preview)
    }

    async fn start(&self, actor: &Actor, policy: ExportPolicy) -> Result<Export> {
        let id = ExportId(Uuid::now_v7());
        let mut tx = self.pool.begin().await.or_internal()?;
        self.insert(&mut tx, actor, id, &policy).await?;
        let export = exports::list(&mut tx, Some(id), 1).await.or_internal()?.pop();
        tx.commit().await.or_internal()?;
        export.ok_or_else(|| Error::not_found("export"))
    }

    async fn list(&self, actor: &Actor) -> Result<Vec<Export>> {
        actor.require(Capability::Export)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        exports::list(&mut conn, None, 50).await.or_internal()
    }

    async fn file(&self, actor: &Actor, id: ExportId, name: &str) -> Result<PathBuf> {
        actor.require(Capability::Export)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let export = exports::list(&mut conn, Some(id), 1).await.or_internal()?.pop();
        let export = export.ok_or_else(|| Error::not_found("export"))?;
        if !export.files.iter().any(|file| file == name) {
            return Err(Error::not_found("file"));
        }
        let path = export.path.map(|dir| PathBuf::from(dir).join(name)).filter(|path| path.is_file());
        let path = path.ok_or_else(|| Error::not_found("file"))?;
        exports::log_views(&mut conn, actor.account, id).await.or_internal()?;
        Ok(path)
    }

    async fn lineage(&self, actor: &Actor, sample: SampleId) -> Result<SampleLineage> {
        actor.require(Capability::Export)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let found = exports::lineage(&mut tx, sample).await.or_internal()?;
        let found = found.ok_or_else(|| Error::not_found("sample"))?;
        review::log_views(&mut tx, actor.account, &[sample]).await.or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(found)
    }
}

/// Makes the folder that the export's folder will be in.
async fn folder_for(out: &str) -> std::result::Result<(), JobError> {
    if out.contains("://") {
        return Ok(());
    }
    if let Some(parent) = Path::new(out).parent().filter(|parent| !parent.as_os_str().is_empty()) {
        let made = tokio::fs::create_dir_all(parent).await;
        made.map_err(|error| JobError::give_up(format!("{}: {error}", parent.display())))?;
    }
    Ok(())
}

fn policy_text(policy: &ExportPolicy) -> Result<String> {
    toml::to_string(policy).map_err(|error| internal(&error))
}
