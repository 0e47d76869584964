-- Three roles. The owner of the schema migrates, backs up and restores. `concord_server` is what a server works
-- as: it cannot change or remove a label, a submission or anything else that is append-only, whatever trigger is
-- there. `concord_eraser` alone may delete such rows, for a person who asks for it; no server has that role.
-- Whoever may not make roles here has them made once by deploy/roles.sql; until then triggers alone keep the rows,
-- and deletion says what is missing.
do $$
begin
    create role concord_server nologin;
exception when duplicate_object or unique_violation or insufficient_privilege then null;
end $$;
do $$
begin
    create role concord_eraser nologin;
exception when duplicate_object or unique_violation or insufficient_privilege then null;
end $$;

create or replace function refuse_change() returns trigger language plpgsql as $$
begin
    -- The log, its chain and the lists of what was erased are not even the eraser's to delete from: it has no right to.
    if tg_op = 'DELETE' and current_user = 'concord_eraser' then
        return null;
    end if;
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;

-- Gives both roles their rights on every table there is, migrations of later versions included; called by the owner
-- after each migration. It changes only what differs, so that servers starting together do not disturb each other.
create function concord_grant_roles() returns void language plpgsql as $$
declare
    it record;
    wanted text;
begin
    if (select count(*) from pg_roles where rolname in ('concord_server', 'concord_eraser')) < 2 then
        return;
    end if;
    perform pg_advisory_xact_lock(x'636f6e636f726406'::bigint);
    for it in
        select c.oid::regclass tbl, c.relname::text relname, c.relkind, exists (
            select from pg_trigger g join pg_proc p on p.oid = g.tgfoid
            where g.tgrelid = c.oid and p.proname = 'refuse_change') append_only
        from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
    loop
        wanted := case when it.relkind = 'v' or it.relname in ('_sqlx_migrations', 'erased_rows') then 'SELECT'
                       when it.append_only then 'SELECT,INSERT' else 'SELECT,INSERT,UPDATE,DELETE' end;
        perform concord_grant_exactly('concord_server', it.tbl, wanted);
        wanted := case when it.relkind = 'v' or it.relname = '_sqlx_migrations' then 'SELECT'
                       when it.relname in ('audit_events', 'erased_rows') then 'SELECT,INSERT'
                       when it.relname = 'audit_log_blocks' then 'SELECT' else 'SELECT,INSERT,UPDATE,DELETE' end;
        perform concord_grant_exactly('concord_eraser', it.tbl, wanted);
    end loop;
end $$;

create function concord_grant_exactly(grantee text, tbl regclass, wanted text) returns void language plpgsql as $$
declare
    had text;
begin
    select coalesce(string_agg(p, ',' order by n), '') into had
    from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) with ordinality r (p, n)
    where has_table_privilege(grantee, tbl, p);
    if had <> wanted then
        execute format('revoke all on %s from %I', tbl, grantee);
        execute format('grant %s on %s to %I', wanted, tbl, grantee);
    end if;
end $$;

-- Deletions of users: asked for by an administrator, done by `concord user delete` under the eraser's role. The key
-- of the user is not kept: its number says nothing once the user is gone.
create table erasures (
    id uuid primary key,
    user_id bigint not null,
    requested_by uuid references accounts (id),
    requested_at timestamptz not null default now(),
    done_at timestamptz,
    -- What was deleted, by table, and what is affected: exports, models, backups, certificates. Ids and counts.
    receipt jsonb,
    check ((done_at is null) = (receipt is null))
);
create unique index erasures_open on erasures (user_id) where done_at is null;
