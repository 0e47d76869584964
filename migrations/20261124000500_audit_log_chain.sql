-- The audit log as a chain of hashes: what people, judges, certificates and exports did cannot be changed
-- afterwards without `concord audit-log verify` saying so. A server seals committed rows in blocks, in the
-- order of their transactions; nothing waits for it. A block holds ids and hashes, never a text, so that a
-- person's data can be deleted and the chain still verifies.

-- A place in the log is a transaction's number. Another server counts transactions from another number, so
-- places there go on from this base, which `concord restore` sets. A function and not a row, because it is
-- read for every row written: a constant costs nothing.
create function concord_log_base() returns bigint language sql immutable parallel safe as 'select 0::bigint';
create function concord_log_place() returns xid8 language sql stable parallel safe as
    'select (pg_current_xact_id()::text::bigint + concord_log_base())::text::xid8';
-- What is below this place is settled: committed or gone, and nothing is ever added there.
create function concord_log_horizon() returns xid8 language sql stable parallel safe as
    'select (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + concord_log_base())::text::xid8';

alter table labels alter column tx set default concord_log_place();
alter table audit_events add column tx xid8 not null default concord_log_place();
alter table submissions add column tx xid8 not null default concord_log_place();
alter table verdicts add column tx xid8 not null default concord_log_place();
alter table adjudications add column tx xid8 not null default concord_log_place();
create index labels_tx on labels (tx);
create index audit_events_tx on audit_events (tx);
create index submissions_tx on submissions (tx);
create index verdicts_tx on verdicts (tx);
create index adjudications_tx on adjudications (tx);

-- Every row the chain covers with its hash. `row(…)::text` quotes each value, so no two rows have the same
-- text; times go in as numbers because their text depends on the session. A column added to one of these
-- tables later is not covered until it is named here by a migration that starts a new kind.
create view audit_log_rows as
    select tx, 1::smallint kind, lpad(to_hex(id), 32, '0')::uuid id,
           sha256(convert_to(row(id, tx, extract(epoch from at), account_id, action, subject, detail)::text, 'UTF8')) hash
    from audit_events
    union all
    select tx, 2::smallint, id,
           sha256(convert_to(row(id, tx, assignment_id, phase, idempotency_key, body_hash, comment, seconds,
                                 extract(epoch from created_at))::text, 'UTF8'))
    from submissions
    union all
    select tx, 3::smallint, id,
           sha256(convert_to(row(id, tx, seq, sample_id, task, criterion, rater, label, pass, phase, stream, pi,
                                 rubric_version, origin, submission_id, extract(epoch from at))::text, 'UTF8'))
    from labels
    union all
    select tx, 4::smallint, id,
           sha256(convert_to(row(id, tx, sample_id, criterion, judge, rubric_version, status, label, pass, p_pass,
                                 logits, extract(epoch from created_at))::text, 'UTF8'))
    from verdicts
    union all
    select tx, 5::smallint, id,
           sha256(convert_to(row(id, tx, seq, sample_id, criterion, account_id, outcome, label, reason, note,
                                 extract(epoch from at))::text, 'UTF8'))
    from adjudications;

create table audit_log_blocks (
    block bigint primary key check (block > 0),
    sealed_at timestamptz not null default now(),
    -- Rows of transactions from this place on, before that one.
    from_tx bigint not null,
    to_tx bigint not null check (to_tx > from_tx),
    entries integer not null check (entries > 0),
    -- Of each row 2 bytes kind, 16 bytes id, 32 bytes hash, in the order of place, kind and id.
    leaves bytea not null check (octet_length(leaves) = 50 * entries),
    -- SHA-256 of the hash before, this block's numbers as text, and the SHA-256 of the leaves.
    hash bytea not null check (octet_length(hash) = 32)
);
create trigger audit_log_blocks_append_only before update or delete or truncate on audit_log_blocks
    for each statement execute function refuse_change();

-- Rows of the chain that were deleted at a person's request. Each erasure's event holds the SHA-256 of what is
-- listed here, so that this list cannot be used to hide anything else.
create table erased_rows (
    kind smallint not null,
    row_id uuid not null,
    erasure_id uuid not null,
    primary key (erasure_id, kind, row_id)
);
create trigger erased_rows_append_only before update or delete or truncate on erased_rows
    for each statement execute function refuse_change();
