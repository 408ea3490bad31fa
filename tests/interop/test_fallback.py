"""A second store serves every language alike while the first is down."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
from support.codes import PHONE
from support.stores import Store
from support.workers import Client, Failed, Language, Worker

PAIRS: list[tuple[Language, Language]] = [("node", "python"), ("python", "node")]


class Flaky:
    """A Redis of the test's own that can be killed and started again."""

    def __init__(self) -> None:
        self.facts = self._services("start", "redis")

    @property
    def url(self) -> str:
        return str(self.facts["url"])

    def kill(self) -> None:
        os.kill(self.facts["pid"], SIGKILL)

    def restart(self) -> None:
        port, folder = str(self.facts["port"]), self.facts["dir"]
        started = self._services("start", "redis", "--port", port, "--dir", folder)
        self.facts["pid"] = started["pid"]

    def end(self) -> None:
        pid, folder = str(self.facts["pid"]), self.facts["dir"]
        self._services("stop", "--pid", pid, "--dir", folder)

    def _services(self, *words: str) -> Any:
        program = os.environ["ONCECODE_TEST_SERVICES"]
        done = subprocess.run([program, *words], check=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout or "null")


@pytest.fixture
def first() -> Iterator[Flaky]:
    flaky = Flaky()
    yield flaky
    flaky.end()


@pytest.fixture(params=PAIRS, ids="-".join)
def speakers(
    request: pytest.FixtureRequest, crew: list[Worker]
) -> tuple[Worker, Worker]:
    speaking: dict[Language, Worker] = {worker.language: worker for worker in crew}
    one, other = request.param
    return speaking[one], speaking[other]


def test_a_code_issued_while_the_first_store_is_down_is_verified_once_in_the_other(
    speakers: tuple[Worker, Worker], first: Flaky, tmp_path: Path
) -> None:
    url = f"fallback:{first.url}|{os.environ['ONCECODE_TEST_POSTGRES']}"
    store = Store("fallback", url, tmp_path / "messages")
    first.kill()
    options = {"policy": {"cooldownSeconds": 0}}
    issuing, verifying = (store.open(worker, **options) for worker in speakers)
    sent = issuing.issue(to=PHONE)
    live = issuing.issue(to="ann@example.com")
    assert verifying.verify(sent.code, to=PHONE).identifier == PHONE

    first.restart()
    assert verifying.verify(live.code, to="ann@example.com")
    for client in (issuing, verifying):
        for code, to in [(sent.code, PHONE), (live.code, "ann@example.com")]:
            with pytest.raises(Failed, match="CODE_NOT_FOUND"):
                settled(client, code, to)
    again = issuing.issue(to=PHONE)
    assert verifying.verify(again.code, to=PHONE)
    issuing.close()
    verifying.close()


def settled(client: Client, code: str, to: str) -> None:
    """What the first store must be asked waits until it is noticed to be back."""
    ends = time.monotonic() + 10
    while True:
        try:
            client.verify(code, to=to)
            return
        except Failed as failed:
            if failed.code != "STORE_UNAVAILABLE" or time.monotonic() > ends:
                raise
