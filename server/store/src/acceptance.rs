//! What becomes of a judged sample: accepted by live certificates, drawn for people, or passed over. Every draw and
//! every acceptance is stored, so that estimates know their weights and a certificate its consequences.

use crate::{Result, jobs, learning};
use concord_domain::{AuditSampling, CertificateActs, JobId, SampleId};
use jiff_sqlx::Timestamp;
use sqlx::{PgConnection, Row};
use std::collections::HashMap;
use uuid::Uuid;

/// Samples looked at in one statement.
const BATCH: usize = 2_000;

/// What the judge of a sample says of it, and which live certificates let that stand.
struct Standing {
    sample: Uuid,
    /// `None`: not judged on every criterion.
    pass: Option<bool>,
    judge: Option<String>,
    /// Empty: people decide.
    certificates: Vec<Uuid>,
}

/// The last judge's verdicts decide. A certificate of whole samples covers a sample whose least sure criterion is
/// sure enough; certificates of single criteria cover it if each has one for its verdict. A judge that gave no
/// probability is taken at its word.
const STANDING: &str = "
    with wanted as (
        select s.id, s.task, coalesce(substring(s.rubric_version from '^\\D*(\\d{1,6})')::int, 0) major, j.judge,
               array(select c ->> 'name' from rubrics r, jsonb_array_elements(r.body -> 'criteria') c
                     where r.task = s.task and r.version = s.rubric_version) criteria
        from samples s
        left join lateral (select v.judge from verdicts v where v.sample_id = s.id
                           order by v.created_at desc, v.judge limit 1) j on true
        where s.id = any($1)),
    said as (
        select w.id, w.task, w.major, w.judge, v.criterion, v.pass, v.p_pass,
               coalesce(case when v.pass then v.p_pass else 1 - v.p_pass end, 1) sure
        from wanted w join verdicts v on v.sample_id = w.id and v.judge = w.judge and v.criterion = any(w.criteria)
        where v.pass is not null
          and coalesce(substring(v.rubric_version from '^\\D*(\\d{1,6})')::int, w.major) = w.major),
    live as (
        select c.id, c.threshold, a.task, a.criterion, a.judge, a.major, a.verdict = 'pass' pass
        from certificates c join certificate_attempts a on a.id = c.id where c.status = 'live'),
    each as (
        select s.id, count(*) n, count(l.id) covered, array_agg(l.id) certificates, bool_and(s.pass) pass,
               coalesce(case when bool_and(s.pass) then min(s.p_pass) else 1 - min(s.p_pass) end, 1) sure
        from said s
        left join live l on (l.task, l.criterion, l.judge, l.major, l.pass) = (s.task, s.criterion, s.judge, s.major, s.pass)
                        and s.sure >= l.threshold
        group by s.id)
    select w.id, w.judge, case when e.n = cardinality(w.criteria) then e.pass end pass,
           case when e.n is distinct from cardinality(w.criteria) then '{}'::uuid[]
                when l.id is not null then array[l.id]
                when e.covered = e.n then e.certificates else '{}'::uuid[] end certificates
    from wanted w left join each e on e.id = w.id
    left join live l on (l.task, l.criterion, l.judge, l.major, l.pass) = (w.task, 'all', w.judge, w.major, e.pass)
                    and e.sure >= l.threshold
    order by w.id";

async fn standing(conn: &mut PgConnection, samples: &[Uuid]) -> Result<Vec<Standing>> {
    let rows = sqlx::query(STANDING).bind(samples).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(Standing {
                sample: row.try_get("id")?,
                pass: row.try_get("pass")?,
                judge: row.try_get("judge")?,
                certificates: row.try_get("certificates")?,
            })
        })
        .collect()
}

/// Draws, and opens what is drawn: of the audit half with the rate of its verdict, of what certificates accept
/// with the floor, both twice as often while a certificate's monitor warns. What was not judged is always looked
/// at, and what is for training is not drawn at all.
const OPEN: &str = "
    with drawn as (
        select s.id, p.overlap, case when d.pi is not null then audit_number(s.id, p.audit_seed) < d.pi end drawn, d.pi
        from unnest($1::uuid[], $2::bool[], $3::bool[], $4::text[]) x (id, pass, covered, judge)
        join samples s on s.id = x.id join programmes p on p.task = s.task
        cross join lateral (select case when s.half = 'audit' or x.covered then least(1,
                case when x.covered then p.audit_floor when x.pass then p.audit_rate_pass
                     when not x.pass then p.audit_rate_fail else 1 end
                * case when exists (select from drift_monitors m where m.closed_at is null and m.certificate_id is not null
                                    and m.status <> 'ok' and m.task = s.task and m.judge = x.judge) then 2 else 1 end) end pi) d)
    update samples s
    set audit_pi = d.pi, audit_drawn = d.drawn, overlap = case when d.drawn is false then 0 else d.overlap end,
        open_slots = case when d.drawn is false then 0 else d.overlap end
    from drawn d where s.id = d.id";

async fn draw(conn: &mut PgConnection, of: &[&Standing]) -> Result<()> {
    let samples: Vec<Uuid> = of.iter().map(|it| it.sample).collect();
    let passes: Vec<Option<bool>> = of.iter().map(|it| it.pass).collect();
    let covered: Vec<bool> = of.iter().map(|it| !it.certificates.is_empty()).collect();
    let judges: Vec<Option<String>> = of.iter().map(|it| it.judge.clone()).collect();
    sqlx::query(OPEN).bind(samples).bind(passes).bind(covered).bind(judges).execute(conn).await?;
    Ok(())
}

/// Records which verdicts stand alone, and by which certificates.
async fn accept(conn: &mut PgConnection, of: &[&Standing]) -> Result<()> {
    let covered = of.iter().filter(|it| !it.certificates.is_empty());
    let (mut samples, mut passes, mut judges) = (Vec::new(), Vec::new(), Vec::new());
    for it in covered.clone() {
        samples.push(it.sample);
        passes.push(it.pass);
        judges.push(it.judge.clone());
    }
    sqlx::query(
        "insert into acceptances (sample_id, pass, judge) select * from unnest($1::uuid[], $2::bool[], $3::text[])
         on conflict do nothing",
    )
    .bind(samples)
    .bind(passes)
    .bind(judges)
    .execute(&mut *conn)
    .await?;
    link(conn, covered.copied()).await
}

async fn link<'a>(conn: &mut PgConnection, of: impl Iterator<Item = &'a Standing>) -> Result<()> {
    let pairs: Vec<(Uuid, Uuid)> =
        of.flat_map(|it| it.certificates.iter().map(move |certificate| (*certificate, it.sample))).collect();
    let (certificates, samples): (Vec<Uuid>, Vec<Uuid>) = pairs.into_iter().unzip();
    sqlx::query(
        "insert into acceptance_certificates (certificate_id, sample_id) select * from unnest($1::uuid[], $2::uuid[])
         on conflict do nothing",
    )
    .bind(certificates)
    .bind(samples)
    .execute(conn)
    .await?;
    Ok(())
}

/// Opens samples for review that are not open yet: accepted, drawn or passed over, once.
///
/// # Errors
/// The database's.
pub async fn open(conn: &mut PgConnection, samples: &[SampleId]) -> Result<()> {
    for batch in samples.chunks(BATCH) {
        let ids: Vec<Uuid> = batch.iter().map(|id| id.0).collect();
        let new: Vec<Uuid> = sqlx::query_scalar(
            "select s.id from samples s where s.id = any($1) and s.overlap = 0 and s.audit_drawn is null
             order by s.id for update",
        )
        .bind(ids)
        .fetch_all(&mut *conn)
        .await?;
        let standing = standing(conn, &new).await?;
        let all: Vec<&Standing> = standing.iter().collect();
        draw(conn, &all).await?;
        accept(conn, &all).await?;
        learn(conn, &new).await?;
    }
    Ok(())
}

/// Gives those of the train half that are open now their place in the learning order.
async fn learn(conn: &mut PgConnection, opened: &[Uuid]) -> Result<()> {
    let learning: Vec<Uuid> =
        sqlx::query_scalar("select id from samples where id = any($1) and half = 'train' and overlap > 0")
            .bind(opened)
            .fetch_all(&mut *conn)
            .await?;
    if !learning.is_empty() {
        learning::opened(conn, &learning).await?;
        learning::rank(conn, &learning).await?;
    }
    Ok(())
}

/// Lets live certificates of a task accept what nobody has been given yet, from this sample on. Gives where to go
/// on, until nothing is left.
///
/// # Errors
/// The database's.
pub async fn sweep(conn: &mut PgConnection, task: &str, after: Option<Uuid>) -> Result<Option<Uuid>> {
    let untouched: Vec<Uuid> = sqlx::query_scalar(
        "select s.id from samples s
         where s.task = $1 and ($2::uuid is null or s.id > $2) and s.text <> '' and s.open_slots = s.overlap
           and exists (select from verdicts v where v.sample_id = s.id)
           and not exists (select from acceptances a where a.sample_id = s.id)
           and not exists (select from assignments a where a.sample_id = s.id and a.slot is not null)
           and not exists (select from labels l where l.sample_id = s.id)
         order by s.id limit $3 for update of s skip locked",
    )
    .bind(task)
    .bind(after)
    .bind(i64::try_from(BATCH).unwrap_or(i64::MAX))
    .fetch_all(&mut *conn)
    .await?;
    let standing = standing(conn, &untouched).await?;
    let covered: Vec<&Standing> = standing.iter().filter(|it| !it.certificates.is_empty()).collect();
    draw(conn, &covered).await?;
    accept(conn, &covered).await?;
    Ok(untouched.last().copied())
}

/// Queues the sweep of a task.
///
/// # Errors
/// The database's.
pub async fn queue_sweep(conn: &mut PgConnection, task: &str) -> Result<()> {
    let job = jobs::NewJob {
        id: JobId(Uuid::now_v7()),
        kind: "accept",
        args: serde_json::json!({ "task": task }),
        priority: 10,
        dedupe_key: Some(format!("accept:{task}")),
        created_by: None,
    };
    jobs::enqueue_again(conn, &job).await
}

/// Queues the sweeps of tasks that have a live certificate: verdicts made elsewhere have come.
///
/// # Errors
/// The database's.
pub async fn queue_sweeps(conn: &mut PgConnection) -> Result<()> {
    let tasks: Vec<String> = sqlx::query_scalar(
        "select distinct a.task from certificates c join certificate_attempts a on a.id = c.id
         where c.status = 'live' order by 1",
    )
    .fetch_all(&mut *conn)
    .await?;
    for task in tasks {
        queue_sweep(conn, &task).await?;
    }
    Ok(())
}

/// Looks again at what certificates have accepted that live no longer: what others cover stands by those, the rest
/// goes back to people. Gives how many went back.
///
/// # Errors
/// The database's.
pub async fn recheck(conn: &mut PgConnection, certificates: &[Uuid]) -> Result<u64> {
    let accepted: Vec<Uuid> = sqlx::query_scalar(
        "select distinct a.sample_id from acceptances a join acceptance_certificates c on c.sample_id = a.sample_id
         where c.certificate_id = any($1) and a.reopened_at is null order by 1",
    )
    .bind(certificates)
    .fetch_all(&mut *conn)
    .await?;
    let mut reopened = 0;
    for batch in accepted.chunks(BATCH) {
        let standing = standing(conn, batch).await?;
        link(conn, standing.iter()).await?;
        let back: Vec<Uuid> =
            standing.iter().filter(|it| it.certificates.is_empty()).map(|it| it.sample).collect();
        sqlx::query("update acceptances set reopened_at = now() where sample_id = any($1)")
            .bind(&back)
            .execute(&mut *conn)
            .await?;
        let opened: Vec<Uuid> = sqlx::query_scalar(
            "update samples s set overlap = p.overlap, open_slots = p.overlap from programmes p
             where p.task = s.task and s.id = any($1) and s.overlap = 0 and s.text <> '' returning s.id",
        )
        .bind(&back)
        .fetch_all(&mut *conn)
        .await?;
        learn(conn, &opened).await?;
        reopened += back.len() as u64;
    }
    Ok(reopened)
}

/// What each of these certificates has accepted, and what people found in it since: the strict majority of blind
/// answers on its criterion, or of every criterion.
///
/// # Errors
/// The database's.
pub async fn acts(conn: &mut PgConnection, certificates: &[Uuid]) -> Result<HashMap<Uuid, CertificateActs>> {
    let rows = sqlx::query(
        "with mine as (
            select c.certificate_id, a.sample_id, a.pass, a.judge, a.accepted_at, a.reopened_at, t.criterion
            from acceptance_certificates c join acceptances a on a.sample_id = c.sample_id
            join certificate_attempts t on t.id = c.certificate_id where c.certificate_id = any($1)),
         seen as (
            select m.certificate_id, m.sample_id,
                   case when bool_or(2 * v.yes = v.n) then null else bool_and(2 * v.yes > v.n) end human,
                   case when m.criterion = 'all' then m.pass else (
                       select said.pass from verdicts said where said.sample_id = m.sample_id
                       and said.criterion = m.criterion and said.judge = m.judge) end judge
            from mine m join samples s on s.id = m.sample_id and s.overlap > 0
            join lateral (select b.criterion, count(*) n, count(*) filter (where b.pass) yes from blind_votes b
                          where b.sample_id = m.sample_id and m.criterion in (b.criterion, 'all') group by 1) v on true
            group by m.certificate_id, m.sample_id, m.criterion, m.pass, m.judge)
         select m.certificate_id, count(*) accepted, count(m.reopened_at) reopened, max(m.accepted_at) last,
                count(s.sample_id) audited, count(*) filter (where s.human <> s.judge) errors
         from mine m left join seen s on (s.certificate_id, s.sample_id) = (m.certificate_id, m.sample_id)
         group by m.certificate_id",
    )
    .bind(certificates)
    .fetch_all(conn)
    .await?;
    let whole = |n: i64| u64::try_from(n).unwrap_or(0);
    rows.iter()
        .map(|row| {
            let acts = CertificateActs {
                accepted: whole(row.try_get("accepted")?),
                reopened: whole(row.try_get("reopened")?),
                audited: whole(row.try_get("audited")?),
                errors: whole(row.try_get("errors")?),
                last: row.try_get::<Option<Timestamp>, _>("last")?.map(|at| at.to_jiff()),
            };
            Ok((row.try_get("certificate_id")?, acts))
        })
        .collect()
}

/// How a task's audit is drawn; `None` if there is no such task.
///
/// # Errors
/// The database's.
pub async fn sampling(conn: &mut PgConnection, task: &str) -> Result<Option<AuditSampling>> {
    let row =
        sqlx::query("select audit_rate_pass, audit_rate_fail, audit_floor from programmes where task = $1")
            .bind(task)
            .fetch_optional(conn)
            .await?;
    row.map(|row| {
        Ok(AuditSampling {
            rate_pass: row.try_get("audit_rate_pass")?,
            rate_fail: row.try_get("audit_rate_fail")?,
            floor: row.try_get("audit_floor")?,
        })
    })
    .transpose()
}

/// Changes how a task's audit is drawn, for samples opened from now on; `false` if there is no such task.
///
/// # Errors
/// The database's.
pub async fn set_sampling(conn: &mut PgConnection, task: &str, to: &AuditSampling) -> Result<bool> {
    let done = sqlx::query(
        "update programmes set audit_rate_pass = $2, audit_rate_fail = $3, audit_floor = $4 where task = $1",
    )
    .bind(task)
    .bind(to.rate_pass)
    .bind(to.rate_fail)
    .bind(to.floor)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A verdict class of the audit half as an allocation needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stratum {
    /// What the last judge says of the whole sample.
    pub pass: bool,
    /// Samples it says that of.
    pub size: i64,
    /// Of them with people's answer.
    pub labelled: i64,
    /// Of them passed by people.
    pub passed: i64,
}

/// The audit half of a task by its last judge's verdict on whole samples.
///
/// # Errors
/// The database's.
pub async fn strata(conn: &mut PgConnection, task: &str) -> Result<Vec<Stratum>> {
    let rows = sqlx::query(
        "with judge as (
            select v.judge from verdicts v join samples s on s.id = v.sample_id
            where s.task = $1 order by v.created_at desc, v.judge limit 1),
         names as (
            select array(select c ->> 'name' from jsonb_array_elements(body -> 'criteria') c) all_of
            from rubrics where task = $1 and current),
         said as (
            select v.sample_id, bool_and(v.pass) pass
            from verdicts v join samples s on s.id = v.sample_id cross join names
            where s.task = $1 and s.half = 'audit' and v.judge = (select judge from judge) and v.criterion = any(names.all_of)
            group by v.sample_id, names.all_of having count(v.pass) = cardinality(names.all_of)),
         seen as (
            select r.sample_id, bool_and(r.pass) pass from audit_references r cross join names
            where r.criterion = any(names.all_of)
            group by r.sample_id, names.all_of having count(r.pass) = cardinality(names.all_of))
         select said.pass, count(*) size, count(seen.pass) labelled, count(*) filter (where seen.pass) passed
         from said left join seen using (sample_id) group by said.pass order by said.pass desc",
    )
    .bind(task)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Stratum {
                pass: row.try_get("pass")?,
                size: row.try_get("size")?,
                labelled: row.try_get("labelled")?,
                passed: row.try_get("passed")?,
            })
        })
        .collect()
}
