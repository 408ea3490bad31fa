from __future__ import annotations

import os
import signal
import socket

from .instance import Instance, Server, binary


class Memcached(Server):
    process = "memcached"
    stop_signal = signal.SIGKILL  # It has nothing to save.

    def __init__(self, name: str) -> None:
        self.name = name

    def command(self, instance: Instance) -> list[str]:
        return [
            binary("memcached"),
            *("-l", "127.0.0.1"),
            *("-p", str(instance.port)),
            *("-U", "0"),
            *("-m", "64"),
            # It refuses to be root.
            *(("-u", "nobody") if os.geteuid() == 0 else ()),
        ]

    def url(self, instance: Instance) -> str:
        return f"memcached://127.0.0.1:{instance.port}"

    def answers(self, instance: Instance) -> bool:
        """Asks for the process id: another server on the same port is not ours."""
        try:
            address = ("127.0.0.1", instance.port)
            with socket.create_connection(address, timeout=1) as connection:
                connection.sendall(b"stats\r\nquit\r\n")
                reply = b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError:
            return False
        return f"STAT pid {instance.pid}\r\n".encode() in reply
