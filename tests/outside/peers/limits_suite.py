"""A pytest plugin that points the tests of `limits` at oncecode: its strategies, by our limits."""

from __future__ import annotations

import os
import sys
import time
from types import ModuleType
from uuid import uuid4

import limits.aio.strategies
import limits.storage
import limits.strategies
import oncecode
import oncecode.blocking
import pytest
from choice import choose
from limits.util import WindowStats

URLS = ["memory:", os.environ["ONCECODE_TEST_REDIS"]]
RESETS = "its reset_time is when the next hit may pass, ours when all is there again"
NOT_OURS = {
    "TestMovingWindow": "a log of every hit, which we don't keep",
    "TestAsyncMovingWindow": "a log of every hit, which we don't keep",
    "test_sliding_window_counter_total_reset": RESETS,
    "test_sliding_window_counter_previous_window": RESETS,
    "test_sliding_window_counter_stats": RESETS,
}
OPTIONS = {"mode": "development", "sender": "none:", "deadline_ms": 5000}


def pytest_collection_modifyitems(config, items) -> None:
    choose(config, items, NOT_OURS)


class Storage:
    """What a test makes its strategies from: a client, and keys that no other test uses."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.own = uuid4().hex
        self.client = None

    def open(self):
        self.client = self.client or oncecode.blocking.Oncecode.open(
            self.url, **OPTIONS
        )
        return self.client

    async def open_async(self):
        self.client = self.client or await oncecode.Oncecode.open(self.url, **OPTIONS)
        return self.client


class Strategy:
    algorithm: str

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def definition(self, item):
        name = f"{self.algorithm}:{item.amount}:{item.get_expiry()}"
        return name, {
            "max": item.amount,
            "window_seconds": item.get_expiry(),
            "algorithm": self.algorithm,
        }

    def key(self, item, identifiers) -> str:
        return f"{self.storage.own}/{item.key_for(*identifiers)}"

    def limits(self, item):
        limits = self.storage.open().limits
        name, definition = self.definition(item)
        limits.define(name, **definition)
        return limits, name

    def hit(self, item, *identifiers, cost=1) -> bool:
        limits, name = self.limits(item)
        try:
            limits.hit(name, key=self.key(item, identifiers), cost=cost)
        except (oncecode.RateLimited, oncecode.InvalidArgument):
            return False
        return True

    def peek(self, item, identifiers):
        limits, name = self.limits(item)
        return limits.peek(name, key=self.key(item, identifiers))

    def test(self, item, *identifiers, cost=1) -> bool:
        return self.peek(item, identifiers).remaining >= cost

    def get_window_stats(self, item, *identifiers) -> WindowStats:
        return stats(self.peek(item, identifiers))

    def clear(self, item, *identifiers) -> None:
        limits, name = self.limits(item)
        limits.reset(name, key=self.key(item, identifiers))


class AsyncStrategy(Strategy):
    async def limits(self, item):
        limits = (await self.storage.open_async()).limits
        name, definition = self.definition(item)
        await limits.define(name, **definition)
        return limits, name

    async def hit(self, item, *identifiers, cost=1) -> bool:
        limits, name = await self.limits(item)
        try:
            await limits.hit(name, key=self.key(item, identifiers), cost=cost)
        except (oncecode.RateLimited, oncecode.InvalidArgument):
            return False
        return True

    async def peek(self, item, identifiers):
        limits, name = await self.limits(item)
        return await limits.peek(name, key=self.key(item, identifiers))

    async def test(self, item, *identifiers, cost=1) -> bool:
        return (await self.peek(item, identifiers)).remaining >= cost

    async def get_window_stats(self, item, *identifiers) -> WindowStats:
        return stats(await self.peek(item, identifiers))

    async def clear(self, item, *identifiers) -> None:
        limits, name = await self.limits(item)
        await limits.reset(name, key=self.key(item, identifiers))


def stats(quota) -> WindowStats:
    return WindowStats(time.time() + quota.resets_in_seconds, quota.remaining)


for module, base in (
    (limits.strategies, Strategy),
    (limits.aio.strategies, AsyncStrategy),
):
    for name, algorithm in (
        ("FixedWindowRateLimiter", "fixed"),
        ("SlidingWindowCounterRateLimiter", "sliding"),
    ):
        setattr(module, name, type(name, (base,), {"algorithm": algorithm}))
limits.storage.storage_from_string = Storage

# The stores are ours: what the suite's own table of servers is made with is not needed.
lazy = ModuleType("pytest_lazy_fixtures")
lazy.lf = str
sys.modules[lazy.__name__] = lazy
import tests.utils

ours = pytest.mark.parametrize(
    "uri, args, fixture",
    [pytest.param(url, {}, None, id=url.split(":")[0]) for url in URLS],
)
for table in ("all_storage", "sliding_window_counter_storage", "moving_window_storage"):
    setattr(tests.utils, table, ours)
    setattr(tests.utils, f"async_{table}", ours)
