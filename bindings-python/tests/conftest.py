from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable

import pytest

import oncecode
from oncecode import blocking

PHONE = "+14158675309"
SERVICES = {
    "admin",
    "cache",
    "codes",
    "idempotency",
    "limits",
    "links",
    "locks",
    "sessions",
    "tokens",
    "totp",
}
STORES = ["memory", "sqlite", "postgres", "mysql", "redis", "upstash"]


def server(name: str) -> str:
    """What a test server's variable says; without it a test fails rather than tests nothing."""
    variable = f"ONCECODE_TEST_{name.upper()}"
    if variable not in os.environ:
        pytest.fail(
            f"{variable} is not set: scripts/services.py run -- pytest bindings-python/tests"
        )
    return os.environ[variable]


@pytest.fixture(params=STORES)
def store(request, tmp_path) -> str:
    """The URL of each store in turn."""
    if request.param == "memory":
        return "memory:"
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/codes.db"
    return server(request.param)


@pytest.fixture
def redis() -> str:
    return server("redis")


@pytest.fixture
def options() -> dict:
    """Options of a test of its own: nobody else's codes are in the way."""
    return {"mode": "development", "sender": "none:", "key_prefix": f"test-{uuid.uuid4().hex[:12]}"}


class Threaded:
    """The blocking client, called as if it were the other one."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str):
        found = getattr(self._inner, name)
        if name in SERVICES:
            return Threaded(found)
        if name == "sender":
            # Waits for nothing, in either client.
            return found
        return lambda *values, **named: asyncio.to_thread(found, *values, **named)


@pytest.fixture(params=["asyncio", "blocking"])
async def open_client(request) -> AsyncIterator[Callable]:
    """`await open_client(url, **options)`: a client of each form in turn, closed at the end."""
    clients = []

    async def open_one(url: str, **options):
        if request.param == "asyncio":
            once = await oncecode.Oncecode.open(url, **options)
        else:
            once = Threaded(await asyncio.to_thread(blocking.Oncecode.open, url, **options))
        clients.append(once)
        return once

    yield open_one
    for once in clients:
        await once.close()


def other_code(code: str) -> str:
    """A wrong one."""
    return f"{(int(code) + 1) % 1_000_000:06}"
