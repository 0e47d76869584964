-- People who sign in. Secrets are stored hashed: argon2id for passwords, SHA-256 for random tokens.

create table accounts (
    id uuid primary key,
    email text not null unique check (email = lower(email) and char_length(email) between 3 and 254),
    role text not null check (role in ('annotator', 'lead', 'admin')),
    -- null: signs in by token only.
    password_hash text,
    created_at timestamptz not null default now()
);

-- Who acts when a command does. It has no password and cannot sign in.
insert into accounts (id, email, role) values ('00000000-0000-0000-0000-000000000000', 'operator@localhost', 'admin');

create table sessions (
    secret_hash bytea primary key,
    account_id uuid not null references accounts (id),
    created_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index sessions_account on sessions (account_id);

create table tokens (
    secret_hash bytea primary key,
    account_id uuid not null references accounts (id),
    created_at timestamptz not null default now(),
    expires_at timestamptz
);

-- What happened, by whom: people, judges, exports. Only appended to.
create table audit_events (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    account_id uuid references accounts (id),
    action text not null,
    subject text not null,
    detail jsonb not null default '{}'
);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;
create trigger audit_events_append_only before update or delete or truncate on audit_events
    for each statement execute function refuse_change();
