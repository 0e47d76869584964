-- Exports. What training may read is enforced here: a row of an export can only name a sample of
-- the train half.

create table exports (
    id uuid primary key,
    policy text not null,
    dir text not null,
    created_by uuid references accounts (id),
    created_at timestamptz not null default now(),
    rows bigint,
    sha256 text,
    finished_at timestamptz
);

create table export_rows (
    export_id uuid not null references exports (id),
    line bigint not null,
    sample_id uuid not null,
    half text not null default 'train' check (half = 'train'),
    primary key (export_id, line),
    foreign key (sample_id, half) references samples (id, half)
);
create index export_rows_sample on export_rows (sample_id);
