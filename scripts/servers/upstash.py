from __future__ import annotations

import base64
import os
import secrets
import signal
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

from .certificates import authority_and_server
from .instance import Failure, Instance, Server, binary

BRIDGE = Path(__file__).parents[2] / "tests" / "upstash" / "bridge.mjs"


class Upstash(Server):
    """Upstash's REST protocol in front of the Redis in ONCECODE_TEST_REDIS."""

    name = "upstash"
    process = "upstash-bridge"
    stop_signal = signal.SIGKILL  # It has nothing to save.
    needs = "redis"

    def create(self, instance: Instance) -> None:
        behind = urlsplit(os.environ.get("ONCECODE_TEST_REDIS", ""))
        if not behind.port:
            raise Failure(f"{self.name} stands before a Redis: ONCECODE_TEST_REDIS")
        (instance.data / "redis-port").write_text(str(behind.port))
        # With the characters that a URL has other uses for.
        instance.password = base64.b64encode(
            b"\xfb\xff" + secrets.token_bytes(20)
        ).decode()

    def command(self, instance: Instance) -> list[str]:
        redis = (instance.data / "redis-port").read_text()
        bridge = [binary("node"), str(BRIDGE)]
        return [*bridge, str(instance.port), redis, instance.password]

    def url(self, instance: Instance) -> str:
        token = quote(instance.password, safe="")
        return f"upstash+http://:{token}@127.0.0.1:{instance.port}/"

    def answers(self, instance: Instance) -> bool:
        """Asks for the process id: another server on the same port is not ours."""
        connection = self.connection(instance)
        try:
            bearer = {"Authorization": f"Bearer {instance.password}"}
            connection.request("GET", "/ping", headers=bearer)
            response = connection.getresponse()
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
        is_ours = response.getheader("X-Process-Id") == str(instance.pid)
        return is_ours and response.status == 200

    def connection(self, instance: Instance) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", instance.port, timeout=1)


class UpstashTls(Upstash):
    """The same over TLS, with a certificate authority of its own."""

    name = "upstashtls"

    def create(self, instance: Instance) -> None:
        super().create(instance)
        authority_and_server(instance.data)

    def command(self, instance: Instance) -> list[str]:
        return [*super().command(instance), "server.crt", "server.key"]

    def url(self, instance: Instance) -> str:
        secure = super().url(instance).replace("+http:", "+https:")
        return f"{secure}?ssl_ca_certs={instance.data / 'ca.crt'}"

    def connection(self, instance: Instance) -> HTTPConnection:
        trust = ssl.create_default_context(cafile=instance.data / "ca.crt")
        return HTTPSConnection("127.0.0.1", instance.port, timeout=1, context=trust)
