#!/usr/bin/env python3
"""A million agreed samples, four criteria each, exported to JSON Lines on disk, then to Parquet: rows a second of the
whole command (deciding, recording and writing), of the writing alone, and the most memory the command held.

CONCORD_BENCH_ROWS changes the million.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
from support import CONCORD, ROOT, Postgres, Server, load  # noqa: E402

ROWS = int(os.environ.get("CONCORD_BENCH_ROWS", "1000000"))
CRITERIA = ["relevance", "consistency", "specificity", "validity"]


def in_time(n: str) -> str:
    """An id as the product makes them (UUIDv7): what is made later sorts later."""
    return f"(lpad(to_hex({n}), 12, '0') || '7' || substr(md5({n}::text), 1, 3) || '8' || substr(md5({n}::text), 4, 15))::uuid"


def fill(postgres: Postgres) -> None:
    """Ten tags a call and a hundred calls a user, on prompts of a kilobyte."""
    postgres.sql(f"""
        update rubrics set current = false where task = 'tag';
        insert into rubrics (task, version, body, current)
            select 'tag', 'bench', jsonb_build_object('criteria', (select jsonb_agg(jsonb_build_object('name', c)) from unnest(array{CRITERIA}) c)), true;
        insert into users (key, half) select 'u' || n, 'train' from generate_series(0, {ROWS // 1000}) n;
        insert into generations (id, seed, settings, model, model_hash, model_family, prompts) values (gen_random_uuid(), 1, '{{}}', 'm', 'h', 'f', 'p');
        insert into calls (id, generation_id, user_id, task, prompt_version, system, prompt, output, seed, prompt_tokens, output_tokens, millis, truncated)
            select {in_time('n')}, g.id, u.id, 'tag', 'tags/1', repeat('You are a shopping guide. ', 8),
                   'call ' || n || ' ' || repeat('3 months ago (purchase) | rod, reel, line; ', 18),
                   json_build_object('tags', (select json_agg(json_build_object('interest', 1, 'tag', 'waterproof hiking boots ' || t)) from generate_series(0, 9) t)),
                   n, 1, 1, 1, false
            from generations g, generate_series(0, {ROWS // 10 - 1}) n join users u on u.key = 'u' || n / 100;
        insert into samples (id, key, task, text, half, user_id, generation_id, call_id, ordinal, rubric_version, serve_order)
            select {in_time('(c.seed * 10 + t)')}, c.seed || 't' || t, 'tag', 'waterproof hiking boots ' || t, 'train', c.user_id, c.generation_id, c.id, t, 'bench', 0
            from calls c, generate_series(0, 9) t;
        insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, origin)
            select gen_random_uuid(), s.id, 'tag', c, 'r', 'pass', true, 'blind', 'learning', 1, 'bench', 'imported'
            from samples s, unnest(array{CRITERIA}) c;
        delete from audit_stale;
        vacuum analyze""")


def export(server: Server, form: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        policy = os.path.join(folder, "policy.toml")
        out = os.path.join(folder, "out")
        with open(policy, "w", encoding="ascii") as text:
            text.write(f'tasks = ["tag"]\nformats = ["{form}"]\n')
        began = time.monotonic()
        child = subprocess.Popen([CONCORD, "export", "--policy", policy, "--out", out], env=server.environment, cwd=ROOT)
        # The first byte of a data file is where writing begins.
        writing = None
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            partial = os.path.join(folder, ".out.partial")
            if writing is None and os.path.isdir(partial):
                writing = time.monotonic()
            if pid:
                break
            time.sleep(0.02)
        took = time.monotonic() - began
        if status:
            sys.exit("the export failed")
        with open(os.path.join(out, "manifest.json"), encoding="utf-8") as text:
            manifest = json.load(text)
        data = manifest["files"][0]
        rows = manifest["rows"]
        if rows != ROWS or data["rows"] != ROWS:
            sys.exit(f"{rows} rows of {ROWS}")
        written = time.monotonic() - writing if writing else took
        print(f"{form}: {rows} rows, {data['bytes'] / 1e6:.0f} MB in {took:.1f} s: {rows / took:,.0f} rows/s; "
              f"deciding and recording {took - written:.1f} s, writing {rows / written:,.0f} rows/s; most memory {usage.ru_maxrss / 1024:.0f} MB")


def main() -> int:
    postgres = Postgres({"shared_buffers": "1GB", "maintenance_work_mem": "256MB", "max_wal_size": "8GB"})
    server = Server(postgres)
    try:
        server.command("migrate")
        fill(postgres)
        print(f"{ROWS} samples, {4 * ROWS} labels; {postgres.settings()}; {load()}")
        for form in ["jsonl", "parquet"]:
            export(server, form)
        print(load())
        return 0
    finally:
        server.stop()
        postgres.stop()


if __name__ == "__main__":
    sys.exit(main())
