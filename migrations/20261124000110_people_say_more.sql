-- What people say beside their answers: that a sample goes to a lead, that cited evidence does not support it,
-- and answers that came when others had filled every place.

-- A person cannot decide by the guideline. Each ends in a change of the guideline or an explicit "won't".
create table escalations (
    id uuid primary key,
    assignment_id uuid not null unique references assignments (id),
    sample_id uuid not null references samples (id),
    account_id uuid not null references accounts (id),
    reason text not null check (char_length(reason) between 1 and 2000),
    at timestamptz not null default now(),
    outcome text check (outcome in ('guideline', 'wont')),
    note text check (char_length(note) between 1 and 4000),
    -- The rubric version that answers it.
    rubric_version text,
    resolved_by uuid references accounts (id),
    resolved_at timestamptz,
    check ((outcome is null) = (resolved_at is null) and (outcome is null) = (note is null)
           and (outcome is null) = (resolved_by is null)),
    check ((outcome is not distinct from 'guideline') = (rubric_version is not null))
);
create index escalations_open on escalations (at, id) where outcome is null;

-- Lines of the history that a sample cites and that do not support it, as a person marked them with an answer.
create table unsupported_evidence (
    submission_id uuid not null references submissions (id),
    sample_id uuid not null references samples (id),
    rater text not null,
    line integer not null check (line >= 0),
    primary key (submission_id, line)
);
create index unsupported_evidence_sample on unsupported_evidence (sample_id);
create trigger unsupported_evidence_append_only before update or delete or truncate on unsupported_evidence
    for each statement execute function refuse_change();

-- An answer beyond the overlap. No label: nothing that counts labels can ever count it.
create table surplus_answers (
    id uuid primary key,
    assignment_id uuid not null unique references assignments (id),
    account_id uuid not null references accounts (id),
    idempotency_key text not null check (char_length(idempotency_key) between 1 and 200),
    body_hash bytea not null,
    answers jsonb not null,
    comment text check (char_length(comment) <= 4000),
    seconds double precision,
    at timestamptz not null default now()
);
create index surplus_answers_mine on surplus_answers (account_id, at desc);
create trigger surplus_answers_append_only before update or delete or truncate on surplus_answers
    for each statement execute function refuse_change();

-- What a sample rests on and people have failed: an interest that is wrong puts its tags and explanations in
-- doubt. Read from labels and adjudications, so it can never be out of date.
create view linked_fails as
    select s.id sample_id, a.id ancestor_id, u.depth, a.task, a.text, o.criterion, o.passes, o.fails
    from samples s
    cross join lateral (
        with recursive up (id, parent_id, depth) as (
            select p.id, p.parent_id, 1 from samples p where p.id = s.parent_id
            union all
            select p.id, p.parent_id, up.depth + 1 from up join samples p on p.id = up.parent_id where up.depth < 8)
        select id, depth from up) u
    join samples a on a.id = u.id
    cross join lateral (
        select v.criterion, count(*) filter (where v.pass) passes, count(*) filter (where not v.pass) fails
        from blind_votes v where v.sample_id = a.id group by v.criterion) o
    left join lateral (
        select d.outcome from adjudications d where d.sample_id = a.id and d.criterion = o.criterion
        order by d.seq desc limit 1) d on true
    where coalesce(d.outcome, case when o.fails > o.passes then 'fail' end) = 'fail';
