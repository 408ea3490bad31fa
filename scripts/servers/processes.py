"""Finding and ending processes through /proc, by process id only."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

# Below the range the kernel gives to outgoing connections (32768 and up): a client
# that keeps dialling a stopped server could otherwise be given that very port itself.
PORTS = range(12000, 22000)


def free_port(offsets: Iterable[int] = (0,)) -> int:
    while True:
        port = random.choice(PORTS)
        if all(_is_free(port + offset) for offset in offsets):
            return port


def working_in(folder: Path, name: str) -> set[int]:
    """The live processes called `name` whose working directory is `folder`.

    Finds a server's children after their parent was killed too, and no stranger that
    was given the process id of a server long gone.
    """
    wanted = str(folder.resolve())
    found = set()
    for pid in _pids():
        with suppress(OSError):
            here = os.readlink(f"/proc/{pid}/cwd") == wanted
            if here and Path(f"/proc/{pid}/comm").read_text().strip() == name:
                found.add(pid)
    return found


def with_descendants(root: int) -> set[int]:
    children: dict[int, set[int]] = {}
    for pid in _pids():
        with suppress(OSError):
            # The name in parentheses may hold spaces; the parent comes second after it.
            stat = Path(f"/proc/{pid}/stat").read_text()
            parent = int(stat.rpartition(")")[2].split()[1])
            children.setdefault(parent, set()).add(pid)
    found, waiting = {root}, [root]
    while waiting:
        new = children.get(waiting.pop(), set()) - found
        found |= new
        waiting.extend(new)
    return found


def send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
