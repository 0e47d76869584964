-- The three towers and what they made of the logs. A trained model, its vectors of items and of users: servers that
-- recommend read these and need no training machine. Users' vectors follow the user when a person is deleted.
create table retrieval_models (
    id uuid primary key,
    -- What it was trained with, and how it is asked: β, scheme, tags, window.
    settings jsonb not null,
    -- The towers as safetensors.
    body bytea not null,
    body_sha256 bytea not null,
    -- What it was trained on.
    users bigint not null,
    items bigint not null,
    events bigint not null,
    created_at timestamptz not null default now(),
    -- Set when every vector is in: until then nobody is served by it.
    indexed_at timestamptz
);

create table retrieval_items (
    model_id uuid not null references retrieval_models (id) on delete cascade,
    item_id bigint not null references items (id),
    -- float4, little-endian.
    vector bytea not null,
    primary key (model_id, item_id)
);

create table retrieval_users (
    model_id uuid not null references retrieval_models (id) on delete cascade,
    user_id bigint not null references users (id),
    vector bytea not null,
    primary key (model_id, user_id)
);
create index retrieval_users_user on retrieval_users (user_id);
