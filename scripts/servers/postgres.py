from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from .instance import Failure, Instance, Server, as_account, binary, clean_environment

NAME = "oncecode"  # of the role and of the database


class Postgres(Server):
    name = "postgres"
    process = "postgres"
    stop_signal = signal.SIGQUIT  # No checkpoint, but shared memory is given back.

    def account(self) -> str | None:
        if os.geteuid() != 0:
            return None
        try:
            return pwd.getpwnam("postgres").pw_name  # PostgreSQL refuses root.
        except KeyError:
            raise Failure("there is no user postgres: run scripts/setup") from None

    def create(self, instance: Instance) -> None:
        instance.password = secrets.token_hex(12)
        self._initdb(instance)
        single = ["--single", "-F", "-D", str(instance.data), "postgres"]
        self._run([_binary("postgres"), *single], f"CREATE DATABASE {NAME};\n")

    def command(self, instance: Instance) -> list[str]:
        to_disk = "on" if instance.durable else "off"
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": instance.port,
            "unix_socket_directories": "",  # Their paths must be short; --dir may not.
            "max_connections": 200,
            # Commits still reach the kernel: an answered one survives kill -9.
            "fsync": to_disk,
            "full_page_writes": to_disk,
            # In the data folder: nothing stays in /dev/shm after kill -9.
            "dynamic_shared_memory_type": "mmap",
        }
        options = [("-c", f"{key}={value}") for key, value in settings.items()]
        return [_binary("postgres"), "-D", str(instance.data), *sum(options, ())]

    def url(self, instance: Instance) -> str:
        address = f"127.0.0.1:{instance.port}"
        return f"postgres://{NAME}:{instance.password}@{address}/{NAME}"

    def answers(self, instance: Instance) -> bool:
        place = ["-h", "127.0.0.1", "-p", str(instance.port), "-U", NAME, "-d", NAME]
        secret = {"PGPASSWORD": instance.password, "PGCONNECT_TIMEOUT": "2"}
        asked = subprocess.run(
            [_binary("psql"), "-XAtq", *place, "-c", "select 1"],
            env={**clean_environment(), **secret},
            capture_output=True,
            check=False,
        )
        return asked.returncode == 0

    def recover(self, instance: Instance) -> None:
        """A killed postmaster leaves a lock file and System V shared memory."""
        lock = instance.data / "postmaster.pid"
        if not lock.exists():
            return
        lines = lock.read_text().splitlines()
        if len(lines) > 6 and (shared_memory := lines[6].split()):
            remove = [binary("ipcrm"), "-m", shared_memory[-1]]
            subprocess.run(remove, capture_output=True, check=False)
        lock.unlink()

    def _initdb(self, instance: Instance) -> None:
        password = instance.dir / "password"
        password.touch(mode=0o600)
        password.write_text(instance.password)
        if account := self.account():
            shutil.chown(password, account)
        options = ["--no-sync", "--encoding=UTF8", "--locale=C"]
        access = [f"-U{NAME}", "--auth=scram-sha-256", f"--pwfile={password}"]
        self._run([_binary("initdb"), "-D", str(instance.data), *options, *access])
        password.unlink()

    def _run(self, command: list[str], text: str = "") -> None:
        account = self.account()
        done = subprocess.run(
            [*as_account(account), *command],
            cwd="/",
            env=clean_environment(),
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            who = f" ({account} must be able to reach the folder)" if account else ""
            raise Failure(f"{Path(command[0]).name} failed{who}:\n{done.stderr}")


def _binary(name: str) -> str:
    """Debian keeps them out of the PATH, in a folder per version: the newest counts."""
    folders = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    newest_first = sorted(folders, key=lambda path: -float(path.parent.name))
    return binary(name, *newest_first)
