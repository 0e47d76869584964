-- A drift monitor reads a decision once both its label and its verdict are in, and its place in the log is the later
-- of the two: a verdict that came after its label was missed by the monitor and found by its replay. Open monitors
-- read on from their start in this order.
alter table drift_monitors
    -- The label that rang, and the hash of the labels up to it.
    add column alarm_n bigint,
    add column alarm_hash bytea,
    -- The chart: n, statistic, lower and upper end of the confidence sequence, at every so many labels.
    add column points double precision[] not null default '{}',
    add column every bigint not null default 1;
update drift_monitors set read_to = started_at, n = 0, agreed = 0, state = '{}', prefix_hash = sha256('')
where closed_at is null;
