-- A row of an export says what decided that it passes or fails, so that a row leads back to its evidence and a sample
-- to the rows it went into. A pair has two samples in one row.
alter table export_rows
    -- 1: what a pair rejects.
    add column place smallint not null default 0 check (place in (0, 1)),
    -- Rows for judges are about one criterion.
    add column criterion text,
    add column pass boolean not null default true,
    -- null: written before this was kept.
    add column evidence text check (evidence in ('human_blind', 'human_final', 'adjudicated', 'auto')),
    add column people integer not null default 0,
    add column grade text check (grade in ('S', 'A', 'B')),
    add column held_out boolean not null default false,
    drop constraint export_rows_pkey,
    add primary key (export_id, line, place);

alter table exports add column files text[] not null default '{}';

-- The audit half is refused by a foreign key. Gold questions say how good people are: no model learns from them,
-- whichever was there first.
create function refuse_gold_rows() returns trigger language plpgsql as $$
begin
    if exists (select from added a join gold_questions g on g.sample_id = a.sample_id) then
        raise exception 'a gold question is never exported for training' using errcode = 'check_violation';
    end if;
    return null;
end $$;
create trigger export_rows_no_gold after insert on export_rows referencing new table as added
    for each statement execute function refuse_gold_rows();
create function refuse_exported_gold() returns trigger language plpgsql as $$
begin
    if exists (select from added a join export_rows r on r.sample_id = a.sample_id) then
        raise exception 'a sample that was exported for training cannot be a gold question' using errcode = 'check_violation';
    end if;
    return null;
end $$;
create trigger gold_questions_not_exported after insert on gold_questions referencing new table as added
    for each statement execute function refuse_exported_gold();
