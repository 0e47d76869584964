-- Rounds of self-training: a plan, and its steps with what each made. A step is done in the transaction that stores
-- what it made, or not at all, so that a worker that dies leaves a round where it was.
create table rounds (
    id uuid primary key,
    number bigint generated always as identity unique,
    plan jsonb not null,
    state text not null default 'open' check (state in ('open', 'done', 'failed', 'stopped')),
    -- Why it failed.
    why text,
    created_by uuid not null references accounts (id),
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    check ((state = 'open') = (finished_at is null))
);
create table round_steps (
    round_id uuid not null references rounds (id),
    place smallint not null,
    name text not null,
    -- people: it waits for them. skipped: what came before left it nothing to do.
    state text not null default 'open' check (state in ('open', 'running', 'people', 'done', 'skipped', 'failed')),
    message text,
    -- Ids and numbers of what it made, never a text from logs or models.
    detail jsonb not null default '{}',
    started_at timestamptz,
    finished_at timestamptz,
    primary key (round_id, place)
);
