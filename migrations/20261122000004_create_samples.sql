-- What models wrote, and what judges said of it.

create table rubrics (
    task text not null,
    version text not null,
    body jsonb not null,
    -- The version that new samples are reviewed by.
    current boolean not null default false,
    created_at timestamptz not null default now(),
    primary key (task, version)
);
create unique index rubrics_current on rubrics (task) where current;

create table generations (
    id uuid primary key,
    seed bigint not null,
    settings jsonb not null,
    model text not null,
    model_hash text not null,
    model_family text not null,
    prompts text not null,
    created_by uuid references accounts (id),
    created_at timestamptz not null default now()
);

-- One row a user of a generation: what the generator read, and how far it is. Work resumes from the
-- stage; a stage's samples and its mark are one transaction, so none is written twice.
create table generation_users (
    generation_id uuid not null references generations (id),
    user_id bigint not null references users (id),
    history jsonb not null,
    stage text not null default 'interests' check (stage in ('interests', 'tags', 'explanations', 'done', 'failed')),
    error text,
    finished_at timestamptz,
    primary key (generation_id, user_id)
);

-- One call of the generator: the exact prompt, so that an export can teach it.
create table calls (
    id uuid primary key,
    generation_id uuid not null references generations (id),
    user_id bigint not null references users (id),
    task text not null,
    prompt_version text not null,
    system text not null,
    prompt text not null,
    output text not null,
    seed bigint not null,
    prompt_tokens integer not null,
    output_tokens integer not null,
    millis bigint not null,
    truncated boolean not null,
    created_at timestamptz not null default now()
);

create table samples (
    id uuid primary key,
    key text not null,
    task text not null,
    text text not null,
    lang text not null default 'en',
    -- reason, stage, chain, evidence, context: domain::Sample without its ids.
    body jsonb not null default '{}',
    half text not null check (half in ('audit', 'train')),
    origin text not null default 'generated' check (origin in ('generated', 'imported')),
    user_id bigint references users (id),
    item_id bigint references items (id),
    generation_id uuid references generations (id),
    call_id uuid references calls (id),
    parent_id uuid references samples (id),
    -- Place in the call's output; with call_id it makes a repeated write impossible.
    ordinal integer not null default 0,
    rubric_version text not null,
    -- Review slots in all (0: not up for review yet) and those still free; the queue reads only rows
    -- that have a free one.
    overlap integer not null default 0 check (overlap >= 0),
    open_slots integer not null default 0 check (open_slots between 0 and overlap),
    -- Order of serving: users shuffled by a hash, their samples together and in the order of the chain,
    -- so that the position says nothing of half or judge and a person reads a history once.
    serve_order integer not null,
    judged boolean not null default false,
    created_at timestamptz not null default now(),
    unique (task, key),
    unique (call_id, ordinal),
    -- Target of foreign keys that may only reach the train half.
    unique (id, half)
);
create index samples_open on samples (serve_order, id) where open_slots > 0;
create index samples_generation on samples (generation_id, user_id);
create index samples_unjudged on samples (generation_id) where not judged;

create table judges (
    name text primary key,
    model text not null,
    model_hash text not null,
    model_family text not null,
    backend text not null,
    prompt_version text not null,
    created_at timestamptz not null default now()
);

create table verdicts (
    id uuid primary key,
    sample_id uuid not null references samples (id),
    criterion text not null,
    judge text not null references judges (name),
    rubric_version text not null,
    status text not null check (status in ('ok', 'unparsed')),
    label text,
    pass boolean,
    p_pass double precision check (p_pass between 0 and 1),
    -- Raw logits by answer: recalibration needs no inference.
    logits jsonb,
    prefix_tokens integer,
    prefilled_tokens integer,
    millis bigint,
    created_at timestamptz not null default now(),
    check ((status = 'ok') = (pass is not null)),
    unique (sample_id, criterion, judge)
);

-- Written after the probability and only for samples about to be served: a row of its own, so that
-- a verdict never changes.
create table rationales (
    verdict_id uuid primary key references verdicts (id),
    text text not null,
    created_at timestamptz not null default now()
);
