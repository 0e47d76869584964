-- A judge's head: what people said teaches a small classifier to read what frozen models say of a sample, its logits
-- and how near its text is to what it rests on. A head is a part of a judge like its prompt, so its verdicts are another
-- judge's: audited by themselves, and no certificate passes to them.

-- How near a sample is to what it rests on, by embedder and by what is compared. Read once: a head is trained, and
-- verdicts are written, without asking a model again.
create table judge_similarities (
    sample_id uuid not null references samples (id),
    -- Embedder with its hash, and the version of what is compared.
    made_by text not null,
    numbers double precision[] not null,
    primary key (sample_id, made_by)
);

-- A run: trains heads, writes the candidate's verdicts, compares it with the judge that stands on the audit half.
create table judge_head_runs (
    id uuid primary key,
    task text not null,
    request jsonb not null,
    state text not null default 'queued' check (state in ('queued', 'promoted', 'refused', 'failed')),
    -- The judge that stood and the one made.
    before_judge text references judges (name),
    judge text references judges (name),
    -- Why criteria have no head, why the gate refused, what was compared.
    outcome jsonb,
    created_by uuid references accounts (id),
    created_at timestamptz not null default now(),
    finished_at timestamptz
);
create index judge_head_runs_task on judge_head_runs (task, created_at desc);

create table judge_heads (
    id uuid primary key,
    run_id uuid not null references judge_head_runs (id),
    task text not null,
    criterion text not null,
    -- The judge whose logits it reads, without calibrations and heads.
    asked text not null,
    made_by text not null,
    -- Names of features, scales, weights, shares of passes, calibration.
    parameters jsonb not null,
    n bigint not null,
    n_pass bigint not null,
    n_clusters bigint not null,
    -- Labels that rebalancing kept.
    kept bigint not null,
    -- ECE, Brier, AUROC with intervals on the labels of the train half; "after" by heads that have not seen the cluster.
    before jsonb not null,
    after jsonb not null,
    created_at timestamptz not null default now()
);
create index judge_heads_run on judge_heads (run_id);
create table judge_head_labels (
    head_id uuid not null references judge_heads (id),
    sample_id uuid not null,
    -- As with examples and calibrations: what is measured on the audit half has not been learnt from it.
    half text not null default 'train' check (half = 'train'),
    primary key (head_id, sample_id),
    foreign key (sample_id, half) references samples (id, half)
);
create index judge_head_labels_sample on judge_head_labels (sample_id);

alter table judge_configs add column head_id uuid references judge_heads (id);
alter table judge_configs drop constraint judge_configs_why_check;
alter table judge_configs add constraint judge_configs_why_check
    check (why in ('first', 'model', 'prompt', 'examples', 'calibration', 'criteria', 'head'));

create or replace view trained_on as
    select sample_id from export_rows union all select sample_id from judge_examples
    union all select sample_id from judge_calibration_labels union all select sample_id from judge_head_labels;
