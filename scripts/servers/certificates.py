"""A certificate authority of a test's own, and a server's certificate from it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .instance import Failure, binary


def authority_and_server(folder: Path) -> None:
    """Makes ca.crt, and server.crt and server.key for 127.0.0.1 and localhost."""
    new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30"
    _openssl(
        folder, f"req -x509 {new_key} -keyout ca.key -out ca.crt -subj /CN=test-ca"
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
