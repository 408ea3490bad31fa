"""Processes are killed in the middle of their work."""

from __future__ import annotations

from collections import Counter

import pytest
from support.codes import phone
from support.stores import Store
from support.workers import Call, Hire, Open, Pending, Worker, outcomes, together

CODES = 150
WIDTH = 8
ROUNDS_MORE = 10


@pytest.mark.parametrize("answers", [1, 40])
def test_no_code_is_accepted_twice_when_processes_are_killed(
    store: Store, open_in: Open, crew: list[Worker], hire: Hire, answers: int
) -> None:
    survivors = [open_in(worker) for worker in crew[:2]]
    doomed = [store.open(hire(language)) for language in ("node", "python")]
    clients = [*survivors, *doomed]
    issues = [
        Call(survivors[n % 2], "issue", {"to": phone(n), "purpose": "login"})
        for n in range(CODES)
    ]
    codes = [call.result()["code"] for call in together(issues)]
    calls = [
        Call(client, "verify", {"to": phone(n), "purpose": "login", "code": codes[n]})
        for n in range(CODES)
        for client in clients
    ]
    first_tries = len(calls)
    again = [call for call in calls if call.client is survivors[0]]
    # So much that who is to die is not ready before.
    calls += ROUNDS_MORE * [call for call in calls if call.client in doomed]

    pending = together(calls, WIDTH)
    for client in doomed:
        own = [p for p, c in zip(pending, calls, strict=True) if c.client is client]
        kill_after(own[answers], client.worker)
    came = outcomes(pending)

    assert set(came) == {"OK", "CODE_NOT_FOUND", "DIED"}
    accepted = Counter(
        c.given["to"] for c, outcome in zip(calls, came, strict=True) if outcome == "OK"
    )
    assert max(accepted.values()) == 1
    # The survivors tried every code: what nobody saw accepted went with the dead.
    assert CODES - len(accepted) <= came[:first_tries].count("DIED")
    assert Counter(outcomes(together(again))) == {"CODE_NOT_FOUND": CODES}
    for client in survivors:
        sent = client.issue(to="ann@example.com")
        client.verify(sent.code, to="ann@example.com")


def kill_after(answer: Pending, worker: Worker) -> None:
    answer.add_done_callback(lambda _: worker.kill())
