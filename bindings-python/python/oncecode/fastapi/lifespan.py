"""A client that lives as long as the app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Callable

from ..client import Oncecode
from ..errors import Closed

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ..options import EventCallback, Options, SendCallback


class Lifespan:
    """Opens a client when the app starts and closes it when the app ends.

    It is the `lifespan` of an app; an app with one of its own writes `async with once(app):` in it.
    Routers and dependencies take it instead of a client. The client is also `app.state.oncecode`.

    Args:
        url: As `Oncecode.open`.
        options: As `Oncecode.open`.
    """

    def __init__(self, url: str, **options: Unpack[Options]) -> None:
        self._open: Callable[[], Awaitable[Oncecode]] = lambda: Oncecode.open(url, **options)
        self._client: Oncecode | None = None

    @classmethod
    def from_env(
        cls, *, sender: SendCallback | None = None, events: EventCallback | None = None
    ) -> Self:
        """Open what the environment names, as `Oncecode.from_env`."""
        lifespan = cls("")
        lifespan._open = lambda: Oncecode.from_env(sender=sender, events=events)
        return lifespan

    @property
    def client(self) -> Oncecode:
        """The open client.

        Raises:
            Closed: The app has not started, or has ended.
        """
        if self._client is None:
            raise Closed("the app has not started: FastAPI(lifespan=once) opens the client")
        return self._client

    @asynccontextmanager
    async def __call__(self, app: Any) -> AsyncIterator[None]:
        """Open, and close at the end."""
        async with await self._open() as once:
            self._client = app.state.oncecode = once
            try:
                yield
            finally:
                self._client = None
