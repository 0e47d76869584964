-- The samples that an investigation has given to people again: drawn evenly from what its monitor read, each
-- open to one more person.
create table investigation_relabels (
    investigation_id uuid not null references investigations (id),
    sample_id uuid not null references samples (id),
    asked_at timestamptz not null default now(),
    primary key (investigation_id, sample_id)
);
