from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from .instance import Instance, Server, binary


class Redis(Server):
    name = "redis"
    process = "redis-server"
    stop_signal = signal.SIGKILL  # Its data goes with the folder: nothing to save.

    def program(self) -> str:
        return binary("redis-server")

    def command(self, instance: Instance) -> list[str]:
        return [
            self.program(),
            *("--bind", "127.0.0.1"),
            *("--port", str(instance.port)),
            *("--unixsocket", "redis.sock"),  # In its data folder.
            *("--save", ""),
            *("--appendonly", "yes" if instance.durable else "no"),
        ]

    def url(self, instance: Instance) -> str:
        return f"redis://127.0.0.1:{instance.port}/0"

    def answers(self, instance: Instance) -> bool:
        """Asks for the process id: another Redis on the same port is not ours."""
        known_as = f"process_id:{instance.pid}\r\n"
        return any(known_as in text for text in self.ask(instance, "INFO server"))

    def ask(self, instance: Instance, command: str) -> list[str]:
        """The texts of the answer; none when there is no answer."""
        with suppress(OSError), self.connect(instance) as connection:
            connection.sendall(f"{command}\r\n".encode())
            return list(_texts(connection.makefile("rb")))
        return []

    def connect(self, instance: Instance) -> socket.socket:
        return socket.create_connection(("127.0.0.1", instance.port), timeout=1)


def _texts(reply: BinaryIO) -> Iterator[str]:
    line = reply.readline().decode().strip()
    if line.startswith("*"):
        for _ in range(int(line[1:])):
            yield from _texts(reply)
    elif line.startswith("$"):
        yield reply.read(int(line[1:]) + 2).decode()[:-2]
    else:
        yield line
