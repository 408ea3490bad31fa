from __future__ import annotations

import shutil
import signal
from pathlib import Path

from .group import Group, Launch
from .instance import Instance, Server, binary
from .postgres import NAME, Postgres

SBIN = [Path("/usr/sbin"), Path("/usr/local/sbin")]


class Pooler(Server):
    """PgBouncer in transaction mode: each transaction may have another connection."""

    name = "pgbouncer-pooler"
    process = "pgbouncer"
    stop_signal = signal.SIGKILL  # It keeps nothing.

    def __init__(self, database: Instance | None = None) -> None:
        self.database = database

    def account(self) -> str | None:
        return Postgres().account()  # It refuses root, too.

    def create(self, instance: Instance) -> None:
        assert self.database
        instance.password = self.database.password
        users = instance.data / "users.txt"
        users.touch(mode=0o600)
        users.write_text(f'"{NAME}" "{instance.password}"\n')
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": instance.port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": "users.txt",
            "pool_mode": "transaction",
            "max_client_conn": 400,
            # Few, and given out in turn: who takes a session for granted meets others.
            "default_pool_size": 20,
            "server_round_robin": 1,
        }
        lines = [f"{key} = {value}" for key, value in settings.items()]
        place = f"{NAME} = host=127.0.0.1 port={self.database.port} dbname={NAME}"
        text = "\n".join(["[databases]", place, "[pgbouncer]", *lines])
        (instance.data / "pgbouncer.ini").write_text(f"{text}\n")
        if account := self.account():
            for file in instance.data.iterdir():
                shutil.chown(file, account)

    def command(self, instance: Instance) -> list[str]:
        # Debian keeps it where only administrators look.
        return [binary("pgbouncer", *SBIN), "--quiet", "pgbouncer.ini"]

    def url(self, instance: Instance) -> str:
        return Postgres().url(instance)

    def answers(self, instance: Instance) -> bool:
        return Postgres().answers(instance)


class PgBouncer(Group):
    """PgBouncer, with a PostgreSQL of its own behind it."""

    name = "pgbouncer"

    def assemble(self, launch: Launch) -> str:
        pooler = Pooler(launch("postgres", Postgres()))
        return pooler.url(launch("pooler", pooler))

    def member(self, kind: str) -> Server:
        return Postgres() if kind == Postgres.name else Pooler()
