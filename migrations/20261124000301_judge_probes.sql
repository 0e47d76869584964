-- Probes of a judge: planted negatives, padding, evidence in another order. What is planted lives here and nowhere
-- else: it is no sample, so it is never reviewed, exported or counted in an estimate.
create table judge_probes (
    id uuid primary key,
    task text not null,
    -- null until it starts.
    judge text references judges (name),
    samples integer not null check (samples between 1 and 1000),
    seed bigint not null,
    created_by uuid references accounts (id),
    created_at timestamptz not null default now(),
    finished_at timestamptz
);
create index judge_probes_task on judge_probes (task, created_at desc);

create table judge_probe_answers (
    probe_id uuid not null references judge_probes (id),
    kind text not null check (kind in ('other_user', 'wrong_season', 'invented_evidence', 'padding', 'order')),
    -- The sample that was changed, and, for another user's text, whose text it was.
    sample_id uuid not null references samples (id),
    donor_id uuid references samples (id),
    criterion text not null,
    -- A planted negative on a criterion that must fail it.
    must_fail boolean not null,
    before_pass boolean,
    before_p double precision,
    after_pass boolean,
    after_p double precision,
    primary key (probe_id, kind, sample_id, criterion)
);
