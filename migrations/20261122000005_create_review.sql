-- Review: leases, submissions and labels. Overlap is enforced here: a sample has as many slots as
-- its task's overlap, and the unique index below gives each slot to one live assignment.

create table programmes (
    task text primary key,
    overlap integer not null default 1 check (overlap between 1 and 20),
    lease_seconds integer not null default 1800 check (lease_seconds between 5 and 86400),
    gold_rate double precision not null default 0 check (gold_rate between 0 and 0.5)
);

create table assignments (
    id uuid primary key,
    sample_id uuid not null references samples (id),
    account_id uuid not null references accounts (id),
    stream text not null default 'audit' check (stream in ('audit', 'learning', 'gold')),
    -- Probability with which this sample was included in its stream.
    pi double precision not null default 1 check (pi > 0 and pi <= 1),
    state text not null default 'leased' check (state in ('leased', 'submitted', 'expired', 'skipped')),
    -- Held slot; null when it holds none.
    slot integer,
    lease_expires_at timestamptz not null,
    skip_reason text,
    created_at timestamptz not null default now(),
    submitted_at timestamptz,
    revealed_at timestamptz,
    -- The revised answer is stored: the person is through with it.
    closed_at timestamptz,
    check ((state in ('leased', 'submitted')) = (slot is not null)),
    unique (sample_id, account_id)
);
create unique index assignments_slot on assignments (sample_id, slot) where slot is not null;
create index assignments_expiry on assignments (lease_expires_at) where state = 'leased';
create index assignments_mine on assignments (account_id, state, submitted_at desc);

-- A submit, once: the same key gives the same answer.
create table submissions (
    id uuid primary key,
    assignment_id uuid not null references assignments (id),
    phase text not null check (phase in ('blind', 'revised')),
    idempotency_key text not null check (char_length(idempotency_key) between 1 and 200),
    body_hash bytea not null,
    comment text check (char_length(comment) <= 4000),
    seconds double precision,
    created_at timestamptz not null default now(),
    unique (assignment_id, idempotency_key)
);
create unique index submissions_one_blind on submissions (assignment_id) where phase = 'blind';

create table labels (
    id uuid primary key,
    -- Time order for keyset reading of the log.
    seq bigint generated always as identity unique,
    sample_id uuid not null references samples (id),
    task text not null,
    criterion text not null,
    rater text not null,
    label text not null,
    pass boolean not null,
    phase text not null check (phase in ('blind', 'revised')),
    stream text not null check (stream in ('audit', 'learning', 'gold')),
    pi double precision not null,
    rubric_version text not null,
    origin text not null default 'concord' check (origin in ('concord', 'imported')),
    submission_id uuid references submissions (id),
    at timestamptz not null default now(),
    check ((origin = 'concord') = (submission_id is not null))
);
create index labels_sample on labels (sample_id, criterion, phase, rater, seq);
create trigger labels_append_only before update or delete or truncate on labels
    for each statement execute function refuse_change();
create trigger submissions_append_only before update or delete or truncate on submissions
    for each statement execute function refuse_change();

-- Who has seen a sample's verdicts: never assigned it blind afterwards.
create table verdict_views (
    account_id uuid not null references accounts (id),
    sample_id uuid not null references samples (id),
    at timestamptz not null default now(),
    primary key (account_id, sample_id)
);

-- One vote a rater: the blind answer, and the last answer given.
create view blind_votes as
    select distinct on (sample_id, criterion, rater) sample_id, criterion, rater, label, pass
    from labels where phase = 'blind' order by sample_id, criterion, rater, seq;
create view final_votes as
    select distinct on (sample_id, criterion, rater) sample_id, criterion, rater, label, pass
    from labels order by sample_id, criterion, rater, seq desc;
