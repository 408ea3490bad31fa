from __future__ import annotations

import signal
import socket

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
        try:
            address = ("127.0.0.1", instance.port)
            with socket.create_connection(address, timeout=1) as connection:
                connection.sendall(b"INFO server\r\nQUIT\r\n")
                reply = b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError:
            return False
        return f"process_id:{instance.pid}\r\n".encode() in reply
