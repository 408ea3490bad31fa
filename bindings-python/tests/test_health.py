"""How a store is: health, the circuit breaker's events, and warnings at the start."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import time
from datetime import datetime, timedelta, timezone

import pytest

import oncecode
from conftest import PHONE, server

OUTAGE = {
    "deadline_ms": 100,
    "breaker": {"failures": 3, "probe_interval_ms": 200, "max_probe_interval_ms": 200},
}


class OwnRedis:
    """A Redis of this test's own, to freeze."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def set(self, name: str, value: str) -> None:
        port = self.url.rsplit(":", 1)[1].split("/")[0]
        subprocess.run(["redis-cli", "-p", port, "config", "set", name, value], check=True)


@pytest.fixture
def own_redis():
    services = server("services")
    started = subprocess.run([services, "start", "redis"], check=True, stdout=subprocess.PIPE)
    facts = json.loads(started.stdout)
    redis = OwnRedis(facts["url"], facts["pid"])
    yield redis
    redis.thaw()
    subprocess.run([services, "stop", "--pid", str(redis.pid)], check=True)


async def until_open(once) -> None:
    """Calls until the breaker is open."""
    for _ in range(20):
        with pytest.raises(oncecode.StoreUnavailable) as raised:
            await once.codes.peek(to=PHONE, purpose="login")
        if raised.value.retry_after_seconds:
            return
    pytest.fail("it never opens")


async def until_back(once) -> None:
    """Asks until the store is back."""
    began = time.monotonic()
    while not (await once.health()).ok:
        assert time.monotonic() - began < 5, "it does not come back"
        await asyncio.sleep(0.01)


async def test_health_says_that_all_is_well(store, open_client, options):
    once = await open_client(store, **options)
    health = await once.health()
    scheme = store.split(":")[0]
    assert (health.ok, health.store, health.error, health.warnings) == (True, scheme, None, [])
    assert 0 <= health.latency_ms < 5_000
    if scheme == "memory":
        assert (health.breaker, health.since) == (None, None)
    else:
        assert health.breaker == "closed"
        assert abs(datetime.now(timezone.utc) - health.since) < timedelta(minutes=1)
    if scheme in {"memory", "sqlite"}:
        assert health.clock_skew_ms is None
    else:
        assert abs(health.clock_skew_ms) < 5_000
    breaker = health.breaker
    assert repr(health) == f"<Health store={scheme} ok=True breaker={breaker} error=None>"


async def test_a_frozen_store_opens_the_breaker_and_one_that_is_back_closes_it(
    own_redis, open_client, options
):
    events = []
    once = await open_client(own_redis.url, **options, **OUTAGE, events=events.append)
    own_redis.freeze()
    await until_open(once)
    down = await once.health()
    assert (down.ok, down.breaker, down.error) == (False, "open", "STORE_UNAVAILABLE")
    assert (down.latency_ms, down.clock_skew_ms, len(down.warnings)) == (None, None, 1)
    own_redis.thaw()
    await until_back(once)
    assert await once.codes.peek(to=PHONE, purpose="login") is None
    assert (await once.health()).breaker == "closed"
    told = [(event.name, event.kind, event.store, event.reason) for event in events]
    assert told == [
        ("STORE_DOWN", "STORE_DOWN", "redis", "STORE_UNAVAILABLE"),
        ("STORE_UP", "STORE_UP", "redis", None),
    ]
    assert {event.purpose for event in events} == {None}


async def test_an_outage_is_logged_as_a_warning(own_redis, open_client, options, caplog):
    caplog.set_level(logging.WARNING, "oncecode")
    once = await open_client(own_redis.url, **options, **OUTAGE)
    own_redis.freeze()
    await until_open(once)
    own_redis.thaw()
    await until_back(once)
    assert [record.getMessage() for record in caplog.records] == [
        "STORE_DOWN store=redis reason=STORE_UNAVAILABLE",
        "STORE_UP store=redis",
    ]


async def test_a_store_that_may_forget_is_warned_of(own_redis, open_client, options, caplog):
    own_redis.set("maxmemory-policy", "allkeys-lru")
    once = await open_client(own_redis.url, **options)
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "allkeys-lru" in record.getMessage()
    assert (await once.health()).warnings == [record.getMessage()]


async def test_without_a_breaker_a_frozen_store_is_asked_every_time(
    own_redis, open_client, options
):
    once = await open_client(own_redis.url, **options, deadline_ms=50, breaker=False)
    own_redis.freeze()
    for _ in range(8):
        with pytest.raises(oncecode.StoreUnavailable) as raised:
            await once.codes.peek(to=PHONE, purpose="login")
        assert raised.value.retry_after_seconds is None
    own_redis.thaw()
    assert (await once.health()).breaker is None


async def test_a_closed_client_has_no_health(open_client, options):
    once = await open_client("memory:", **options)
    await once.close()
    with pytest.raises(oncecode.Closed):
        await once.health()


@pytest.mark.parametrize(
    "breaker", [5, "off", {"failures": 0}, {"probe_interval_ms": -1}, {"interval": 5}]
)
async def test_what_a_breaker_cannot_be_is_refused(open_client, options, breaker):
    with pytest.raises(oncecode.Config, match="breaker"):
        await open_client("memory:", **options, breaker=breaker)
