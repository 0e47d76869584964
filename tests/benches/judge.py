#!/usr/bin/env python3
"""How good the default judge is on labelled data made elsewhere, zero-shot, with examples and calibrated.

CONCORD_BENCH_DATA names a folder with query_item_matching.jsonl and title_attribute_matching.jsonl; the judge's
weights must be in models/weights. Each row is one question to the model; scores are kept in
target/bench/judge.jsonl, so an interrupted run goes on where it stopped.
"""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main() -> int:
    data = os.environ.get("CONCORD_BENCH_DATA")
    if not data:
        print("skipped: CONCORD_BENCH_DATA names no folder with labelled data")
        return 0
    command = ["cargo", "run", "--quiet", "--locked", "--release", "-p", "concord-server", "--example", "judge_quality"]
    return subprocess.run([*command, "--", os.path.abspath(data)], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
