#!/usr/bin/env python3
"""The promises of the arithmetic by full-size simulation: certificates are wrong no more often than they say in the worlds
of docs/BENCHMARKS.md, and drift detectors ring falsely no more often, and truly as soon, as they say."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main() -> int:
    command = ["cargo", "run", "--quiet", "--locked", "--release", "-p", "concord-agreement", "--example", "promises"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
