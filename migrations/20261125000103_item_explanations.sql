-- The interest-item-explanation table (RecGPT §5): each pair of an interest and an item is explained once, offline, and
-- looked up online.
create table item_explanations (
    -- The interest's words as they are compared, so that the same interest of two users is one row.
    interest_key text not null check (char_length(interest_key) between 1 and 300),
    lang text not null check (lang in ('en', 'zh')),
    item_id bigint not null references items (id),
    interest text not null,
    tag text not null,
    -- linked: item and interest are related; quality: the model wrote of the item itself; catalogue: no line of the model
    -- kept the rules, and the item's own data stand in.
    kind text not null check (kind in ('linked', 'quality', 'catalogue')),
    text text not null check (char_length(text) between 1 and 200),
    -- The sample that was judged, where a generation wrote it; it goes with its user.
    sample_id uuid references samples (id),
    prompt_version text not null,
    model text not null,
    model_hash text not null,
    created_at timestamptz not null default now(),
    primary key (interest_key, lang, item_id)
);
create index item_explanations_item on item_explanations (item_id);
create index item_explanations_sample on item_explanations (sample_id) where sample_id is not null;
-- What a user's interests and tags are, newest first.
create index samples_of_user on samples (user_id, task, id desc) where origin = 'generated';
-- φ pairs a tag with the items of its category.
create index items_of_category on items using hash (category) where title is not null;
