"""The client for asyncio (and uvloop)."""

from __future__ import annotations

from asyncio import Future
from typing import TYPE_CHECKING, Literal

from . import opening
from .admin import Admin
from .cache import Cache
from .codes import Codes
from .delivery import Delivery
from .idempotency import Idempotency
from .limits import Limits
from .links import Links
from .locks import Locks
from .sessions import Sessions
from .tokens import Tokens
from .totp import Totp

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from . import blocking
    from ._native import Client, Health
    from .options import EventCallback, Options, SendCallback


class Oncecode:
    """A client: one store, one sender, one set of rules.

    It serves any number of tasks, threads and event loops at once, and forked processes too: they
    open connections of their own. (What a `memory:` store holds stays with the parent.)

    ```python
    async with await Oncecode.open("memory:", mode="development") as once:
        sent = await once.codes.issue(to="+1 415 867 5309", purpose="login")
        done = await once.codes.verify(to="+14158675309", purpose="login", code=sent.code)
    ```
    """

    __slots__ = (
        "__weakref__",
        "_native",
        "admin",
        "cache",
        "codes",
        "idempotency",
        "limits",
        "links",
        "locks",
        "sender",
        "sessions",
        "tokens",
        "totp",
    )

    codes: Codes
    """One-time codes: issue, verify, resend, cancel, peek."""
    locks: Locks
    """Locks across processes: acquire, try_acquire, hold, extend, release."""
    idempotency: Idempotency
    """Work done once for each key: run, idempotent, begin, complete, abandon."""
    limits: Limits
    """Rate limits: define, hit, peek, refund, reset."""
    cache: Cache
    """Values that are costly to make: get, set, get_or_load, invalidate."""
    totp: Totp
    """Codes of authenticator apps: enrol, verify, recovery codes."""
    sessions: Sessions
    """Sessions: create, validate, rotate, list, revoke."""
    tokens: Tokens
    """Tokens (JWT) that can be revoked: sign, verify, revoke."""
    links: Links
    """Links for email: issue, verify, peek."""
    sender: Delivery
    """What becomes of messages: status callbacks."""
    admin: Admin
    """Moving to another store: copy."""

    def __init__(self, native: Client) -> None:
        self._native = native
        self.codes = Codes(native)
        self.admin = Admin(native)
        self.locks = Locks(native)
        self.idempotency = Idempotency(native)
        self.limits = Limits(native)
        self.cache = Cache(native)
        self.totp = Totp(native)
        self.sessions = Sessions(native)
        self.tokens = Tokens(native)
        self.links = Links(native)
        self.sender = Delivery(native)

    @classmethod
    async def open(cls, url: str, **options: Unpack[Options]) -> Self:
        """Open the store at `url`, such as `memory:`, `sqlite:PATH` or `redis://…`.

        Checks the options, connects, and creates or updates tables where the store has them.
        `fallback:FIRST|SECOND` names two stores, the second for when the first is down.

        Raises:
            Config: An option cannot work; the message says what to change.
            StoreUnavailable: The store did not answer.
        """
        return await cls._connected(opening.from_options(url, options, waits=False))

    @classmethod
    async def from_env(
        cls, *, sender: SendCallback | None = None, events: EventCallback | None = None
    ) -> Self:
        """Open what the environment names.

        `ONCECODE_STORE`, `ONCECODE_SECRET`, `ONCECODE_SENDER`, `ONCECODE_MODE`, and the names that
        apps already have: `REDIS_URL`, `UPSTASH_REDIS_REST_URL` and `_TOKEN`, `DATABASE_URL`,
        `SESSION_SECRET`, `JWT_SECRET`, `SMS_PROVIDER`, `NODE_ENV`, `USE_DATABASE`,
        `ENABLE_REAL_OTP`, `ENABLE_RATE_LIMIT`.

        Raises:
            Config: It names no store in production, or something that cannot work.
            StoreUnavailable: The store did not answer.
        """
        return await cls._connected(opening.from_env(sender, events, waits=False))

    @staticmethod
    def open_sync(url: str, **options: Unpack[Options]) -> blocking.Oncecode:
        """Open a client for code without an event loop: `oncecode.blocking.Oncecode.open`."""
        from .blocking import Oncecode as Blocking

        return Blocking.open(url, **options)

    @property
    def mode(self) -> Literal["development", "production"]:
        """Whether it was opened for development or for production."""
        return "development" if self._native.is_development() else "production"

    async def health(self) -> Health:
        """How the store is, now: one question to it, bounded by `deadline_ms`.

        A store that is down is an answer, not an error. While the circuit breaker is open, this is
        answered without asking until the next probe is due, and is then the probe.

        Raises:
            Closed: The client was closed.
        """
        answer = self._native.health()
        return await answer if isinstance(answer, Future) else answer

    async def purge(self, *, limit: int = 1000) -> int:
        """Delete up to `limit` expired rows from stores that do not do so by themselves (SQL).

        Returns how many.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.purge(limit)
        return await answer if isinstance(answer, Future) else answer

    async def close(self) -> None:
        """Release connections. Every later call raises `Closed`; closing twice is fine.

        With `send_in_background` it first waits for messages that are not sent yet, as long as one
        may take (`send_deadline_ms`), and for their events; those left over are given up as failed.
        """
        answer = self._native.close()
        if isinstance(answer, Future):
            await answer

    @classmethod
    async def _connected(cls, native: Client) -> Self:
        answer = native.connect()
        if isinstance(answer, Future):
            await answer
        return cls(native)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
