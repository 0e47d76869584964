#!/usr/bin/env python3
"""Import of a million behaviours into a fresh private database: rows a second, and peak memory.

Half as many rows and all of them are imported, each into a database of its own: constant memory shows
as two equal peaks. CONCORD_BENCH_ROWS changes the count.
"""

import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONCORD = ROOT / "target/release/concord"
KINDS = ["pv"] * 89 + ["cart"] * 6 + ["fav"] * 3 + ["buy"] * 2


def main() -> int:
    rows = int(os.environ.get("CONCORD_BENCH_ROWS", "1000000"))
    print(f"{'rows':>10}{'seconds':>10}{'rows/s':>10}{'peak MB':>10}")
    for count in (rows // 2, rows):
        with tempfile.TemporaryDirectory(prefix="concord-bench-") as scratch:
            measure(pathlib.Path(scratch), count)
    return 0


def measure(scratch: pathlib.Path, rows: int) -> None:
    # The database's user must be able to walk here.
    scratch.chmod(0o711)
    file = scratch / "UserBehavior.csv"
    write(file, rows)
    environment = {**os.environ, "CONCORD_DATA": str(scratch / "data"), "DATABASE_URL": ""}
    subprocess.run([CONCORD, "migrate"], env=environment, check=True, stdout=subprocess.DEVNULL)
    command = [CONCORD, "import", "behaviours", file, "--format", "taobao", "--json"]
    began = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took = time.monotonic() - began
    if process.returncode != 0:
        sys.exit(f"concord import ended with {process.returncode}")
    counts = json.loads(said)
    if counts["new"] + counts["duplicate"] != rows:
        sys.exit(f"not every row arrived: {counts}")
    print(f"{rows:>10}{took:>10.1f}{rows / took:>10.0f}{usage.ru_maxrss / 1000:>10.0f}")


def write(file: pathlib.Path, rows: int) -> None:
    """Rows like Taobao's: many users with a few dozen events over nine days, popular items first."""
    draw = random.Random(1)
    with open(file, "w", encoding="ascii") as out:
        for _ in range(rows):
            user = draw.randrange(1, max(2, rows // 100))
            item = int(draw.paretovariate(1.1)) % 500_000
            at = 1_511_539_200 + draw.randrange(9 * 86_400)
            out.write(f"{user},{item},{item % 9_000},{draw.choice(KINDS)},{at}\n")


if __name__ == "__main__":
    sys.exit(main())
