#!/usr/bin/env python3
"""Retrieval: three towers beside their baselines, search beside other libraries, and how fast recommendations come.

CONCORD_BENCH_DATA names a folder; each folder in it with an .inter file is evaluated (ml-100k as the PyPI wheel recbole
has it, the video games of LLMRank, …), and always the demo world. CONCORD_BENCH_PARTS chooses among `demo`, `logs`,
`search`, `pgvector` and `recommend`; all by default. The search beside usearch and hnswlib needs them, and numpy, from pip;
pgvector needs the wheel pgserver. CONCORD_BENCH_VECTORS and CONCORD_BENCH_ITEMS change the sizes.
"""

import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from support import CONCORD, ROOT, Postgres, Server, load, percentiles

PARTS = os.environ.get("CONCORD_BENCH_PARTS", "demo logs search pgvector recommend").split()
BUDGET = os.environ.get("CONCORD_BENCH_BUDGET", "--trainings 8 --asks 12 --epochs 15").split()


def main() -> int:
    for part in PARTS:
        print(f"\n== {part}; {load()}", flush=True)
        {"demo": demo, "logs": logs, "search": search, "pgvector": pgvector, "recommend": recommend}[part]()
    return 0


def evaluate(environment: dict[str, str], *args: str) -> None:
    began = time.monotonic()
    subprocess.run([CONCORD, "retrieve", "evaluate", "--seed", "1", *BUDGET, *args], env=environment, check=True)
    print(f"took {time.monotonic() - began:.0f} s", flush=True)


def logs() -> None:
    data = os.environ.get("CONCORD_BENCH_DATA")
    if not data:
        print("skipped: CONCORD_BENCH_DATA names no folder with logs")
        return
    for file in sorted(pathlib.Path(data).glob("*/*.inter")):
        print(f"\n-- {file.parent.name}", flush=True)
        evaluate(dict(os.environ), "--train", str(file.parent))


def demo() -> None:
    postgres = Postgres({})
    try:
        environment = {**os.environ, "DATABASE_URL": postgres.url, "CONCORD_LOG": "warn"}
        subprocess.run([CONCORD, "demo"], env=environment, check=True, stdout=subprocess.DEVNULL)
        evaluate(environment, "--train", "db")
    finally:
        postgres.stop()


def search() -> None:
    """Clustered unit vectors of 64 numbers that lie near 16 dimensions, as trained ones do; 1000 queries, k = 100."""
    try:
        import numpy as np
    except ImportError:
        print("skipped: numpy is not installed")
        return
    count = int(os.environ.get("CONCORD_BENCH_VECTORS", "1000000"))
    draw = np.random.default_rng(1)
    basis = draw.standard_normal((16, 64)).astype("float32")
    centres = draw.standard_normal((2000, 16)).astype("float32")

    def some(n: int):
        rows = centres[draw.integers(0, 2000, n)] + 0.5 * draw.standard_normal((n, 16)).astype("float32")
        rows = rows @ basis + 0.3 * draw.standard_normal((n, 64)).astype("float32")
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    vectors, queries, k = some(count), some(1000), 100
    scores = queries @ vectors.T
    right = np.argpartition(-scores, k, axis=1)[:, :k]
    del scores

    def recall(found) -> float:
        return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(right.tolist(), found.tolist())]))

    print(f"{'library':<24}{'build s':>10}{'recall@100':>12}{'queries/s':>12}   one thread for queries")
    with tempfile.TemporaryDirectory() as scratch:
        paths = [str(pathlib.Path(scratch) / name) for name in ("vectors", "queries", "found")]
        vectors.tofile(paths[0])
        queries.tofile(paths[1])
        command = ["cargo", "run", "--quiet", "--locked", "--release", "-p", "concord-retrieval", "--example", "search", "--"]
        program = os.environ.get("CONCORD_BENCH_SEARCH")
        said = subprocess.run([*([program] if program else command), *paths[:2], "64", str(k), paths[2]], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
        found = np.fromfile(paths[2], dtype="<u4").reshape(1000, k)
        it = json.loads(said)
        print(f"{'concord exact':<24}{'-':>10}{1.0:>12.4f}{it['exact_per_second']:>12.1f}")
        print(f"{'concord hnsw':<24}{it['build_seconds']:>10.1f}{recall(found):>12.4f}{it['hnsw_per_second']:>12.1f}", flush=True)
    others(vectors, queries, k, recall)


def others(vectors, queries, k: int, recall) -> None:
    import numpy as np
    try:
        from usearch.index import Index
        index = Index(ndim=64, metric="ip", dtype="f32", connectivity=32, expansion_add=128, expansion_search=384)
        began = time.monotonic()
        index.add(np.arange(len(vectors)), vectors)
        built, began = time.monotonic() - began, time.monotonic()
        found = np.array([index.search(query, k).keys for query in queries])
        print(f"{'usearch (pip)':<24}{built:>10.1f}{recall(found):>12.4f}{len(queries) / (time.monotonic() - began):>12.1f}", flush=True)
    except ImportError:
        print("usearch: not installed")
    try:
        import hnswlib
        index = hnswlib.Index(space="ip", dim=64)
        began = time.monotonic()
        index.init_index(len(vectors), ef_construction=128, M=32)
        index.add_items(vectors)
        built, began = time.monotonic() - began, time.monotonic()
        index.set_ef(384)
        index.set_num_threads(1)
        found = np.array([index.knn_query(query, k)[0][0] for query in queries])
        print(f"{'hnswlib (pip)':<24}{built:>10.1f}{recall(found):>12.4f}{len(queries) / (time.monotonic() - began):>12.1f}", flush=True)
    except ImportError:
        print("hnswlib: not installed")


def pgvector() -> None:
    """The test of the outside backend against PostgreSQL 16 with pgvector, from the wheel pgserver."""
    try:
        import pgserver
    except ImportError:
        print("skipped: pgserver is not installed (pip install pgserver==0.1.4)")
        return
    with tempfile.TemporaryDirectory() as scratch:
        server = pgserver.get_server(scratch)
        environment = {**os.environ, "CONCORD_TEST_PGVECTOR": server.get_uri().replace("postgres:@/", "postgres@localhost/")}
        command = ["tools/test-pg.sh", "cargo", "test", "--locked", "--workspace", "--test", "retrieval", "pgvector", "--", "--ignored"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        server.cleanup()


def recommend() -> None:
    """The whole request over HTTP, one after another: 2000 people with 20 events each."""
    items = int(os.environ.get("CONCORD_BENCH_ITEMS", "100000"))
    draw = random.Random(1)
    words = [f"word{n}" for n in range(2000)]
    rows = (json.dumps({"item": f"i{n}", "title": " ".join(draw.sample(words, 5)), "category": [f"c{n % 200}"]}) for n in range(items))
    events = (json.dumps({"user": f"u{user}", "kind": "purchase", "item": f"i{draw.randrange(items)}", "at": f"2026-01-{at + 1:02}T00:00:00Z"})
              for user in range(2000) for at in range(20))
    postgres = Postgres({})
    server = Server(postgres)
    try:
        server.command("import", "items", "-", "--format", "jsonl", data="\n".join(rows).encode())
        server.command("import", "behaviours", "-", "--format", "jsonl", data="\n".join(events).encode())
        server.command("retrieve", "train", "--epochs", "1")
        server.command("retrieve", "index")
        server.start()
        token = server.account("lead@example.org", "lead")
        path = "/api/v1/users/u{}/recommendations"
        began = time.monotonic()
        status, _ = server.call(token, "GET", path.format(0))
        print(f"first answer, model and vectors read for it: {time.monotonic() - began:.1f} s, {status}")
        for wait, when in [(0, "at once, the graph being built beside"), (60, "a minute later")]:
            time.sleep(wait)
            taken = []
            for _ in range(1000):
                began = time.monotonic()
                status, found = server.call(token, "GET", path.format(draw.randrange(2000)))
                taken.append(time.monotonic() - began)
                if status != 200 or len(found["items"]) != 20:
                    sys.exit(f"{status}: {found}")
            print(f"{items} items, 1000 requests {when}: {percentiles(taken)}", flush=True)
    finally:
        server.stop()
        postgres.stop()


if __name__ == "__main__":
    sys.exit(main())
