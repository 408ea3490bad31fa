"""Many processes verify one code at once."""

from __future__ import annotations

from collections import Counter
from itertools import cycle
from random import Random

from support.codes import PHONE, phone, wrong
from support.workers import Call, Client, Fleet, outcomes, together

ROUNDS = 100


def tries(clients: list[Client], codes: list[str], to: str = PHONE) -> list[Call]:
    given = [{"to": to, "purpose": "login", "code": code} for code in codes]
    return [Call(client, "verify", g) for client, g in zip(cycle(clients), given)]


def test_of_many_right_codes_exactly_one_wins(fleet: Fleet) -> None:
    clients = fleet()
    for number in range(5):
        to = phone(number)
        sent = clients[number % len(clients)].issue(to=to)
        came = outcomes(together(tries(clients, [sent.code] * 40, to)))
        assert Counter(came) == {"OK": 1, "CODE_NOT_FOUND": 39}


def test_of_many_right_codes_by_id_exactly_one_wins(fleet: Fleet) -> None:
    clients = fleet()
    sent = clients[0].issue(to=PHONE)
    given = {"id": sent.id, "purpose": "login", "code": sent.code}
    calls = [Call(client, "verify", given) for client in clients * 10]
    came = outcomes(together(calls))
    assert Counter(came) == {"OK": 1, "CODE_NOT_FOUND": 39}


def test_of_many_wrong_guesses_exactly_max_attempts_are_compared(fleet: Fleet) -> None:
    clients = fleet()
    for number in range(5):
        to = phone(number)
        sent = clients[number % len(clients)].issue(to=to)
        guesses = [wrong(sent.code, by) for by in range(1, 41)]
        came = outcomes(together(tries(clients, guesses, to)))
        assert Counter(came) == {"WRONG_CODE": 5, "TOO_MANY_ATTEMPTS": 35}
        live = clients[0].peek(to=to)
        assert live is not None
        assert live.attempts_left == 0


def test_of_many_guesses_exactly_the_verify_limit_is_compared(fleet: Fleet) -> None:
    limit = {"max": 7, "windowSeconds": 900}
    clients = fleet(policy={"maxAttempts": 100, "verifyLimit": limit})
    sent = clients[0].issue(to=PHONE)
    guesses = [wrong(sent.code, by) for by in range(1, 41)]
    came = outcomes(together(tries(clients, guesses)))
    assert Counter(came) == {"WRONG_CODE": 7, "RATE_LIMITED": 33}


def test_a_right_code_among_wrong_ones_within_budget_always_wins(fleet: Fleet) -> None:
    clients = fleet()
    random = Random(1)
    for number in range(ROUNDS):
        to = phone(number)
        sent = random.choice(clients).issue(to=to)
        codes = [sent.code, *(wrong(sent.code, by) for by in range(1, 5))]
        random.shuffle(codes)
        random.shuffle(clients)
        came = outcomes(together(tries(clients, codes, to)))
        assert came[codes.index(sent.code)] == "OK"
        assert set(came) <= {"OK", "WRONG_CODE", "CODE_NOT_FOUND"}
