from __future__ import annotations

import socket
import ssl

from .certificates import authority_and_server
from .instance import Instance
from .redis import Redis


class RedisTls(Redis):
    """TLS only, with a certificate authority of its own for 127.0.0.1 and localhost."""

    name = "redistls"

    def create(self, instance: Instance) -> None:
        authority_and_server(instance.data)

    def command(self, instance: Instance) -> list[str]:
        return [
            *super().command(instance),
            # Under 127.0.0.2 it answers too, with a certificate that does not say so.
            *("--bind", "127.0.0.1", "127.0.0.2"),
            *("--port", "0"),
            *("--tls-port", str(instance.port)),
            *("--tls-cert-file", "server.crt"),
            *("--tls-key-file", "server.key"),
            *("--tls-ca-cert-file", "ca.crt"),
            *("--tls-auth-clients", "no"),
        ]

    def url(self, instance: Instance) -> str:
        trusted = instance.data / "ca.crt"
        return f"rediss://127.0.0.1:{instance.port}/0?ssl_ca_certs={trusted}"

    def connect(self, instance: Instance) -> socket.socket:
        trust = ssl.create_default_context(cafile=instance.data / "ca.crt")
        return trust.wrap_socket(super().connect(instance), server_hostname="127.0.0.1")
