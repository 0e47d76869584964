#!/usr/bin/env python3
"""The pipeline: how far histories compress, and what the default model recovers of the demo world's truth.

CONCORD_BENCH_DATA names a folder; the users of each folder in it with an .inter file are compressed, and always the demo
world's. CONCORD_BENCH_PARTS chooses among `compress`, `model` and `options`; all by default. CONCORD_BENCH_USERS is how many
users the model is asked about (50: a quarter of an hour on two cores); the options are run on eight, an hour in all.
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import time

from support import CONCORD, Postgres, load

PARTS = os.environ.get("CONCORD_BENCH_PARTS", "compress model options").split()
USERS = os.environ.get("CONCORD_BENCH_USERS", "50")
OPTIONS = [["--explanations", "3"], ["--explanations", "3", "--style"], ["--candidates", "4"], ["--personas", "3"]]


def main() -> int:
    for part in PARTS:
        print(f"\n== {part}; {load()}", flush=True)
        {"compress": compress, "model": model, "options": options}[part]()
    return 0


@contextlib.contextmanager
def database(*fills: list[str]):
    """A fresh one, filled by these commands of Concord; gives a function that runs others on it."""
    postgres = Postgres({})
    environment = {"CONCORD_WORKERS": "8", **os.environ, "DATABASE_URL": postgres.url, "CONCORD_LOG": "warn"}

    def run(*args: str) -> None:
        began = time.monotonic()
        subprocess.run([CONCORD, *args], env=environment, check=True)
        print(f"took {time.monotonic() - began:.0f} s", flush=True)

    try:
        for fill in fills:
            subprocess.run([CONCORD, *fill], env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield run
    finally:
        postgres.stop()


def compress() -> None:
    print("-- demo world", flush=True)
    with database(["demo"]) as run:
        run("compress", "--population", "500")
    data = os.environ.get("CONCORD_BENCH_DATA")
    for file in sorted(pathlib.Path(data).glob("*/*.inter")) if data else []:
        print(f"-- {file.parent.name}", flush=True)
        [items] = file.parent.glob("*.item")
        imports = [["import", kind, str(path), "--format", "recbole"] for kind, path in (("items", items), ("behaviours", file))]
        with database(*imports) as run:
            run("compress", "--population", "12000")


def model() -> None:
    with database(["demo"]) as run:
        run("evaluate", "pipeline", "--users", USERS, "--seed", "1")


def options() -> None:
    for option in [[], *OPTIONS]:
        print(f"-- {' '.join(option) or 'none'}", flush=True)
        with database(["demo"]) as run:
            run("evaluate", "pipeline", "--users", "8", "--seed", "3", *option)


if __name__ == "__main__":
    sys.exit(main())
