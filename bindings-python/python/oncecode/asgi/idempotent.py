"""Requests that run once for each `Idempotency-Key`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable

from ..errors import OncecodeError
from ..idempotency import Claim, Reply
from .caller import Opened, client_of
from .errors import Unreadable, respond_error
from .messages import header, respond

if TYPE_CHECKING:
    from .messages import App, Event, Receive, Scope, Send

_MOST_BYTES = 1024 * 1024
_SAFE = {"GET", "HEAD", "OPTIONS"}


class Idempotent:
    """Middleware: runs a request once for each `Idempotency-Key`, and gives its answer again.

    The answer comes again with `Idempotency-Replayed: true`. Another body under the same key is
    422, a repetition while the first is under way 409. Answers of 500 and more are not kept.
    Requests without the header simply run.

    Args:
        app: The app behind it.
        once: The client, or the `Lifespan` that opens it.
        scope: Whose key it is, given the ASGI scope: nobody is shown the reply of another.
    """

    def __init__(self, app: App, once: Opened, scope: Callable[[Scope], str]) -> None:
        self.app = app
        self.once = once
        self.scope = scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        key = header(scope, "idempotency-key") if scope["type"] == "http" else None
        if key is None or scope["method"] in _SAFE:
            await self.app(scope, receive, send)
            return
        try:
            body = await _whole(receive)
            begun = await self._begin(scope, key, body)
        except OncecodeError as error:
            await respond_error(self.once, error, send)
            return
        if isinstance(begun, Reply):
            kept = begun.value
            said = [("idempotency-replayed", "true")]
            await respond(send, kept["status"], said, kept["text"].encode("latin-1"), kept["type"])
            return
        await self._run(begun, scope, _again(body, receive), send)

    async def _begin(self, scope: Scope, key: str, body: bytes) -> Claim | Reply:
        path = scope["path"] + "?" + scope.get("query_string", b"").decode("latin-1")
        fingerprint = [scope["method"], path, body.decode("latin-1")]
        return await client_of(self.once).idempotency.begin(
            scope=self.scope(scope), key=key, fingerprint=fingerprint
        )

    async def _run(self, claim: Claim, scope: Scope, receive: Receive, send: Send) -> None:
        status, content_type, chunks = 500, "application/json", list[bytes]()

        async def sending(event: Event) -> None:
            nonlocal status, content_type
            if event["type"] == "http.response.start":
                status = event["status"]
                types = (value for name, value in event["headers"] if name == b"content-type")
                content_type = next(types, b"application/json").decode("latin-1")
            elif event["type"] == "http.response.body":
                chunks.append(event.get("body", b""))
                if not event.get("more_body", False):
                    await _keep(claim, status, content_type, b"".join(chunks))
            await send(event)

        try:
            await self.app(scope, receive, sending)
        except BaseException:
            with suppress(OncecodeError):
                await claim.abandon()
            raise


async def _keep(claim: Claim, status: int, content_type: str, body: bytes) -> None:
    kept: Any = {"status": status, "type": content_type, "text": body.decode("latin-1")}
    # The work is done either way, and its answer is due.
    with suppress(OncecodeError):
        if status >= 500:
            await claim.abandon()
        else:
            await claim.complete(kept)


async def _whole(receive: Receive) -> bytes:
    body = b""
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return body
        body += bytes(event.get("body", b""))
        if len(body) > _MOST_BYTES:
            raise Unreadable(413)
        if not event.get("more_body", False):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was read already, and then what comes."""
    first = True

    async def receiving() -> Event:
        nonlocal first
        if not first:
            return await receive()
        first = False
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving
