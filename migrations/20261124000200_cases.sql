-- What leads decide on: every sample and criterion that people have labelled blind, in both halves. The audit
-- half has its references already; the train half gets the same, so that people who disagree there are seen
-- too. Nothing of the audit reads this table: report cards, certificates and drift stay with their half.
create table learning_references (like audit_references including defaults including constraints);
alter table learning_references add primary key (sample_id, criterion);
alter table learning_references add foreign key (sample_id) references samples (id);

-- Where people disagree and nobody has decided: few rows of many.
create index audit_references_mixed on audit_references (sample_id)
    where adjudicated is null and true = any (votes) and false = any (votes);
create index learning_references_mixed on learning_references (sample_id)
    where adjudicated is null and true = any (votes) and false = any (votes);

create view cases as
    select 'audit'::text half, sample_id, criterion, raters, votes, adjudicated, pass, first_seq from audit_references
    union all
    select 'train'::text half, sample_id, criterion, raters, votes, adjudicated, pass, first_seq from learning_references;

-- What was labelled before this table was there.
insert into audit_stale (sample_id)
    select s.id from samples s where s.half = 'train' and exists (select from labels l where l.sample_id = s.id);
