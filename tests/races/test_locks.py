"""Locks, claims and loads are one process's, whatever happens to it; a TOTP code too."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.stores import Store
from support.workers import (
    Call,
    Fleet,
    Hire,
    Language,
    Open,
    Worker,
    outcomes,
    together,
)

LOCK = {"name": "orders/7", "ttlSeconds": 60}
LANGUAGES: list[Language] = ["node", "python", "blocking"]


class Fenced:
    """Something to write to, which keeps the order of the fencing numbers."""

    def __init__(self) -> None:
        self.highest = 0
        self.written: list[str] = []

    def write(self, fence: int, what: str) -> bool:
        if fence < self.highest:
            return False
        self.highest = fence
        self.written.append(what)
        return True


def test_of_many_processes_one_gets_the_lock(fleet: Fleet) -> None:
    clients = fleet()
    fences: list[int] = []
    for number in range(5):
        lock = {**LOCK, "name": f"lock-{number}"}
        tried = together([Call(c, "locks.tryAcquire", lock) for c in clients * 10])
        won = [value for value in (call.result() for call in tried) if value]
        assert len(won) == 1
        fences += [won[0]["fence"]]
        assert clients[number % len(clients)].call(
            "locks.release", name=lock["name"], token=won[0]["token"]
        )


def test_many_processes_take_turns(fleet: Fleet) -> None:
    clients = fleet()
    fences = []
    for turn in range(24):
        client, other = clients[turn % 4], clients[(turn + 1) % 4]
        lock = client.call("locks.acquire", **LOCK)
        assert other.call("locks.tryAcquire", **LOCK) is None
        fences.append(lock["fence"])
        # A lock may be given back by whoever has its token.
        assert other.call("locks.release", name=LOCK["name"], token=lock["token"])
    assert fences == sorted(set(fences))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_frozen_holder_loses_its_lock_and_its_late_write_is_fenced_off(
    store: Store, hire: Hire, crew: list[Worker], open_in: Open, language: Language
) -> None:
    resource = Fenced()
    frozen = store.open(hire(language))
    other = open_in(crew[0])
    lock = frozen.call("locks.acquire", name="a", ttlSeconds=1, renew=True)
    assert resource.write(lock["fence"], "first")
    frozen.worker.stop()
    try:
        next_one = other.call("locks.acquire", name="a", ttlSeconds=60, waitSeconds=20)
        assert next_one["fence"] > lock["fence"]
        assert resource.write(next_one["fence"], "second")
    finally:
        frozen.worker.go_on()
    # It knows at once that the lock is gone; what it wrote without looking is refused.
    assert frozen.call("locks.remaining", token=lock["token"]) == 0
    assert not resource.write(lock["fence"], "late")
    assert not frozen.call("locks.release", name="a", token=lock["token"])
    assert other.call("locks.remaining", token=next_one["token"]) > 0
    assert resource.written == ["first", "second"]


def test_a_killed_holder_is_out_of_the_way_when_its_lease_ends(
    store: Store, hire: Hire, crew: list[Worker], open_in: Open
) -> None:
    doomed, other = store.open(hire("node")), open_in(crew[1])
    lock = doomed.call("locks.acquire", name="a", ttlSeconds=1, renew=True)
    doomed.worker.kill()
    after = other.call("locks.acquire", name="a", ttlSeconds=60, waitSeconds=20)
    assert after["fence"] > lock["fence"]


def test_of_many_processes_one_works_for_each_key(fleet: Fleet, tmp_path: Path) -> None:
    clients = fleet()

    def request(key: int) -> dict[str, Any]:
        file = str(tmp_path / f"work-{key}")
        return {"scope": "ann", "key": str(key), "waitSeconds": 20, "file": file}

    calls = [
        Call(c, "idempotency.run", request(k)) for k in range(10) for c in clients * 3
    ]
    replies = [call.result() for call in together(calls)]
    assert Counter(reply["replayed"] for reply in replies) == {False: 10, True: 110}
    for key in range(10):
        assert (tmp_path / f"work-{key}").read_text() == "worked\n"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_worker_killed_before_it_completes_frees_the_key(
    store: Store, hire: Hire, crew: list[Worker], open_in: Open, language: Language
) -> None:
    key = {"scope": "ann", "key": "7"}
    doomed = store.open(hire(language))
    survivors = [open_in(worker) for worker in crew]
    claim = doomed.call("idempotency.begin", **key, leaseSeconds=1)
    refused = outcomes(together([Call(c, "idempotency.begin", key) for c in survivors]))
    assert Counter(refused) == {"IN_PROGRESS": 4}
    doomed.worker.kill()
    waiting = {**key, "waitSeconds": 20}
    begun = survivors[0].call("idempotency.begin", **waiting)
    assert begun["fence"] > claim["fence"]
    # The dead one's token is worth nothing any more, even if its last words come late.
    late = Call(
        survivors[1],
        "idempotency.complete",
        {**key, "token": claim["token"], "reply": 1},
    )
    assert outcomes(together([late])) == ["LEASE_LOST"]
    survivors[2].call("idempotency.complete", **key, token=begun["token"], reply=2)
    for client in survivors:
        assert client.call("idempotency.begin", **key) == {"value": 2, "replayed": True}


def test_a_frozen_worker_cannot_complete_what_another_took_over(
    store: Store, hire: Hire, crew: list[Worker], open_in: Open
) -> None:
    key = {"scope": "ann", "key": "7"}
    frozen, other = store.open(hire("python")), open_in(crew[0])
    claim = frozen.call("idempotency.begin", **key, leaseSeconds=1)
    frozen.worker.stop()
    try:
        begun = other.call("idempotency.begin", **key, waitSeconds=20)
    finally:
        frozen.worker.go_on()
    late = Call(
        frozen,
        "idempotency.complete",
        {**key, "token": claim["token"], "reply": "late"},
    )
    assert outcomes(together([late])) == ["LEASE_LOST"]
    other.call("idempotency.complete", **key, token=begun["token"], reply="in time")
    assert frozen.call("idempotency.begin", **key)["value"] == "in time"


def test_of_many_processes_one_loads(fleet: Fleet, tmp_path: Path) -> None:
    clients = fleet()
    for number in range(5):
        file = tmp_path / f"load-{number}"
        entry = {
            "key": f"user/{number}",
            "waitSeconds": 20,
            "leaseSeconds": 20,
            "file": str(file),
        }
        loads = together([Call(c, "cache.getOrLoad", entry) for c in clients * 12])
        assert [load.result() for load in loads] == [{"loaded": True}] * 48
        assert file.read_text() == "worked\n"


def test_a_killed_loader_is_replaced_when_its_lease_ends(
    store: Store, hire: Hire, crew: list[Worker], open_in: Open, tmp_path: Path
) -> None:
    begun, done = tmp_path / "begun", tmp_path / "done"
    entry = {"key": "user/7", "waitSeconds": 20, "leaseSeconds": 1}
    doomed, other = store.open(hire("node")), open_in(crew[1])
    load = {**entry, "file": str(begun), "forEver": True}
    doomed.worker.ask("cache.getOrLoad", doomed.number, load)
    while not begun.exists():
        assert other.call("cache.get", key="user/7") is None
    doomed.worker.kill()
    taken = Call(other, "cache.getOrLoad", {**entry, "file": str(done)})
    assert outcomes(together([taken])) == ["OK"]
    assert done.read_text() == "worked\n"


def test_of_many_processes_one_is_given_a_totp_code(fleet: Fleet) -> None:
    clients = fleet()
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    # The first three of RFC 4226, appendix D.
    for counter, code in enumerate(["755224", "287082", "359152"]):
        given = {"user": "ann", "secret": secret, "code": code, "counter": counter}
        came = outcomes(together([Call(c, "totp.verify", given) for c in clients * 10]))
        assert Counter(came) == {"OK": 1, "CODE_NOT_FOUND": 39}
