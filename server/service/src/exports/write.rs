//! Writing an export: the database takes the rows, then batches of them go through a thread that makes bytes of them
//! while the next batch is read and the bytes of the last one go out to the files. Memory holds three batches, whatever
//! the export's size.

use super::record::{Judged, Written, rows};
use crate::jobs::JobError;
use concord_domain::{ExportId, ExportPolicy};
use concord_export::{
    AXOLOTL, CARD, CertificateEntry, Chunks, DATASET_INFO, Encoder, ExportError, ExportFolder, MANIFEST,
    Manifest, Shape, axolotl, card, dataset_info,
};
use concord_store::events;
use concord_store::exports::{self, Taken};
use sqlx::{PgConnection, Postgres, Transaction};

/// Rows of a batch; a judge's questions hold a user's history each.
const BATCH: i64 = 2_000;
const JUDGE_BATCH: i64 = 200;

const SPLIT: &str = "No sample of the audit half (30 % of users, by a salted hash of the user) and no gold question: a foreign key \
                     and a trigger of the database refuse them.";

/// Encoding so far; moves between the thread that encodes and the one that reads.
struct Work {
    encoder: Encoder,
    manifest: Manifest,
    policy: ExportPolicy,
}

/// Picks the rows, writes them to `out`, records them, and gives the files their names, in this order: if the database
/// refuses a row, no file is left.
pub(super) async fn fill(
    mut tx: Transaction<'_, Postgres>,
    id: ExportId,
    policy: &ExportPolicy,
    out: &str,
) -> Result<u64, JobError> {
    exports::pick(&mut tx, id, policy).await?;
    let shapes =
        policy.layouts.iter().map(|layout| Shape { layout: layout.clone(), target: policy.target.clone() });
    let encoder = Encoder::new(shapes.collect(), &policy.formats, policy.hold_out > 0.0).map_err(give_up)?;
    let names = encoder.names();
    let mut folder = ExportFolder::create(out, &names).await.map_err(give_up)?;
    let manifest = Manifest {
        schema: "concord.export/2",
        code_version: env!("CARGO_PKG_VERSION"),
        policy: serde_json::json!(policy),
        split: SPLIT,
        ..Manifest::default()
    };
    let work = Work { encoder, manifest, policy: policy.clone() };
    match written(&mut tx, id, work, &mut folder).await {
        Ok((rows, sha256)) => {
            let mut files: Vec<String> = folder.files().iter().map(|file| file.name.clone()).collect();
            files.push(MANIFEST.to_owned());
            exports::finish(&mut tx, id, i64::try_from(rows).unwrap_or(i64::MAX), &sha256, &files).await?;
            let detail = serde_json::json!({"rows": rows, "manifest_sha256": sha256});
            events::append(&mut tx, None, "export_written", &id.to_string(), &detail).await?;
            folder.publish().map_err(give_up)?;
            tx.commit().await?;
            Ok(rows)
        }
        Err(error) => {
            if let Err(why) = folder.give_up().await {
                tracing::warn!(%why, "what was written of an export stays where it is");
            }
            Err(error)
        }
    }
}

async fn written(
    tx: &mut PgConnection,
    id: ExportId,
    mut work: Work,
    folder: &mut ExportFolder,
) -> Result<(u64, String), JobError> {
    let lines = if work.policy.target == "judge" { JUDGE_BATCH } else { BATCH };
    let mut after = 0;
    let mut batch = read(tx, id, after, lines, &work.policy).await?;
    let mut chunks = Chunks::default();
    while !batch.0.is_empty() {
        after += lines;
        let policy = work.policy.clone();
        let encoded = tokio::task::spawn_blocking(move || encode(work, batch));
        let (encoded, next, wrote) =
            tokio::join!(encoded, read(tx, id, after, lines, &policy), folder.write(chunks));
        wrote.map_err(give_up)?;
        batch = next?;
        (work, chunks) = encoded.map_err(|error| JobError::again(5, error.to_string()))?.map_err(give_up)?;
    }
    folder.write(chunks).await.map_err(give_up)?;
    let Work { encoder, mut manifest, policy } = work;
    folder.write(encoder.finish().map_err(give_up)?).await.map_err(give_up)?;
    behind(tx, id, &mut manifest).await?;
    let texts = texts(&policy, &manifest).map_err(give_up)?;
    let rows = manifest.rows;
    let sha256 = folder.seal(manifest, texts).await.map_err(give_up)?;
    Ok((rows, sha256))
}

async fn read(
    conn: &mut PgConnection,
    id: ExportId,
    after: i64,
    lines: i64,
    policy: &ExportPolicy,
) -> Result<(Vec<Taken>, Judged), JobError> {
    let taken = exports::batch(conn, id, after, lines).await?;
    let judged = if policy.target == "judge" { Judged::read(conn, &taken).await? } else { Judged::default() };
    Ok((taken, judged))
}

fn encode(mut work: Work, (taken, judged): (Vec<Taken>, Judged)) -> Result<(Work, Chunks), ExportError> {
    for Written { record, mut lineage, of } in rows(&work.policy, taken, &judged)? {
        let Some(first) = of.first() else { continue };
        count(&mut work.manifest, &of);
        let held_out = work.manifest.rows_held_out;
        lineage.at(if first.held_out { held_out } else { work.manifest.rows - held_out });
        work.encoder.push(&record, first.held_out, &lineage)?;
    }
    let chunks = work.encoder.take();
    Ok((work, chunks))
}

/// Counts a row, which is of one sample or of two.
fn count(manifest: &mut Manifest, of: &[Taken]) {
    let Some(first) = of.first() else { return };
    manifest.rows += 1;
    manifest.rows_held_out += u64::from(first.held_out);
    *manifest.rows_by_task.entry(first.task.clone()).or_default() += 1;
    *manifest.rows_by_language.entry(first.lang.clone()).or_default() += 1;
    *manifest.rows_by_evidence.entry(first.evidence.clone()).or_default() += 1;
    let side = |it: &Taken| it.grade.clone().unwrap_or_else(|| if it.pass { "pass" } else { "fail" }.into());
    let class = of.iter().map(side).collect::<Vec<_>>().join(" > ");
    *manifest.rows_by_class.entry(class).or_default() += 1;
    for taken in of {
        insert(manifest.rubrics.entry(taken.task.clone()).or_default(), &taken.rubric_version);
        insert(manifest.generators.entry(taken.call.model.clone()).or_default(), &taken.call.model_hash);
        insert(&mut manifest.prompts, &taken.call.prompt_version);
        manifest.generations.insert(taken.generation.to_string());
    }
}

/// A million rows name few versions: no copy is made of a known one.
fn insert(into: &mut std::collections::BTreeSet<String>, word: &str) {
    if !into.contains(word) {
        into.insert(word.to_owned());
    }
}

/// What stands behind the rows all together.
async fn behind(tx: &mut PgConnection, id: ExportId, manifest: &mut Manifest) -> Result<(), JobError> {
    manifest.judges = exports::judges(tx, id).await?.into_iter().collect();
    for it in exports::certificates(tx, id).await? {
        manifest.certificates.push(CertificateEntry {
            id: it.id.to_string(),
            task: it.task,
            criterion: it.criterion,
            judge: it.judge,
            verdict: it.verdict,
            eps: it.eps,
            delta: it.delta,
            threshold: it.threshold,
            n: it.n,
            errors: it.errors,
            ucb: it.ucb,
            rows: it.rows,
        });
    }
    Ok(())
}

/// The small files: the trainers' stanzas and the card.
fn texts(policy: &ExportPolicy, manifest: &Manifest) -> Result<Vec<(&'static str, String)>, ExportError> {
    let held_out = policy.hold_out > 0.0;
    let (target, format) = (policy.target.as_str(), policy.formats.first().map_or("jsonl", String::as_str));
    let has = |layout: &str| policy.layouts.iter().any(|it| it == layout);
    let mut texts = Vec::new();
    if has("llama_factory") {
        texts.push((DATASET_INFO, dataset_info(target, format, held_out)?));
    }
    if has("axolotl") {
        texts.push((AXOLOTL, axolotl(target, format, held_out)));
    }
    let layout = policy.layouts.iter().find(|it| *it == "trl").or(policy.layouts.first());
    let layout = layout.map_or("trl", String::as_str);
    let parts = [false, true].into_iter().filter(|part| held_out || !part);
    let files: Vec<String> = parts.map(|part| concord_export::file_name(layout, part, format)).collect();
    texts.push((CARD, card(manifest, &files)));
    Ok(texts)
}

fn give_up(error: ExportError) -> JobError {
    JobError::give_up(error.to_string())
}
