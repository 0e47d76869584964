-- φ and what texts are compared by, an embedder each. The newest one of an embedder counts.
create table phi_models (
    id uuid primary key,
    embedder text not null,
    -- Cosine from which two texts are taken for the same thing in other words.
    near real not null,
    dim integer not null,
    categories text[] not null,
    -- A row a category: weights and bias, float4 little-endian; empty where the catalogue has no two categories.
    weights bytea not null,
    -- Titled items of the catalogue when it was trained: many more since, and it is trained again.
    items bigint not null,
    trained_on integer not null,
    held_out integer not null,
    correct integer not null,
    correct_in_five integer not null,
    seed bigint not null,
    created_at timestamptz not null default now()
);
create index phi_models_newest on phi_models (embedder, created_at desc);
