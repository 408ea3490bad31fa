from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.stores import STORES, Store, store_in
from support.workers import Client, Hire, Language, Open, Worker

CREW: list[Language] = ["node", "python", "node", "blocking"]


@pytest.fixture(scope="session")
def crew() -> Iterator[list[Worker]]:
    """Processes that stay for all tests, which start no client but their own."""
    with ExitStack() as ending:
        workers = []
        for language in CREW:
            workers.append(worker := Worker(language))
            ending.callback(worker.end)
        yield workers


@pytest.fixture
def hire() -> Iterator[Hire]:
    """`hire("node")`: a process that the test may kill."""
    with ExitStack() as ending:

        def begin(language: Language) -> Worker:
            worker = Worker(language)
            ending.callback(worker.end)
            return worker

        yield begin


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each shared store in turn, and a part of it that is the test's own."""
    store = store_in(tmp_path, request.param)
    yield store
    store.assert_all_keys_expire()


@pytest.fixture
def open_in(store: Store) -> Iterator[Open]:
    """`open_in(worker, **options)`: a client in a worker, closed at the end."""
    with ExitStack() as closing:

        def begin(worker: Worker, **options: Any) -> Client:
            client = store.open(worker, **options)
            closing.callback(client.close)
            return client

        yield begin
