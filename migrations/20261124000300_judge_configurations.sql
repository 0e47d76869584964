-- What a judge is: model and weights, prompt, worked examples, calibration. Each part that decides a verdict is in
-- the judge's name, so another part is another judge and nothing that rests on the old one passes to it.

-- A draw of worked examples: several sets make simulated annotators.
create table judge_draws (
    id uuid primary key,
    task text not null,
    seed bigint not null,
    per_side integer not null check (per_side between 1 and 8),
    sets integer not null check (sets between 1 and 8),
    created_by uuid references accounts (id),
    created_at timestamptz not null default now()
);
create table judge_examples (
    draw_id uuid not null references judge_draws (id),
    set_no integer not null check (set_no >= 0),
    place integer not null,
    criterion text not null,
    sample_id uuid not null,
    -- An example can only be a sample of the train half: what a judge was shown says nothing of how good it is.
    half text not null default 'train' check (half = 'train'),
    pass boolean not null,
    primary key (draw_id, set_no, place),
    foreign key (sample_id, half) references samples (id, half)
);
create index judge_examples_sample on judge_examples (sample_id);

-- A calibration of a judge on one criterion, and how good its probabilities were before and after.
create table judge_calibrations (
    id uuid primary key,
    task text not null,
    criterion text not null,
    -- The judge without its calibrations: what the model was asked with.
    asked text not null,
    method text not null check (method in ('platt', 'temperature', 'isotonic')),
    parameters jsonb not null,
    n bigint not null,
    n_pass bigint not null,
    n_clusters bigint not null,
    -- ECE, Brier, AUROC with intervals; "after" by fits that have not seen the cluster they are measured on.
    before jsonb not null,
    after jsonb not null,
    created_by uuid references accounts (id),
    created_at timestamptz not null default now()
);
create table judge_calibration_labels (
    calibration_id uuid not null references judge_calibrations (id),
    sample_id uuid not null,
    half text not null default 'train' check (half = 'train'),
    primary key (calibration_id, sample_id),
    foreign key (sample_id, half) references samples (id, half)
);
create index judge_calibration_labels_sample on judge_calibration_labels (sample_id);

-- The judge of a task and criterion, with its history. A name is a task's: when a criterion's part changes, every
-- criterion of the task gets a new row, because "passes all criteria" is asked of one judge.
create table judge_configs (
    id uuid primary key,
    task text not null,
    criterion text not null,
    judge text not null references judges (name),
    asked text not null,
    draw_id uuid references judge_draws (id),
    calibration_id uuid references judge_calibrations (id),
    current boolean not null default true,
    why text not null check (why in ('first', 'model', 'prompt', 'examples', 'calibration', 'criteria')),
    created_by uuid references accounts (id),
    created_at timestamptz not null default now(),
    ended_at timestamptz,
    check (current = (ended_at is null))
);
create unique index judge_configs_current on judge_configs (task, criterion) where current;
create index judge_configs_judge on judge_configs (judge, task);

-- p_pass went through a calibration.
alter table verdicts add column calibrated boolean not null default false;

-- Of Concord's own judges the verdict that stands: the current judge's, else the newest. Of judges made elsewhere
-- every one.
create view standing_verdicts as
    select v.* from verdicts v join judges j on j.name = v.judge
    where j.origin = 'imported' or v.id = (
        select w.id from verdicts w join judges k on k.name = w.judge and k.origin = 'concord'
        where w.sample_id = v.sample_id and w.criterion = v.criterion
        order by exists (select from judge_configs c join samples s on s.task = c.task
                         where s.id = w.sample_id and c.judge = w.judge and c.current) desc,
                 w.created_at desc, w.id desc
        limit 1);

-- Judges of a task that another has taken the place of.
create view superseded_judges as
    select task, judge from judge_configs group by task, judge having not bool_or(current);

-- Samples that a model has learnt from or a judge was made with: they cannot be moved to the audit half.
create view trained_on as
    select sample_id from export_rows union all select sample_id from judge_examples
    union all select sample_id from judge_calibration_labels;
