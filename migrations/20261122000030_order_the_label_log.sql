-- A label's place in the log is given when it is written and seen when its transaction commits, so a
-- reader that goes on "after 17" could miss a 16 committed later. The log is read only up to the oldest
-- transaction still running; this column says which one wrote a row.
alter table labels add column tx xid8 not null default pg_current_xact_id();
