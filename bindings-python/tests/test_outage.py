"""Servers that freeze, die and come back: told in time, and used again without a restart."""

import asyncio
import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

import oncecode
from conftest import PHONE, server

DEADLINE_MS = 500
# What calls may take at most, on a machine that has other things to do.
PATIENCE = 3


class Flaky:
    """A server of this test's own."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.facts = services("start", kind)

    @property
    def url(self) -> str:
        return self.facts["url"]

    def signal(self, number: int) -> None:
        """The parent first: it makes no more children then."""
        pid = self.facts["pid"]
        send(pid, number)
        children = Path(f"/proc/{pid}/task/{pid}/children")
        try:
            found = children.read_text("ascii").split()
        except OSError:  # It is gone, and they end by themselves.
            found = []
        for child in found:
            send(int(child), number)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)
        port = str(self.facts["port"])
        ask = {
            "redis": ["redis-cli", "-p", port, "ping"],
            "postgres": ["psql", self.url, "-XqAtc", "SELECT 1"],
        }
        subprocess.run(ask[self.kind], check=True, capture_output=True, timeout=10)

    def kill(self) -> None:
        # Stopped, they make no more children between the two.
        self.signal(signal.SIGSTOP)
        self.signal(signal.SIGKILL)

    def restart(self) -> None:
        port, folder = str(self.facts["port"]), self.facts["dir"]
        started = services("start", self.kind, "--port", port, "--dir", folder)
        self.facts["pid"] = started["pid"]

    def end(self) -> None:
        self.signal(signal.SIGCONT)
        services("stop", "--pid", str(self.facts["pid"]), "--dir", self.facts["dir"])


def send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def services(*words: str):
    done = subprocess.run([server("services"), *words], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout or "null")


@pytest.fixture(params=["redis", "postgres"])
def flaky(request):
    found = Flaky(request.param)
    yield found
    found.end()


@pytest.mark.parametrize(("stop", "come_back"), [("freeze", "thaw"), ("kill", "restart")])
async def test_an_outage_is_told_in_time_and_the_next_call_after_it_works(
    flaky, stop, come_back, open_client, options
):
    once = await open_client(flaky.url, **options, deadline_ms=DEADLINE_MS)
    sent = await once.codes.issue(to=PHONE, purpose="login")

    getattr(flaky, stop)()
    beats = []
    beating = asyncio.create_task(heartbeat(beats))
    began = time.monotonic()
    # Five failures, one after the other, would open the breaker, which has its own tests.
    outcomes = await asyncio.gather(
        once.codes.issue(to="ann@example.com", purpose="login"),
        once.codes.verify(to=PHONE, purpose="login", code=sent.code),
        once.codes.peek(to=PHONE, purpose="login"),
        return_exceptions=True,
    )
    took = time.monotonic() - began
    beating.cancel()
    assert {type(outcome) for outcome in outcomes} == {oncecode.StoreUnavailable}
    assert took < PATIENCE
    assert stop != "freeze" or len(beats) > 5, "the loop went on meanwhile"

    getattr(flaky, come_back)()
    sent = await once.codes.issue(to="bob@example.com", purpose="login")
    done = await once.codes.verify(to="bob@example.com", purpose="login", code=sent.code)
    assert done.identifier == "bob@example.com"
    with pytest.raises(oncecode.CodeNotFound):
        await once.codes.verify(to="bob@example.com", purpose="login", code=sent.code)


# What each preset does while the store is away; `strict` is one that was defined.
POLICIES = {
    "auth": "local",
    "email": "local",
    "purchase": "local",
    "search": "open",
    "api": "open",
    "strict": "closed",
}


@pytest.fixture
def redis():
    found = Flaky("redis")
    yield found
    found.end()


@pytest.mark.parametrize(("limit", "policy"), POLICIES.items())
async def test_with_a_frozen_redis_a_limit_keeps_its_policy(
    redis, limit, policy, open_client, options
):
    strict = {"max": 5, "window_seconds": 60, "outage": "closed"}
    once = await open_client(
        redis.url, **options, deadline_ms=DEADLINE_MS, limits={"strict": strict}
    )
    before = await once.limits.hit(limit, key="ann")
    assert not before.degraded

    redis.freeze()
    began = time.monotonic()
    hits = await asyncio.gather(
        *(once.limits.hit(limit, key="ann") for _ in range(before.max + 3)),
        return_exceptions=True,
    )
    assert time.monotonic() - began < PATIENCE
    passed = [hit for hit in hits if not isinstance(hit, Exception)]
    assert all(hit.degraded for hit in passed)
    refused = {type(hit) for hit in hits if isinstance(hit, Exception)}
    # What was counted in the store before is not known here: a process lets its own maximum pass.
    assert (len(passed), refused) == {
        "local": (before.max, {oncecode.RateLimited}),
        "open": (before.max + 3, set()),
        "closed": (0, {oncecode.StoreUnavailable}),
    }[policy]

    redis.thaw()
    seen = None
    while seen is None:  # The breaker asks again in a moment.
        seen = await looked(once, limit)
    assert seen.remaining < before.max, "what was taken before the outage is not forgotten"


async def looked(once, limit):
    """What the store says; none while it is not asked."""
    try:
        seen = await once.limits.peek(limit, key="ann")
    except oncecode.OncecodeError:
        return None
    return None if seen.degraded else seen


async def heartbeat(beats):
    while True:
        await asyncio.sleep(0.01)
        beats.append(1)
