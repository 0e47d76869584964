//! The audit's derived tables: patterns of clusters by card, counted from references and verdicts. What is
//! compared with what is decided by the service; here it is read and written.

use crate::Result;
use concord_domain::SampleId;
use futures::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
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

/// Forgets every count, to count anew from the rows. What is queued is covered by that; references stay, and those
/// that are not what their rows say are replaced.
///
/// # Errors
/// The database's.
pub async fn clear(conn: &mut PgConnection) -> Result<()> {
    for table in ["audit_patterns", "audit_clusters", "audit_stale"] {
        sqlx::query(sqlx::AssertSqlSafe(format!("delete from {table}"))).execute(&mut *conn).await?;
    }
    Ok(())
}

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

/// Each different text once: the audit reads millions of rows that say the same few names.
#[derive(Debug, Default)]
pub(crate) struct Words(HashSet<Arc<str>>);

impl Words {
    pub(crate) fn of(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.0.insert(Arc::clone(&new));
        new
    }
}

/// A sample and where it is counted.
#[derive(Debug, Clone)]
pub struct SampleRow {
    /// The unit of sampling.
    pub cluster: i64,
    /// Sample.
    pub sample: Uuid,
    /// Its task.
    pub task: Arc<str>,
    /// The rubric it was opened with.
    pub rubric_version: Arc<str>,
    /// Of the audit half; else of the train half.
    pub audit: bool,
}

impl SampleRow {
    fn read(rows: &[PgRow]) -> Result<Vec<Self>> {
        let mut words = Words::default();
        let mut read = |row: &PgRow| {
            Ok(Self {
                cluster: row.try_get(0)?,
                sample: row.try_get(1)?,
                task: words.of(row.try_get(2)?),
                rubric_version: words.of(row.try_get(3)?),
                audit: row.try_get(4)?,
            })
        };
        rows.iter().map(&mut read).collect()
    }
}

/// The samples of these clusters.
///
/// # Errors
/// The database's.
pub async fn samples_in(conn: &mut PgConnection, clusters: &[i64]) -> Result<Vec<SampleRow>> {
    let rows = sqlx::query(
        "select cluster_hash, id, task, rubric_version, half = 'audit' from samples where cluster_hash = any($1)",
    )
    .bind(clusters)
    .fetch_all(conn)
    .await?;
    SampleRow::read(&rows)
}

/// Begins to list every cluster of this moment, until the transaction ends: [`next_clusters`] gives those of about
/// `limit` samples at a time. They come as their samples lie in the table, because labels and verdicts lie in about
/// the same order: in the order of a hash each would be read from a page of its own.
///
/// # Errors
/// The database's.
pub async fn list_clusters(tx: &mut PgConnection, limit: i64) -> Result<()> {
    let sql = format!(
        "declare every_cluster no scroll cursor for
         select array_agg(cluster_hash) from (
             select cluster_hash, sum(count(*)) over (order by min(ctid), cluster_hash) / {limit} part
             from samples group by cluster_hash) listed
         group by trunc(part) order by trunc(part)"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql)).persistent(false).execute(tx).await?;
    Ok(())
}

/// The next clusters of [`list_clusters`]; empty at the end.
///
/// # Errors
/// The database's.
pub async fn next_clusters(tx: &mut PgConnection) -> Result<Vec<i64>> {
    let next = sqlx::query_scalar("fetch every_cluster").persistent(false).fetch_optional(tx).await?;
    Ok(next.unwrap_or_default())
}

/// A verdict as the audit counts it.
#[derive(Debug, Clone)]
pub struct VerdictRow {
    /// The unit of sampling.
    pub cluster: i64,
    /// Sample.
    pub sample: SampleId,
    /// Task.
    pub task: Arc<str>,
    /// Version of the rubric it read; the sample's where an imported verdict does not say.
    pub rubric_version: Arc<str>,
    /// Its major version; `None` where an imported verdict does not say.
    pub major: Option<i32>,
    /// Criterion.
    pub criterion: Arc<str>,
    /// Judge.
    pub judge: Arc<str>,
    /// Its answer; `None` where it could not be read.
    pub pass: Option<bool>,
}

/// The verdicts on these samples.
///
/// # Errors
/// The database's.
pub async fn verdicts_on(conn: &mut PgConnection, samples: &[SampleRow]) -> Result<Vec<VerdictRow>> {
    let known: HashMap<Uuid, &SampleRow> = samples.iter().map(|it| (it.sample, it)).collect();
    let ids: Vec<Uuid> = samples.iter().map(|it| it.sample).collect();
    let mut rows = sqlx::query(
        "select v.sample_id, v.rubric_version, v.criterion, v.judge, v.pass
         from unnest($1) one (id) join verdicts v on v.sample_id = one.id",
    )
    .bind(ids)
    .fetch(conn);
    // One after the other, by place, and the version read here: this is the audit's largest table.
    let (mut words, mut found) = (Words::default(), Vec::new());
    while let Some(row) = rows.try_next().await? {
        let of = known[&row.try_get::<Uuid, _>(0)?];
        let own: Option<&str> = row.try_get(1)?;
        found.push(VerdictRow {
            cluster: of.cluster,
            sample: SampleId(of.sample),
            task: Arc::clone(&of.task),
            major: own.and_then(major),
            rubric_version: own.map_or_else(|| Arc::clone(&of.rubric_version), |own| words.of(own)),
            criterion: words.of(row.try_get(2)?),
            judge: words.of(row.try_get(3)?),
            pass: row.try_get(4)?,
        });
    }
    Ok(found)
}

/// The major version: the first number of a version, at most six digits of it; `None` where there is none. What
/// `substring(version from '^\D*(\d{1,6})')` reads in the statements.
#[must_use]
pub fn major(version: &str) -> Option<i32> {
    let from = version.find(|it: char| it.is_ascii_digit())?;
    let digits = version[from..].bytes().take(6).take_while(u8::is_ascii_digit).count();
    version[from..from + digits].parse().ok()
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

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_the_first_number_whatever_an_importer_calls_it() {
        for (version, expected) in [
            ("1.0", Some(1)),
            ("v12.3", Some(12)),
            ("rubric 2024-05", Some(2024)),
            ("1234567.8", Some(123_456)),
            ("草案3", Some(3)),
            ("draft", None),
            ("", None),
        ] {
            assert_eq!(major(version), expected, "{version}");
        }
    }
}
