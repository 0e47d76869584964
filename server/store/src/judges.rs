//! Judges: which one a task and criterion has, what it is made of, and what came before it.

use crate::Result;
use concord_domain::{AccountId, SampleId};
use jiff_sqlx::Timestamp;
use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// One change of a task's judge at a time.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut PgConnection, task: &str) -> Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('judge of ' || $1, 0))")
        .bind(task)
        .execute(conn)
        .await?;
    Ok(())
}

/// The judge of a task and criterion.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Criterion.
    pub criterion: String,
    /// The judge's name.
    pub judge: String,
    /// The judge without its calibrations.
    pub asked: String,
    /// Its draw of examples.
    pub draw: Option<Uuid>,
    /// Its calibration.
    pub calibration: Option<Calibration>,
    /// Its head.
    pub head: Option<crate::heads::Head>,
    /// What had changed.
    pub why: String,
    /// Since when.
    pub created_at: jiff::Timestamp,
    /// Until when; `None`: it is the current one.
    pub ended_at: Option<jiff::Timestamp>,
    /// Who changed it; `None`: the program itself.
    pub by: Option<String>,
}

/// A stored calibration.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// Its id.
    pub id: Uuid,
    /// `platt`, `temperature` or `isotonic`.
    pub method: String,
    /// What was fitted.
    pub parameters: serde_json::Value,
    /// Labels.
    pub n: i64,
    /// Of them, passes.
    pub n_pass: i64,
    /// Clusters they come from.
    pub n_clusters: i64,
    /// Measures before.
    pub before: serde_json::Value,
    /// Measures after.
    pub after: serde_json::Value,
    /// When it was fitted.
    pub created_at: jiff::Timestamp,
}

/// The configurations of a task, newest first and in the order of criteria's names; only the current ones, or the
/// last few hundred.
///
/// # Errors
/// The database's.
pub async fn configs(conn: &mut PgConnection, task: &str, current: bool) -> Result<Vec<Config>> {
    let rows = sqlx::query(
        "select c.*, a.email, k.id k_id, k.method, k.parameters, k.n, k.n_pass, k.n_clusters, k.before, k.after,
                k.created_at k_created_at
         from judge_configs c left join judge_calibrations k on k.id = c.calibration_id
         left join accounts a on a.id = c.created_by
         where c.task = $1 and (not $2 or c.current) order by c.created_at desc, c.criterion limit 400",
    )
    .bind(task)
    .bind(current)
    .fetch_all(&mut *conn)
    .await?;
    let named: Vec<Uuid> =
        rows.iter().filter_map(|row| row.try_get::<Option<Uuid>, _>("head_id").ok().flatten()).collect();
    let heads = if named.is_empty() { Vec::new() } else { crate::heads::by_ids(conn, &named).await? };
    rows.iter().map(|row| config(row, &heads)).collect()
}

fn config(row: &sqlx::postgres::PgRow, heads: &[crate::heads::Head]) -> Result<Config> {
    let calibration = match row.try_get::<Option<Uuid>, _>("k_id")? {
        None => None,
        Some(id) => Some(Calibration {
            id,
            method: row.try_get("method")?,
            parameters: row.try_get("parameters")?,
            n: row.try_get("n")?,
            n_pass: row.try_get("n_pass")?,
            n_clusters: row.try_get("n_clusters")?,
            before: row.try_get("before")?,
            after: row.try_get("after")?,
            created_at: row.try_get::<Timestamp, _>("k_created_at")?.to_jiff(),
        }),
    };
    let head: Option<Uuid> = row.try_get("head_id")?;
    Ok(Config {
        criterion: row.try_get("criterion")?,
        judge: row.try_get("judge")?,
        asked: row.try_get("asked")?,
        draw: row.try_get("draw_id")?,
        calibration,
        head: heads.iter().find(|it| Some(it.id) == head).cloned(),
        why: row.try_get("why")?,
        created_at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
        ended_at: row.try_get::<Option<Timestamp>, _>("ended_at")?.map(Timestamp::to_jiff),
        by: row.try_get("email")?,
    })
}

/// A configuration to be stored.
#[derive(Debug, Clone)]
pub struct NewConfig<'a> {
    /// Criterion.
    pub criterion: &'a str,
    /// The judge's name.
    pub judge: &'a str,
    /// The judge without its calibrations.
    pub asked: &'a str,
    /// Its draw of examples.
    pub draw: Option<Uuid>,
    /// Its calibration.
    pub calibration: Option<Uuid>,
    /// Its head.
    pub head: Option<Uuid>,
}

/// Makes these the current ones of a task; those before them end.
///
/// # Errors
/// The database's.
pub async fn adopt(
    conn: &mut PgConnection,
    task: &str,
    configs: &[NewConfig<'_>],
    why: &str,
    by: Option<AccountId>,
) -> Result<()> {
    sqlx::query("update judge_configs set current = false, ended_at = now() where task = $1 and current")
        .bind(task)
        .execute(&mut *conn)
        .await?;
    for new in configs {
        sqlx::query(
            "insert into judge_configs (id, task, criterion, judge, asked, draw_id, calibration_id, head_id, why, created_by)
             values (gen_random_uuid(), $1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(task)
        .bind(new.criterion)
        .bind(new.judge)
        .bind(new.asked)
        .bind(new.draw)
        .bind(new.calibration)
        .bind(new.head)
        .bind(why)
        .bind(by.map(|id| id.0))
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// A judge's parts as registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Model.
    pub model: String,
    /// Hash of its weights, or where it is.
    pub model_hash: String,
    /// Weights family.
    pub family: String,
    /// Backend.
    pub backend: String,
    /// Prompt version.
    pub prompt: String,
}

/// A judge by its name.
///
/// # Errors
/// The database's.
pub async fn registered(conn: &mut PgConnection, name: &str) -> Result<Option<Registered>> {
    let row = sqlx::query(
        "select model, model_hash, model_family, backend, prompt_version from judges where name = $1",
    )
    .bind(name)
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Registered {
            model: row.try_get("model")?,
            model_hash: row.try_get("model_hash")?,
            family: row.try_get("model_family")?,
            backend: row.try_get("backend")?,
            prompt: row.try_get("prompt_version")?,
        })
    })
    .transpose()
}

/// A sample of the train half that people agree on, as an example or a label of a calibration.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreed {
    /// The sample.
    pub sample: SampleId,
    /// Criterion.
    pub criterion: String,
    /// Language.
    pub lang: String,
    /// What the strict majority says.
    pub pass: bool,
}

/// What people agree on, blind, of a task's train half under a major rubric version: the strict majority of each
/// sample and criterion. Texts longer than `longest` characters and samples without text are left out.
///
/// # Errors
/// The database's.
pub async fn agreed(conn: &mut PgConnection, task: &str, major: i32, longest: i32) -> Result<Vec<Agreed>> {
    let rows = sqlx::query(
        "select s.id, v.criterion, s.lang, count(*) filter (where v.pass) * 2 > count(*) pass
         from samples s join blind_votes v on v.sample_id = s.id
         where s.task = $1 and s.half = 'train' and char_length(s.text) between 1 and $3
           and split_part(s.rubric_version, '.', 1) = $2::text
         group by s.id, v.criterion, s.lang having count(*) filter (where v.pass) * 2 <> count(*)
         order by s.id, v.criterion",
    )
    .bind(task)
    .bind(major.to_string())
    .bind(longest)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Agreed {
                sample: SampleId(row.try_get("id")?),
                criterion: row.try_get("criterion")?,
                lang: row.try_get("lang")?,
                pass: row.try_get("pass")?,
            })
        })
        .collect()
}

/// Stores a draw with its examples, a vector a set. The database refuses a sample of the audit half.
///
/// # Errors
/// The database's.
pub async fn insert_draw(
    conn: &mut PgConnection,
    id: Uuid,
    task: &str,
    (seed, per_side): (i64, i32),
    sets: &[Vec<Agreed>],
    by: Option<AccountId>,
) -> Result<()> {
    sqlx::query("insert into judge_draws (id, task, seed, per_side, sets, created_by) values ($1, $2, $3, $4, $5, $6)")
        .bind(id)
        .bind(task)
        .bind(seed)
        .bind(per_side)
        .bind(i32::try_from(sets.len()).unwrap_or(i32::MAX))
        .bind(by.map(|id| id.0))
        .execute(&mut *conn)
        .await?;
    for (set, examples) in (0_i32..).zip(sets) {
        for (place, example) in (0_i32..).zip(examples) {
            sqlx::query(
                "insert into judge_examples (draw_id, set_no, place, criterion, sample_id, pass)
                 values ($1, $2, $3, $4, $5, $6)",
            )
            .bind(id)
            .bind(set)
            .bind(place)
            .bind(&example.criterion)
            .bind(example.sample.0)
            .bind(example.pass)
            .execute(&mut *conn)
            .await?;
        }
    }
    Ok(())
}

/// An example of a draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Its set.
    pub set: i32,
    /// Criterion.
    pub criterion: String,
    /// The sample.
    pub sample: SampleId,
    /// What people said.
    pub pass: bool,
}

/// The examples of a draw, in order.
///
/// # Errors
/// The database's.
pub async fn examples(conn: &mut PgConnection, draw: Uuid) -> Result<Vec<Example>> {
    let rows = sqlx::query(
        "select set_no, criterion, sample_id, pass from judge_examples where draw_id = $1 order by set_no, place",
    )
    .bind(draw)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Example {
                set: row.try_get("set_no")?,
                criterion: row.try_get("criterion")?,
                sample: SampleId(row.try_get("sample_id")?),
                pass: row.try_get("pass")?,
            })
        })
        .collect()
}

/// How many sets a draw has.
///
/// # Errors
/// The database's.
pub async fn sets(conn: &mut PgConnection, draw: Uuid) -> Result<i32> {
    Ok(sqlx::query_scalar("select sets from judge_draws where id = $1").bind(draw).fetch_one(conn).await?)
}

/// A label of the train half beside what the model was read as saying.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainLabel {
    /// The sample.
    pub sample: SampleId,
    /// Unit of sampling.
    pub cluster: i64,
    /// Language of the question.
    pub lang: String,
    /// Raw logits by answer.
    pub logits: serde_json::Value,
    /// What the strict blind majority says.
    pub pass: bool,
}

/// Labels that a calibration may be fitted on: the strict blind majority of samples of the train half, beside the
/// logits of what the model was asked with. The judge's own examples are left out: it was told their answers.
///
/// # Errors
/// The database's.
pub async fn train_labels(
    conn: &mut PgConnection,
    task: &str,
    criterion: &str,
    asked: &str,
    draw: Option<Uuid>,
    major: i32,
) -> Result<Vec<TrainLabel>> {
    let rows = sqlx::query(
        "select s.id, s.cluster_hash, s.lang, w.logits, b.pass
         from (select v.sample_id, count(*) filter (where v.pass) * 2 > count(*) pass
               from blind_votes v where v.criterion = $2
               group by v.sample_id having count(*) filter (where v.pass) * 2 <> count(*)) b
         join samples s on s.id = b.sample_id and s.task = $1 and s.half = 'train'
              and split_part(s.rubric_version, '.', 1) = $5::text
         join lateral (
            select v.logits from verdicts v
            where v.sample_id = s.id and v.criterion = $2 and v.logits is not null
              and (v.judge = $3 or v.judge in (select c.judge from judge_configs c where c.task = $1 and c.asked = $3))
            order by v.created_at, v.id limit 1) w on true
         where not exists (select from judge_examples e where e.draw_id = $4 and e.sample_id = s.id)
         order by s.id",
    )
    .bind(task)
    .bind(criterion)
    .bind(asked)
    .bind(draw)
    .bind(major.to_string())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(TrainLabel {
                sample: SampleId(row.try_get("id")?),
                cluster: row.try_get("cluster_hash")?,
                lang: row.try_get("lang")?,
                logits: row.try_get("logits")?,
                pass: row.try_get("pass")?,
            })
        })
        .collect()
}

/// A calibration to be stored.
#[derive(Debug, Clone)]
pub struct NewCalibration<'a> {
    /// Its id.
    pub id: Uuid,
    /// Task.
    pub task: &'a str,
    /// Criterion.
    pub criterion: &'a str,
    /// The judge without its calibrations.
    pub asked: &'a str,
    /// Method.
    pub method: &'a str,
    /// What was fitted.
    pub parameters: serde_json::Value,
    /// Labels it was fitted on.
    pub labels: &'a [TrainLabel],
    /// Measures before.
    pub before: serde_json::Value,
    /// Measures after.
    pub after: serde_json::Value,
    /// Who asked.
    pub by: AccountId,
}

/// Stores a calibration with the samples it was fitted on. The database refuses a sample of the audit half.
///
/// # Errors
/// The database's.
pub async fn insert_calibration(conn: &mut PgConnection, new: &NewCalibration<'_>) -> Result<()> {
    let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let mut clusters: Vec<i64> = new.labels.iter().map(|label| label.cluster).collect();
    clusters.sort_unstable();
    clusters.dedup();
    sqlx::query(
        "insert into judge_calibrations (id, task, criterion, asked, method, parameters, n, n_pass, n_clusters, before,
                                         after, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(new.id)
    .bind(new.task)
    .bind(new.criterion)
    .bind(new.asked)
    .bind(new.method)
    .bind(&new.parameters)
    .bind(whole(new.labels.len()))
    .bind(whole(new.labels.iter().filter(|label| label.pass).count()))
    .bind(whole(clusters.len()))
    .bind(Json(&new.before))
    .bind(Json(&new.after))
    .bind(new.by.0)
    .execute(&mut *conn)
    .await?;
    let samples: Vec<Uuid> = new.labels.iter().map(|label| label.sample.0).collect();
    sqlx::query(
        "insert into judge_calibration_labels (calibration_id, sample_id) select $1, unnest($2::uuid[])",
    )
    .bind(new.id)
    .bind(&samples)
    .execute(conn)
    .await?;
    Ok(())
}

/// How many blind majorities of the train half pass and fail a criterion, all major versions of the rubric aside
/// but one.
///
/// # Errors
/// The database's.
pub async fn label_counts(
    conn: &mut PgConnection,
    task: &str,
    major: i32,
) -> Result<Vec<(String, i64, i64)>> {
    Ok(sqlx::query_as(
        "select criterion, count(*) filter (where pass), count(*) filter (where not pass)
         from (select v.criterion, count(*) filter (where v.pass) * 2 > count(*) pass
               from samples s join blind_votes v on v.sample_id = s.id
               where s.task = $1 and s.half = 'train' and split_part(s.rubric_version, '.', 1) = $2::text
               group by s.id, v.criterion having count(*) filter (where v.pass) * 2 <> count(*)) m
         group by criterion order by criterion",
    )
    .bind(task)
    .bind(major.to_string())
    .fetch_all(conn)
    .await?)
}

/// Samples of a task with text: all, those this judge has judged, and the mean time of one in milliseconds over the
/// last hundred that a model was asked.
///
/// # Errors
/// The database's.
pub async fn coverage(conn: &mut PgConnection, task: &str, judge: &str) -> Result<(i64, i64, Option<f64>)> {
    Ok(sqlx::query_as(
        "select (select count(*) from samples where task = $1 and text <> ''),
                (select count(distinct v.sample_id) from verdicts v join samples s on s.id = v.sample_id
                 where v.judge = $2 and s.task = $1 and s.text <> ''),
                (select avg(millis)::float8 from (
                    select max(v.millis) millis from verdicts v join samples s on s.id = v.sample_id
                    where v.judge = $2 and s.task = $1 and v.millis is not null
                    group by v.sample_id order by max(v.created_at) desc limit 100) last)",
    )
    .bind(task)
    .bind(judge)
    .fetch_one(conn)
    .await?)
}

/// Samples of a task that this judge has not judged, a user's together; those that people have labelled first.
///
/// # Errors
/// The database's.
pub async fn unjudged_by(
    conn: &mut PgConnection,
    task: &str,
    judge: &str,
    labelled_only: bool,
    limit: i64,
) -> Result<Vec<SampleId>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select s.id from samples s
         where s.task = $1 and s.text <> ''
           and not exists (select from verdicts v where v.sample_id = s.id and v.judge = $2)
           and (not $3 or exists (select from labels l where l.sample_id = s.id))
         order by exists (select from labels l where l.sample_id = s.id) desc, s.generation_id, s.user_id, s.id limit $4",
    )
    .bind(task)
    .bind(judge)
    .bind(labelled_only)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(SampleId).collect())
}

/// Families of the weights that wrote a task's samples, and how many each.
///
/// # Errors
/// The database's.
pub async fn generator_families(conn: &mut PgConnection, task: &str) -> Result<Vec<(String, i64)>> {
    Ok(sqlx::query_as(
        "select coalesce(g.model_family, s.generator, '') family, count(*) from samples s
         left join generations g on g.id = s.generation_id where s.task = $1 group by 1 having coalesce(g.model_family, s.generator, '') <> ''
         order by 2 desc, 1 limit 20",
    )
    .bind(task)
    .fetch_all(conn)
    .await?)
}

/// Of the audit decisions that people fail: how many a judge passes and all, by criterion and by the family of what
/// wrote the sample.
///
/// # Errors
/// The database's.
pub async fn passes_of_human_fails(
    conn: &mut PgConnection,
    task: &str,
    judge: &str,
) -> Result<Vec<(String, String, i64, i64)>> {
    Ok(sqlx::query_as(
        "select r.criterion, coalesce(g.model_family, s.generator, 'unknown') family,
                count(*) filter (where v.pass), count(*)
         from audit_references r
         join samples s on s.id = r.sample_id and s.task = $1
         join verdicts v on v.sample_id = r.sample_id and v.criterion = r.criterion and v.judge = $2 and v.pass is not null
         left join generations g on g.id = s.generation_id
         where r.pass = false group by 1, 2 order by 1, 2",
    )
    .bind(task)
    .bind(judge)
    .fetch_all(conn)
    .await?)
}

/// Tasks with a judge or a shipped rubric, in their order.
///
/// # Errors
/// The database's.
pub async fn tasks(conn: &mut PgConnection) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "select task from rubrics where current
           and (origin = 'concord' or exists (select from judge_configs c where c.task = rubrics.task))
         order by array_position(array['interest', 'tag', 'explanation'], task), task",
    )
    .fetch_all(conn)
    .await?)
}
