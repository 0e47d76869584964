//! Drift monitors and the investigations that their alarms open.

use crate::Result;
use crate::decisions::Of;
use concord_domain::{AccountId, InvestigationStep};
use jiff_sqlx::Timestamp;
use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// A monitor as stored.
#[derive(Debug, Clone)]
pub struct MonitorRow {
    /// Its id.
    pub id: Uuid,
    /// Task.
    pub task: String,
    /// Criterion or `all`.
    pub criterion: String,
    /// Judge.
    pub judge: String,
    /// Major rubric version.
    pub major: i32,
    /// `pass` or `fail`.
    pub verdict: String,
    /// The certificate it watches.
    pub certificate: Option<Uuid>,
    /// Only verdicts at least this sure.
    pub threshold: f64,
    /// Agreement it holds the judge to.
    pub p0: f64,
    /// Alarm line.
    pub alarm_at: f64,
    /// It reads labels of transactions from this one on.
    pub started_at: i64,
    /// And has read those before this one.
    pub read_to: i64,
    /// State of the statistics.
    pub state: Vec<f64>,
    /// Labels read.
    pub n: i64,
    /// Agreements among them.
    pub agreed: i64,
    /// SHA-256 chain of what was read.
    pub prefix_hash: Vec<u8>,
    /// `ok`, `warning` or `alarm`.
    pub status: String,
    /// When the alarm rang.
    pub alarmed_at: Option<jiff::Timestamp>,
    /// Its investigation.
    pub investigation: Option<Uuid>,
    /// The label that rang it.
    pub alarm_n: Option<i64>,
    /// The hash up to that label.
    pub alarm_hash: Option<Vec<u8>>,
    /// The chart: n, statistic, lower and upper end of the confidence sequence, one after the other.
    pub points: Vec<f64>,
    /// A point of the chart at every so many labels.
    pub every: i64,
}

impl MonitorRow {
    /// Which verdicts it watches.
    #[must_use]
    pub fn of(&self) -> Of<'_> {
        Of { task: &self.task, criterion: &self.criterion, judge: &self.judge, major: self.major }
    }
}

/// Opens a monitor; one that is open for the same verdicts is closed.
///
/// # Errors
/// The database's.
pub async fn open(conn: &mut PgConnection, row: &MonitorRow) -> Result<()> {
    sqlx::query(
        "update drift_monitors set closed_at = now() where closed_at is null
         and (task, criterion, judge, major, verdict) = ($1, $2, $3, $4, $5)",
    )
    .bind(&row.task)
    .bind(&row.criterion)
    .bind(&row.judge)
    .bind(row.major)
    .bind(&row.verdict)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "insert into drift_monitors (id, task, criterion, judge, major, verdict, certificate_id, threshold, p0, alarm_at,
            started_at, read_to, state, prefix_hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(row.id)
    .bind(&row.task)
    .bind(&row.criterion)
    .bind(&row.judge)
    .bind(row.major)
    .bind(&row.verdict)
    .bind(row.certificate)
    .bind(row.threshold)
    .bind(row.p0)
    .bind(row.alarm_at)
    .bind(row.started_at)
    .bind(row.read_to)
    .bind(&row.state)
    .bind(&row.prefix_hash)
    .execute(conn)
    .await?;
    Ok(())
}

/// The open monitors, and those whose alarm has rung and is under investigation. `id` asks for one, open or not.
/// Locked when `lock`.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, id: Option<Uuid>, lock: bool) -> Result<Vec<MonitorRow>> {
    let statement = "select m.*, i.id investigation from drift_monitors m left join investigations i on i.monitor_id = m.id
         where case when $1::uuid is null then m.closed_at is null else m.id = $1 end
         order by m.task, m.criterion, m.judge, m.verdict, m.created_at";
    let locked = format!("{statement} for update of m");
    let rows = sqlx::query(sqlx::AssertSqlSafe(if lock { locked } else { statement.to_owned() }))
        .bind(id)
        .fetch_all(conn)
        .await?;
    rows.iter().map(monitor).collect()
}

/// The place in the log that every open monitor has read to; `None` without monitors.
///
/// # Errors
/// The database's.
pub async fn read_least(conn: &mut PgConnection) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar("select min(read_to) from drift_monitors where closed_at is null")
        .fetch_one(conn)
        .await?)
}

fn monitor(row: &sqlx::postgres::PgRow) -> Result<MonitorRow> {
    Ok(MonitorRow {
        id: row.try_get("id")?,
        task: row.try_get("task")?,
        criterion: row.try_get("criterion")?,
        judge: row.try_get("judge")?,
        major: row.try_get("major")?,
        verdict: row.try_get("verdict")?,
        certificate: row.try_get("certificate_id")?,
        threshold: row.try_get("threshold")?,
        p0: row.try_get("p0")?,
        alarm_at: row.try_get("alarm_at")?,
        started_at: row.try_get("started_at")?,
        read_to: row.try_get("read_to")?,
        state: row.try_get("state")?,
        n: row.try_get("n")?,
        agreed: row.try_get("agreed")?,
        prefix_hash: row.try_get("prefix_hash")?,
        status: row.try_get("status")?,
        alarmed_at: row.try_get::<Option<Timestamp>, _>("alarmed_at")?.map(|at| at.to_jiff()),
        investigation: row.try_get("investigation")?,
        alarm_n: row.try_get("alarm_n")?,
        alarm_hash: row.try_get("alarm_hash")?,
        points: row.try_get("points")?,
        every: row.try_get("every")?,
    })
}

/// Stores where a monitor stands.
///
/// # Errors
/// The database's.
pub async fn save(conn: &mut PgConnection, row: &MonitorRow) -> Result<()> {
    sqlx::query(
        "update drift_monitors set state = $2, n = $3, agreed = $4, read_to = $5, prefix_hash = $6, status = $7,
            alarmed_at = case when $7 = 'alarm' then coalesce(alarmed_at, now()) end, alarm_n = $8, alarm_hash = $9,
            points = $10, every = $11 where id = $1",
    )
    .bind(row.id)
    .bind(&row.state)
    .bind(row.n)
    .bind(row.agreed)
    .bind(row.read_to)
    .bind(&row.prefix_hash)
    .bind(&row.status)
    .bind(row.alarm_n)
    .bind(&row.alarm_hash)
    .bind(&row.points)
    .bind(row.every)
    .execute(conn)
    .await?;
    Ok(())
}

/// Opens the investigation of an alarm.
///
/// # Errors
/// The database's.
pub async fn investigate(conn: &mut PgConnection, id: Uuid, row: &MonitorRow, statistic: f64) -> Result<()> {
    sqlx::query(
        "insert into investigations (id, monitor_id, certificate_id, n, statistic, prefix_hash)
         values ($1, $2, $3, $4, $5, $6) on conflict (monitor_id) do nothing",
    )
    .bind(id)
    .bind(row.id)
    .bind(row.certificate)
    .bind(row.alarm_n.unwrap_or(row.n))
    .bind(statistic)
    .bind(row.alarm_hash.as_ref().unwrap_or(&row.prefix_hash))
    .execute(conn)
    .await?;
    Ok(())
}

/// An investigation as stored.
#[derive(Debug, Clone)]
pub struct InvestigationRow {
    /// Its id.
    pub id: Uuid,
    /// The monitor that rang.
    pub monitor: Uuid,
    /// The certificate it suspended.
    pub certificate: Option<Uuid>,
    /// When.
    pub opened_at: jiff::Timestamp,
    /// What was done.
    pub steps: Vec<InvestigationStep>,
    /// When it was closed.
    pub closed_at: Option<jiff::Timestamp>,
}

/// Investigations, newest first; or one.
///
/// # Errors
/// The database's.
pub async fn investigations(conn: &mut PgConnection, id: Option<Uuid>) -> Result<Vec<InvestigationRow>> {
    let rows = sqlx::query(
        "select * from investigations where $1::uuid is null or id = $1 order by opened_at desc limit 100",
    )
    .bind(id)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(InvestigationRow {
                id: row.try_get("id")?,
                monitor: row.try_get("monitor_id")?,
                certificate: row.try_get("certificate_id")?,
                opened_at: row.try_get::<Timestamp, _>("opened_at")?.to_jiff(),
                steps: row.try_get::<Json<Vec<InvestigationStep>>, _>("steps")?.0,
                closed_at: row.try_get::<Option<Timestamp>, _>("closed_at")?.map(|at| at.to_jiff()),
            })
        })
        .collect()
}

/// Adds a step to an open investigation; closing is the last one. `false` if it is closed or not there.
///
/// # Errors
/// The database's.
pub async fn step(
    conn: &mut PgConnection,
    id: Uuid,
    step: &InvestigationStep,
    close: Option<AccountId>,
) -> Result<bool> {
    let done = sqlx::query(
        "update investigations set steps = steps || $2, closed_by = $3,
            closed_at = case when $3::uuid is not null then now() end
         where id = $1 and closed_at is null",
    )
    .bind(id)
    .bind(Json(step))
    .bind(close.map(|account| account.0))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives samples that a monitor has read to one more person each, drawn evenly by a hash of the investigation; gives
/// how many. Whoever labelled one already is not given it again.
///
/// # Errors
/// The database's.
pub async fn relabel(
    conn: &mut PgConnection,
    investigation: Uuid,
    of: Of<'_>,
    pass: bool,
    threshold: f64,
    n: i64,
) -> Result<u64> {
    let drawn: Vec<Uuid> = sqlx::query_scalar(
        "with said as (
            select v.sample_id, bool_and(v.pass) pass,
                   coalesce(case when bool_and(v.pass) then min(v.p_pass) else 1 - min(v.p_pass) end, 1) sure
            from verdicts v join samples s on s.id = v.sample_id
            where s.task = $2 and s.half = 'audit' and s.text <> '' and v.judge = $4 and $3 in (v.criterion, 'all')
              and exists (select from labels l where l.sample_id = s.id and l.phase = 'blind' and l.stream = 'audit'
                          and $3 in (l.criterion, 'all'))
            group by v.sample_id),
         picked as (
            select sample_id from said where pass = $5 and sure >= $6
              and not exists (select from investigation_relabels r
                              where r.investigation_id = $1 and r.sample_id = said.sample_id)
            order by hashtextextended(sample_id::text || $1::text, 0), sample_id limit $7)
         select id from samples where id in (select sample_id from picked) order by id for update",
    )
    .bind(investigation)
    .bind(of.task)
    .bind(of.criterion)
    .bind(of.judge)
    .bind(pass)
    .bind(threshold)
    .bind(n)
    .fetch_all(&mut *conn)
    .await?;
    sqlx::query(
        "insert into investigation_relabels (investigation_id, sample_id) select $1, unnest($2::uuid[])
         on conflict do nothing",
    )
    .bind(investigation)
    .bind(&drawn)
    .execute(&mut *conn)
    .await?;
    // A sample labelled elsewhere may never have been up for review here: its overlap is then 0.
    sqlx::query("update samples set overlap = overlap + 1, open_slots = open_slots + 1 where id = any($1)")
        .bind(&drawn)
        .execute(conn)
        .await?;
    Ok(drawn.len() as u64)
}

/// What came of the samples given to people again: asked for, answered since, and of those how often the new answer
/// is the judge's and how often it is the first person's.
///
/// # Errors
/// The database's.
pub async fn relabelled(conn: &mut PgConnection, investigation: Uuid, of: Of<'_>) -> Result<[u64; 4]> {
    let row = sqlx::query(
        "with again as (
            select r.sample_id,
                   (select bool_and(l.pass) from labels l where l.sample_id = r.sample_id and l.phase = 'blind'
                    and l.at >= r.asked_at and $2 in (l.criterion, 'all')) pass,
                   (select bool_and(v.pass) from verdicts v where v.sample_id = r.sample_id and v.judge = $3
                    and $2 in (v.criterion, 'all')) judge,
                   (select bool_and(f.first_pass) from audit_references f where f.sample_id = r.sample_id
                    and $2 in (f.criterion, 'all')) first
            from investigation_relabels r where r.investigation_id = $1)
         select count(*) asked, count(pass) answered, count(*) filter (where pass = judge) judge,
                count(*) filter (where pass = first) first from again",
    )
    .bind(investigation)
    .bind(of.criterion)
    .bind(of.judge)
    .fetch_one(conn)
    .await?;
    let whole = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok([
        whole(row.try_get("asked")?),
        whole(row.try_get("answered")?),
        whole(row.try_get("judge")?),
        whole(row.try_get("first")?),
    ])
}

/// Judges and criteria that have verdicts and labels but no open monitor: task, criterion, judge, major.
///
/// # Errors
/// The database's.
pub async fn unmonitored(conn: &mut PgConnection) -> Result<Vec<(String, String, String, i32)>> {
    Ok(sqlx::query_as(
        "select c.task, c.criterion, c.judge, c.major from audit_cards c
         where c.judge is not null and c.criterion <> '*'
           and c.major = (select max(o.major) from audit_cards o where (o.task, o.criterion, o.judge) = (c.task, c.criterion, c.judge))
           and not exists (select from drift_monitors m where m.closed_at is null
                and (m.task, m.criterion, m.judge, m.major) = (c.task, c.criterion, c.judge, c.major))
         order by 1, 2, 3",
    )
    .fetch_all(conn)
    .await?)
}
