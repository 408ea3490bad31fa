"""Processes in Node and Python that use the packages as a user would.

A request is a line `{"call": 7, "do": "verify", "client": 1, "with": {…}}`, its answer
a line `{"call": 7, "value": …}` or `{"call": 7, "error": {"code": …}}`. A request that
is `held` begins only with the next `go`. `do` names a method of `codes`, or of another service
as `locks.acquire`; arguments without a name are a list in `with`, as `args`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from threading import Lock, Thread
from typing import IO, Any, Literal

Language = Literal["node", "python", "blocking"]
Pending = Future[Any]

SUPPORT = Path(__file__).parent
PYTHON = [sys.executable, str(SUPPORT / "worker.py")]
COMMANDS: dict[Language, list[str]] = {
    "node": ["node", str(SUPPORT / "worker.mjs")],
    "python": [*PYTHON, "python"],
    "blocking": [*PYTHON, "blocking"],
}
PATIENCE_SECONDS = 30
BUGS = {"NOT_ONCECODE", "INTERNAL"}


class Failed(Exception):
    """The package refused or failed, as it told the user."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code: str = error["code"]
        self.status: int | None = error.get("status")
        self.retryable: bool | None = error.get("retryable")
        self.retry_after_seconds: int | None = error.get("retryAfterSeconds")
        self.attempts_left: int | None = error.get("attemptsLeft")


class Died(Exception):
    """The process ended before it answered."""


@dataclass(frozen=True)
class Live:
    id: str
    attempts_left: int
    expires_at: datetime
    resend_at: datetime
    code: str = ""


@dataclass(frozen=True)
class Verified:
    identifier: str
    purpose: str
    data: Any


class Worker:
    """One process. Its calls run at once; each has an answer of its own."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._process = subprocess.Popen(
            COMMANDS[language], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._numbers = count(1)
        self._pending: dict[int, Pending] = {}
        self._lock = Lock()
        self._dead = self._killed = False
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def open(
        self, url: str, options: dict[str, Any], messages: Path | None = None
    ) -> Client:
        """With `messages`, a sender of the language's own appends to this file."""
        client = Client(self, next(self._numbers))
        given = {"url": url, "options": options}
        if messages is not None:
            given["messages"] = str(messages)
        self.ask("open", client.number, given).result(PATIENCE_SECONDS)
        return client

    def ask(
        self, do: str, client: int = 0, given: Any = None, *, held: bool = False
    ) -> Pending:
        number, pending = next(self._numbers), Pending()
        with self._lock:
            if self._dead:
                pending.set_exception(self._died())
                return pending
            self._pending[number] = pending
        request = {"call": number, "do": do, "client": client, "with": given or {}}
        # Of a process that has just died, the reader tells.
        with suppress(BrokenPipeError):
            self._stdin.write(json.dumps({**request, "held": held}).encode() + b"\n")
            if not held:
                self._stdin.flush()
        return pending

    def kill(self) -> None:
        """As `kill -9`: no last words."""
        self._killed = True
        self._process.kill()

    def stop(self) -> None:
        """Freezes the process where it is."""
        self._process.send_signal(SIGSTOP)

    def go_on(self) -> None:
        """Lets a frozen process run again."""
        self._process.send_signal(SIGCONT)

    def end(self) -> None:
        """The process must end by itself once nothing is asked of it any more."""
        with suppress(BrokenPipeError):
            self._stdin.close()
        try:
            code = self._process.wait(PATIENCE_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join(PATIENCE_SECONDS)
            self._stdout.close()
        expected = -SIGKILL if self._killed else 0
        assert code == expected, f"the {self.language} worker ended with {code}"

    def _read(self) -> None:
        for line in self._stdout:
            if not line.endswith(b"\n"):
                break
            answer = json.loads(line)
            with self._lock:
                pending = self._pending.pop(answer["call"])
            if "error" in answer:
                pending.set_exception(Failed(answer["error"]))
            else:
                pending.set_result(answer["value"])
        with self._lock:
            self._dead = True
        for pending in self._pending.values():
            pending.set_exception(self._died())

    def _died(self) -> Died:
        return Died(f"the {self.language} worker ended")

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout


@dataclass(frozen=True)
class Client:
    """A client of the package, in a worker."""

    worker: Worker
    number: int

    def issue(self, to: str, purpose: str = "login", **given: Any) -> Live:
        return _live(self.call("issue", to=to, purpose=purpose, **given))

    def resend(self, purpose: str = "login", **given: Any) -> Live:
        return _live(self.call("resend", purpose=purpose, **given))

    def verify(self, code: str, purpose: str = "login", **given: Any) -> Verified:
        value = self.call("verify", code=code, purpose=purpose, **given)
        return Verified(value["identifier"], value["purpose"], value.get("data"))

    def cancel(self, purpose: str = "login", **given: Any) -> bool:
        return bool(self.call("cancel", purpose=purpose, **given))

    def peek(self, purpose: str = "login", **given: Any) -> Live | None:
        value = self.call("peek", purpose=purpose, **given)
        return None if value is None else _live(value)

    def close(self) -> None:
        self.worker.ask("close", self.number).result(PATIENCE_SECONDS)

    def call(self, do: str, **given: Any) -> Any:
        return self.worker.ask(do, self.number, given).result(PATIENCE_SECONDS)


Open = Callable[..., Client]
Pair = Callable[..., tuple[Client, Client]]
Fleet = Callable[..., list[Client]]
Hire = Callable[[Language], Worker]


@dataclass(frozen=True)
class Call:
    """A call of a client that is yet to be made."""

    client: Client
    do: str
    given: dict[str, Any] = field(default_factory=dict)


def together(calls: Sequence[Call], width: int = 1000) -> list[Pending]:
    """Starts all calls at once, in each process at most `width` at a time."""
    pending = [
        c.client.worker.ask(c.do, c.client.number, c.given, held=True) for c in calls
    ]
    workers = list(dict.fromkeys(call.client.worker for call in calls))
    for ready in [worker.ask("ready") for worker in workers]:
        ready.result(PATIENCE_SECONDS)
    for worker in workers:
        worker.ask("go", given={"width": width})
    return pending


def outcomes(pending: Iterable[Pending]) -> list[str]:
    """What each call came to: `OK`, an error's code, or `DIED`."""
    return [_outcome(call) for call in pending]


def _outcome(call: Pending) -> str:
    try:
        call.result(PATIENCE_SECONDS)
    except Failed as failed:
        if failed.code in BUGS:
            raise
        return failed.code
    except Died:
        return "DIED"
    return "OK"


def _live(value: dict[str, Any]) -> Live:
    return Live(
        id=value["id"],
        attempts_left=value["attemptsLeft"],
        expires_at=datetime.fromisoformat(value["expiresAt"]),
        resend_at=datetime.fromisoformat(value["resendAt"]),
        code=value.get("code") or "",
    )
