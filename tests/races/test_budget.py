"""The failure budget of an address outlives whatever an attacker can begin anew."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from support.codes import PHONE, wrong
from support.stores import Store
from support.workers import (
    Call,
    Client,
    Failed,
    Fleet,
    Hire,
    Language,
    outcomes,
    together,
)

BUDGET = 7
RULES: dict[str, Any] = {
    "maxAttempts": 3,
    "cooldownSeconds": 0,
    "issueLimit": False,
    "verifyLimit": False,
    "failureBudget": {"max": BUDGET, "windowSeconds": 3600},
}
LANGUAGES: list[Language] = ["node", "python"]


def guess(clients: list[Client], code: str) -> Counter[str]:
    """Ten wrong codes from each client, all at once."""
    calls = [
        Call(client, "verify", {"to": PHONE, "purpose": "login", "code": guess})
        for guess in [wrong(code, by) for by in range(1, 11)]
        for client in clients
    ]
    return Counter(outcomes(together(calls)))


def test_the_budget_survives_resend_a_new_flow_and_a_restart(
    store: Store, hire: Hire
) -> None:
    def start() -> list[Client]:
        return [store.open(hire(language), policy=RULES) for language in LANGUAGES]

    def stop(clients: list[Client]) -> None:
        for client in clients:
            client.worker.end()

    clients = node, python = start()
    sent = node.issue(to=PHONE)
    assert sent.attempts_left == 3
    assert guess(clients, sent.code) == {"WRONG_CODE": 3, "TOO_MANY_ATTEMPTS": 17}
    sent = python.resend(to=PHONE)
    assert sent.attempts_left == 3
    assert guess(clients, sent.code) == {"WRONG_CODE": 3, "TOO_MANY_ATTEMPTS": 17}
    stop(clients)

    clients = node, python = start()
    sent = node.issue(to=PHONE)
    assert sent.attempts_left == 1
    assert guess(clients, sent.code) == {"WRONG_CODE": 1, "TOO_MANY_ATTEMPTS": 19}
    stop(clients)

    for client in start():
        for do, code in [
            ("issue", {}),
            ("resend", {}),
            ("verify", {"code": sent.code}),
        ]:
            with pytest.raises(Failed, match="TOO_MANY_ATTEMPTS") as refused:
                client.call(do, to=PHONE, purpose="login", **code)
            assert (refused.value.retry_after_seconds or 0) > 3000


def test_guesses_between_new_flows_never_exceed_the_budget(fleet: Fleet) -> None:
    # Ten digits, or one of the guesses might be right.
    clients = fleet(policy={**RULES, "codeLength": 10})
    flow = ["issue", "verify", "verify", "verify"]
    calls = [
        Call(client, do, {"to": PHONE, "purpose": "login", **guess})
        for client in clients
        for do in flow * 5
        for guess in [{"code": "0123456789"} if do == "verify" else {}]
    ]
    # In each process one after the other, so that every flow has its guesses.
    came = Counter(outcomes(together(calls, width=1)))
    assert came["WRONG_CODE"] == BUDGET
    assert set(came) == {"OK", "WRONG_CODE", "TOO_MANY_ATTEMPTS"}
