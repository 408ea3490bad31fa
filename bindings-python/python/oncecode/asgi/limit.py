"""Limits on requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from ..errors import OncecodeError
from .caller import Opened, client_ip, client_of
from .errors import respond_error

if TYPE_CHECKING:
    from .messages import App, Event, Receive, Scope, Send


class RateLimit:
    """Middleware: takes one from a limit of `once.limits` for each request; 429 when none is left.

    Args:
        app: The app behind it.
        once: The client, or the `Lifespan` that opens it.
        limit: The limit's name.
        key: Whom to count beside the IP address; `None` is not counted.
    """

    def __init__(
        self, app: App, once: Opened, limit: str, key: Callable[[Scope], str | None] | None = None
    ) -> None:
        self.app = app
        self.once = once
        self.limit = limit
        self.key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        ip = await client_ip(self.once, scope)
        key = self.key(scope) if self.key else None
        try:
            quota = await client_of(self.once).limits.hit(self.limit, key=key, ip=ip)
        except OncecodeError as error:
            await respond_error(self.once, error, send)
            return
        said = [(name.lower().encode(), value.encode()) for name, value in quota.headers.items()]

        async def sending(event: Event) -> None:
            if event["type"] == "http.response.start":
                event = {**event, "headers": [*event.get("headers", ()), *said]}
            await send(event)

        await self.app(scope, receive, sending)
