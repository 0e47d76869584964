-- A bearer token is told apart by its name, narrowed by its scopes and taken back by its id. Tokens made before
-- keep what they could: everything the role may, until taken back.
alter table tokens
    add column id uuid not null default gen_random_uuid() unique,
    add column name text not null default '' check (char_length(name) <= 100),
    -- null: all that the role may.
    add column scopes text[] check (cardinality(scopes) > 0),
    add column used_at timestamptz;
create index tokens_account on tokens (account_id);

-- Whoever has the link of an invitation chooses a password and has the account, once. The link's secret is
-- stored hashed; an invitation that was used or withdrawn is gone, and the audit log tells of both.
create table invitations (
    id uuid primary key,
    secret_hash bytea not null unique,
    email text not null unique check (email = lower(email) and char_length(email) between 3 and 254),
    role text not null check (role in ('annotator', 'lead', 'admin')),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
