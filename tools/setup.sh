#!/usr/bin/env bash
# Installs what a Debian 12 machine with rustup's toolchain, Python with pip, Node.js and apt lacks.
# `setup.sh run` for `make run`, `setup.sh test` for `make test`. What is there already costs nothing
# and needs no network.
set -euo pipefail
cd "$(dirname "$0")/.."
goal=${1:?say what for: run or test}
log=target/setup.log
mkdir -p target
: >"$log"

# step WHAT COMMAND...: one line with what and how long; the command's own words only if it fails.
step() {
    local what=$1 began=$SECONDS
    shift
    printf 'setup: %s ... ' "$what"
    if "$@" >>"$log" 2>&1; then
        echo "$((SECONDS - began)) s"
    else
        echo "failed after $((SECONDS - began)) s; the last lines of $log:"
        tail -n 15 "$log"
        return 1
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

has() { command -v "$1" >/dev/null; }

# --- programs -----------------------------------------------------------------------------------
packages=()
has cc || packages+=(gcc libc6-dev)
has wasm-opt || packages+=(binaryen)
if [ "$goal" = test ] || [ -z "${DATABASE_URL:-}" ]; then
    has initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages+=(postgresql)
fi
if [ "$goal" = test ]; then
    has chromium || packages+=(chromium)
    has chromedriver || packages+=(chromium-driver)
    # Steps the clock of one program under test.
    has faketime || packages+=(faketime)
    compgen -G '/usr/share/fonts/opentype/noto/NotoSansCJK*' >/dev/null || packages+=(fonts-noto-cjk)
fi
if [ ${#packages[@]} -gt 0 ]; then
    step "package lists" as_root apt-get update
    step "install ${packages[*]}" as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "${packages[@]}"
fi

# --- the Rust toolchain's parts --------------------------------------------------------------------
[ -d "$(rustc --print target-libdir --target wasm32-unknown-unknown)" ] ||
    step "Rust's wasm target" rustup target add wasm32-unknown-unknown
if [ "$goal" = test ]; then
    has cargo-fmt && cargo fmt --version >>"$log" 2>&1 || step "rustfmt" rustup component add rustfmt
    has cargo-clippy && cargo clippy --version >>"$log" 2>&1 || step "clippy" rustup component add clippy
fi

# --- axe-core, which judges the pages' accessibility in the browser tests -------------------------------
if [ "$goal" = test ] && [ ! -f tests/browser/node_modules/axe-core/axe.min.js ]; then
    step "axe-core" npm ci --prefix tests/browser --no-audit --no-fund
fi

# --- the OpenID Connect provider that the sign-in tests run on loopback ------------------------------------
if [ "$goal" = test ] && [ ! -d tests/oidc/node_modules/oidc-provider ]; then
    step "oidc-provider" npm ci --prefix tests/oidc --no-audit --no-fund
fi

# --- promtool, which tests the alert rules; its package would start a Prometheus, so only the program is taken ----
if [ "$goal" = test ] && ! has promtool && [ ! -x target/tools/promtool ]; then
    mkdir -p target/tools/deb
    step "promtool" bash -c 'cd target/tools/deb && { apt-get download prometheus || { as=; [ "$(id -u)" = 0 ] || as=sudo
        $as apt-get update && apt-get download prometheus; }; } && dpkg -x prometheus_*.deb . &&
        mv usr/bin/promtool .. && cd .. && rm -rf deb'
fi

# --- model weights of the tests: checked by hash, resumed where an earlier fetch stopped ------------------
if [ "$goal" = test ]; then
    python3 models/fetch.py smollm2-135m static-en
fi
