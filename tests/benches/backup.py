#!/usr/bin/env python3
"""Backup of a million labels (250,000 submissions of four, all sealed in the audit log) while four people label over
HTTP; then the restore into another database, verified equal by the log's chain. The people's latency with and without
the backup, and what the metrics cost of a decision's time.

CONCORD_BENCH_LABELS changes the million.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
from support import CONCORD, ROOT, Postgres, Server, load, percentiles, rubric  # noqa: E402

LABELS = int(os.environ.get("CONCORD_BENCH_LABELS", "1000000"))
CRITERIA = ["relevant", "factual", "clear", "safe"]
PEOPLE = 4


def fill(postgres: Postgres) -> None:
    n = LABELS // len(CRITERIA)
    postgres.sql(f"""
        insert into accounts (id, email, role) values ('00000000-0000-0000-0000-000000000001', 'past@example.org', 'annotator');
        insert into samples (id, key, task, text, half, rubric_version, overlap, open_slots, serve_order)
        select gen_random_uuid(), 'n' || n, 'note', 'text ' || n, 'train', '1.0', 1, 0, n from generate_series(1, {n}) n;
        insert into assignments (id, sample_id, account_id, stream, state, slot, lease_expires_at, submitted_at)
        select gen_random_uuid(), id, '00000000-0000-0000-0000-000000000001', 'learning', 'submitted', 0, now(), now() from samples;
        insert into submissions (id, assignment_id, phase, idempotency_key, body_hash, seconds)
        select gen_random_uuid(), id, 'blind', 'key', sha256(uuid_send(id)), 2.5 from assignments;
        insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, submission_id)
        select gen_random_uuid(), a.sample_id, 'note', c, a.account_id::text, 'pass', true, 'blind', 'learning', 1, '1.0', s.id
        from submissions s join assignments a on a.id = s.assignment_id, unnest(array{CRITERIA}) c;
        insert into samples (id, key, task, text, half, rubric_version, overlap, open_slots, serve_order)
        select gen_random_uuid(), 'o' || n, 'note', 'text ' || n, 'train', '1.0', 1, 1, n from generate_series(1, 60000) n;
        delete from audit_stale;
        vacuum analyze""")


class Person(threading.Thread):
    """Labels until told to stop, and keeps each decision's time."""

    def __init__(self, server: Server, token: str):
        super().__init__(daemon=True)
        self.server, self.token, self.stop, self.times = server, token, False, []

    def run(self) -> None:
        done = 0
        while not self.stop:
            began = time.monotonic()
            status, body = self.server.call(self.token, "POST", "/api/v1/queue/next", {"count": 1})
            assert status == 200, (status, body)
            it = body["assignments"][0]
            answers = [{"criterion": c["name"], "label": c["labels"][0]["name"]} for c in it["rubric"]["criteria"]]
            status, body = self.server.call(self.token, "POST", f"/api/v1/assignments/{it['id']}/labels",
                                            {"phase": "blind", "answers": answers}, {"Idempotency-Key": f"{id(self)}-{done}"})
            assert status == 201, (status, body)
            self.times.append((began, time.monotonic() - began))
            done += 1


def between(people: list[Person], begin: float, end: float) -> list[float]:
    return [took for person in people for at, took in person.times if begin <= at < end]


def metrics_cost(server: Server, decision: float) -> None:
    """The time of a scrape, and the share that counting its two requests has of a decision's time."""
    counted = subprocess.run(["cargo", "run", "--quiet", "--locked", "--release", "-p", "concord-server", "--example", "metrics_cost"],
                             check=True, capture_output=True, text=True, cwd=ROOT).stdout
    worst = max(float(it) for it in re.findall(r"([0-9]+) ns", counted))
    print(f"counting: {counted.strip().replace(chr(10), '; ')}: {2 * worst / (decision * 1e9):.4%} of the median decision")
    times = []
    for _ in range(20):
        began = time.monotonic()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
            text = answer.read().decode()
        times.append(time.monotonic() - began)
    print(f"a scrape of {len(text)} bytes: median {statistics.median(times) * 1000:.1f} ms, worst {max(times) * 1000:.1f} ms")


def command(server: Server, url: str, *args: str) -> dict:
    done = subprocess.run([CONCORD, *args], env={**server.environment, "DATABASE_URL": url}, capture_output=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        sys.exit(f"concord {' '.join(args)}: {done.stderr.decode()}{done.stdout.decode()}")
    return json.loads(done.stdout)


def main() -> int:
    postgres = Postgres({"shared_buffers": "1GB", "maintenance_work_mem": "256MB", "max_wal_size": "8GB"})
    server = Server(postgres)
    out = server.folder / "backup"
    try:
        server.command("migrate")
        server.start()
        lead = server.account("lead@example.org", "lead")
        assert server.call(lead, "POST", "/api/v1/rubrics", rubric("note", CRITERIA))[0] == 201
        fill(postgres)
        began = time.monotonic()
        sealed = command(server, postgres.url, "audit-log", "seal", "--json")["sealed"]
        print(f"{LABELS} labels; {postgres.settings()}; {load()}")
        print(f"sealing: {time.monotonic() - began:.1f} s by this command for {sealed} rows (the server seals beside it)")
        people = [Person(server, server.account(f"ann{n}@example.org", "annotator")) for n in range(PEOPLE)]
        for person in people:
            person.start()
        time.sleep(10)
        before = time.monotonic()
        made = command(server, postgres.url, "backup", "--out", str(out), "--json")
        after = time.monotonic()
        time.sleep(3)
        for person in people:
            person.stop = True
        for person in people:
            person.join()
        quiet, busy = between(people, before - 8, before), between(people, before, after)
        print(f"backup while {PEOPLE} people label: {made['seconds']:.1f} s, {made['rows']} rows, {made['bytes'] / 1e6:.0f} MB")
        print(f"a decision (next and submit) without the backup: {percentiles(quiet)}, {len(quiet) / 8:.0f}/s")
        print(f"a decision during the backup:                    {percentiles(busy)}, {len(busy) / (after - before):.0f}/s")
        postgres.sql("create database other")
        url = re.sub(r"/postgres\?", "/other?", postgres.url)
        restored = command(server, url, "restore", str(out), "--json")
        verified = command(server, url, "audit-log", "verify", "--json", "--head", made["audit_log"]["head"])
        equal = restored["audit_log"] == made["audit_log"] and restored["rows"] == made["rows"] and verified["ok"]
        print(f"restored in {restored['seconds']:.1f} s, {verified['entries']} rows under the chain, equal: {equal}")
        metrics_cost(server, statistics.median(quiet))
        print(load())
        return 0 if equal else 1
    finally:
        server.stop()
        postgres.stop()


if __name__ == "__main__":
    sys.exit(main())
