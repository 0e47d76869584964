#!/usr/bin/env python3
"""How good φ (tag to category) is on items labelled elsewhere, by tenfold cross-validation.

CONCORD_BENCH_DATA names a folder with item_category.jsonl. CONCORD_BENCH_EMBEDDER names an embedder of the catalogue
(default multilingual-e5-small); its weights must be in models/weights or CONCORD_WEIGHTS.
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
    embedder = os.environ.get("CONCORD_BENCH_EMBEDDER", "multilingual-e5-small")
    command = ["cargo", "run", "--quiet", "--locked", "--release", "-p", "concord-server", "--example", "phi_quality"]
    return subprocess.run([*command, "--", os.path.abspath(data), embedder], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
