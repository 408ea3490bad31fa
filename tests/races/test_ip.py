"""Limits per IP address are exact, whoever is asked."""

from __future__ import annotations

from collections import Counter
from typing import Any

from support.codes import phone
from support.workers import Call, Client, Fleet, outcomes, together

LIMIT = {"max": 11, "windowSeconds": 900}
# One address in three spellings.
SPELLINGS = ["203.0.113.7", "::ffff:203.0.113.7", "::ffff:cb00:7107"]


def calls(clients: list[Client], do: str, **given: Any) -> list[Call]:
    """Forty, each for another address of the user's."""
    return [
        Call(
            clients[n % len(clients)],
            do,
            {"to": phone(n), "purpose": "login", "ip": SPELLINGS[n % 3], **given},
        )
        for n in range(40)
    ]


def test_of_many_issues_from_one_address_exactly_the_limit_pass(fleet: Fleet) -> None:
    clients = fleet(policy={"ipIssueLimit": LIMIT})
    came = outcomes(together(calls(clients, "issue")))
    assert Counter(came) == {"OK": 11, "RATE_LIMITED": 29}


def test_of_many_verifications_from_one_address_exactly_the_limit_pass(
    fleet: Fleet,
) -> None:
    clients = fleet(policy={"ipVerifyLimit": LIMIT})
    came = outcomes(together(calls(clients, "verify", code="012345")))
    assert Counter(came) == {"CODE_NOT_FOUND": 11, "RATE_LIMITED": 29}
