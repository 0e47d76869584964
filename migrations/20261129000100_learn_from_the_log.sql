-- Rounds that learn what users did lately. What is learnt of a user is a row, written once and read until the training
-- has ended; deleting the user deletes it, and finds the models that read it.
create table log_lessons (
    round_id uuid not null references rounds (id),
    user_id bigint not null references users (id),
    -- Clicks and purchases of titled things in those days.
    seen integer not null,
    -- Of these, what became of them: the judge found it out of place, its category was full, it serves an interest that was
    -- known, it needed one.
    out_of_place integer not null,
    no_room integer not null,
    matched integer not null,
    completed integer not null,
    -- Rows of training: instructions, prompt, answer.
    rows jsonb not null,
    at timestamptz not null default now(),
    primary key (round_id, user_id)
);
create index log_lessons_user on log_lessons (user_id);

-- The one schedule by which rounds start by themselves.
create table round_schedule (
    one boolean primary key default true check (one),
    plan jsonb not null,
    every_days integer not null check (every_days > 0),
    next_at timestamptz not null,
    created_by uuid not null references accounts (id)
);
