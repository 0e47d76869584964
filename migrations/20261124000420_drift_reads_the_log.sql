-- A drift monitor reads a decision once both its label and its verdict are in. A verdict that came after its
-- label was missed by the monitor and found by its replay; now a decision's place is the later of the two.
-- Verdicts that are there already keep the place of their label.
alter table verdicts add column tx xid8 not null default '0';
alter table verdicts alter column tx set default pg_current_xact_id();
create index verdicts_log on verdicts (tx) where tx > '0';
create index labels_log on labels (tx) where phase = 'blind' and stream = 'audit';

alter table drift_monitors
    -- The label that rang, and the hash of the labels up to it.
    add column alarm_n bigint,
    add column alarm_hash bytea,
    -- The chart: n, statistic, lower and upper end of the confidence sequence, at every so many labels.
    add column points double precision[] not null default '{}',
    add column every bigint not null default 1;
