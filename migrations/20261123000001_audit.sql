-- The audit: what people say of a sample (its reference), how judges compare with it, and what follows:
-- certificates and their voiding. Derived tables are folded from labels, verdicts and adjudications by the
-- store; the queue audit_stale says which samples changed since.

-- Samples, rubrics and judges made elsewhere. A sample without text can be audited, not reviewed.
alter table samples add column cluster text check (char_length(cluster) between 1 and 256);
-- The unit of sampling: user, else cluster, else the sample itself. A hash, because a million of them are
-- grouped and joined; 64 bits collide once in 10^7 worlds of a million clusters.
alter table samples add column cluster_hash bigint not null generated always as (
    hashtextextended(case when user_id is not null then 'u:' || user_id::text
                          when cluster is not null then 'c:' || cluster
                          else 's:' || id::text end, 0)) stored;
create index samples_cluster on samples (cluster_hash);
alter table rubrics add column origin text not null default 'concord' check (origin in ('concord', 'imported'));
alter table judges add column origin text not null default 'concord' check (origin in ('concord', 'imported'));
-- null: an imported verdict says no version, and is compared with the labels of its sample.
alter table verdicts alter column rubric_version drop not null;
create unique index labels_imported_once on labels (sample_id, criterion, rater, phase) where origin = 'imported';

-- A lead's decision where people disagree; the last one on a sample and criterion holds.
create table adjudications (
    id uuid primary key,
    seq bigint generated always as identity unique,
    sample_id uuid not null references samples (id),
    criterion text not null,
    account_id uuid not null references accounts (id),
    outcome text not null check (outcome in ('pass', 'fail', 'ambiguous')),
    label text,
    reason text not null check (reason in ('guideline_gap', 'slip', 'ambiguous', 'other')),
    note text check (char_length(note) <= 4000),
    at timestamptz not null default now(),
    check ((outcome = 'ambiguous') = (label is null))
);
create index adjudications_sample on adjudications (sample_id, criterion, seq desc);
create trigger adjudications_append_only before update or delete or truncate on adjudications
    for each statement execute function refuse_change();

-- Samples whose labels, verdicts or adjudications changed since the last fold. Rows are only added and
-- taken, never merged: a merge could swallow the mark of a transaction the fold does not see yet.
create table audit_stale (
    id bigint generated always as identity primary key,
    sample_id uuid not null,
    -- The cluster it was in, where it moved to another.
    left_cluster bigint
);
create function mark_stale() returns trigger language plpgsql as $$
begin
    insert into audit_stale (sample_id) select distinct sample_id from added;
    return null;
end $$;
create trigger labels_stale after insert on labels referencing new table as added
    for each statement execute function mark_stale();
create trigger verdicts_stale after insert on verdicts referencing new table as added
    for each statement execute function mark_stale();
create trigger adjudications_stale after insert on adjudications referencing new table as added
    for each statement execute function mark_stale();
create function mark_stale_sample() returns trigger language plpgsql as $$
begin
    insert into audit_stale (sample_id, left_cluster) values (new.id, nullif(old.cluster_hash, new.cluster_hash));
    return null;
end $$;
create trigger samples_stale after update of half, cluster, user_id on samples for each row
    when (old.half is distinct from new.half or old.cluster is distinct from new.cluster or old.user_id is distinct from new.user_id)
    execute function mark_stale_sample();

-- One row a sample of the audit half and criterion that people have labelled blind: the votes of the newest
-- major rubric version, one a rater (rater and pass in the same place), and the first answer for the
-- drift monitors. outcome: the adjudication, else the strict majority, else a tie.
create table audit_references (
    sample_id uuid not null references samples (id),
    criterion text not null,
    major integer not null,
    rubric_version text not null,
    raters text[] not null,
    votes boolean[] not null,
    adjudicated text check (adjudicated in ('pass', 'fail', 'ambiguous')),
    pass boolean,
    pi double precision not null,
    imported boolean not null,
    -- Place of the first label in the log. The log's order is that of transactions: one that started earlier
    -- may take its number later, but below the oldest transaction still running nothing is ever added.
    first_tx bigint not null,
    first_seq bigint not null,
    first_pass boolean not null,
    primary key (sample_id, criterion)
);
create index audit_references_several on audit_references (sample_id) where cardinality(raters) > 1;
create index audit_references_log on audit_references (first_tx, first_seq);

-- What is counted: a judge against people on one criterion, on all decisions pooled ('*') or on whole samples
-- ('all'); and, with judge null, the people among themselves.
create table audit_cards (
    id integer generated always as identity primary key,
    task text not null,
    criterion text not null,
    judge text references judges (name),
    major integer not null,
    rubric_version text not null,
    unique nulls not distinct (task, criterion, judge, major)
);

-- What each cluster adds to which card: the store's encoding, so that a cluster counted anew replaces
-- what it said before.
create table audit_clusters (
    cluster_hash bigint primary key,
    entries bytea not null
);

-- How many clusters say the same: what a report and its bootstrap read, however many clusters there are.
create table audit_patterns (
    card_id integer not null references audit_cards (id),
    pattern bytea not null,
    times bigint not null,
    primary key (card_id, pattern)
);

-- Goes up with every fold that changed something: reports are kept by it.
create table audit_version (
    one boolean primary key default true check (one),
    version bigint not null default 0,
    -- Criteria by task that 'all' was counted with: when they change everything is folded anew.
    criteria jsonb not null default '{}'
);
insert into audit_version default values;

-- Every attempt at a certificate. Grid and starts come from unlabelled data and are stored before labels are
-- read; what was spent of delta depends on the attempts before.
create table certificate_attempts (
    id uuid primary key,
    task text not null,
    criterion text not null,
    judge text not null references judges (name),
    major integer not null,
    rubric_version text not null,
    verdict text not null check (verdict in ('pass', 'fail')),
    eps double precision not null check (eps > 0 and eps < 0.5),
    delta double precision not null check (delta > 0 and delta < 0.5),
    -- Attempts on labels that earlier ones have read, this one included; 0: only unseen labels.
    attempt integer not null check (attempt >= 0),
    delta_spent double precision not null check (delta_spent > 0 and delta_spent <= delta),
    -- Labels of transactions from this one on, and, once read, before that one.
    labels_after bigint not null,
    labels_through bigint,
    seed bigint not null,
    grid double precision[] not null,
    starts integer[] not null,
    pool bigint not null,
    grid_from text not null check (grid_from in ('unlabelled', 'fixed')),
    -- What a lead stated of imported labels: {"uniform":true,"blind":true,"by":EMAIL}.
    statement jsonb,
    created_by uuid not null references accounts (id),
    created_at timestamptz not null default now(),
    -- n, chains, what is missing: the whole outcome.
    outcome jsonb,
    finished_at timestamptz
);
create index certificate_attempts_family on certificate_attempts (task, criterion, major, verdict, created_at);

create table certificates (
    id uuid primary key references certificate_attempts (id),
    threshold double precision not null,
    n bigint not null,
    errors bigint not null,
    ucb double precision not null,
    -- Share of this judge's verdicts of the pool that it covers.
    coverage double precision not null,
    status text not null default 'live' check (status in ('live', 'suspended', 'void')),
    why text,
    issued_at timestamptz not null default now(),
    ended_at timestamptz,
    check ((status = 'live') = (ended_at is null))
);

-- One detector a judge, criterion and verdict class; with a live certificate it watches what that accepts.
create table drift_monitors (
    id uuid primary key,
    task text not null,
    criterion text not null,
    judge text not null references judges (name),
    major integer not null,
    verdict text not null check (verdict in ('pass', 'fail')),
    certificate_id uuid references certificates (id),
    -- Only verdicts at least this sure (probability of the verdict given).
    threshold double precision not null default 0,
    p0 double precision not null check (p0 > 0 and p0 < 1),
    alarm_at double precision not null,
    -- It reads labels of transactions from this one on, and has read those before that one.
    started_at bigint not null,
    read_to bigint not null,
    -- The statistics' state, one number a bet in log space, and the SHA-256 chain of what was read.
    state double precision[] not null,
    n bigint not null default 0,
    agreed bigint not null default 0,
    prefix_hash bytea not null,
    status text not null default 'ok' check (status in ('ok', 'warning', 'alarm')),
    alarmed_at timestamptz,
    closed_at timestamptz,
    created_at timestamptz not null default now()
);
create unique index drift_monitors_open on drift_monitors (task, criterion, judge, major, verdict) where closed_at is null;

-- What an alarm opens.
create table investigations (
    id uuid primary key,
    monitor_id uuid not null unique references drift_monitors (id),
    certificate_id uuid references certificates (id),
    n bigint not null,
    statistic double precision not null,
    prefix_hash bytea not null,
    opened_at timestamptz not null default now(),
    -- relabel, recalibrate, certify: what was decided and when.
    steps jsonb not null default '[]',
    closed_at timestamptz,
    closed_by uuid references accounts (id)
);
