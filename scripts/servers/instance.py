"""A server in a folder of its own: started, started again after a crash, stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from .processes import free_port, send, wait_until, working_in

START_SECONDS = 30
STOP_SECONDS = 10


class Failure(Exception):
    """Something the person at the terminal has to read."""


@dataclass
class Instance:
    dir: Path
    port: int
    durable: bool = False
    password: str = ""
    pid: int = 0

    @property
    def data(self) -> Path:
        return self.dir / "data"


class Server(ABC):
    """What differs between kinds of servers."""

    name: str
    process: str
    stop_signal: signal.Signals
    port_offsets: tuple[int, ...] = (0,)  # Its ports, from the one it is known by.
    needs: str | None = None  # A server that has to be there first.

    @abstractmethod
    def command(self, instance: Instance) -> list[str]: ...

    @abstractmethod
    def url(self, instance: Instance) -> str: ...

    @abstractmethod
    def answers(self, instance: Instance) -> bool: ...

    def account(self) -> str | None:
        """The user to run as, when it is not the one who asks."""
        return None

    def create(self, instance: Instance) -> None:
        """Fills a new data folder."""

    def recover(self, instance: Instance) -> None:
        """Removes what a killed server left; called when nothing runs in the folder."""


def start(
    server: Server,
    directory: Path,
    port: int | None = None,
    durable: bool = False,
    tied: bool = False,
) -> Instance:
    """Starts in a new folder, or again in one where the server was killed.

    `tied` ends the server together with this process.
    """
    is_new = not _record(directory).exists()
    open_folder = _created if is_new else _reopened
    instance = open_folder(server, directory, port, durable)
    try:
        _launch(server, instance, tied)
    except BaseException:
        _kill(server, instance.data)
        if is_new:
            shutil.rmtree(directory)
        raise
    return instance


def stop(server: Server, directory: Path) -> None:
    """Ends the server and its children, frozen ones too, and removes the folder."""
    instance = _load(directory)
    family = working_in(instance.data, server.process)
    send(family, server.stop_signal)
    send(family, signal.SIGCONT)
    wait_until(lambda: not working_in(instance.data, server.process), STOP_SECONDS)
    _kill(server, instance.data)
    with suppress(ChildProcessError):
        os.waitpid(instance.pid, 0)
    server.recover(instance)
    shutil.rmtree(directory)


def kind_in(directory: Path) -> str | None:
    """Which server a folder was made for; None when it is not one of ours."""
    record = _record(directory)
    return json.loads(record.read_text())["server"] if record.exists() else None


def binary(name: str, *folders: Path) -> str:
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        raise Failure(f"{name} is not installed: run scripts/setup")
    return found


def as_account(account: str | None) -> list[str]:
    """A command's beginning; setpriv becomes the command, so the process id stays."""
    if account is None:
        return []
    user = [f"--reuid={account}", f"--regid={account}", "--init-groups"]
    return [binary("setpriv"), *user]


def clean_environment() -> dict[str, str]:
    """Without the caller's PG… variables, and with messages in English."""
    kept = {key: text for key, text in os.environ.items() if not key.startswith("PG")}
    return {**kept, "LC_ALL": "C"}


def _created(
    server: Server, directory: Path, port: int | None, durable: bool
) -> Instance:
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise Failure(f"{directory} holds something else: give a new or empty folder")
    port = port or free_port(server.port_offsets)
    instance = Instance(directory.resolve(), port, durable)
    try:
        instance.data.mkdir(mode=0o700)
        if account := server.account():
            shutil.chown(instance.dir, account)
            shutil.chown(instance.data, account)
        server.create(instance)
        _save(server, instance)
    except BaseException:
        shutil.rmtree(directory)
        raise
    return instance


def _reopened(
    server: Server, directory: Path, port: int | None, durable: bool
) -> Instance:
    if (kind := kind_in(directory)) != server.name:
        raise Failure(f"{directory} belongs to {kind}")
    instance = _load(directory)
    if instance.pid in working_in(instance.data, server.process):
        raise Failure(f"{server.name} still runs in {directory}")
    # Children that outlive a killed parent (frozen ones) keep its memory and files.
    _kill(server, instance.data)
    server.recover(instance)
    instance.port = port or instance.port
    instance.durable = durable or instance.durable
    return instance


def _launch(server: Server, instance: Instance, tied: bool) -> None:
    tie = f"--pdeathsig={server.stop_signal.name[3:]}"
    log = instance.dir / "log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [
                *as_account(server.account()),
                *([binary("setpriv"), tie] if tied else []),
                *server.command(instance),
            ],
            cwd=instance.data,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        instance.pid = process.pid
        _save(server, instance)
        if not _ready(server, instance, process):
            lines = log.read_text(errors="replace").splitlines()[-15:]
            raise Failure("\n".join([f"{server.name} did not start:", *lines]))
    except BaseException:
        process.kill()
        raise


def _ready(
    server: Server, instance: Instance, process: subprocess.Popen[bytes]
) -> bool:
    def settled() -> bool:
        return process.poll() is not None or server.answers(instance)

    return wait_until(settled, START_SECONDS) and process.returncode is None


def _kill(server: Server, data: Path) -> None:
    def gone() -> bool:
        family = working_in(data, server.process)
        send(family, signal.SIGKILL)
        return not family

    if not wait_until(gone, STOP_SECONDS):
        raise Failure(f"{server.name} in {data} does not end")


def _record(directory: Path) -> Path:
    return directory / "service.json"


def _save(server: Server, instance: Instance) -> None:
    facts = {**asdict(instance), "dir": str(instance.dir), "server": server.name}
    record = _record(instance.dir)
    record.touch(mode=0o600)
    record.write_text(json.dumps(facts))


def _load(directory: Path) -> Instance:
    facts = json.loads(_record(directory).read_text())
    del facts["server"]
    return Instance(**{**facts, "dir": directory.resolve()})
