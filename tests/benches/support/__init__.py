"""What the benches share: a durable PostgreSQL and a Concord server of their own, on this machine."""

import contextlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
CONCORD = pathlib.Path(os.environ.get("CONCORD_BENCH_PROGRAM", ROOT / "target/release/concord"))


def free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def load() -> str:
    return "load of the machine " + " ".join(f"{it:.1f}" for it in os.getloadavg())


class Postgres:
    """A cluster of the bench's own, with the durability of a real one: fsync and synchronous_commit are on."""

    def __init__(self, settings: dict[str, str]):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="concord-bench-pg-"))
        self.user = None
        if os.getuid() == 0:
            self.user = "postgres"
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        programs = shutil.which("initdb")
        self.bin = pathlib.Path(programs).resolve().parent if programs else max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
        self._run("initdb", "-D", self.data, "-U", "postgres", "--encoding=UTF8", "--locale=C", "--auth=trust")
        self.settings_given = {"listen_addresses": "", "unix_socket_directories": str(self.folder), "max_connections": "200", **settings}
        self.start()
        self.url = f"postgres://postgres@localhost/postgres?host={self.folder}"

    @property
    def data(self) -> pathlib.Path:
        return self.folder / "data"

    def start(self) -> None:
        """A child of this process, which takes note of its end at once, as a service manager does: while nobody has, a killed
        one still counts as running."""
        command = [str(self.bin / "postgres"), "-D", str(self.data)]
        for name, value in self.settings_given.items():
            command += ["-c", f"{name}={value}"]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, user=self.user, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        ready = [str(self.bin / "pg_isready"), "-q", "-h", str(self.folder)]
        while subprocess.run(ready, check=False).returncode:
            if self.process.poll() is not None:
                raise ChildProcessError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.01)

    def kill(self) -> None:
        """Ends its first process as kill -9 does, and then, as a service manager does, what that one had started."""
        children = self._children(self.process.pid)
        self.process.kill()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.process.wait()

    def start_again(self) -> None:
        """Until what the dead one left behind has let go of its memory."""
        for _ in range(400):
            with contextlib.suppress(ChildProcessError):
                return self.start()
            time.sleep(0.02)
        sys.exit((self.folder / "log").read_text()[-2000:])

    @staticmethod
    def _children(parent: int) -> list[int]:
        found = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rsplit(")", 1)[1].split()
                if int(fields[1]) == parent:
                    found.append(int(stat.parent.name))
        return found

    def _run(self, program: str, *args) -> None:
        command = [str(self.bin / program), *map(str, args)]
        if self.user:
            command = ["runuser", "-u", self.user, "--", *command]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def sql(self, statement: str) -> list[list[str]]:
        """The rows of the last statement, as text."""
        command = ["psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-U", "postgres", "-d", "postgres"]
        done = subprocess.run(command, input=statement, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            sys.exit(f"psql: {done.stderr}")
        return [line.split("\t") for line in done.stdout.splitlines() if line]

    def one(self, statement: str) -> str:
        return self.sql(statement)[0][0]

    def settings(self) -> str:
        names = "'fsync','synchronous_commit','full_page_writes','shared_buffers','server_version'"
        rows = self.sql(f"select name, current_setting(name) from pg_settings where name in ({names}) order by 1")
        return "PostgreSQL " + ", ".join(f"{name} {value}" for name, value in rows)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Server:
    """`concord serve` without a model worker."""

    def __init__(self, postgres: Postgres, **settings: str):
        self.port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="concord-bench-"))
        self.environment = {
            **os.environ, "DATABASE_URL": postgres.url, "CONCORD_DATA": str(self.folder / "data"), "CONCORD_WORKERS": "0",
            "CONCORD_ADDR": f"127.0.0.1:{self.port}", "CONCORD_LOG": "warn", "CONCORD_MODELS": str(ROOT / "models"),
            "CONCORD_SITE": str(ROOT / "target/site"), **settings}
        self.process = None

    def start(self) -> float:
        """Starts it; gives the seconds until it is ready."""
        began = time.monotonic()
        log = open(self.folder / "server.log", "a", encoding="utf-8")
        self.process = subprocess.Popen([CONCORD, "serve"], env=self.environment, stdout=log, stderr=log, cwd=ROOT)
        while time.monotonic() - began < 60:
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz") as answer:
                    if answer.status == 200:
                        return time.monotonic() - began
            time.sleep(0.02)
        sys.exit((self.folder / "server.log").read_text())

    def kill(self) -> None:
        """Ends it as kill -9 does."""
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def command(self, *args: str, data: bytes | None = None) -> str:
        done = subprocess.run([CONCORD, *args], env=self.environment, input=data, capture_output=True, check=False, cwd=ROOT)
        if done.returncode not in (0, 1):
            sys.exit(f"concord {' '.join(args)}: {done.stderr.decode()}")
        return done.stdout.decode()

    def account(self, email: str, role: str) -> str:
        return self.command("account", "add", email, "--role", role, "--token").split()[-1]

    def call(self, token: str, method: str, path: str, body=None, more: dict[str, str] | None = None) -> tuple[int, object]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json", **(more or {})}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def rubric(task: str, criteria: list[str]) -> dict:
    """A rubric of yes-or-no questions, as `POST /api/v1/rubrics` takes it."""
    def text(words: str) -> dict:
        return {"en": words}
    labels = [{"name": "pass", "pass": True, "title": text("Pass")}, {"name": "fail", "pass": False, "title": text("Fail")}]
    return {"task": task, "version": "1.0", "name": text(task), "criteria": [
        {"name": name, "title": text(name), "question": text(f"Is it {name}?"), "pass": text("It is."), "fail": text("It is not."),
         "labels": labels, "ordered": False, "examples": []} for name in criteria]}


def percentiles(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    at = lambda p: ordered[min(len(ordered) - 1, int(p * len(ordered)))] * 1000
    return f"p50 {at(.5):6.1f}  p95 {at(.95):6.1f}  p99 {at(.99):6.1f} ms"
