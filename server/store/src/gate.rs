//! What the gate compares: verdicts, labels and texts of the audit half, of two generations or of two judges.

use crate::Result;
use concord_domain::GenerationId;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// One verdict of a generation's sample of an audit user, and what people say of it, blind.
#[derive(Debug, Clone)]
pub struct Audited {
    /// The run.
    pub generation: GenerationId,
    /// The user.
    pub user: i64,
    /// The sample.
    pub sample: Uuid,
    /// Task.
    pub task: String,
    /// Criterion.
    pub criterion: String,
    /// Criteria of the sample's rubric.
    pub criteria: i64,
    /// The judge.
    pub judge: bool,
    /// People: the adjudication or the strict majority.
    pub people: Option<bool>,
}

/// Users of the audit half that both runs are through with.
const BOTH: &str = "both_wrote as (
    select a.user_id from generation_users a join generation_users b on b.user_id = a.user_id
    join users u on u.id = a.user_id and u.half = 'audit'
    where a.generation_id = $1 and b.generation_id = $2 and a.stage = 'done' and b.stage = 'done')";

/// What judge and people say of both generations, of users of the audit half that both wrote for.
///
/// # Errors
/// The database's.
pub async fn audited(conn: &mut PgConnection, old: GenerationId, new: GenerationId) -> Result<Vec<Audited>> {
    let statement = format!(
        "with {BOTH}
         select s.generation_id, s.user_id, s.id, s.task, v.criterion, v.pass judge, r.pass people,
                jsonb_array_length(k.body -> 'criteria')::bigint criteria
         from samples s join both_wrote b on b.user_id = s.user_id
         join rubrics k on k.task = s.task and k.version = s.rubric_version
         join standing_verdicts v on v.sample_id = s.id and v.pass is not null
         join judges j on j.name = v.judge and j.origin = 'concord'
         left join audit_references r on r.sample_id = s.id and r.criterion = v.criterion
         where s.generation_id in ($1, $2) and s.half = 'audit' order by s.user_id, s.id, v.criterion"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(old.0).bind(new.0).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(Audited {
                generation: GenerationId(row.try_get("generation_id")?),
                user: row.try_get("user_id")?,
                sample: row.try_get("id")?,
                task: row.try_get("task")?,
                criterion: row.try_get("criterion")?,
                criteria: row.try_get("criteria")?,
                judge: row.try_get("judge")?,
                people: row.try_get("people")?,
            })
        })
        .collect()
}

/// A text of either generation, for diversity.
#[derive(Debug, Clone)]
pub struct Written {
    /// The run.
    pub generation: GenerationId,
    /// The user.
    pub user: i64,
    /// Task: `explanation` or `tag`.
    pub task: String,
    /// The text.
    pub text: String,
    /// Category of its item, from the widest to the narrowest.
    pub category: Option<String>,
}

/// Explanations, and tags with an item, of both generations for the users that both wrote for.
///
/// # Errors
/// The database's.
pub async fn written(conn: &mut PgConnection, old: GenerationId, new: GenerationId) -> Result<Vec<Written>> {
    let statement = format!(
        "with {BOTH}
         select s.generation_id, s.user_id, s.task, s.text,
                case when cardinality(i.category) > 0 then array_to_string(i.category, '/') end category
         from samples s join both_wrote b on b.user_id = s.user_id left join items i on i.id = s.item_id
         where s.generation_id in ($1, $2) and s.task in ('explanation', 'tag')
         order by s.user_id, s.id limit 20000"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(old.0).bind(new.0).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(Written {
                generation: GenerationId(row.try_get("generation_id")?),
                user: row.try_get("user_id")?,
                task: row.try_get("task")?,
                text: row.try_get("text")?,
                category: row.try_get("category")?,
            })
        })
        .collect()
}

/// One decision of people in the audit half, and what two judges said of it.
#[derive(Debug, Clone, Copy)]
pub struct Twice {
    /// The cluster, which is a user where there is one.
    pub cluster: i64,
    /// People.
    pub people: bool,
    /// The judge that stands.
    pub old: bool,
    /// The new one.
    pub new: bool,
}

/// What people decided of a task's audit half that both judges judged.
///
/// # Errors
/// The database's.
pub async fn judged_twice(conn: &mut PgConnection, task: &str, old: &str, new: &str) -> Result<Vec<Twice>> {
    let rows = sqlx::query(
        "select s.cluster_hash, r.pass people, o.pass old_pass, n.pass new_pass
         from audit_references r join samples s on s.id = r.sample_id
         join verdicts o on o.sample_id = r.sample_id and o.criterion = r.criterion and o.judge = $2
         join verdicts n on n.sample_id = r.sample_id and n.criterion = r.criterion and n.judge = $3
         where s.task = $1 and s.half = 'audit' and r.pass is not null and o.pass is not null and n.pass is not null
         order by s.cluster_hash, s.id, r.criterion",
    )
    .bind(task)
    .bind(old)
    .bind(new)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Twice {
                cluster: row.try_get("cluster_hash")?,
                people: row.try_get("people")?,
                old: row.try_get("old_pass")?,
                new: row.try_get("new_pass")?,
            })
        })
        .collect()
}
