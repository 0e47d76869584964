-- V2's senior reviewer: how a sample's verdicts become S, A or B. A task without a row has the default rule.
create table senior_rules (
    task text primary key,
    strong double precision not null check (strong between 0.5 and 1),
    share double precision not null check (share > 0 and share <= 1),
    set_by uuid references accounts (id),
    set_at timestamptz not null default now()
);
