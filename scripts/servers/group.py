"""Several servers that make one service, each in a folder inside the group's."""

from __future__ import annotations

import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from . import instance
from .instance import Failure, Instance, Server, kind_in
from .redis import Redis

Launch = Callable[[str, Server], Instance]


class Group(ABC):
    """What differs between groups."""

    name: str
    needs: str | None = None

    @abstractmethod
    def assemble(self, launch: Launch) -> str:
        """Starts the members in their order and makes them one; returns the URL."""

    def member(self, kind: str) -> Server:
        """What can stop a member; one Redis ends every kind of redis-server."""
        return Redis()


def start(
    service: Server | Group,
    directory: Path,
    port: int | None = None,
    durable: bool = False,
    tied: bool = False,
) -> tuple[str, list[Instance]]:
    """The service's URL and its processes; see `instance.start`."""
    if isinstance(service, Server):
        alone = instance.start(service, directory, port, durable, tied)
        return service.url(alone), [alone]
    return _start_group(service, directory, durable, tied)


def stop(service: Server | Group, directory: Path) -> None:
    if isinstance(service, Server):
        instance.stop(service, directory)
    else:
        _stop_members(service, directory)
        shutil.rmtree(directory)


def _start_group(
    group: Group, directory: Path, durable: bool, tied: bool
) -> tuple[str, list[Instance]]:
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise Failure(f"{directory} holds something: {group.name} starts in a new one")
    (directory / "service.json").write_text(json.dumps({"server": group.name}))
    started: list[Instance] = []

    def launch(name: str, server: Server) -> Instance:
        folder = directory / name
        started.append(instance.start(server, folder, durable=durable, tied=tied))
        return started[-1]

    try:
        url = group.assemble(launch)
    except BaseException:
        stop(group, directory)
        raise
    return url, started


def _stop_members(group: Group, directory: Path) -> None:
    for folder in directory.iterdir():
        if kind := kind_in(folder):
            instance.stop(group.member(kind), folder)
