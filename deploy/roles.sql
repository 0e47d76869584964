-- Run once by a database administrator where Concord's own role may not make roles:
--     psql -v owner=concord -f deploy/roles.sql
-- `owner` is the role of the address that `concord migrate`, `backup`, `restore` and `user delete` use.
\set ON_ERROR_STOP on
select 'create role concord_server nologin' where not exists (select from pg_roles where rolname = 'concord_server') \gexec
select 'create role concord_eraser nologin' where not exists (select from pg_roles where rolname = 'concord_eraser') \gexec
grant concord_server, concord_eraser to :"owner";

-- The strictest: servers sign in as a role that has no other rights, and only the operator has the owner's address.
--     create role concord_web login password '…' in role concord_server;
-- and give servers DATABASE_URL=postgres://concord_web:…@host/concord. Such a server migrates nothing; it says so when
-- `concord migrate`, with the owner's address, has to go first.
