-- Interests that mining may match (RecGPT §2). Built from the catalogue's categories and edited by people; one that is
-- taken out stays, so that building again does not bring it back.
create table preset_interests (
    id bigint generated always as identity primary key,
    name text not null check (char_length(name) between 2 and 60),
    lang text not null check (lang in ('en', 'zh')),
    -- The category path it was made from; empty where a person wrote it.
    category text[] not null default '{}',
    origin text not null check (origin in ('catalogue', 'person')),
    active boolean not null default true,
    created_by uuid references accounts (id),
    created_at timestamptz not null default now()
);
create unique index preset_interests_once on preset_interests (lang, lower(name));
