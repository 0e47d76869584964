-- The durable queue: workers claim with FOR UPDATE SKIP LOCKED and hold a lease they renew; a lease
-- that ran out means the worker died, and the job is claimed again.

create table jobs (
    id uuid primary key,
    kind text not null,
    args jsonb not null,
    -- Higher first: a person waits (20), batches (10), rationales (0).
    priority integer not null default 10,
    state text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
    attempts integer not null default 0,
    max_attempts integer not null default 3,
    run_after timestamptz not null default now(),
    lease_owner uuid,
    lease_expires_at timestamptz,
    done bigint not null default 0,
    total bigint not null default 0,
    message text,
    -- The same work asked for twice is one job.
    dedupe_key text unique,
    created_by uuid references accounts (id),
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz
);
create index jobs_claim on jobs (priority desc, created_at) where state in ('queued', 'running');
create index jobs_recent on jobs (created_at desc);
