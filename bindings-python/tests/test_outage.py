"""A server that freezes and comes back."""

import asyncio
import json
import os
import signal
import subprocess
import time

import pytest

import oncecode
from conftest import PHONE, server


@pytest.fixture
def freezable():
    """A Redis of this test's own: its URL and its process."""
    services = server("services")
    started = subprocess.run([services, "start", "redis"], check=True, stdout=subprocess.PIPE)
    facts = json.loads(started.stdout)
    yield facts["url"], facts["pid"]
    os.kill(facts["pid"], signal.SIGCONT)
    subprocess.run([services, "stop", "--pid", str(facts["pid"])], check=True)


async def test_a_frozen_server_is_told_in_time_and_one_that_thaws_is_used(
    freezable, open_client, options
):
    url, pid = freezable
    once = await open_client(url, **options)
    await once.codes.issue(to=PHONE, purpose="login")

    os.kill(pid, signal.SIGSTOP)
    beats = []
    beating = asyncio.create_task(heartbeat(beats))
    began = time.monotonic()
    peeks = (once.codes.peek(to=PHONE, purpose="login") for _ in range(5))
    outcomes = await asyncio.gather(*peeks, return_exceptions=True)
    took = time.monotonic() - began
    beating.cancel()
    assert {type(outcome) for outcome in outcomes} == {oncecode.StoreUnavailable}
    assert took < 2
    assert len(beats) > 5, "the loop went on meanwhile"

    os.kill(pid, signal.SIGCONT)
    while isinstance(await peek(once), oncecode.StoreUnavailable):
        pass
    assert (await peek(once)).attempts_left == 5


async def peek(once):
    try:
        return await once.codes.peek(to=PHONE, purpose="login")
    except oncecode.StoreUnavailable as unavailable:
        return unavailable


async def heartbeat(beats):
    while True:
        await asyncio.sleep(0.01)
        beats.append(1)
