"""Processes change their secret one after the other, and users notice nothing."""

from __future__ import annotations

from typing import Any

import pytest
from support.codes import PHONE, wrong
from support.workers import Client, Failed, Language, Open, Worker

OLD = "the old secret, which is long enough for production"
NEW = "the new secret, which is long enough for production"

BEFORE: dict[str, Any] = {"secret": OLD}
DURING: dict[str, Any] = {"secret": [NEW, OLD], "indexSecret": OLD}
AFTER: dict[str, Any] = {"secret": [NEW], "indexSecret": OLD}
RULES: dict[str, Any] = {
    "policy": {
        "cooldownSeconds": 0,
        "failureBudget": {"max": 3, "windowSeconds": 3600},
    }
}

Generations = tuple[Client, Client, Client]


@pytest.fixture(params=[("node", "python"), ("python", "node")], ids="-".join)
def generations(
    request: pytest.FixtureRequest, crew: list[Worker], open_in: Open
) -> Generations:
    """A process before the change, one in its course and one after it."""
    speaking: dict[Language, Worker] = {worker.language: worker for worker in crew}
    first, second = (speaking[language] for language in request.param)
    return (
        open_in(first, **BEFORE, **RULES),
        open_in(second, **DURING, **RULES),
        open_in(first, **AFTER, **RULES),
    )


def test_a_code_from_before_the_change_verifies_with_its_data(
    generations: Generations,
) -> None:
    before, during, _ = generations
    sent = before.issue(to=PHONE, data={"n": 1})
    assert during.verify(sent.code, to=PHONE, id=sent.id).data == {"n": 1}


def test_a_code_from_the_course_of_the_change_outlives_it(
    generations: Generations,
) -> None:
    _, during, after = generations
    sent = during.issue(to=PHONE, data={"n": 2})
    assert after.verify(sent.code, id=sent.id).data == {"n": 2}


def test_a_secret_that_is_not_known_yet_or_any_more_costs_no_attempt(
    generations: Generations,
) -> None:
    before, during, after = generations
    for issuing, strange in [(during, before), (before, after)]:
        sent = issuing.issue(to=PHONE)
        before_it = attempts_left(issuing)
        with pytest.raises(Failed, match="CODE_NOT_FOUND"):
            strange.verify(sent.code, to=PHONE)
        assert attempts_left(issuing) == before_it
        during.verify(sent.code, to=PHONE)


def test_the_failure_budget_of_an_address_survives_the_change(
    generations: Generations,
) -> None:
    for client, left in zip(generations, [3, 2, 1], strict=True):
        sent = client.issue(to=PHONE)
        assert sent.attempts_left == left
        with pytest.raises(Failed, match="WRONG_CODE"):
            client.verify(wrong(sent.code), to=PHONE)
    for client in generations:
        with pytest.raises(Failed, match="TOO_MANY_ATTEMPTS"):
            client.issue(to=PHONE)


def attempts_left(client: Client) -> int:
    live = client.peek(to=PHONE)
    assert live is not None
    return live.attempts_left
