"""Many processes send to one address at once."""

from __future__ import annotations

from collections import Counter

import pytest
from support.codes import PHONE, phone
from support.stores import Store
from support.workers import Call, Client, Fleet, outcomes, together


def sends(clients: list[Client], to: str, *methods: str) -> list[Call]:
    given = {"to": to, "purpose": "login"}
    return [Call(client, do, given) for do in methods for client in clients]


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
@pytest.mark.parametrize("other", ["issue", "resend"])
def test_of_two_sends_at_once_one_goes_out(
    fleet: Fleet, store: Store, other: str, known: bool
) -> None:
    node, python, *_ = fleet(sends=True)
    for number in range(10):
        to = phone(number)
        if known:
            sent = node.issue(to=to)
            node.verify(sent.code, to=to)
            store.forget_sent()
        # Each of the languages is the first in turn.
        one, two = (node, python) if number % 2 else (python, node)
        came = outcomes(
            together([*sends([one], to, "issue"), *sends([two], to, other)])
        )
        assert Counter(came) == {"OK": 1, "COOLDOWN": 1}
        [message] = store.forget_sent()
        assert node.verify(message["code"], id=message["id"]).identifier == to


def test_of_twenty_sends_at_once_one_goes_out(fleet: Fleet, store: Store) -> None:
    clients = fleet(sends=True)
    calls = sends(clients, PHONE, "issue", "issue", "resend", "issue", "resend")
    came = outcomes(together(calls))
    assert Counter(came) == {"OK": 1, "COOLDOWN": 19}
    [message] = store.sent()
    assert clients[-1].verify(message["code"], to=PHONE).identifier == PHONE


def test_of_many_sends_without_cooldown_exactly_the_limit_go_out(
    fleet: Fleet, store: Store
) -> None:
    clients = fleet(sends=True, policy={"cooldownSeconds": 0})
    came = outcomes(together(sends(clients, PHONE, *["issue"] * 5)))
    assert Counter(came) == {"OK": 3, "RATE_LIMITED": 17}
    assert len(store.sent()) == 3
