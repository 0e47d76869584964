-- A generation over many users is a batch that people pause, go on with, hurry or stop.
alter table generations add column priority integer not null default 10 check (priority between 0 and 19);
alter table jobs drop constraint jobs_state_check;
-- paused: not claimed until somebody goes on with it. Outside the queue's index, so that a paused batch costs a claim nothing.
alter table jobs add constraint jobs_state_check
    check (state in ('queued', 'running', 'paused', 'done', 'failed', 'cancelled'));
create index jobs_of_generation on jobs ((args ->> 'generation')) where kind in ('generate', 'judge');
create index generation_users_finished on generation_users (generation_id, finished_at desc) where finished_at is not null;
