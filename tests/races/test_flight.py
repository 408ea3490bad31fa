"""Of very many processes that miss the same entry, one loads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.stores import Store, store_in
from support.workers import Call, Client, Hire, Language, together

PROCESSES = 50
# So many start at once: what they import is read by a machine of few cores.
AT_ONCE = 10
LANGUAGES: list[Language] = ["node", "python"]


@pytest.fixture
def fifty(tmp_path: Path, hire: Hire) -> list[Client]:
    store: Store = store_in(tmp_path, "redis")
    clients: list[Client] = []
    while len(clients) < PROCESSES:
        workers = [hire(LANGUAGES[number % 2]) for number in range(AT_ONCE)]
        clients += [store.open(worker) for worker in workers]
    return clients


def test_of_fifty_processes_one_loads(fifty: list[Client], tmp_path: Path) -> None:
    for number in range(3):
        file = tmp_path / f"load-{number}"
        entry = {"key": f"user/{number}", "waitSeconds": 20, "leaseSeconds": 20}
        call = {**entry, "file": str(file)}
        loads = together([Call(c, "cache.getOrLoad", call) for c in fifty])
        assert [load.result() for load in loads] == [{"loaded": True}] * PROCESSES
        assert file.read_text() == "worked\n"
