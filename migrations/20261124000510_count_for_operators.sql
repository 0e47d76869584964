-- What an operator's metrics count, without reading whole tables every few seconds.
create index assignments_lapsed on assignments (id) where state = 'expired';
create index jobs_failed on jobs (kind, finished_at) where state = 'failed';
create index audit_events_backups on audit_events (at) where action = 'backup';
