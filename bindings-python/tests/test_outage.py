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


async def heartbeat(beats):
    while True:
        await asyncio.sleep(0.01)
        beats.append(1)
