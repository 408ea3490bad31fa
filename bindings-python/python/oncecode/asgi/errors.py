"""Errors as HTTP says them. Which status and headers an error has, it knows itself."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

from ..errors import InvalidArgument, OncecodeError
from .caller import Opened, client_of
from .messages import respond_json

if TYPE_CHECKING:
    from .messages import App, Event, Receive, Scope, Send

_OURS = "Something went wrong on our side. Please try again later."
_log = logging.getLogger("oncecode")

_READING = {
    400: "the body must be a JSON object",
    413: "the body is too large",
    415: "the body must be JSON in UTF-8, not compressed: Content-Type: application/json",
}


class Unreadable(InvalidArgument):
    """A request that can't be read: `INVALID_ARGUMENT`, with the status that HTTP has for it."""

    def __init__(self, status: int) -> None:
        super().__init__(_READING[status])
        self.status = status  # type: ignore[misc]


def answer_of(once: Opened, error: Exception) -> tuple[int, dict[str, str], dict[str, Any]]:
    """The status, headers and body of the answer to a request that failed.

    In production, what went wrong inside is not told.
    """
    known = error if isinstance(error, OncecodeError) else None
    status, code = (known.status, known.code) if known else (500, "INTERNAL")
    hidden = status >= 500 and client_of(once).mode == "production"
    headers = {**(known.headers if known else {}), "Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body: dict[str, Any] = {
        "success": False,
        "code": "INTERNAL" if hidden and status == 500 else code,
        "message": _OURS if hidden else str(error),
    }
    if known and known.retry_after_seconds is not None:
        body["retryAfter"] = known.retry_after_seconds
    if known and known.attempts_left is not None:
        body["attemptsLeft"] = known.attempts_left
    if not known and not hidden:
        body["stack"] = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return status, headers, body


async def respond_error(once: Opened, error: Exception, send: Send) -> None:
    """Answer a request that failed."""
    await respond_json(send, *answer_of(once, error))


class Errors:
    """Middleware: answers what the app raises, by the error's own status and headers.

    Of what is not ours, `logging` is told, and the caller only in development.
    """

    def __init__(self, app: App, once: Opened) -> None:
        self.app = app
        self.once = once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        started = False

        async def sending(event: Event) -> None:
            nonlocal started
            started = True
            await send(event)

        try:
            await self.app(scope, receive, sending)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            if getattr(error, "status", 500) >= 500:
                _log.exception("a request failed")
            await respond_error(self.once, error, send)
