from __future__ import annotations

from typing import Any

import pytest
from support.workers import Client, Language, Open, Pair, Worker

PAIRS: list[tuple[Language, Language]] = [
    ("node", "python"),
    ("python", "node"),
    ("node", "blocking"),
]


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest, crew: list[Worker], open_in: Open) -> Pair:
    """`pair(**options)`: a client in one language and one in another."""
    speaking = {worker.language: worker for worker in crew}
    first, second = (speaking[language] for language in request.param)

    def open_both(**options: Any) -> tuple[Client, Client]:
        return open_in(first, **options), open_in(second, **options)

    return open_both
