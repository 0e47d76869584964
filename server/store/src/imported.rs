//! Samples, labels and verdicts made elsewhere: a batch is copied into a temporary table, resolved against
//! what is there, and merged; what cannot be merged is given back with its line and why.
//!
//! Rows may come in any order and files too: samples, tasks, criteria and judges that are not there yet are
//! made. The same row again is a duplicate, another value under the same key a reject.

use crate::Result;
use sqlx::{Executor, PgConnection};

/// What is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Samples.
    Samples,
    /// People's labels.
    Labels,
    /// A judge's verdicts.
    Verdicts,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Merged {
    /// Rows that were not there before, or filled a sample known by its key alone.
    pub new: u64,
    /// Line and why.
    pub rejected: Vec<(i64, String)>,
}

/// Makes the temporary tables of this connection; once is enough. One row a line of the file; `why` is set on
/// what is rejected, `known` on what is there already.
///
/// # Errors
/// The database's.
pub async fn stage(conn: &mut PgConnection) -> Result<()> {
    conn.execute(
        "create temp table if not exists import_raw (line bigint not null, body jsonb not null) on commit delete rows;
         create temp table if not exists import_rows (
             line bigint not null, task text, sample text, criterion text, rater text, judge text, label text, pass boolean,
             phase text, stream text, pi double precision, rubric text, at timestamptz, cluster text, status text,
             p_pass double precision, logits jsonb, rationale text, text text, context jsonb, user_key text, item text,
             parent text, lang text, generator text, sample_id uuid, why text, known boolean not null default false)
         on commit delete rows",
    )
    .await?;
    Ok(())
}

/// Copies a batch (COPY binary: line, jsonb) and merges it. Call it in a transaction.
///
/// # Errors
/// The database's; a deadlock or serialisation failure may be tried again.
pub async fn merge(conn: &mut PgConnection, what: What, rows: &[u8]) -> Result<Merged> {
    crate::items::copy(conn, "copy import_raw (line, body) from stdin (format binary)", rows).await?;
    let steps: &[&str] = match what {
        What::Samples => &[TYPED, TASKS, USERS, ITEMS, SAMPLES],
        What::Labels => &[TYPED, TASKS, CRITERIA, KEYS_AUDIT, RESOLVE, CLUSTERS, HALVES, LABEL_PASS, LABELS],
        What::Verdicts => &[TYPED, TASKS, CRITERIA, KEYS, RESOLVE, CLUSTERS, JUDGES, LABEL_PASS, VERDICTS],
    };
    for step in steps {
        conn.execute(*step).await?;
    }
    if what == What::Verdicts {
        let judged: Vec<uuid::Uuid> = sqlx::query_scalar(
            "select distinct s.id from import_rows i join samples s on s.id = i.sample_id
             where i.why is null and not i.known and s.half = 'train' and s.overlap > 0",
        )
        .fetch_all(&mut *conn)
        .await?;
        crate::learning::rank(conn, &judged).await?;
    }
    let new =
        sqlx::query_scalar::<_, i64>("select count(*) from import_rows where why is null and not known")
            .fetch_one(&mut *conn)
            .await?;
    let rejected = sqlx::query_as("select line, why from import_rows where why is not null order by line")
        .fetch_all(conn)
        .await?;
    Ok(Merged { new: u64::try_from(new).unwrap_or(0), rejected })
}

/// How many opened samples are ranked by one statement.
const RANKED_AT_ONCE: usize = 5000;

/// Opens imported samples that have a text and a rubric with criteria for review, if they are not open yet, and
/// ties children to parents that came later. Call it when a file is through.
///
/// # Errors
/// The database's.
pub async fn finish(conn: &mut PgConnection) -> Result<()> {
    // What no judge has judged is always looked at; the rest is drawn by its verdict.
    let opened: Vec<(uuid::Uuid, String)> = sqlx::query_as(
        "update samples s set overlap = p.overlap, open_slots = p.overlap,
            audit_pi = case s.half when 'audit' then 1 end, audit_drawn = case s.half when 'audit' then true end
         from programmes p, rubrics r
         where s.origin = 'imported' and s.overlap = 0 and s.audit_drawn is null and s.text <> ''
           and not exists (select from verdicts v where v.sample_id = s.id) and p.task = s.task
           and r.task = s.task and r.version = s.rubric_version and jsonb_array_length(r.body -> 'criteria') > 0
         returning s.id, s.half",
    )
    .fetch_all(&mut *conn)
    .await?;
    let learning: Vec<_> = opened.into_iter().filter(|(_, half)| half == "train").map(|(id, _)| id).collect();
    for samples in learning.chunks(RANKED_AT_ONCE) {
        crate::learning::opened(conn, samples).await?;
        crate::learning::rank(conn, samples).await?;
    }
    conn.execute(
        "update samples s set parent_id = p.id from samples p
         where s.origin = 'imported' and s.parent_id is null and s.parent_key is not null and p.id <> s.id
           and p.key = s.parent_key and p.cluster_hash = s.cluster_hash",
    )
    .await?;
    loop {
        let judged: Vec<uuid::Uuid> = sqlx::query_scalar(
            "select s.id from samples s join programmes p on p.task = s.task
             join rubrics r on r.task = s.task and r.version = s.rubric_version
             where s.origin = 'imported' and s.overlap = 0 and s.audit_drawn is null and s.text <> ''
               and jsonb_array_length(r.body -> 'criteria') > 0
               and not exists (select from acceptances a where a.sample_id = s.id) order by s.id limit 2000",
        )
        .fetch_all(&mut *conn)
        .await?;
        if judged.is_empty() {
            return crate::acceptance::queue_sweeps(conn).await;
        }
        let judged: Vec<_> = judged.into_iter().map(concord_domain::SampleId).collect();
        crate::acceptance::open(conn, &judged).await?;
    }
}

const TYPED: &str = "
    insert into import_rows (line, task, sample, criterion, rater, judge, label, pass, phase, stream, pi, rubric, at, cluster,
                             status, p_pass, logits, rationale, text, context, user_key, item, parent, lang, generator)
    select raw.line, b.* from import_raw raw cross join lateral jsonb_to_record(raw.body) b (
        task text, sample text, criterion text, rater text, judge text, label text, pass boolean, phase text, stream text,
        pi double precision, rubric text, at timestamptz, cluster text, status text, p_pass double precision, logits jsonb,
        rationale text, text text, context jsonb, \"user\" text, item text, parent text, lang text, generator text);
    delete from import_raw;
    analyze import_rows";

/// A task without a rubric gets one of no criteria, which imports may add to, and a programme.
const TASKS: &str = "
    insert into rubrics (task, version, body, current, origin)
    select task, '1.0', jsonb_build_object('task', task, 'version', '1.0', 'name', jsonb_build_object('en', task),
                                           'criteria', '[]'::jsonb), true, 'imported'
    from (select distinct task from import_rows) t
    where not exists (select from rubrics r where r.task = t.task) on conflict do nothing;
    insert into programmes (task) select distinct task from import_rows order by 1 on conflict do nothing";

/// The rubric of an imported task is what its labels and verdicts name; a rubric of Concord's never changes.
const CRITERIA: &str = "
    update rubrics r set body = jsonb_set(r.body, '{criteria}', (r.body -> 'criteria') || fresh.criteria)
    from (select i.task, jsonb_agg(jsonb_build_object(
                'name', i.criterion,
                'title', jsonb_build_object('en', replace(i.criterion, '_', ' ')),
                'question', jsonb_build_object('en', 'Does it pass: ' || replace(i.criterion, '_', ' ') || '?'),
                'pass', jsonb_build_object('en', 'It does.'), 'fail', jsonb_build_object('en', 'It does not.'),
                'labels', '[{\"name\":\"pass\",\"pass\":true,\"title\":{\"en\":\"Pass\",\"zh\":\"通过\"}},
                            {\"name\":\"fail\",\"pass\":false,\"title\":{\"en\":\"Fail\",\"zh\":\"不通过\"}}]'::jsonb)
                order by i.criterion) criteria
          from (select distinct task, criterion from import_rows) i
          join rubrics of on of.task = i.task and of.current and of.origin = 'imported'
          where not exists (select from jsonb_array_elements(of.body -> 'criteria') c where c ->> 'name' = i.criterion)
          group by i.task) fresh
    where r.task = fresh.task and r.current and r.origin = 'imported'";

const USERS: &str = "
    insert into users (key, half) select key, concord_half(key) from (
        select distinct user_key key from import_rows where user_key is not null) u order by key
    on conflict (key) do nothing";

const ITEMS: &str = "
    insert into items (key) select distinct item from import_rows where item is not null order by 1
    on conflict (key) do nothing";

/// A cluster has one half: that of its samples if there are any, else by hash.
macro_rules! known_by_key {
    ($half:literal) => {
        concat!(
            "insert into samples (id, key, task, text, half, origin, cluster, rubric_version, serve_order)
             select concord_uuid_v7(), k.sample, k.task, '', ",
            $half,
            ", 'imported', k.cluster, r.version, hashtext(coalesce(k.cluster, k.task || ':' || k.sample))
             from (select distinct on (task, sample) task, sample, cluster from import_rows
                   order by task, sample, cluster nulls last) k
             join rubrics r on r.task = k.task and r.current
             where not exists (select from samples s where s.task = k.task and s.key = k.sample)
             order by k.task, k.sample
             on conflict (task, key) do nothing"
        )
    };
}
const KEYS: &str = known_by_key!(
    "coalesce((select s.half from samples s where s.cluster_hash = hashtextextended('c:' || k.cluster, 0) limit 1),
              concord_half(coalesce(k.cluster, k.task || '/' || k.sample)))"
);
const KEYS_AUDIT: &str = known_by_key!("'audit'");

const RESOLVE: &str = "
    update import_rows i set sample_id = s.id from samples s where s.task = i.task and s.key = i.sample";

/// A sample without user or cluster takes the cluster a row names; another than it has is a conflict.
const CLUSTERS: &str = "
    update samples s set cluster = i.cluster
    from (select distinct on (sample_id) sample_id, cluster from import_rows where cluster is not null
          order by sample_id, line) i
    where s.id = i.sample_id and s.cluster is null and s.user_id is null;
    update import_rows i set why = 'conflict: this sample is in cluster ' || quote_literal(s.cluster)
    from samples s where s.id = i.sample_id and s.user_id is null and i.cluster <> s.cluster";

/// Labels imported for the audit take their samples' whole clusters to the audit half, unless one of them has
/// been exported for training.
const HALVES: &str = "
    create temp table import_moving on commit drop as
        select distinct s.cluster_hash from import_rows i join samples s on s.id = i.sample_id
        where i.stream = 'audit' and s.half = 'train' and i.why is null;
    update import_rows i set why = 'conflict: exported for training already, or used to make a judge, so it cannot be audited'
    from samples s where s.id = i.sample_id and s.half = 'train' and i.stream = 'audit'
      and exists (select from samples o join trained_on e on e.sample_id = o.id where o.cluster_hash = s.cluster_hash);
    delete from import_moving m where exists (
        select from samples o join trained_on e on e.sample_id = o.id where o.cluster_hash = m.cluster_hash);
    update users u set half = 'audit' from samples s
    where s.user_id = u.id and s.cluster_hash in (select cluster_hash from import_moving);
    update samples set half = 'audit'
    where half = 'train' and cluster_hash in (select cluster_hash from import_moving);
    drop table import_moving";

/// Whether a label passes, where the row does not say: as the rubric has it. A row that says otherwise is refused.
const LABEL_PASS: &str = "
    with meaning as (
        select distinct r.task, c ->> 'name' criterion, l ->> 'name' label, (l ->> 'pass')::boolean pass
        from rubrics r cross join lateral jsonb_array_elements(r.body -> 'criteria') c
        cross join lateral jsonb_array_elements(c -> 'labels') l
        where r.current and r.task in (select distinct task from import_rows))
    update import_rows i set pass = coalesce(i.pass, m.pass),
        why = coalesce(i.why, case when i.pass <> m.pass
            then 'contradiction: the rubric says that ' || quote_literal(i.label) || case when m.pass then ' passes' else ' fails' end end)
    from meaning m where m.task = i.task and m.criterion = i.criterion and m.label = i.label;
    update import_rows set why = 'the label ' || quote_literal(label) || ' is not known to the rubric: say pass too'
    where why is null and label is not null and pass is null and coalesce(status, 'ok') = 'ok'";

const LABELS: &str = "
    with first as (
        select *, first_value(line) over same first_line, first_value(label) over same first_label,
               first_value(pass) over same first_pass
        from import_rows where why is null
        window same as (partition by sample_id, criterion, rater, phase order by line))
    update import_rows i set known = true,
        why = case when (f.label, f.pass) <> (coalesce(l.label, f.first_label), coalesce(l.pass, f.first_pass))
                   then 'conflict: this rater has said ' || quote_literal(coalesce(l.label, f.first_label)) || ' before' end
    from first f
    left join labels l on l.sample_id = f.sample_id and l.criterion = f.criterion and l.rater = f.rater and l.phase = f.phase
    where i.line = f.line and (l.id is not null or f.line <> f.first_line);
    insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, origin, at)
    select concord_uuid_v7(), i.sample_id, i.task, i.criterion, i.rater, i.label, i.pass, i.phase, i.stream, i.pi,
           coalesce(i.rubric, s.rubric_version), 'imported', coalesce(i.at, now())
    from import_rows i join samples s on s.id = i.sample_id where i.why is null and not i.known order by i.line";

const JUDGES: &str = "
    insert into judges (name, model, model_hash, model_family, backend, prompt_version, origin)
    select distinct judge, judge, '', 'imported', 'imported', '', 'imported' from import_rows order by 1
    on conflict do nothing";

const VERDICTS: &str = "
    update import_rows set pass = p_pass >= 0.5 where why is null and status = 'ok' and pass is null;
    update import_rows set why = 'says neither label nor pass nor p_pass'
    where why is null and status = 'ok' and pass is null;
    with first as (
        select *, first_value(line) over same first_line, first_value(status) over same first_status,
               first_value(pass) over same first_pass, first_value(label) over same first_label,
               first_value(p_pass) over same first_p
        from import_rows where why is null
        window same as (partition by sample_id, criterion, judge order by line))
    update import_rows i set known = true,
        why = case when (f.status, f.pass, f.p_pass, coalesce(f.label, case when f.pass then 'pass' when not f.pass then 'fail' end))
                     is distinct from
                        (case when v.id is null then f.first_status else v.status end,
                         case when v.id is null then f.first_pass else v.pass end,
                         case when v.id is null then f.first_p else v.p_pass end,
                         case when v.id is null then coalesce(f.first_label, case when f.first_pass then 'pass' when not f.first_pass then 'fail' end)
                              else v.label end)
                   then 'conflict: this judge has given another verdict before' end
    from first f left join verdicts v on v.sample_id = f.sample_id and v.criterion = f.criterion and v.judge = f.judge
    where i.line = f.line and (v.id is not null or f.line <> f.first_line);
    create temp table import_verdicts on commit drop as
        select concord_uuid_v7() id, * from import_rows where why is null and not known order by line;
    insert into verdicts (id, sample_id, criterion, judge, rubric_version, status, label, pass, p_pass, logits, created_at)
    select id, sample_id, criterion, judge, rubric, status,
           coalesce(label, case when pass then 'pass' when not pass then 'fail' end), pass, p_pass, logits, coalesce(at, now())
    from import_verdicts order by line;
    insert into rationales (verdict_id, text) select id, rationale from import_verdicts where rationale is not null;
    update samples s set judged = true from import_verdicts v where s.id = v.sample_id and not s.judged;
    drop table import_verdicts";

/// Samples: known by key alone they are filled; otherwise the same is a duplicate and another a conflict.
const SAMPLES: &str = "
    with first as (
        select *, first_value(line) over (partition by task, sample order by line) first_line from import_rows)
    update import_rows i set known = true,
        why = case when (f.text, f.user_key, f.cluster) is distinct from (o.text, o.user_key, o.cluster)
                   then 'conflict: this sample stands in line ' || o.line || ' too and says otherwise' end
    from first f join import_rows o on o.line = f.first_line
    where i.line = f.line and f.line <> f.first_line;
    create temp table import_samples on commit drop as
        select i.*, u.id user_id, u.half user_half, t.id item_id, s.id old_id, s.text old_text, s.user_id old_user,
               s.cluster old_cluster, s.half old_half, s.parent_key old_parent
        from import_rows i left join users u on u.key = i.user_key left join items t on t.key = i.item
        left join samples s on s.task = i.task and s.key = i.sample
        where i.why is null and not i.known;
    update import_rows i set
        known = s.old_text = coalesce(s.text, ''),
        why = case when s.old_text <> '' and s.old_text <> coalesce(s.text, '') then 'conflict: this sample is there with another text'
                   when s.old_user is not null and s.user_id is distinct from s.old_user
                     then 'conflict: this sample is there with another user'
                   when s.user_id is null and s.old_cluster is not null and s.cluster is not null and s.cluster <> s.old_cluster
                     then 'conflict: this sample is in cluster ' || quote_literal(s.old_cluster) end
    from import_samples s where s.line = i.line and s.old_id is not null;
    insert into samples (id, key, task, text, lang, body, half, origin, user_id, item_id, cluster, parent_key, generator,
                         rubric_version, serve_order)
    select concord_uuid_v7(), s.sample, s.task, coalesce(s.text, ''), s.lang,
           jsonb_strip_nulls(jsonb_build_object('context', s.context)),
           coalesce(s.user_half,
                    (select o.half from samples o where s.user_id is null and o.cluster_hash = hashtextextended('c:' || s.cluster, 0) limit 1),
                    concord_half(coalesce(s.cluster, s.task || '/' || s.sample))),
           'imported', s.user_id, s.item_id, s.cluster, s.parent, s.generator, r.version,
           hashtext(coalesce(s.user_key, s.cluster, s.task || ':' || s.sample))
    from import_samples s join rubrics r on r.task = s.task and r.current where s.old_id is null order by s.line
    on conflict (task, key) do nothing;
    update import_rows i set why = 'conflict: labelled for the audit, and its user is exported for training already, or used to make a judge'
    from import_samples s where s.line = i.line and i.why is null and s.old_id is not null and s.user_half = 'train'
      and exists (select from labels l where l.sample_id = s.old_id and l.stream = 'audit')
      and exists (select from samples o join trained_on e on e.sample_id = o.id where o.user_id = s.user_id);
    update users u set half = 'audit' from import_samples s join import_rows i on i.line = s.line
    where i.why is null and s.user_id = u.id and u.half = 'train'
      and exists (select from labels l where l.sample_id = s.old_id and l.stream = 'audit');
    update samples o set half = 'audit' from users u
    where o.half = 'train' and u.half = 'audit' and o.user_id = u.id
      and u.id in (select user_id from import_samples where old_id is not null);
    update samples o set half = coalesce((select u.half from users u where u.id = coalesce(o.user_id, s.user_id)), o.half),
           text = coalesce(s.text, o.text), lang = s.lang,
           body = jsonb_strip_nulls(jsonb_build_object('context', s.context)), user_id = coalesce(o.user_id, s.user_id),
           item_id = coalesce(o.item_id, s.item_id), cluster = coalesce(o.cluster, s.cluster),
           parent_key = coalesce(o.parent_key, s.parent), generator = coalesce(o.generator, s.generator),
           serve_order = hashtext(coalesce(s.user_key, s.cluster, s.task || ':' || s.sample))
    from import_samples s join import_rows i on i.line = s.line
    where o.id = s.old_id and i.why is null and not i.known;
    drop table import_samples";
