"""The stores that processes can share, a part of its own for each test."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis

from support.workers import Client, Worker

# The slowest machine is no part of the result.
PATIENT = {"mode": "development", "sender": "none:", "deadlineMs": 10_000}


@dataclass(frozen=True)
class Store:
    name: str
    url: str
    messages: Path
    """Where senders that the test asked for append what they sent."""
    key_prefix: str = field(default_factory=lambda: f"test-{uuid4().hex[:12]}")

    def open(self, worker: Worker, *, sends: bool = False, **options: Any) -> Client:
        options = {**PATIENT, "keyPrefix": self.key_prefix, **options}
        return worker.open(self.url, options, self.messages if sends else None)

    def sent(self) -> list[dict[str, Any]]:
        """Every message that was sent, as its sender saw it."""
        if not self.messages.exists():
            return []
        return [json.loads(line) for line in self.messages.read_text().splitlines()]

    def forget_sent(self) -> list[dict[str, Any]]:
        """The same, and what comes next begins anew."""
        messages = self.sent()
        os.truncate(self.messages, 0)
        return messages

    def assert_all_keys_expire(self) -> None:
        if self.name not in ("redis", "upstash"):
            return
        # The bridge stands before the same server.
        with redis.Redis.from_url(STORES["redis"](self.messages)) as server:
            keys = list(server.scan_iter(f"{self.key_prefix}*", count=1000))
            # None at all would be a scan for the wrong name.
            assert keys, "the test has left no keys to look at"
            immortal = [key for key in keys if server.pttl(key) == -1]
        assert not immortal, f"keys without expiry: {immortal}"


def _server(name: str) -> Callable[[Path], str]:
    def url(_folder: Path) -> str:
        variable = f"ONCECODE_TEST_{name.upper()}"
        if variable not in os.environ:
            pytest.fail(
                f"{variable} is not set: scripts/services.py run -- pytest tests"
            )
        return os.environ[variable]

    return url


STORES: dict[str, Callable[[Path], str]] = {
    "redis": _server("redis"),
    "upstash": _server("upstash"),
    "postgres": _server("postgres"),
    "mysql": _server("mysql"),
    "memcached": _server("memcached"),
    "sqlite": lambda folder: f"sqlite:{folder}/codes.db",
}


# Other ways to reach these, and other servers that speak as they do.
OTHERS: dict[str, Callable[[Path], str]] = {
    name: _server(name)
    for name in (
        "cluster",
        "sentinel",
        "redistls",
        "redis6",
        "valkey",
        "upstashtls",
        "pgbouncer",
    )
}


def store_in(folder: Path, name: str) -> Store:
    return Store(name, {**STORES, **OTHERS}[name](folder), folder / "messages")
