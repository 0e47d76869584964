#!/usr/bin/env bash
# The long forms of tests that `make test` runs in short, on throw-away PostgreSQLs of their own: every fuzz target with
# 10,000 inputs (CONCORD_SOAK_CASES to change it), and 10,000 leases with three kill -9, three times. Reaches nothing
# outside this machine, and ends by itself.
set -euo pipefail
cd "$(dirname "$0")/.."

export CONCORD_SOAK_CASES="${CONCORD_SOAK_CASES:-10000}" RAYON_NUM_THREADS=1
began=$SECONDS
# The whole workspace, as `make test` builds it: another choice of features would build candle anew.
tools/test-pg.sh cargo test --locked --quiet --workspace --lib --test service -- hostile --nocapture
echo "== soak: $CONCORD_SOAK_CASES inputs a target, $((SECONDS - began)) s"

[ -e target/site ] || cargo run --quiet --locked -p concord-bundle
cargo build --quiet --locked --release -p concord-server
began=$SECONDS
python3 tests/soak/kills.py
echo "== soak: killed nine times, $((SECONDS - began)) s"
