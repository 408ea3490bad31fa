"""The servers seen from outside: their CPU, and what a flow asks of them. Standard library only."""

import os
import socket
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Redis:
    name = "redis"

    # A database of its own, since it is flushed before every run and other tests may use the server's first one.
    DATABASE = 9

    def __init__(self, url: str):
        self.address = urlsplit(url)
        self.url = self.address._replace(path=f"/{self.DATABASE}").geturl()
        self.control = self.connect()
        version = next(
            line
            for line in self.info("server").splitlines()
            if line.startswith("redis_version")
        )
        self.version = f"Redis {version.partition(':')[2]}"

    def connect(self):
        at = self.address
        stream = socket.create_connection((at.hostname, at.port or 6379)).makefile(
            "rwb"
        )
        if at.password:
            ask(stream, "AUTH", unquote(at.username or "default"), unquote(at.password))
        ask(stream, "SELECT", str(self.DATABASE))
        return stream

    def info(self, section: str) -> str:
        return ask(self.control, "INFO", section)

    def reset(self) -> None:
        ask(self.control, "FLUSHDB")

    def cpu_us(self) -> float:
        used = dict(
            line.split(":") for line in self.info("cpu").splitlines() if ":" in line
        )
        return 1e6 * sum(
            float(used[f"used_cpu_{kind}_main_thread"]) for kind in ("user", "sys")
        )

    def calls_per_flow(self, start) -> tuple[float, float]:
        """Commands sent by the client, and `redis.call`s inside its scripts, read from MONITOR."""
        flows = 200
        with start() as contestant:
            contestant.run(in_flight=1, flows=20)
            monitor = self.connect()
            ask(monitor, "MONITOR")
            contestant.run(in_flight=1, flows=flows)
            ask(self.control, "ECHO", "the end of the count")
            sent = called = 0
            while b"the end of the count" not in (line := monitor.readline()):
                if line.split(b"] ")[0].endswith(b" lua"):
                    called += 1
                else:
                    sent += 1
            monitor.close()
        return sent / flows, called / flows


def ask(stream, *words: str) -> str:
    parts = [f"*{len(words)}\r\n"] + [
        f"${len(word.encode())}\r\n{word}\r\n" for word in words
    ]
    stream.write("".join(parts).encode())
    stream.flush()
    head = stream.readline().decode()
    if head.startswith("-"):
        raise RuntimeError(f"Redis answered {words[0]} with {head.strip()}")
    if head.startswith("$"):
        return stream.read(int(head[1:]) + 2)[:-2].decode()
    return head[1:].strip()


class Postgres:
    name = "postgres"
    DATABASE = "oncecode_bench"

    def __init__(self, url: str):
        self.admin = url
        self.url = urlsplit(url)._replace(path=f"/{self.DATABASE}").geturl()
        self.sql(f"DROP DATABASE IF EXISTS {self.DATABASE} WITH (FORCE)")
        self.sql(f"CREATE DATABASE {self.DATABASE}")
        self.version = f"PostgreSQL {self.sql('SHOW server_version')} (fsync {self.sql('SHOW fsync')})"
        self.postmaster = self.find_postmaster()

    def sql(self, statement: str) -> str:
        psql = ["psql", self.admin, "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statement]
        quiet = {**os.environ, "PGOPTIONS": "-c client_min_messages=warning"}
        return subprocess.run(
            psql, check=True, text=True, stdout=subprocess.PIPE, env=quiet
        ).stdout.strip()

    def find_postmaster(self) -> int | None:
        child = int(
            self.sql(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
            )
        )
        stat = read_stat(child)
        return stat["parent"] if stat and stat["name"] == "postgres" else None

    def reset(self) -> None:
        pass

    def cpu_us(self) -> float | None:
        """CPU of the postmaster, its living children and its dead ones; None for a server on another machine."""
        if self.postmaster is None:
            return None
        ticks = read_stat(self.postmaster)["of_the_dead"]
        for directory in Path("/proc").glob("[0-9]*"):
            stat = read_stat(int(directory.name))
            if stat and self.postmaster in (stat["pid"], stat["parent"]):
                ticks += stat["own"]
        return 1e6 * ticks / os.sysconf("SC_CLK_TCK")

    def calls_per_flow(self, start) -> tuple[float, None]:
        """Transactions in a contestant's whole life: a backend reports its last ones only when it exits."""
        flows = 1000
        before = self.commits()
        with start() as contestant:
            contestant.run(in_flight=1, flows=flows)
        self.wait_for_backends()
        return (self.commits() - before) / flows, None

    def commits(self) -> int:
        return int(
            self.sql(
                f"SELECT xact_commit FROM pg_stat_database WHERE datname = '{self.DATABASE}'"
            )
        )

    def wait_for_backends(self) -> None:
        live = f"""SELECT count(*) FROM pg_stat_activity
            WHERE datname = '{self.DATABASE}' AND backend_type = 'client backend'"""
        # A connection each: what one has seen of the others it may go on seeing.
        for _ in range(200):
            if self.sql(live) == "0":
                return
        raise ValueError("connections of a contestant that has ended stay open")


def read_stat(pid: int) -> dict | None:
    try:
        head, _, tail = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")
    except OSError:
        return None
    field = tail.split()
    return {
        "pid": pid,
        "name": head.partition("(")[2],
        "parent": int(field[1]),
        "own": int(field[11]) + int(field[12]),
        "of_the_dead": int(field[13]) + int(field[14]),
    }
