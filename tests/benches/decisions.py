#!/usr/bin/env python3
"""Decisions under load: 8 and then 50 annotators in a closed loop over loopback, HTTP keep-alive, each asking for the
next sample (about 1 KB, 50,000 are open) and submitting blind answers to three criteria; durable PostgreSQL, audit log on.
Then the same with 10,000 leases held and a `kill -9` of the server in the middle. What must hold is checked at the end in
the database; speeds are printed and fail nothing.

CONCORD_BENCH_SECONDS changes the 60 seconds of each part, CONCORD_BENCH_SAMPLES the 50,000.
"""

import asyncio
import json
import os
import random
import sys
import time
import uuid

sys.path.insert(0, os.path.dirname(__file__))
from support import Postgres, Server, load, percentiles, rubric  # noqa: E402

SECONDS = float(os.environ.get("CONCORD_BENCH_SECONDS", "60"))
SAMPLES = int(os.environ.get("CONCORD_BENCH_SAMPLES", "50000"))
WARM_UP = 8.0
OVERLAP = 2
LEASES = 10_000
CRITERIA = ["relevant", "factual", "clear"]


class Client:
    """One annotator's connection: a request at a time, kept alive, opened anew when the server is gone."""

    def __init__(self, port: int, token: str):
        self.port, self.token, self.reader, self.writer = port, token, None, None

    async def call(self, path: str, body: dict, key: str | None = None) -> tuple[int, bytes]:
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        data = json.dumps(body).encode()
        head = (f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\nauthorization: Bearer {self.token}\r\n"
                f"content-type: application/json\r\ncontent-length: {len(data)}\r\n")
        if key:
            head += f"idempotency-key: {key}\r\n"
        try:
            self.writer.write(head.encode() + b"\r\n" + data)
            head = await self.reader.readuntil(b"\r\n\r\n")
            lines = head.decode().lower().split("\r\n")
            length = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length:")), None)
            chunked = any(line.startswith("transfer-encoding:") and "chunked" in line for line in lines)
            body = await self.chunks() if chunked else await self.reader.readexactly(length or 0)
            return int(lines[0].split()[1]), body
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise ConnectionError from error

    async def chunks(self) -> bytes:
        whole = b""
        while True:
            size = int(await self.reader.readline(), 16)
            whole += await self.reader.readexactly(size)
            await self.reader.readline()
            if size == 0:
                return whole

    def close(self) -> None:
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None


class Part:
    """What one part of the load came to."""

    def __init__(self):
        self.next, self.submit, self.errors, self.lost, self.full = [], [], [], 0, 0
        self.stored = {}


async def patient(client: Client, part: Part, path: str, body: dict, key: str | None = None) -> tuple[int, bytes]:
    """A client that tries again while the server is away, as the page does."""
    while True:
        try:
            return await client.call(path, body, key)
        except ConnectionError:
            part.lost += 1
            await asyncio.sleep(0.05)


async def annotate(client: Client, part: Part, until: float, measured_from: float) -> None:
    draw = random.Random(client.token)
    while time.monotonic() < until:
        began = time.monotonic()
        status, text = await patient(client, part, "/api/v1/queue/next", {"count": 1})
        took = time.monotonic() - began
        if status == 204:
            return
        if status != 200:
            part.errors.append((status, text[:200]))
            continue
        if began >= measured_from:
            part.next.append(took)
        given = json.loads(text)["assignments"][0]
        answers = [{"criterion": it["name"], "label": draw.choice(["pass", "pass", "fail"])} for it in given["rubric"]["criteria"]]
        body = {"phase": "blind", "answers": answers, "seconds": 2.0}
        key = str(uuid.UUID(int=draw.getrandbits(128)))
        path = f"/api/v1/assignments/{given['id']}/labels"
        began = time.monotonic()
        status, text = await patient(client, part, path, body, key)
        took = time.monotonic() - began
        if status == 201:
            part.stored[given["id"]] = (key, json.loads(text)["labels"], path, body)
            if began >= measured_from:
                part.submit.append(took)
        elif status == 409 and b"overlap_full" in text:
            part.full += 1
        else:
            part.errors.append((status, text[:200]))


async def run_part(server: Server, tokens: list[str], warm_up: float, kill_after: float | None = None) -> tuple[Part, float]:
    part, clients = Part(), [Client(server.port, token) for token in tokens]
    began = time.monotonic()
    measured_from = began + warm_up
    work = asyncio.gather(*(annotate(it, part, measured_from + SECONDS, measured_from) for it in clients))
    down = 0.0
    if kill_after is not None:
        await asyncio.sleep(kill_after)
        server.kill()
        down = await asyncio.to_thread(server.start)
    await work
    # The same submit twice more gives the same answer and stores nothing.
    for key, labels, path, body in random.Random(1).sample(list(part.stored.values()), min(200, len(part.stored))):
        for token in tokens:
            client = Client(server.port, token)
            status, text = await client.call(path, body, key)
            again = status == 201 and (await client.call(path, body, key))[1]
            client.close()
            if status == 201:
                assert json.loads(text)["labels"] == labels and json.loads(again)["labels"] == labels, "another answer"
                break
            assert status == 404, (status, text)
        else:
            sys.exit("an assignment belongs to nobody")
    for client in clients:
        client.close()
    return part, down


def show(name: str, part: Part) -> None:
    rate = len(part.submit) / SECONDS
    print(f"{name}: {rate:.0f} decisions/s, {len(part.errors)} errors, {part.full} overlap_full, {part.lost} calls cut off")
    print(f"  next    {percentiles(part.next)}")
    print(f"  submit  {percentiles(part.submit)}")
    for error in part.errors[:3]:
        print("  ", error)


def hold_leases(postgres: Postgres) -> None:
    """10,000 places held by 2,500 people who went for lunch."""
    postgres.sql(f"""
        insert into accounts (id, email, role) select gen_random_uuid(), 'lunch' || n || '@example.org', 'annotator' from generate_series(1, {LEASES // 4}) n;
        with people as (select id, row_number() over (order by id) - 1 place from accounts where email like 'lunch%'),
             picked as (select id, row_number() over (order by serve_order desc, id desc) - 1 place from samples
                        where open_slots = overlap and overlap > 0 order by serve_order desc, id desc limit {LEASES}),
             taken as (update samples set open_slots = open_slots - 1 where id in (select id from picked))
        insert into assignments (id, sample_id, account_id, slot, lease_expires_at)
        select gen_random_uuid(), s.id, p.id, 0, now() + interval '1 hour' from picked s join people p on p.place = s.place / 4""")


def check(postgres: Postgres, stored: dict) -> None:
    """What must hold, whatever was killed."""
    beyond = postgres.one("select count(*) from (select sample_id from assignments a join samples s on s.id = a.sample_id "
                          "where a.slot is not null group by sample_id, s.overlap having count(*) > s.overlap) x")
    labellers = postgres.one("select count(*) from (select sample_id from labels l join samples s on s.id = l.sample_id where phase = 'blind' "
                             "group by sample_id, s.overlap having count(distinct rater) > s.overlap) x")
    doubled = postgres.one("select count(*) from (select from labels where phase = 'blind' group by sample_id, criterion, rater having count(*) > 1) x")
    halves = postgres.one(f"select count(*) from (select from labels group by submission_id having count(*) <> {len(CRITERIA)}) x")
    known = {row[0] for row in postgres.sql("select id from labels")}
    lost = sum(label not in known for _, labels, _, _ in stored.values() for label in labels)
    leases = postgres.one("select count(*) from assignments a join accounts p on p.id = a.account_id where a.state = 'leased' and p.email like 'lunch%'")
    counted = postgres.one("select count(*) from samples s where open_slots <> greatest(0, overlap - (select count(*) from assignments a "
                           "where a.sample_id = s.id and a.slot is not null))")
    print(f"checked: {len(stored):,} acknowledged submits, {len(known):,} labels; samples beyond their overlap {beyond}/{labellers}, labels lost {lost}, "
          f"doubled {doubled}, submissions stored in part {halves}, free places miscounted {counted}, leases kept through the kill {leases}")
    if [beyond, labellers, doubled, halves, counted] != ["0"] * 5 or lost:
        sys.exit("an invariant is broken")


def refuse_one_more(postgres: Postgres, server: Server, token: str) -> None:
    """Answer N+1: an assignment that lost its place to others is refused, and stores nothing."""
    account = postgres.one("select account_id from assignments a join accounts p on p.id = a.account_id where p.email = 'late@example.org' limit 1")
    lapsed = postgres.one(f"select id from assignments where account_id = '{account}' limit 1")
    body = {"phase": "blind", "answers": [{"criterion": it, "label": "pass"} for it in CRITERIA]}
    async def send():
        client = Client(server.port, token)
        status, text = await client.call(f"/api/v1/assignments/{lapsed}/labels", body, "late")
        client.close()
        return status, text
    status, text = asyncio.run(send())
    print(f"answer N+1: {status} {json.loads(text).get('code')}")
    if status != 409:
        sys.exit("one answer too many was taken")


def main() -> int:
    postgres = Postgres({"shared_buffers": "512MB"})
    server = Server(postgres, CONCORD_DB_POOL=os.environ.get("CONCORD_BENCH_POOL", "10"))
    try:
        server.start()
        lead = server.account("lead@example.org", "lead")
        status, said = server.call(lead, "POST", "/api/v1/rubrics", rubric("note", CRITERIA))
        assert status == 201, said
        began = time.monotonic()
        said = server.command("import", "samples", "-", "--format", "jsonl", "--json", data=samples(SAMPLES))
        print(f"{json.loads(said)['new']:,} samples of about 1 KB opened in {time.monotonic() - began:.1f} s")
        status, said = server.call(lead, "PUT", "/api/v1/tasks/note/programme", {"overlap": OVERLAP, "lease_seconds": 1800, "gold_rate": 0})
        assert status == 200, said
        tokens = [server.account(f"ann{n}@example.org", "annotator") for n in range(50)]
        late = server.account("late@example.org", "annotator")
        server.call(late, "POST", "/api/v1/queue/next", {"count": 1})
        postgres.sql("update assignments set lease_expires_at = now() - interval '1 second'; vacuum analyze")
        print(postgres.settings() + f"; pool {server.environment['CONCORD_DB_POOL']}, overlap {OVERLAP}, {SECONDS:.0f} s after {WARM_UP:.0f} s of warm-up; {load()}")
        stored = {}
        for people in (8, 50):
            part, _ = asyncio.run(run_part(server, tokens[:people], WARM_UP))
            stored.update(part.stored)
            show(f"{people} annotators", part)
        hold_leases(postgres)
        part, down = asyncio.run(run_part(server, tokens, 0.0, SECONDS / 2))
        stored.update(part.stored)
        show(f"50 annotators, {LEASES:,} leases held, kill -9 in the middle (back after {down:.1f} s)", part)
        refuse_one_more(postgres, server, late)
        check(postgres, stored)
        print(load())
    finally:
        server.stop()
        postgres.stop()
    return 0


def samples(count: int) -> bytes:
    draw = random.Random(3)
    words = [f"word{n}" for n in range(500)]
    lines = []
    for n in range(count):
        context = {"source": " ".join(draw.choices(words, k=130))}
        lines.append(json.dumps({"sample": f"n{n}", "task": "note", "text": " ".join(draw.choices(words, k=12)), "context": context, "cluster": f"c{n // 3}"}))
    return "\n".join(lines).encode()


if __name__ == "__main__":
    sys.exit(main())
