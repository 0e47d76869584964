#!/usr/bin/env bash
# Runs a command with DATABASE_URL pointing at a throw-away PostgreSQL, which ends with it:
#     tools/test-pg.sh cargo test -p concord-store
# Durability is off: what it holds is never worth keeping.
set -euo pipefail

if command -v initdb >/dev/null; then
    bin=$(dirname "$(readlink -f "$(command -v initdb)")")
else
    bin=$(compgen -G '/usr/lib/postgresql/*/bin' | sort --version-sort | tail -n 1)
fi

folder=$(mktemp -d /tmp/concord-test-pg.XXXXXX)
as_owner=()
if [ "$(id -u)" = 0 ]; then
    chown postgres: "$folder"
    as_owner=(runuser -u postgres --)
fi

# PostgreSQL's programs complain of a working folder that their user cannot enter.
pg() { (cd / && "${as_owner[@]}" "$bin/$@"); }

stop() {
    pg pg_ctl stop -D "$folder/data" -m immediate -s >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT TERM

pg initdb -D "$folder/data" -U postgres --encoding=UTF8 --locale=C --auth=trust --no-sync >"/dev/null"
cat >>"$folder/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$folder'
max_connections = 200
shared_buffers = 128MB
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
CONF
pg pg_ctl start -D "$folder/data" -l "$folder/log" -w -s

DATABASE_URL="postgres://postgres@localhost/postgres?host=$folder" "$@"
