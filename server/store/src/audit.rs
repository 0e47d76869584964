//! The audit's derived tables: references folded from labels, and patterns of clusters by card. What is
//! compared with what is decided by the service; here it is read and written.

use crate::Result;
use concord_domain::SampleId;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// Only one fold at a time; held until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut PgConnection) -> Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('audit fold', 0))").execute(conn).await?;
    Ok(())
}

/// The newest mark in the queue of changed samples; `None`: nothing changed.
///
/// # Errors
/// The database's.
pub async fn newest_stale(conn: &mut PgConnection) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar("select max(id) from audit_stale").fetch_one(conn).await?)
}

/// Takes the `limit` oldest marks up to `newest` from the queue of changed samples, and with them every mark of the clusters those
/// are in; gives the samples, and the clusters that some of them left.
///
/// # Errors
/// The database's.
pub async fn take_stale(conn: &mut PgConnection, newest: i64, limit: i64) -> Result<(Vec<Uuid>, Vec<i64>)> {
    let rows: Vec<(Uuid, Option<i64>)> = sqlx::query_as(
        "with oldest as materialized (select id, sample_id, left_cluster from audit_stale where id <= $2 order by id limit $1),
         clusters as materialized (
            select cluster_hash from samples where id in (select sample_id from oldest)
            union select left_cluster from oldest where left_cluster is not null),
         beside as materialized (select s.id from samples s join clusters using (cluster_hash)),
         taken as (
            delete from audit_stale where id in (
                select id from oldest union select m.id from audit_stale m join beside b on b.id = m.sample_id)
            returning sample_id, left_cluster)
         select distinct sample_id, left_cluster from taken",
    )
    .bind(limit)
    .bind(newest)
    .fetch_all(conn)
    .await?;
    let left = rows.iter().filter_map(|row| row.1).collect();
    Ok((rows.into_iter().map(|row| row.0).collect(), left))
}

/// Whether a mark up to `newest` is in the queue.
///
/// # Errors
/// The database's.
pub async fn is_stale(conn: &mut PgConnection, newest: i64) -> Result<bool> {
    let sql = "select exists (select from audit_stale where id <= $1)";
    Ok(sqlx::query_scalar(sql).bind(newest).fetch_one(conn).await?)
}

/// How many samples changed since the last fold.
///
/// # Errors
/// The database's.
pub async fn waiting(conn: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(distinct sample_id) from audit_stale").fetch_one(conn).await?)
}

/// The version of what is folded, and the criteria it was folded by.
///
/// # Errors
/// The database's.
pub async fn version(conn: &mut PgConnection) -> Result<(i64, serde_json::Value)> {
    let row = sqlx::query("select version, criteria from audit_version").fetch_one(conn).await?;
    Ok((row.try_get("version")?, row.try_get("criteria")?))
}

/// Says that what is folded has changed.
///
/// # Errors
/// The database's.
pub async fn bump(conn: &mut PgConnection, criteria: &serde_json::Value) -> Result<()> {
    sqlx::query("update audit_version set version = version + 1, criteria = $1")
        .bind(criteria)
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets everything folded, to fold it anew from the rows. What is queued is covered by that.
///
/// # Errors
/// The database's.
pub async fn clear(conn: &mut PgConnection) -> Result<()> {
    for table in
        ["audit_patterns", "audit_clusters", "audit_references", "learning_references", "audit_stale"]
    {
        sqlx::query(sqlx::AssertSqlSafe(format!("delete from {table}"))).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Brings the references of these samples up to date with their labels and adjudications: those of the audit
/// half, which the audit counts, and those of the train half, which only leads look at.
///
/// # Errors
/// The database's.
pub async fn refresh_references(conn: &mut PgConnection, samples: &[Uuid]) -> Result<()> {
    for (table, half, stream) in
        [("audit_references", "audit", "audit"), ("learning_references", "train", "learning")]
    {
        sqlx::query(sqlx::AssertSqlSafe(format!("delete from {table} where sample_id = any($1)")))
            .bind(samples)
            .execute(&mut *conn)
            .await?;
        sqlx::query(sqlx::AssertSqlSafe(format!("insert into {table} {REFERENCES}")))
            .bind(samples)
            .bind(half)
            .bind(stream)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// The major version is the first number of a version, whatever an importer calls it. Labels of another major
/// version than the newest on a sample and criterion are not pooled with it.
const REFERENCES: &str = "
    (sample_id, criterion, major, rubric_version, raters, votes, adjudicated, pass, pi,
                                  imported, first_tx, first_seq, first_pass)
    with said as (
        select l.sample_id, l.criterion, l.rater, l.pass, l.tx::text::bigint tx, l.seq, l.pi, l.origin, l.rubric_version,
               coalesce(substring(l.rubric_version from '^\\D*(\\d{1,6})')::int, 0) major
        from labels l join samples s on s.id = l.sample_id
        where l.sample_id = any($1) and s.half = $2 and l.phase = 'blind' and l.stream = $3),
    newest as (
        select *, max(major) over (partition by sample_id, criterion) newest from said),
    votes as (
        select distinct on (sample_id, criterion, rater) * from newest where major = newest
        order by sample_id, criterion, rater, tx, seq),
    held as (
        select distinct on (sample_id, criterion) sample_id, criterion, outcome
        from adjudications where sample_id = any($1) order by sample_id, criterion, seq desc),
    counted as (
        select sample_id, criterion, min(major) major, max(rubric_version) rubric_version,
               array_agg(rater order by rater) raters, array_agg(pass order by rater) votes,
               2 * count(*) filter (where pass) - count(*) lead, (array_agg(pi order by tx, seq))[1] pi,
               bool_or(origin = 'imported') imported, min(tx) first_tx,
               (array_agg(seq order by tx, seq))[1] first_seq, (array_agg(pass order by tx, seq))[1] first_pass
        from votes group by sample_id, criterion)
    select c.sample_id, c.criterion, c.major, c.rubric_version, c.raters, c.votes, h.outcome,
           case when h.outcome is not null then nullif(h.outcome, 'ambiguous') = 'pass'
                when c.lead > 0 then true when c.lead < 0 then false end,
           c.pi, c.imported, c.first_tx, c.first_seq, c.first_pass
    from counted c left join held h using (sample_id, criterion)";

/// The clusters of these samples and those given, each once.
///
/// # Errors
/// The database's.
pub async fn clusters_of(conn: &mut PgConnection, samples: &[Uuid], more: &[i64]) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar(
        "select cluster_hash from samples where id = any($1) union select unnest($2::bigint[]) order by 1",
    )
    .bind(samples)
    .bind(more)
    .fetch_all(conn)
    .await?)
}

/// The next clusters after `after` in the order of their hash, and their samples; at most about `limit` samples.
///
/// # Errors
/// The database's.
pub async fn samples_after(
    conn: &mut PgConnection,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<(i64, Uuid)>> {
    let rows = sqlx::query(
        "select cluster_hash, id from samples
         where ($1::bigint is null or cluster_hash > $1)
         order by cluster_hash fetch first $2 rows with ties",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// What people say of a sample on a criterion.
#[derive(Debug, Clone)]
pub struct ReferenceRow {
    /// The unit of sampling.
    pub cluster: i64,
    /// Sample.
    pub sample: SampleId,
    /// Task.
    pub task: String,
    /// Criterion.
    pub criterion: String,
    /// Major rubric version.
    pub major: i32,
    /// Newest version within it.
    pub rubric_version: String,
    /// Who, in the order of `votes`.
    pub raters: Vec<String>,
    /// Whether they pass it.
    pub votes: Vec<bool>,
    /// A lead's decision.
    pub adjudicated: Option<String>,
    /// The reference; `None` where tied or ambiguous.
    pub pass: Option<bool>,
    /// Inclusion probability.
    pub pi: f64,
    /// Some of it was labelled elsewhere.
    pub imported: bool,
}

/// The references of these clusters.
///
/// # Errors
/// The database's.
pub async fn references_in(conn: &mut PgConnection, clusters: &[i64]) -> Result<Vec<ReferenceRow>> {
    let rows = sqlx::query(
        "select s.cluster_hash, s.task, r.* from samples s join audit_references r on r.sample_id = s.id
         where s.cluster_hash = any($1)",
    )
    .bind(clusters)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ReferenceRow {
                cluster: row.try_get("cluster_hash")?,
                sample: SampleId(row.try_get("sample_id")?),
                task: row.try_get("task")?,
                criterion: row.try_get("criterion")?,
                major: row.try_get("major")?,
                rubric_version: row.try_get("rubric_version")?,
                raters: row.try_get("raters")?,
                votes: row.try_get("votes")?,
                adjudicated: row.try_get("adjudicated")?,
                pass: row.try_get("pass")?,
                pi: row.try_get("pi")?,
                imported: row.try_get("imported")?,
            })
        })
        .collect()
}

/// A verdict as the audit counts it.
#[derive(Debug, Clone)]
pub struct VerdictRow {
    /// The unit of sampling.
    pub cluster: i64,
    /// Sample.
    pub sample: SampleId,
    /// Task.
    pub task: String,
    /// Version of the rubric it read; the sample's where an imported verdict does not say.
    pub rubric_version: String,
    /// Its major version; `None` where an imported verdict does not say.
    pub major: Option<i32>,
    /// Criterion.
    pub criterion: String,
    /// Judge.
    pub judge: String,
    /// Its answer; `None` where it could not be read.
    pub pass: Option<bool>,
}

/// The verdicts on the samples of these clusters.
///
/// # Errors
/// The database's.
pub async fn verdicts_in(conn: &mut PgConnection, clusters: &[i64]) -> Result<Vec<VerdictRow>> {
    let rows = sqlx::query(
        "select s.cluster_hash, s.id, s.task, coalesce(v.rubric_version, s.rubric_version) rubric_version,
                substring(v.rubric_version from '^\\D*(\\d{1,6})')::int major, v.criterion, v.judge, v.pass
         from samples s join verdicts v on v.sample_id = s.id where s.cluster_hash = any($1)",
    )
    .bind(clusters)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(VerdictRow {
                cluster: row.try_get("cluster_hash")?,
                sample: SampleId(row.try_get("id")?),
                task: row.try_get("task")?,
                rubric_version: row.try_get("rubric_version")?,
                major: row.try_get("major")?,
                criterion: row.try_get("criterion")?,
                judge: row.try_get("judge")?,
                pass: row.try_get("pass")?,
            })
        })
        .collect()
}

/// The criteria of each task's current rubric.
///
/// # Errors
/// The database's.
pub async fn criteria(conn: &mut PgConnection) -> Result<Vec<(String, Vec<String>)>> {
    let rows = sqlx::query(
        "select task, array(select c ->> 'name' from jsonb_array_elements(body -> 'criteria') c) names
         from rubrics where current order by task",
    )
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// A card.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CardRow {
    /// Its id.
    pub id: i32,
    /// Task.
    pub task: String,
    /// Criterion, `*` or `all`.
    pub criterion: String,
    /// Judge; `None`: people among themselves.
    pub judge: Option<String>,
    /// Major rubric version.
    pub major: i32,
    /// Newest version within it.
    pub rubric_version: String,
}

/// Every card, in the order of a report.
///
/// # Errors
/// The database's.
pub async fn cards(conn: &mut PgConnection) -> Result<Vec<CardRow>> {
    let rows = sqlx::query("select * from audit_cards order by task, criterion, judge, major desc")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(CardRow {
                id: row.try_get("id")?,
                task: row.try_get("task")?,
                criterion: row.try_get("criterion")?,
                judge: row.try_get("judge")?,
                major: row.try_get("major")?,
                rubric_version: row.try_get("rubric_version")?,
            })
        })
        .collect()
}

/// The id of a card, made if there is none; its version is the newest seen.
///
/// # Errors
/// The database's.
pub async fn card_id(
    conn: &mut PgConnection,
    task: &str,
    criterion: &str,
    judge: Option<&str>,
    major: i32,
    rubric_version: &str,
) -> Result<i32> {
    Ok(sqlx::query_scalar(
        "insert into audit_cards (task, criterion, judge, major, rubric_version) values ($1, $2, $3, $4, $5)
         on conflict (task, criterion, judge, major)
            do update set rubric_version = greatest(audit_cards.rubric_version, excluded.rubric_version)
         returning id",
    )
    .bind(task)
    .bind(criterion)
    .bind(judge)
    .bind(major)
    .bind(rubric_version)
    .fetch_one(conn)
    .await?)
}

/// What these clusters said when they were last folded.
///
/// # Errors
/// The database's.
pub async fn entries(conn: &mut PgConnection, clusters: &[i64]) -> Result<Vec<Vec<u8>>> {
    Ok(sqlx::query_scalar("select entries from audit_clusters where cluster_hash = any($1)")
        .bind(clusters)
        .fetch_all(conn)
        .await?)
}

/// Replaces what these clusters say.
///
/// # Errors
/// The database's.
pub async fn write_entries(conn: &mut PgConnection, clusters: &[i64], entries: &[Vec<u8>]) -> Result<()> {
    sqlx::query(
        "insert into audit_clusters (cluster_hash, entries) select * from unnest($1::bigint[], $2::bytea[])
         on conflict (cluster_hash) do update set entries = excluded.entries",
    )
    .bind(clusters)
    .bind(entries)
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds to how many clusters show a pattern; what nobody shows any more goes.
///
/// # Errors
/// The database's.
pub async fn add_patterns(
    conn: &mut PgConnection,
    cards: &[i32],
    patterns: &[Vec<u8>],
    times: &[i64],
) -> Result<()> {
    sqlx::query(
        "insert into audit_patterns (card_id, pattern, times) select * from unnest($1::int[], $2::bytea[], $3::bigint[])
         on conflict (card_id, pattern) do update set times = audit_patterns.times + excluded.times",
    )
    .bind(cards)
    .bind(patterns)
    .bind(times)
    .execute(&mut *conn)
    .await?;
    sqlx::query("delete from audit_patterns where card_id = any($1) and times = 0")
        .bind(cards)
        .execute(conn)
        .await?;
    Ok(())
}

/// The patterns of these cards: card, pattern, how many clusters show it.
///
/// # Errors
/// The database's.
pub async fn patterns(conn: &mut PgConnection, cards: &[i32]) -> Result<Vec<(i32, Vec<u8>, i64)>> {
    let rows = sqlx::query(
        "select card_id, pattern, times from audit_patterns where card_id = any($1) order by 1, 2",
    )
    .bind(cards)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

/// What several people and a judge say of one sample and criterion: raters, votes, the judge's answer.
pub type SharedRow = (Vec<String>, Vec<bool>, bool);

/// Decisions with several raters and a verdict, for the alternative annotator test. `criterion` of `None`
/// takes every one.
///
/// # Errors
/// The database's.
pub async fn shared_decisions(
    conn: &mut PgConnection,
    task: &str,
    criterion: Option<&str>,
    judge: &str,
    major: i32,
) -> Result<Vec<SharedRow>> {
    let rows = sqlx::query(
        "select r.raters, r.votes, v.pass from audit_references r
         join samples s on s.id = r.sample_id
         join verdicts v on v.sample_id = r.sample_id and v.criterion = r.criterion and v.judge = $3
         where cardinality(r.raters) > 1 and s.task = $1 and ($2::text is null or r.criterion = $2)
           and r.major = $4 and v.pass is not null
           and coalesce(substring(v.rubric_version from '^\\D*(\\d{1,6})')::int, r.major) = r.major
         order by r.first_tx, r.first_seq",
    )
    .bind(task)
    .bind(criterion)
    .bind(judge)
    .bind(major)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}
