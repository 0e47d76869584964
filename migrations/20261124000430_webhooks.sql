-- Addresses that are told of certificates and alarms, and what became of each message. The secret signs
-- messages, so it is kept as it is; no page or route shows it again.
create table webhooks (
    id uuid primary key,
    url text not null check (char_length(url) between 10 and 2000),
    events text[] not null check (cardinality(events) > 0),
    secret bytea not null check (octet_length(secret) = 32),
    created_by uuid not null references accounts (id),
    created_at timestamptz not null default now(),
    removed_at timestamptz
);
create table webhook_deliveries (
    id uuid primary key,
    webhook_id uuid not null references webhooks (id),
    event text not null,
    -- The exact body, as it is signed and sent.
    body text not null,
    state text not null default 'waiting' check (state in ('waiting', 'delivered', 'failed')),
    attempts integer not null default 0,
    -- What the last try came to: an HTTP status, or why there was none.
    status integer,
    error text,
    created_at timestamptz not null default now(),
    ended_at timestamptz
);
create index webhook_deliveries_recent on webhook_deliveries (webhook_id, created_at desc);
