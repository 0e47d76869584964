-- Samples that somebody escalated are cases too, labelled or not: a lead decides on them like on a tie. A sample
-- nobody has answered has no votes, so a decision on it waits for the first answer before it counts.
create or replace view cases as
    select 'audit'::text half, sample_id, criterion, raters, votes, adjudicated, pass, first_seq from audit_references
    union all
    select 'train'::text half, sample_id, criterion, raters, votes, adjudicated, pass, first_seq from learning_references
    union all
    select s.half, s.id, c.name, '{}'::text[], '{}'::boolean[], d.outcome, nullif(d.outcome, 'ambiguous') = 'pass', 0::bigint
    from (select distinct sample_id from escalations where outcome is null) e
    join samples s on s.id = e.sample_id
    join rubrics r on r.task = s.task and r.version = s.rubric_version
    cross join lateral (select j ->> 'name' name from jsonb_array_elements(r.body -> 'criteria') j) c
    left join lateral (select a.outcome from adjudications a where a.sample_id = s.id and a.criterion = c.name
                       order by a.seq desc limit 1) d on true
    where not exists (select from audit_references o where o.sample_id = s.id and o.criterion = c.name)
      and not exists (select from learning_references o where o.sample_id = s.id and o.criterion = c.name);
create index escalations_sample on escalations (sample_id) where outcome is null;
