from __future__ import annotations

from typing import Any

import pytest
from support.workers import Client, Fleet, Open, Worker


@pytest.fixture
def fleet(crew: list[Worker], open_in: Open) -> Fleet:
    """`fleet(**options)`: a client in each of several processes."""

    def open_all(**options: Any) -> list[Client]:
        return [open_in(worker, **options) for worker in crew]

    return open_all
