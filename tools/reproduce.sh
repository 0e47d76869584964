#!/usr/bin/env bash
# Builds the release binary twice, in two folders and from two copies of the source, and compares: the same source and
# toolchain give the same bytes. Takes two release builds.
set -euo pipefail
cd "$(dirname "$0")/.."
# What is built twice, even if somebody commits meanwhile.
commit=$(git rev-parse HEAD)
folder=$(mktemp -d "${TMPDIR:-/tmp}/concord-reproduce.XXXXXX")
trap 'rm -rf "$folder"' EXIT

build() {
    local copy=$folder/$1
    mkdir -p "$copy"
    git archive "$commit" | tar -x -C "$copy"
    # Folder names must not reach the binary; nor may the time. The variable replaces the flags of .cargo/config.toml.
    (cd "$copy" && SOURCE_DATE_EPOCH=$(git -C "$OLDPWD" log -1 --format=%ct "$commit") CARGO_INCREMENTAL=0 \
        RUSTFLAGS="--cfg erase_components --remap-path-prefix=$copy=/concord --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo" \
        CARGO_TARGET_DIR="$copy/target" cargo build --quiet --locked --release -p concord-server)
    sha256sum "$copy/target/release/concord" | cut -d' ' -f1
}

first=$(build one)
second=$(build another-place)
echo "first  $first"
echo "second $second"
[ "$first" = "$second" ] && echo "the same"
