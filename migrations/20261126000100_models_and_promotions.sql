-- Models trained here, with what they learnt from: a model names its export, so that deleting a user lists it, and a
-- row of an export leads on to the models that read it.
create table models (
    id uuid primary key,
    -- A judge's model judges one task.
    role text not null check (role in ('generator', 'judge')),
    task text,
    -- What generations and verdicts call it.
    name text not null unique check (char_length(name) between 1 and 200),
    -- Name in the catalogue and hash of the weights it was trained on.
    base text not null,
    base_sha256 text not null,
    -- The model that it goes on from, where that is not the base itself.
    parent_id uuid references models (id),
    -- null: it learnt from files that nobody of these logs is in; the settings name and hash them.
    export_id uuid references exports (id),
    -- A generator's folder, with adapter_model.safetensors, adapter_config.json and model.gguf; hash and size of the last.
    dir text,
    -- A model that is a few numbers, such as a judge's head, is stored here; the hash is then of this.
    body jsonb,
    sha256 text not null,
    bytes bigint not null check (bytes > 0),
    settings jsonb not null,
    -- Mean loss of a learnt token, a step each.
    losses double precision[] not null,
    created_by uuid references accounts (id),
    created_at timestamptz not null default now(),
    check ((role = 'judge') = (task is not null)),
    check (num_nonnulls(dir, body) = 1)
);
create index models_export on models (export_id);
create index models_parent on models (parent_id);
-- What has been promoted once must stay what it was.
create trigger models_append_only before update or delete or truncate on models
    for each statement execute function refuse_change();

-- Every decision of the gate and every change of what stands; the last change of a role and task says what serves.
create table promotions (
    id uuid primary key,
    seq bigint generated always as identity unique,
    role text not null check (role in ('generator', 'judge')),
    task text,
    kind text not null check (kind in ('promote', 'refuse', 'rollback')),
    -- The model it is about; of a rollback the one that stands again, null for the model of the settings.
    model_id uuid references models (id),
    -- What stood before; null for the model of the settings.
    replaced_id uuid references models (id),
    -- The gate's comparisons and reasons.
    decision jsonb not null,
    by_account uuid references accounts (id),
    at timestamptz not null default now(),
    check ((role = 'judge') = (task is not null)),
    check (kind = 'rollback' or model_id is not null)
);
create index promotions_standing on promotions (role, task, seq desc) where kind <> 'refuse';
create trigger promotions_append_only before update or delete or truncate on promotions
    for each statement execute function refuse_change();
