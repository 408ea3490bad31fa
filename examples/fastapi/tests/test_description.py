"""Requests made up by schemathesis from what OpenAPI says of the endpoints."""

from __future__ import annotations

import json
from pathlib import Path

import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis

from accounts.app import create_app
from accounts.settings import Settings

EXAMPLES = 40


def test_no_request_is_answered_with_500(tmp_path: Path):
    app = create_app(
        Settings(database_url=f"sqlite+aiosqlite:///{tmp_path}/accounts.db", store="memory:")
    )
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    tried = set()
    for operation in schema.get_all_operations():
        fuzz(operation.ok().as_strategy(), tried)
    assert len(tried) == 11


def fuzz(cases, tried: set) -> None:
    @hypothesis(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def run(case) -> None:
        tried.add((case.method, case.path))
        answer = case.call()
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            said = json.loads(answer.text)
            assert said["success"] is False
            assert said["code"]

    run()
