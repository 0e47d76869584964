//! What a policy takes: decided, capped, balanced and put in order by the database, set by set, so that a million rows
//! need no memory here. Draws are hashes of sample and seed: the same policy on the same data takes the same rows,
//! whatever the order in which they are read.

use crate::Result;
use concord_domain::{
    ExportClass, ExportId, ExportPolicy, ExportPreview, ExportSample, GenerationId, SampleId,
};
use serde::Deserialize;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row};
use uuid::Uuid;

/// Generated samples of the train half that are no gold question, with their category (an item's own; a tag's by φ) and
/// their draw: a number from
/// 0 to 1 that only the seed and the sample decide.
const WANTED: &str = "
    with runs as (
        select id, row_number() over (order by created_at, id) round, count(*) over () last from generations),
    asked as (
        select r.task, r.version, c ->> 'name' criterion from rubrics r, jsonb_array_elements(r.body -> 'criteria') c),
    needed as (select task, version, count(*) n from asked group by 1, 2),
    wanted as materialized (
        select s.id, s.task, s.rubric_version, s.user_id, s.call_id, s.created_at, g.round, g.last, n.n,
               coalesce(case when cardinality(i.category) > 0 then array_to_string(i.category, ' > ') end,
                        s.body ->> 'category') category,
               ((hashtextextended(s.id::text, $9) & 9007199254740991)::float8 + 0.5) / 9007199254740992 draw,
               ((hashtextextended(coalesce(s.user_id::text, s.id::text), $9 + 1) & 9007199254740991)::float8 + 0.5)
                   / 9007199254740992 < $15 held_out
        from samples s join runs g on g.id = s.generation_id
        join needed n on n.task = s.task and n.version = s.rubric_version
        left join items i on i.id = s.item_id
        where s.half = 'train' and s.origin = 'generated' and s.call_id is not null
          and (cardinality($1::text[]) = 0 or s.task = any($1))
          and (cardinality($2::text[]) = 0 or s.lang = any($2))
          and (cardinality($3::text[]) = 0 or s.rubric_version = any($3))
          and (cardinality($4::bigint[]) = 0 or g.round = any($4))
          and not exists (select from gold_questions q where q.sample_id = s.id)),";

/// A row a sample and criterion: what people say, a lead's decision above them. A decision that does not count still
/// keeps a sample out that people decided otherwise: it is not agreed on.
const JUDGED: &str = "
    decided as (
        select distinct on (sample_id, criterion) sample_id, criterion, outcome from adjudications
        order by sample_id, criterion, seq desc),
    judged as (
        select w.id, a.criterion, coalesce(v.people, 0) people, coalesce(v.people, 0) > 0 or d.outcome is not null touched,
               d.outcome is not null and 'adjudicated' = any($5::text[]) adjudicated,
               case when d.outcome is null then said.pass
                    when 'adjudicated' = any($5) then case d.outcome when 'pass' then true when 'fail' then false end
                    when d.outcome = case when said.pass then 'pass' when not said.pass then 'fail' end then said.pass end pass
        from wanted w join asked a on a.task = w.task and a.version = w.rubric_version
        left join votes v on v.sample_id = w.id and v.criterion = a.criterion
        left join decided d on d.sample_id = w.id and d.criterion = a.criterion
        cross join lateral (
            select case when v.people < $6 then null
                        when v.yes * 2 > v.people and v.yes >= $7::float8 * v.people - 1e-9 then true
                        when v.yes * 2 < v.people and v.people - v.yes >= $7 * v.people - 1e-9 then false end pass) said),";

/// A row a sample: passes when every criterion does, fails when one is agreed to fail; by a certificate only what
/// nobody has answered.
const SETTLED: &str = "
    people as (
        select id, count(*) filter (where pass) passes, coalesce(bool_or(not pass), false) failed,
               bool_or(adjudicated) adjudicated, bool_or(touched) touched, min(people)::int people
        from judged group by id),
    units as (
        select w.*, null::text criterion, u.pass, u.evidence, p.people
        from wanted w join people p on p.id = w.id
        left join acceptances c on c.sample_id = w.id and c.reopened_at is null and 'auto' = any($5) and exists (
            select from acceptance_certificates l join certificates k on k.id = l.certificate_id
            where l.sample_id = c.sample_id and k.status = 'live')
        cross join lateral (
            select case when p.failed then false when p.passes = w.n then true when not p.touched then c.pass end pass,
                   case when p.adjudicated then 'adjudicated' when p.touched then $17 else 'auto' end evidence) u
        where u.pass is not null
          and (not $8 or u.pass is not distinct from (
                select case when bool_or(not s.pass) then false when bool_and(s.pass) then true end
                from standing_verdicts s where s.sample_id = w.id))),";

/// A row a sample and criterion that people have decided.
const BY_CRITERION: &str = "
    units as (
        select w.*, j.criterion, j.pass, case when j.adjudicated then 'adjudicated' else $17 end evidence, j.people::int people
        from wanted w join judged j on j.id = w.id
        where j.pass is not null
          and (not $8 or j.pass is not distinct from (
                select s.pass from standing_verdicts s where s.sample_id = w.id and s.criterion = j.criterion limit 1))),";

/// Of rows that only say what is good, those that pass.
const UNCAPPED: &str = "
    capped as (select * from units where pass or $18),";

/// Caps: first rows of a user, then rows of a user in one category (paper §3).
const CAPPED: &str = "
    usable as (select * from units where pass or $18),
    by_user as (
        select *, row_number() over (partition by user_id order by draw, id, criterion) nth from usable),
    by_category as (
        select *, row_number() over (partition by user_id, category order by draw, id, criterion) nth_in_category
        from by_user where $10::bigint = 0 or user_id is null or nth <= $10),
    capped as (
        select * from by_category where $11::bigint = 0 or category is null or user_id is null or nth_in_category <= $11),";

/// The rarer side of its newest rounds; of the other a weighted reservoir (Efraimidis and Spirakis 2006, A-Res: the
/// largest u^(1/w), here ln u / w), w halving with age. Age counts from the newest row, so that tomorrow's export of
/// the same data is the same.
const BALANCED: &str = "
    sides as (
        select task, criterion, pass, count(*) n, max(created_at) newest from capped group by 1, 2, 3),
    rarer as (
        select distinct on (task, criterion) task, criterion, pass, max(newest) over (partition by task, criterion) newest
        from sides order by task, criterion, n, pass),
    weighed as (
        select c.*, c.pass = r.pass rare,
               row_number() over (partition by c.task, c.criterion, c.pass = r.pass order by
                   ln(c.draw) / power(2, -extract(epoch from r.newest - c.created_at)::float8 / 86400 / $14) desc, c.id) place_by_age
        from capped c join rarer r on r.task = c.task and r.criterion is not distinct from c.criterion
        where c.pass <> r.pass or $13::bigint = 0 or c.round > c.last - $13),
    minority as (select task, criterion, count(*) n from weighed where rare group by 1, 2),
    taken as (
        select w.* from weighed w
        left join minority m on m.task = w.task and m.criterion is not distinct from w.criterion
        where w.rare or w.place_by_age <= ceil($12::float8 * coalesce(m.n, 0))),";

const UNBALANCED: &str = "
    taken as (select * from capped),";

/// Rows in the order of writing. Rows that say pass or fail are shuffled: some losses compare neighbours.
const SINGLE: &str = "
    picked as (
        select row_number() over (order by held_out, id) line, 0::smallint place, id, criterion, pass, evidence, people,
               null::text grade, held_out from taken)";
const SHUFFLED: &str = "
    picked as (
        select row_number() over (order by held_out, draw, id, criterion) line, 0::smallint place, id, criterion, pass,
               evidence, people, null::text grade, held_out from taken)";

/// Pairs of the same prompt: the nth of one grade with the nth of a lower one. Without a ranking, pass over fail.
const GRADED: &str = "
    graded as (
        select t.*, md5(c.system || c.prompt) prompt_key,
               case when not $16 then case when t.pass then 'S' else 'B' end
                    when not t.pass then 'B'
                    when (select count(*) filter (where v.p_pass >= coalesce(r.strong, 0.8)) from standing_verdicts v
                          where v.sample_id = t.id) >= coalesce(r.share, 0.7) * t.n - 1e-9 then 'S' else 'A' end grade
        from taken t join calls c on c.id = t.call_id left join senior_rules r on r.task = t.task),
    ranked as (
        select *, case grade when 'S' then 2 when 'A' then 1 else 0 end level,
               row_number() over (partition by task, prompt_key, grade order by draw, id) nth from graded),
    pairs as (
        select row_number() over (order by a.held_out, a.id, b.id) line, a.id chosen, b.id rejected
        from ranked a join ranked b on b.task = a.task and b.prompt_key = a.prompt_key and b.nth = a.nth and b.level < a.level),
    picked as (
        select p.line, case when r.id = p.chosen then 0 else 1 end::smallint place, r.id, null::text criterion, r.pass,
               r.evidence, r.people, case when $16 then r.grade end grade, r.held_out
        from pairs p join ranked r on r.id in (p.chosen, p.rejected))";

const INTO_EXPORT: &str = "
    insert into export_rows (export_id, line, place, sample_id, criterion, pass, evidence, people, grade, held_out)
    select $19::uuid, line, place, id, criterion, pass, evidence, people, grade, held_out from picked";

const PREVIEW: &str = ", shown as (
        select line from picked where place = 0 order by hashtextextended(line::text, $9), line limit 10)
    select $19::uuid is null,
        (select jsonb_agg(x) from (
            select s.task, p.criterion, case when q.id is not null and p.grade is not null then p.grade || ' > ' || q.grade
                        when q.id is not null then 'pass > fail' when p.pass then 'pass' else 'fail' end class,
                   p.evidence, p.held_out, count(*) n, count(distinct s.id) samples
            from picked p left join picked q on q.line = p.line and q.place = 1 join samples s on s.id = p.id
            where p.place = 0 group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5) x) classes,
        (select jsonb_agg(x) from (
            select pow(2, bits)::bigint upto, count(*) n
            from (select greatest(6, ceil(log(2, greatest(1, char_length(c.system) + char_length(c.prompt)
                                                          + char_length(s.text)))))::int bits
                  from picked p join samples s on s.id = p.id join calls c on c.id = s.call_id where p.place = 0) l
            group by bits order by bits) x) lengths,
        (select jsonb_agg(x) from (
            select p.id sample, s.task, p.criterion, s.text, p.pass, p.evidence, t.text rejected
            from shown h join picked p on p.line = h.line and p.place = 0 join samples s on s.id = p.id
            left join picked q on q.line = h.line and q.place = 1 left join samples t on t.id = q.id
            order by hashtextextended(h.line::text, $9), h.line) x) samples,
        (select count(distinct id) from picked) taken,
        (select array_agg(distinct id) from picked where line in (select line from shown)) seen";

/// The statement for this policy, made of the parts above alone.
fn statement(policy: &ExportPolicy, tail: &str) -> String {
    let votes = if policy.counts("final") {
        "final_votes"
    } else if policy.counts("blind") {
        "blind_votes"
    } else {
        "(select null::uuid sample_id, null::text criterion, null::boolean pass where false)"
    };
    let votes = format!(
        " votes as (select v.sample_id, v.criterion, count(*) people, count(*) filter (where v.pass) yes
                    from {votes} v group by 1, 2),"
    );
    let settled = if policy.target == "judge" { BY_CRITERION } else { SETTLED };
    let order = match policy.target.as_str() {
        "kto" | "judge" => SHUFFLED,
        "preference" | "reward" => GRADED,
        _ => SINGLE,
    };
    let capped = if policy.cap_user > 0 || policy.cap_category > 0 { CAPPED } else { UNCAPPED };
    let balanced = if policy.balance.is_some() { BALANCED } else { UNBALANCED };
    [WANTED, &votes, JUDGED, settled, capped, balanced, order, tail].concat()
}

fn bound<'q>(
    query: Query<'q, Postgres, PgArguments>,
    policy: &ExportPolicy,
    export: Option<ExportId>,
) -> Query<'q, Postgres, PgArguments> {
    let share = policy.min_agreement.unwrap_or(if policy.agreement == "unanimous" { 1.0 } else { 0.5 });
    let balance = policy.balance;
    let both_sides = !["sft_chat", "prompt_completion"].contains(&policy.target.as_str());
    query
        .bind(policy.tasks.clone())
        .bind(policy.languages.clone())
        .bind(policy.rubrics.clone())
        .bind(policy.rounds.iter().map(|it| i64::from(*it)).collect::<Vec<i64>>())
        .bind(policy.evidence.clone())
        .bind(i64::from(policy.min_people.max(1)))
        .bind(share)
        .bind(policy.require_judge)
        .bind(i64::from(policy.seed))
        .bind(i64::from(policy.cap_user))
        .bind(i64::from(policy.cap_category))
        .bind(balance.map(|it| it.ratio))
        .bind(balance.map_or(0, |it| i64::from(it.rounds)))
        .bind(balance.map_or(30.0, |it| it.half_life_days))
        .bind(policy.hold_out)
        .bind(policy.target == "reward")
        .bind(if policy.counts("final") { "human_final" } else { "human_blind" })
        .bind(both_sides)
        .bind(export.map(|id| id.0))
}

/// Writes into `export_rows` what a policy takes; gives the rows. The database refuses a sample of the audit half and
/// a gold question here, before any file is written.
///
/// # Errors
/// The database's.
pub async fn pick(conn: &mut PgConnection, id: ExportId, policy: &ExportPolicy) -> Result<u64> {
    for_sets(conn).await?;
    sqlx::query("delete from export_rows where export_id = $1").bind(id.0).execute(&mut *conn).await?;
    let sql = statement(policy, INTO_EXPORT);
    let done = bound(sqlx::query(AssertSqlSafe(sql)), policy, Some(id)).execute(&mut *conn).await?;
    // What the same transaction reads after it, row by row, is planned as usual.
    sqlx::query("set local enable_nestloop = on").execute(conn).await?;
    Ok(done.rows_affected())
}

/// For this transaction: sets of a million are sorted and joined in memory where there is enough, and not row by row. How
/// many rows the steps above have the planner cannot know; it took few, and a million by a million did not end.
async fn for_sets(conn: &mut PgConnection) -> Result<()> {
    sqlx::query("set local work_mem = '192MB'").execute(&mut *conn).await?;
    sqlx::query("set local enable_nestloop = off").execute(&mut *conn).await?;
    // Where one is needed all the same its cost is taken for boundless, and the statement for worth compiling.
    sqlx::query("set local jit = off").execute(conn).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Class {
    task: String,
    criterion: Option<String>,
    class: String,
    evidence: String,
    held_out: bool,
    n: i64,
}

#[derive(Deserialize)]
struct Length {
    upto: i64,
    n: i64,
}

/// What a policy would take, and the samples of which the preview shows something.
///
/// # Errors
/// The database's.
pub async fn preview(
    conn: &mut PgConnection,
    policy: &ExportPolicy,
) -> Result<(ExportPreview, Vec<SampleId>)> {
    for_sets(conn).await?;
    let sql = statement(policy, PREVIEW);
    let row = bound(sqlx::query(AssertSqlSafe(sql)), policy, None).fetch_one(&mut *conn).await?;
    let classes: Option<Json<Vec<Class>>> = row.try_get("classes")?;
    let classes = classes.map(|it| it.0).unwrap_or_default();
    let lengths: Option<Json<Vec<Length>>> = row.try_get("lengths")?;
    let samples: Option<Json<Vec<ExportSample>>> = row.try_get("samples")?;
    let seen: Option<Vec<Uuid>> = row.try_get("seen")?;
    let taken: i64 = row.try_get("taken")?;
    let mut preview = ExportPreview {
        rows: Vec::new(),
        left_out: labelled_train(conn).await? - taken,
        classes: Vec::new(),
        held_out: classes.iter().filter(|it| it.held_out).map(|it| it.n).sum(),
        lengths: lengths.map(|it| it.0).unwrap_or_default().into_iter().map(|it| (it.upto, it.n)).collect(),
        samples: samples.map(|it| it.0).unwrap_or_default(),
        rounds: rounds(conn).await?,
    };
    for task in concord_domain::TASKS {
        let n = classes.iter().filter(|it| it.task == task).map(|it| it.n).sum();
        preview.rows.push((task.to_owned(), n));
    }
    for Class { task, criterion, class, evidence, n, .. } in classes {
        let same = |it: &&mut ExportClass| {
            it.task == task && it.criterion == criterion && it.class == class && it.evidence == evidence
        };
        match preview.classes.iter_mut().find(same) {
            Some(known) => known.n += n,
            None => preview.classes.push(ExportClass { task, criterion, class, evidence, n }),
        }
    }
    Ok((preview, seen.unwrap_or_default().into_iter().map(SampleId).collect()))
}

/// Generations by number, the first one being 1.
///
/// # Errors
/// The database's.
pub async fn rounds(conn: &mut PgConnection) -> Result<Vec<(i64, GenerationId)>> {
    let rows: Vec<(i64, Uuid)> = sqlx::query_as(
        "select row_number() over (order by created_at, id), id from generations order by 1 desc limit 1000",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(n, id)| (n, GenerationId(id))).collect())
}

/// Samples of the train half that people have answered or a certificate has accepted, in all.
async fn labelled_train(conn: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "select count(*) from samples s where s.half = 'train' and s.origin = 'generated'
         and (exists (select from labels l where l.sample_id = s.id and l.stream in ('audit', 'learning'))
              or exists (select from acceptances a where a.sample_id = s.id and a.reopened_at is null))",
    )
    .fetch_one(conn)
    .await?)
}
