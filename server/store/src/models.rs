//! Models trained here, which of them stands, and what the gate reads.

use crate::Result;
use concord_domain::{
    AccountId, ExportId, GateDecision, GenerationId, ModelPlace, ModelRole, Promotion, TrainedModel,
};
use jiff_sqlx::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// Stores a trained model; `false` if its name is taken.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut PgConnection, model: &TrainedModel, by: Option<AccountId>) -> Result<bool> {
    let done = sqlx::query(
        "insert into models (id, role, task, name, base, base_sha256, parent_id, export_id, dir, body, sha256, bytes,
                             settings, losses, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) on conflict (name) do nothing",
    )
    .bind(model.id)
    .bind(model.place.role.as_str())
    .bind(&model.place.task)
    .bind(&model.name)
    .bind(&model.base)
    .bind(&model.base_sha256)
    .bind(model.parent)
    .bind(model.export.map(|id| id.0))
    .bind(&model.dir)
    .bind(&model.body)
    .bind(&model.sha256)
    .bind(model.bytes)
    .bind(&model.settings)
    .bind(&model.losses)
    .bind(by.map(|id| id.0))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Which models to read.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// All, at most a thousand.
    All,
    /// The one with this id.
    Id(Uuid),
    /// The one of this name.
    Name(&'a str),
    /// Generators with these weights.
    Weights(&'a str),
}

/// Models, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, which: Which<'_>) -> Result<Vec<TrainedModel>> {
    let (id, name, weights) = match which {
        Which::All => (None, None, None),
        Which::Id(id) => (Some(id), None, None),
        Which::Name(name) => (None, Some(name), None),
        Which::Weights(sha256) => (None, None, Some(sha256)),
    };
    let rows = sqlx::query(
        "select m.*, coalesce(m.id = (
                select p.model_id from promotions p
                where p.role = m.role and p.task is not distinct from m.task and p.kind <> 'refuse'
                order by p.seq desc limit 1), false) standing
         from models m
         where ($1::uuid is null or m.id = $1) and ($2::text is null or m.name = $2)
           and ($3::text is null or (m.sha256 = $3 and m.role = 'generator'))
         order by m.created_at desc, m.id desc limit 1000",
    )
    .bind(id)
    .bind(name)
    .bind(weights)
    .fetch_all(conn)
    .await?;
    rows.iter().map(model).collect()
}

fn model(row: &PgRow) -> Result<TrainedModel> {
    Ok(TrainedModel {
        id: row.try_get("id")?,
        place: place(row)?,
        name: row.try_get("name")?,
        base: row.try_get("base")?,
        base_sha256: row.try_get("base_sha256")?,
        parent: row.try_get("parent_id")?,
        export: row.try_get::<Option<Uuid>, _>("export_id")?.map(ExportId),
        dir: row.try_get("dir")?,
        body: row.try_get("body")?,
        sha256: row.try_get("sha256")?,
        bytes: row.try_get("bytes")?,
        settings: row.try_get("settings")?,
        losses: row.try_get("losses")?,
        created_at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
        standing: row.try_get("standing")?,
    })
}

/// The table's check allows no other word.
fn place(row: &PgRow) -> Result<ModelPlace> {
    let role: String = row.try_get("role")?;
    Ok(ModelPlace { role: role.parse().unwrap_or(ModelRole::Generator), task: row.try_get("task")? })
}

/// The model that holds a place; `None`: the one of the settings.
///
/// # Errors
/// The database's.
pub async fn standing(conn: &mut PgConnection, place: &ModelPlace) -> Result<Option<Uuid>> {
    let last: Option<Option<Uuid>> = sqlx::query_scalar(
        "select model_id from promotions where role = $1 and task is not distinct from $2 and kind <> 'refuse'
         order by seq desc limit 1",
    )
    .bind(place.role.as_str())
    .bind(&place.task)
    .fetch_optional(conn)
    .await?;
    Ok(last.flatten())
}

/// One change of a place at a time.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut PgConnection, place: &ModelPlace) -> Result<()> {
    sqlx::query(
        "select pg_advisory_xact_lock(hashtextextended('concord place ' || $1 || coalesce($2, ''), 0))",
    )
    .bind(place.role.as_str())
    .bind(&place.task)
    .execute(conn)
    .await?;
    Ok(())
}

/// Records a decision.
///
/// # Errors
/// The database's.
pub async fn decide(conn: &mut PgConnection, of: &Promotion, by: AccountId) -> Result<()> {
    sqlx::query(
        "insert into promotions (id, role, task, kind, model_id, replaced_id, decision, by_account)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(of.id)
    .bind(of.place.role.as_str())
    .bind(&of.place.task)
    .bind(&of.kind)
    .bind(of.model)
    .bind(of.replaced)
    .bind(Json(&of.decision))
    .bind(by.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Decisions, newest first; only those on one place if given.
///
/// # Errors
/// The database's.
pub async fn promotions(conn: &mut PgConnection, of: Option<&ModelPlace>) -> Result<Vec<Promotion>> {
    let rows = sqlx::query(
        "select p.*, a.email from promotions p left join accounts a on a.id = p.by_account
         where $1::text is null or (p.role = $1 and p.task is not distinct from $2)
         order by p.seq desc limit 1000",
    )
    .bind(of.map(|place| place.role.as_str()))
    .bind(of.and_then(|place| place.task.as_deref()))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let decision: Json<GateDecision> = row.try_get("decision")?;
            Ok(Promotion {
                id: row.try_get("id")?,
                place: place(row)?,
                kind: row.try_get("kind")?,
                model: row.try_get("model_id")?,
                replaced: row.try_get("replaced_id")?,
                decision: decision.0,
                by: row.try_get("email")?,
                at: row.try_get::<Timestamp, _>("at")?.to_jiff(),
            })
        })
        .collect()
}

/// The newest finished export whose data file has this hash.
///
/// # Errors
/// The database's.
pub async fn export_of(conn: &mut PgConnection, sha256: &str) -> Result<Option<ExportId>> {
    let id: Option<Uuid> =
        sqlx::query_scalar("select id from exports where sha256 = $1 order by created_at desc limit 1")
            .bind(sha256)
            .fetch_optional(conn)
            .await?;
    Ok(id.map(ExportId))
}

/// Name and hash of the model that wrote a generation.
///
/// # Errors
/// The database's.
pub async fn writer(conn: &mut PgConnection, id: GenerationId) -> Result<Option<(String, String)>> {
    Ok(sqlx::query_as("select model, model_hash from generations where id = $1")
        .bind(id.0)
        .fetch_optional(conn)
        .await?)
}
