from __future__ import annotations

import socket
import ssl
import subprocess
from pathlib import Path

from .instance import Failure, Instance, binary
from .redis import Redis


class RedisTls(Redis):
    """TLS only, with a certificate authority of its own for 127.0.0.1 and localhost."""

    name = "redistls"

    def create(self, instance: Instance) -> None:
        certificates(instance.data)

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


def certificates(folder: Path) -> None:
    """An authority, and a server's certificate from it for 127.0.0.1 and localhost."""
    new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30"
    _openssl(
        folder,
        f"req -x509 {new_key} -keyout ca.key -out ca.crt -subj /CN=test-ca",
    )
    _openssl(
        folder,
        f"req -x509 {new_key} -keyout server.key -out server.crt -subj /CN=server"
        " -CA ca.crt -CAkey ca.key -addext basicConstraints=critical,CA:FALSE"
        " -addext subjectAltName=IP:127.0.0.1,DNS:localhost",
    )


def _openssl(folder: Path, arguments: str) -> None:
    done = subprocess.run(
        [binary("openssl"), *arguments.split()],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Failure(f"openssl failed:\n{done.stderr}")
