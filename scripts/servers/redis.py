from __future__ import annotations

import signal
import socket
from contextlib import suppress

from .instance import Instance, Server, binary


class Redis(Server):
    name = "redis"
    process = "redis-server"
    stop_signal = signal.SIGKILL  # Its data goes with the folder: nothing to save.

    def command(self, instance: Instance) -> list[str]:
        return [
            binary("redis-server"),
            *("--bind", "127.0.0.1"),
            *("--port", str(instance.port)),
            *("--save", ""),
            *("--appendonly", "yes" if instance.durable else "no"),
        ]

    def url(self, instance: Instance) -> str:
        return f"redis://127.0.0.1:{instance.port}/0"

    def answers(self, instance: Instance) -> bool:
        """Asks for the process id: another Redis on the same port is not ours."""
        reply = self.ask(instance, "INFO server")
        return f"process_id:{instance.pid}\r\n" in reply

    def ask(self, instance: Instance, command: str) -> str:
        """The raw answer; empty when there is none."""
        with suppress(OSError), self.connect(instance) as connection:
            connection.sendall(f"{command}\r\nQUIT\r\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        return ""

    def connect(self, instance: Instance) -> socket.socket:
        return socket.create_connection(("127.0.0.1", instance.port), timeout=1)
