-- A fold takes all marks of the clusters it counts, however many changes made them: after a large import each
-- cluster is counted once and not once a changed sample.
create index audit_stale_sample on audit_stale (sample_id);
