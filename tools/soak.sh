#!/usr/bin/env bash
# The long forms of tests that `make test` runs in short: every fuzz target with 10,000 inputs (CONCORD_SOAK_CASES to
# change it), on a throw-away PostgreSQL on a socket. Reaches nothing outside this machine, and ends by itself.
set -euo pipefail
cd "$(dirname "$0")/.."

export CONCORD_SOAK_CASES="${CONCORD_SOAK_CASES:-10000}" RAYON_NUM_THREADS=1
began=$SECONDS
# The whole workspace, as `make test` builds it: another choice of features would build candle anew.
tools/test-pg.sh cargo test --locked --quiet --workspace --lib --test hostile_input -- hostile --nocapture
echo "== soak: $CONCORD_SOAK_CASES inputs a target, $((SECONDS - began)) s"
