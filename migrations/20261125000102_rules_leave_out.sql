-- What the rules left out of a call's output, with the rule: [{"text", "rule", "by"}].
alter table calls add column dropped jsonb not null default '[]';
