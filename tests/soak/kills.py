#!/usr/bin/env python3
"""10,000 leases by 50 people over loopback, and three kill -9 at random moments: twice the server, once PostgreSQL. All of
it three times. People try again while something is away, with the same key. At the end the database must hold every
acknowledged answer once, none beyond a sample's overlap and none in part; how long each recovery took is printed.

CONCORD_SOAK_LEASES, CONCORD_SOAK_RUNS and CONCORD_SOAK_SEED change what is done.
"""

import asyncio
import json
import os
import pathlib
import random
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "benches"))
from decisions import CRITERIA, OVERLAP, Client, check, samples  # noqa: E402
from support import Postgres, Server, load, rubric  # noqa: E402

LEASES = int(os.environ.get("CONCORD_SOAK_LEASES", "10000"))
RUNS = int(os.environ.get("CONCORD_SOAK_RUNS", "3"))
SEED = int(os.environ.get("CONCORD_SOAK_SEED", str(time.time_ns() % 1_000_000)))
PEOPLE = 50
KILLED = ["server", "server", "PostgreSQL"]


class Run:
    """What came of a run so far."""

    def __init__(self, draw: random.Random):
        self.draw, self.leases, self.full, self.again, self.stored = draw, 0, 0, 0, {}
        self.killed_at, self.recoveries = None, []

    def served(self, asked_at: float) -> None:
        if self.killed_at is not None and asked_at > self.killed_at:
            self.recoveries[-1] = (self.recoveries[-1][0], time.monotonic() - self.killed_at)
            self.killed_at = None

    async def call(self, client: Client, path: str, body: dict, key: str | None = None) -> tuple[int, bytes]:
        """Until the server has an answer: what is away comes back."""
        while True:
            client.asked_at = time.monotonic()
            try:
                status, text = await client.call(path, body, key)
                if status < 500:
                    return status, text
            except ConnectionError:
                pass
            self.again += 1
            await asyncio.sleep(0.05)

    async def annotate(self, client: Client) -> None:
        while self.leases < LEASES:
            status, text = await self.call(client, "/api/v1/queue/next", {"count": 1})
            if status == 204:
                return
            assert status == 200, (status, text[:300])
            self.leases += 1
            given = json.loads(text)["assignments"][0]
            body = {"phase": "blind", "answers": [
                {"criterion": it, "label": self.draw.choice(["pass", "fail"])} for it in CRITERIA]}
            key = str(uuid.UUID(int=self.draw.getrandbits(128)))
            path = f"/api/v1/assignments/{given['id']}/labels"
            status, text = await self.call(client, path, body, key)
            if status == 201:
                self.stored[given["id"]] = (key, json.loads(text)["labels"], path, body)
                self.served(client.asked_at)
            else:
                assert status == 409 and b"overlap_full" in text, (status, text[:300])
                self.full += 1

    async def kill(self, server: Server, postgres: Postgres) -> None:
        """Each at a moment of its own, counted in leases."""
        moments = sorted(self.draw.uniform(0.08, 0.92) * LEASES for _ in KILLED)
        for moment, what in zip(moments, self.draw.sample(KILLED, len(KILLED))):
            while self.leases < moment or self.killed_at is not None:
                await asyncio.sleep(0.002)
            self.recoveries.append((f"{what} at lease {self.leases:,}", None))
            if what == "server":
                server.kill()
                self.killed_at = time.monotonic()
                await asyncio.to_thread(server.start)
            else:
                postgres.kill()
                self.killed_at = time.monotonic()
                await asyncio.to_thread(postgres.start_again)


async def one_run(server: Server, postgres: Postgres, tokens: list[str], draw: random.Random) -> Run:
    run, clients = Run(draw), [Client(server.port, token) for token in tokens]
    await asyncio.gather(run.kill(server, postgres), *(run.annotate(it) for it in clients))
    for client in clients:
        client.close()
    return run


def main() -> int:
    for number in range(RUNS):
        draw = random.Random(SEED + number)
        postgres = Postgres({"shared_buffers": "256MB", "recovery_init_sync_method": "syncfs"})
        server = Server(postgres)
        try:
            server.start()
            lead = server.account("lead@example.org", "lead")
            assert server.call(lead, "POST", "/api/v1/rubrics", rubric("note", CRITERIA))[0] == 201
            server.command("import", "samples", "-", "--format", "jsonl", data=samples(LEASES))
            programme = {"overlap": OVERLAP, "lease_seconds": 1800, "gold_rate": 0}
            assert server.call(lead, "PUT", "/api/v1/tasks/note/programme", programme)[0] == 200
            tokens = [server.account(f"ann{n}@example.org", "annotator") for n in range(PEOPLE)]
            began = time.monotonic()
            run = asyncio.run(one_run(server, postgres, tokens, draw))
            print(f"run {number + 1}, seed {SEED + number}: {run.leases:,} leases in {time.monotonic() - began:.0f} s, {run.full} found their sample full, "
                  f"{run.again} calls tried again; {load()}")
            print("  killed, and the next answer stored after: " + "; ".join(f"{what}, {took:.2f} s" for what, took in run.recoveries))
            print("  ", end="")
            check(postgres, run.stored)
        finally:
            server.stop()
            postgres.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
