-- Runs of training, as far as their last checkpoint: what is known of one survives the process that trains. The weights
-- and the state of the optimiser lie in the run's folder, the numbers that people look at lie here.
create table training_runs (
    id uuid primary key,
    -- What the model is to be called.
    name text not null check (char_length(name) between 1 and 200),
    role text not null check (role in ('generator', 'judge')),
    -- A judge's model judges one task, or one criterion of it.
    task text,
    criterion text,
    base text not null,
    base_sha256 text not null,
    -- What it learns from: the hash of the file's bytes, and the export it came from where it is one of ours.
    data_sha256 text not null,
    export_id uuid references exports (id),
    examples bigint not null,
    -- Rows that were too long.
    left_out bigint not null,
    settings jsonb not null,
    folder text not null,
    -- running: started and not ended; a process that was killed leaves it so, and the same command goes on.
    state text not null default 'running' check (state in ('running', 'stopped', 'done', 'failed')),
    why text,
    steps bigint not null check (steps > 0),
    losses double precision[] not null default '{}',
    tokens_per_second double precision,
    seconds_left double precision,
    -- How often it was begun or went on.
    starts integer not null default 1,
    created_by uuid references accounts (id),
    created_at timestamptz not null default now(),
    -- When it was last heard of.
    heard_at timestamptz not null default now(),
    finished_at timestamptz
);
-- A folder holds one run of some data: the same one goes on there.
create unique index training_runs_place on training_runs (folder, data_sha256);
create index training_runs_newest on training_runs (created_at desc);
