//! Exports: what people agree on, as training files with a manifest.

use crate::error::{OrInternal, internal};
use crate::jobs::JobError;
use async_trait::async_trait;
use concord_domain::api::{self, Result};
use concord_domain::{
    Actor, Capability, Error, Export, ExportId, ExportPolicy, ExportPreview, JobId, SampleId, TASKS,
};
use concord_export::{ChatRow, ExportError, ExportFolder, Manifest, redact, restrict};
use concord_store::exports::Taken;
use concord_store::jobs::NewJob;
use concord_store::{events, exports, jobs};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, Postgres, Transaction};
use std::path::{Path, PathBuf};
use uuid::Uuid;

const DATA: &str = "train.jsonl";
const LINEAGE: &str = "lineage.jsonl";
const MANIFEST: &str = "manifest.json";

/// The export use cases.
#[derive(Debug, Clone)]
pub struct ExportsService {
    pool: PgPool,
    dir: PathBuf,
}

/// What an export job works on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ExportArgs {
    /// The export.
    pub export: ExportId,
}

/// Where a row came from: the line of the data file and what stands behind it.
#[derive(Serialize)]
struct Lineage<'a> {
    line: u64,
    sample: SampleId,
    task: &'a str,
    people: i64,
    rubric: &'a str,
    prompt: &'a str,
    model: &'a str,
}

impl ExportsService {
    /// On this database; exports started from pages lie under `dir`.
    #[must_use]
    pub fn new(pool: PgPool, dir: PathBuf) -> Self {
        Self { pool, dir }
    }

    /// Writes what a policy takes into `out` and records it, for a command. Gives the rows written.
    ///
    /// # Errors
    /// [`JobError`] with the reason in words; nothing is recorded then.
    pub async fn write(&self, policy: &ExportPolicy, out: &Path) -> std::result::Result<u64, JobError> {
        let give_up = |error: Error| JobError::give_up(error.to_string());
        check(policy).map_err(give_up)?;
        let text = policy_text(policy).map_err(give_up)?;
        let id = ExportId(Uuid::now_v7());
        let mut tx = self.pool.begin().await?;
        exports::insert(&mut tx, id, &text, &out.to_string_lossy(), None).await?;
        fill(tx, id, policy, out).await
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
        let out = self.dir.join(args.export.to_string());
        if out.exists() {
            // A try that was killed after the rename but before the record: the same rows are written again.
            tokio::fs::remove_dir_all(&out).await.map_err(|error| JobError::again(5, error.to_string()))?;
        }
        fill(self.pool.begin().await?, args.export, &policy, &out).await.map(|_| ())
    }
}

#[async_trait]
impl api::Exports for ExportsService {
    async fn preview(&self, actor: &Actor, policy: &ExportPolicy) -> Result<ExportPreview> {
        actor.require(Capability::Export)?;
        check(policy)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let labelled = exports::labelled_train(&mut conn).await.or_internal()?;
        let counted = exports::counted(&mut conn, policy).await.or_internal()?;
        let of = |task: &str| counted.iter().find(|(name, _)| name == task).map_or(0, |(_, n)| *n);
        let rows: Vec<(String, i64)> = TASKS.iter().map(|task| ((*task).to_owned(), of(task))).collect();
        let total: i64 = rows.iter().map(|(_, n)| n).sum();
        Ok(ExportPreview { rows, left_out: labelled - total })
    }

    async fn start(&self, actor: &Actor, policy: ExportPolicy) -> Result<Export> {
        actor.require(Capability::Export)?;
        check(&policy)?;
        let id = ExportId(Uuid::now_v7());
        let dir = self.dir.join(id.to_string());
        let mut tx = self.pool.begin().await.or_internal()?;
        let text = policy_text(&policy)?;
        exports::insert(&mut tx, id, &text, &dir.to_string_lossy(), Some(actor.account))
            .await
            .or_internal()?;
        let job = NewJob {
            id: JobId(Uuid::now_v7()),
            kind: "export",
            args: serde_json::json!(ExportArgs { export: id }),
            priority: 20,
            dedupe_key: Some(format!("export:{id}")),
            created_by: Some(actor.account),
        };
        jobs::enqueue(&mut tx, &job).await.or_internal()?;
        let detail = serde_json::json!(policy);
        events::append(&mut tx, Some(actor.account), "export", &id.to_string(), &detail)
            .await
            .or_internal()?;
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
        if ![DATA, LINEAGE, MANIFEST].contains(&name) {
            return Err(Error::not_found("file"));
        }
        let mut conn = self.pool.acquire().await.or_internal()?;
        let export = exports::list(&mut conn, Some(id), 1).await.or_internal()?.pop();
        let export = export.ok_or_else(|| Error::not_found("export"))?;
        let path = export.path.filter(|_| export.sha256.is_some()).map(|dir| PathBuf::from(dir).join(name));
        let path = path.filter(|path| path.is_file()).ok_or_else(|| Error::not_found("file"))?;
        exports::log_views(&mut conn, actor.account, id).await.or_internal()?;
        Ok(path)
    }
}

/// Writes the rows into `out`, records them, and gives the folder its name, in this order: if the database
/// refuses a row (a sample of the audit half), no file is left.
async fn fill(
    mut tx: Transaction<'_, Postgres>,
    id: ExportId,
    policy: &ExportPolicy,
    out: &Path,
) -> std::result::Result<u64, JobError> {
    if let Some(parent) = out.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        let made = tokio::fs::create_dir_all(parent).await;
        made.map_err(|error| JobError::give_up(format!("{}: {error}", parent.display())))?;
    }
    let mut folder = ExportFolder::create(out, &[DATA, LINEAGE]).map_err(give_up)?;
    let mut manifest = Manifest {
        schema: "concord.export/1",
        code_version: env!("CARGO_PKG_VERSION"),
        policy: serde_json::json!(policy),
        ..Manifest::default()
    };
    let mut written = Vec::new();
    {
        let mut rows = std::pin::pin!(exports::taken(&mut tx, policy));
        while let Some(taken) = rows.try_next().await? {
            let taken = if policy.redact { redacted(taken) } else { taken };
            push(&mut folder, &mut manifest, &taken).map_err(give_up)?;
            written.push(taken.sample);
        }
    }
    let sha256 = folder.seal(manifest).map_err(give_up)?;
    exports::finish(&mut tx, id, &written, &sha256).await?;
    let detail = serde_json::json!({"rows": written.len(), "manifest_sha256": sha256});
    events::append(&mut tx, None, "export_written", &id.to_string(), &detail).await?;
    folder.publish().map_err(give_up)?;
    tx.commit().await?;
    Ok(written.len() as u64)
}

/// Refuses a policy that names what is not there.
///
/// # Errors
/// [`Error::Invalid`] naming the field.
pub fn check(policy: &ExportPolicy) -> Result<()> {
    let one_of = |field: &str, value: &str, known: &[&str]| {
        if known.contains(&value) {
            Ok(())
        } else {
            Err(Error::invalid(field, format!("one of {}", known.join(", "))))
        }
    };
    one_of("target", &policy.target, &["sft_chat"])?;
    one_of("evidence", &policy.evidence, &["blind", "final"])?;
    one_of("agreement", &policy.agreement, &["unanimous", "majority"])?;
    policy.tasks.iter().try_for_each(|task| one_of("tasks", task, &TASKS))?;
    policy.languages.iter().try_for_each(|lang| one_of("languages", lang, &["en", "zh"]))?;
    if !(1..=20).contains(&policy.min_people) {
        return Err(Error::invalid("min_people", "between 1 and 20"));
    }
    Ok(())
}

fn policy_text(policy: &ExportPolicy) -> Result<String> {
    toml::to_string(policy).map_err(|error| internal(&error))
}

/// Without mail addresses and long numbers, in what was asked and in what was answered.
fn redacted(mut taken: Taken) -> Taken {
    taken.prompt = redact(&taken.prompt);
    taken.output = redact(&taken.output);
    taken
}

fn push(
    folder: &mut ExportFolder,
    manifest: &mut Manifest,
    taken: &Taken,
) -> std::result::Result<(), ExportError> {
    let answer = restrict(&taken.output, taken.ordinal)
        .map_err(|why| ExportError::BadOutput { sample: taken.sample.to_string(), why })?;
    folder.push(0, &ChatRow::new(&taken.system, &taken.prompt, &answer))?;
    manifest.rows += 1;
    *manifest.rows_by_task.entry(taken.task.clone()).or_default() += 1;
    *manifest.rows_by_language.entry(taken.lang.clone()).or_default() += 1;
    manifest.rubrics.entry(taken.task.clone()).or_default().insert(taken.rubric_version.clone());
    manifest.generators.entry(taken.model.clone()).or_default().insert(taken.model_hash.clone());
    manifest.prompts.insert(taken.prompt_version.clone());
    manifest.judges.extend(taken.judges.iter().cloned());
    let lineage = Lineage {
        line: manifest.rows,
        sample: taken.sample,
        task: &taken.task,
        people: taken.people,
        rubric: &taken.rubric_version,
        prompt: &taken.prompt_version,
        model: &taken.model,
    };
    folder.push(1, &lineage)
}

fn give_up(error: ExportError) -> JobError {
    JobError::give_up(error.to_string())
}
