#!/usr/bin/env bash
# Gets the weights that the given concord would run with, as its own settings say:
#     tools/weights.sh target/release/concord
# Without them generation and judging stay off; everything else works, so this never fails.
set -euo pipefail
concord=$1

mapfile -t wanted < <("$concord" doctor --json 2>/dev/null | python3 -c '
import json, sys
settings = {it["name"]: it["value"] for it in json.load(sys.stdin)["settings"]}
names = ["embedder_model"] if settings.get("llm_url") else ["embedder_model", "generator_model", "judge_model"]
print(settings["weights"])
print(*dict.fromkeys(settings[name] for name in names), sep="\n")')
if [ ${#wanted[@]} -lt 2 ]; then
    echo "no weights fetched: '$concord doctor' does not say which are wanted"
    exit 0
fi
weights=${wanted[0]}
models=("${wanted[@]:1}")

python3 models/fetch.py --dir "$weights" "${models[@]}" || echo "no weights: generation and judging stay off," \
    "import, review and audit work. To try again: python3 models/fetch.py --dir $weights ${models[*]}"
