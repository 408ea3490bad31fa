"""What was revoked stays so, whatever is on its way in other processes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.stores import Store
from support.workers import Call, Client, Fleet, Hire, Language, outcomes, together


def refusals(clients: list[Client], service: str, token: str) -> set[str]:
    """What each process says to a token."""
    calls = [Call(c, f"{service}.{USE[service]}", {"args": [token]}) for c in clients]
    return set(outcomes(together(calls)))


USE = {"sessions": "validate", "tokens": "verify"}


def test_a_revoked_session_is_not_revived_by_its_last_uses(fleet: Fleet) -> None:
    # Every use is written, so that there is something to revive it.
    clients = fleet(sessions={"activitySeconds": 0})
    for turn in range(4):
        session = clients[turn].call("sessions.create", userId="ann")
        use = {"args": [session["token"]]}
        uses = [Call(c, "sessions.validate", use) for c in clients * 6]
        revoke = Call(clients[turn - 1], "sessions.revoke", {"token": session["token"]})
        came = outcomes(together([*uses[:12], revoke, *uses[12:]]))
        assert came.pop(12) == "OK"
        assert set(came) <= {"OK", "SESSION_NOT_FOUND"}
        said = refusals(clients, "sessions", session["token"])
        assert said == {"SESSION_NOT_FOUND"}
        assert clients[turn].call("sessions.list", args=["ann"]) == []


@pytest.mark.parametrize("language", ["node", "python", "blocking"])
def test_a_process_frozen_within_a_use_revives_no_session(
    store: Store, hire: Hire, language: Language
) -> None:
    frozen, other = [store.open(hire(each)) for each in (language, "python")]
    token = other.call("sessions.create", userId="ann")["token"]
    uses = [
        frozen.worker.ask("sessions.validate", frozen.number, {"args": [token]})
        for _ in range(20)
    ]
    frozen.worker.stop()
    try:
        other.call("sessions.revoke", token=token)
    finally:
        frozen.worker.go_on()
    assert set(outcomes(uses)) <= {"OK", "SESSION_NOT_FOUND"}
    assert refusals([frozen, other], "sessions", token) == {"SESSION_NOT_FOUND"}


@pytest.mark.parametrize("kept", ["in the store", "in the app's table"])
def test_a_raised_version_is_never_lowered(
    fleet: Fleet, tmp_path: Path, kept: str
) -> None:
    options: dict[str, object] = {"cacheSeconds": 0}
    table = tmp_path / "users.db"
    if kept == "in the app's table":
        with closing(sqlite3.connect(table)) as users, users:
            users.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, token_version)")
            users.execute("INSERT INTO users VALUES (7, 0)")
        options["users"] = {"url": f"sqlite:{table}"}
    clients = fleet(tokens=options)
    for turn in range(3):
        old = clients[turn].call("tokens.sign", args=[{"sub": "7"}])
        uses = [Call(c, "tokens.verify", {"args": [old]}) for c in clients * 6]
        raises = [Call(c, "tokens.revokeAll", {"args": ["7"]}) for c in clients]
        came = outcomes(together([*uses[:12], *raises, *uses[12:]]))
        assert came[12:16] == ["OK"] * 4
        assert set(came) <= {"OK", "TOKEN_REVOKED"}
        assert refusals(clients, "tokens", old) == {"TOKEN_REVOKED"}
        new = clients[turn - 1].call("tokens.sign", args=[{"sub": "7"}])
        assert refusals(clients, "tokens", new) == {"OK"}
    if kept == "in the app's table":
        with closing(sqlite3.connect(table)) as users:
            assert users.execute("SELECT token_version FROM users").fetchone() == (12,)
