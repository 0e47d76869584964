-- The logs: users, items and what users did. Filled by COPY through temporary tables, so that a
-- batch is there whole or not at all, and the same file twice changes nothing.

create table settings (
    name text primary key,
    value text not null
);

-- The salt of the split into halves. Fixed once samples exist: changing it would move users between
-- halves and let training read what certificates rest on.
insert into settings values ('split_salt', 'concord');

-- audit 30 %, train 70 %, by a salted hash of the user (else cluster, else sample). Stable, not
-- immutable: it reads the salt.
create function concord_half(key text) returns text language sql stable strict as $$
    select case
        when (('x' || substr(md5((select value from settings where name = 'split_salt') || ':' || key), 1, 8))::bit(32)::bigint % 100) < 30
        then 'audit' else 'train' end
$$;

create table users (
    id bigint generated always as identity primary key,
    key text not null unique check (char_length(key) between 1 and 256),
    -- Attribute and value pairs as an array of two-element arrays: a profile keeps its order.
    profile jsonb not null default '[]',
    half text not null check (half in ('audit', 'train')),
    created_at timestamptz not null default now()
);

create table items (
    id bigint generated always as identity primary key,
    key text not null unique check (char_length(key) between 1 and 256),
    -- null: known only from behaviours, so never shown to a model.
    title text check (char_length(title) <= 2000),
    category text[] not null default '{}',
    brand text,
    attributes jsonb not null default '[]',
    price double precision,
    lang text not null default 'en',
    created_at timestamptz not null default now()
);

create table behaviours (
    id bigint generated always as identity primary key,
    user_id bigint not null references users (id),
    kind text not null check (kind in ('search', 'view', 'detail_view', 'review_read', 'favourite', 'cart', 'purchase')),
    item_id bigint references items (id),
    query text check (char_length(query) between 1 and 500),
    at timestamptz,
    -- Order where the log has no times; no times are made up.
    position integer,
    rating real,
    -- Intentional feedback (paper §2): not a plain view, and not rated below --min-rating at import.
    reliable boolean not null,
    check ((item_id is null) <> (query is null))
);
-- One index does two jobs: it makes imports idempotent and reads a user's history.
create unique index behaviours_once on behaviours (user_id, at, position, kind, item_id, query) nulls not distinct;

-- A latent truth stored beside a demo world, so that later work can measure recovery. Never read by
-- generation, judging or review.
create table demo_truth (
    user_id bigint not null references users (id),
    kind text not null,
    body jsonb not null
);
create index demo_truth_user on demo_truth (user_id);

-- Embeddings of items as float4 little-endian bytes, by embedder: content-addressed so that a
-- changed title is embedded again.
create table item_embeddings (
    item_id bigint not null references items (id),
    embedder text not null,
    content_hash bytea not null,
    vector bytea not null,
    primary key (embedder, item_id)
);
