#!/usr/bin/env bash
# Everything that `make test` checks, each step with its time; the last line is the tests' count.
set -euo pipefail
cd "$(dirname "$0")/.."

# A clone that is built once gains nothing from incremental files, and they are most of its disk.
if [ "${CI:-}" = true ]; then export CARGO_INCREMENTAL=0; fi
# candle's threads spin while they wait; the tests share few cores.
export RAYON_NUM_THREADS=1

step() {
    local what=$1 began=$SECONDS
    shift
    echo "== $what"
    "$@"
    echo "== $what: $((SECONDS - began)) s"
}

# counted COMMAND...: runs tests, shows their output, and adds up what their closing lines say.
counted() {
    local status=0
    "$@" 2>&1 | tee target/test.log || status=$?
    read -r passed failed < <(awk '/^test result:/ { passed += $4; failed += $6 } END { print passed + 0, failed + 0 }' target/test.log)
    return "$status"
}

step "setup" bash tools/setup.sh test
step "formatting" cargo fmt --all --check
step "lints" cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
step "lints of the browser's half" cargo clippy -p concord-app --target wasm32-unknown-unknown \
    --features hydrate --locked --quiet -- -D warnings
step "the browser's half" cargo run --locked --quiet -p concord-bundle
step "build" cargo test --workspace --locked --quiet --no-run

passed=0 failed=0 status=0
began=$SECONDS
echo "== tests"
counted tools/test-pg.sh cargo test --workspace --locked --no-fail-fast "$@" || status=$?
echo "== tests: $((SECONDS - began)) s, everything: $SECONDS s"
# A run that broke before its tests could say so has failed too.
if [ "$status" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
echo "$passed passed, $failed failed"
exit "$status"
