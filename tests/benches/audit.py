#!/usr/bin/env python3
"""The audit of a million samples, each with one person's labels and three judges' verdicts on three criteria: 3 M labels
and 9 M verdicts in 200,000 clusters. Report cards from the counts that are kept up to date (bootstrap over clusters with
B = 2000 included), the same counted anew from the rows with equal counts, and the audit page.

CONCORD_BENCH_SAMPLES changes the million.
"""

import os
import sys
import time
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
from support import Postgres, Server, load, percentiles, rubric  # noqa: E402

SAMPLES = int(os.environ.get("CONCORD_BENCH_SAMPLES", "1000000"))
CRITERIA = ["relevant", "factual", "clear"]
# How often each judge says what people say, by criterion.
JUDGES = {"strong": [0.93, 0.9, 0.95], "middling": [0.85, 0.88, 0.9], "weak": [0.7, 0.75, 0.8]}


def fill(postgres: Postgres) -> None:
    postgres.sql(f"""
        insert into samples (id, key, task, text, half, origin, cluster, rubric_version, serve_order, audit_pi, audit_drawn)
        select concord_uuid_v7(), 'n' || n, 'note', 'text ' || n, 'audit', 'imported', 'c' || n / 5, '1.0', 0, 1, true
        from generate_series(1, {SAMPLES}) n""")
    for name in JUDGES:
        postgres.sql(f"insert into judges (name, model, model_hash, model_family, backend, prompt_version, origin) "
                     f"values ('{name}', '{name}', '', 'imported', 'imported', '', 'imported')")
    for place, criterion in enumerate(CRITERIA):
        postgres.sql(f"""
            insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, origin)
            select concord_uuid_v7(), id, 'note', '{criterion}', 'ann', case when yes then 'pass' else 'fail' end, yes, 'blind', 'audit', 1, '1.0', 'imported'
            from (select id, hashtextextended(id::text, {place}) & 1023 < 860 yes from samples) s""")
        for name, agree in JUDGES.items():
            postgres.sql(f"""
                insert into verdicts (id, sample_id, criterion, judge, rubric_version, status, label, pass, p_pass)
                select concord_uuid_v7(), sample_id, '{criterion}', '{name}', '1.0', 'ok', case when said then 'pass' else 'fail' end, said,
                       case when said then 0.5 + sure / 2 else 0.5 - sure / 2 end
                from (select sample_id, pass = (random() < {agree[place]}) said, sqrt(random()) sure from labels where criterion = '{criterion}') v""")
    postgres.sql("vacuum analyze")


def timed(server: Server, token: str, path: str) -> tuple[float, bytes]:
    headers = {"authorization": f"Bearer {token}", "accept": "text/html" if "/api/" not in path else "application/json"}
    began = time.monotonic()
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers=headers), timeout=3600) as answer:
        text = answer.read()
    return time.monotonic() - began, text


def main() -> int:
    postgres = Postgres({"shared_buffers": "1GB", "work_mem": "64MB", "maintenance_work_mem": "256MB", "max_wal_size": "8GB"})
    server = Server(postgres)
    try:
        server.command("migrate")
        server.start()
        lead = server.account("lead@example.org", "lead")
        assert server.call(lead, "POST", "/api/v1/rubrics", rubric("note", CRITERIA))[0] == 201
        server.kill()
        print(postgres.settings() + "; " + load())
        began = time.monotonic()
        fill(postgres)
        print(f"{SAMPLES:,} samples, {postgres.one('select count(*) from labels')} labels, {postgres.one('select count(*) from verdicts')} verdicts "
              f"loaded in {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        server.command("audit", "--json")
        print(f"first report: everything folded and read by the drift monitors in {time.monotonic() - began:.1f} s")
        began = time.monotonic()
        server.command("audit", "--recount", "--json")
        print(f"counted anew from the rows, equal counts, and the report: {time.monotonic() - began:.1f} s")
        server.start()
        cold, _ = timed(server, lead, "/api/v1/audit")
        warm = [timed(server, lead, "/api/v1/audit")[0] for _ in range(20)]
        changed = []
        for place in range(5):
            postgres.sql(f"""insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, origin)
                select gen_random_uuid(), id, 'note', 'clear', 'bob{place}', 'fail', false, 'blind', 'audit', 1, '1.0', 'imported' from samples where key = 'n{place + 7}'""")
            changed.append(timed(server, lead, "/api/v1/audit")[0])
        print(f"report over HTTP: first of a server {cold:.2f} s; after a new label {max(changed):.2f} s at most of {len(changed)}; kept: {percentiles(warm)}")
        pages = [timed(server, lead, "/audit")[0] for _ in range(20)]
        drift = [timed(server, lead, "/audit/drift")[0] for _ in range(5)]
        print(f"page /audit: {percentiles(pages)}; /audit/drift: {percentiles(drift)}")
        print(load())
    finally:
        server.stop()
        postgres.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
