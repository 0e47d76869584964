-- The review programme: an order for each stream, gold questions, repeats of one's own samples, a third
-- person on disagreement.

alter table programmes
    -- Share of the draws that go to the audit half while both halves have open samples.
    add column audit_share double precision not null default 0.3 check (audit_share between 0 and 1),
    -- Share of leases that repeat a sample of one's own, and how many days must lie between.
    add column repeat_rate double precision not null default 0.02 check (repeat_rate between 0 and 0.2),
    add column repeat_after_days integer not null default 7 check (repeat_after_days between 7 and 365),
    -- When one more person is asked, once all answers are in: never, where votes are tied, where any differ.
    add column third text not null default 'never' check (third in ('never', 'tie', 'any')),
    -- Whether some learning samples are labelled with the verdicts in view, and which share of them.
    add column assisted boolean not null default false,
    add column assisted_rate double precision not null default 0.05 check (assisted_rate > 0 and assisted_rate <= 0.5);

alter table samples
    -- Learning samples with the lowest come first; only the train half is ever served by it.
    add column learning_rank double precision not null default 0.5,
    -- One more person than the programme's overlap is asked, because people disagree.
    add column extended boolean not null default false;

-- A queue a half and task, so that a lease reads a few rows of an index whatever it looks for. The audit's
-- order knows nothing of verdicts.
drop index samples_open;
create index samples_open_audit on samples (task, serve_order, id) where open_slots > 0 and half = 'audit';
create index samples_open_train on samples (task, serve_order, id) where open_slots > 0 and half = 'train';
create index samples_open_learning on samples (task, learning_rank, id) where open_slots > 0 and half = 'train';

-- What the learning order is computed from: how often each criterion was passed and failed by judges, and how
-- often the same text was opened before, among learning samples.
create table verdict_tallies (
    task text not null,
    criterion text not null,
    passes bigint not null,
    fails bigint not null,
    primary key (task, criterion)
);
create table text_tallies (
    task text not null,
    text_hash bigint not null,
    n bigint not null,
    primary key (task, text_hash)
);

-- Gold questions and repeats hold no slot: they are nobody's vote.
alter table assignments
    add column repeat_of uuid references assignments (id),
    add column assisted boolean not null default false,
    -- Probability this lease had of being assisted; null where none was drawn. Both arms of the comparison
    -- have it.
    add column assist_pi double precision check (assist_pi > 0 and assist_pi < 1),
    drop constraint assignments_stream_check,
    add constraint assignments_stream_check check (stream in ('audit', 'learning', 'gold', 'repeat')),
    drop constraint assignments_check,
    add constraint assignments_slot_check check (
        (slot is not null) = (state in ('leased', 'submitted') and stream in ('audit', 'learning'))),
    add constraint assignments_repeat_check check ((stream = 'repeat') = (repeat_of is not null)),
    add constraint assignments_assisted_check check (not assisted or (stream = 'learning' and assist_pi is not null)),
    drop constraint assignments_sample_id_account_id_key;
-- A person has a sample once; a repeat is no second time, and an answer is repeated once.
create unique index assignments_once on assignments (sample_id, account_id) where stream <> 'repeat';
create unique index assignments_repeat on assignments (repeat_of) where repeat_of is not null;
create index assignments_latest on assignments (account_id, created_at desc, id desc);

alter table labels
    add column assisted boolean not null default false,
    drop constraint labels_stream_check,
    add constraint labels_stream_check check (stream in ('audit', 'learning', 'gold', 'repeat')),
    -- An assisted answer is never a blind one, and only learning samples may have it.
    add constraint labels_assisted_check check (not assisted or (stream = 'learning' and phase = 'revised'));
create index labels_own_checks on labels (rater, stream) where stream in ('gold', 'repeat');

-- Gold and repeated answers say something of a person, not of a sample: they are votes nowhere.
create or replace view blind_votes as
    select distinct on (sample_id, criterion, rater) sample_id, criterion, rater, label, pass
    from labels where phase = 'blind' and stream in ('audit', 'learning') order by sample_id, criterion, rater, seq;
create or replace view final_votes as
    select distinct on (sample_id, criterion, rater) sample_id, criterion, rater, label, pass
    from labels where stream in ('audit', 'learning') order by sample_id, criterion, rater, seq desc;

-- Questions whose right answers a lead has set.
create table gold_questions (
    sample_id uuid primary key references samples (id),
    task text not null,
    active boolean not null default true,
    created_by uuid not null references accounts (id),
    created_at timestamptz not null default now()
);
create index gold_questions_active on gold_questions (task) where active;
create table gold_answers (
    sample_id uuid not null references gold_questions (sample_id),
    criterion text not null,
    label text not null,
    pass boolean not null,
    reason text not null check (char_length(reason) between 1 and 2000),
    primary key (sample_id, criterion)
);
