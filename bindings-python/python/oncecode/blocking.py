"""The client for code without an event loop: the same methods, not awaited.

```python
from oncecode.blocking import Oncecode

with Oncecode.open("memory:", mode="development") as once:
    sent = once.codes.issue(to="+1 415 867 5309", purpose="login")
    done = once.codes.verify(to="+14158675309", purpose="login", code=sent.code)
```

Other threads run while a call waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from . import opening
from .admin import BlockingAdmin
from .cache import BlockingCache
from .codes import BlockingCodes
from .delivery import Delivery
from .idempotency import BlockingIdempotency
from .limits import BlockingLimits
from .links import BlockingLinks
from .locks import BlockingLocks
from .sessions import BlockingSessions
from .tokens import BlockingTokens
from .totp import BlockingTotp

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from ._native import Client, Health
    from .options import EventCallback, Options, SendCallback


class Oncecode:
    """A client: one store, one sender, one set of rules. Threads may share it."""

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

    codes: BlockingCodes
    """One-time codes: issue, verify, resend, cancel, peek."""
    locks: BlockingLocks
    """Locks across processes: acquire, try_acquire, hold, extend, release."""
    idempotency: BlockingIdempotency
    """Work done once for each key: run, idempotent, begin, complete, abandon."""
    limits: BlockingLimits
    """Rate limits: define, hit, peek, refund, reset."""
    cache: BlockingCache
    """Values that are costly to make: get, set, get_or_load, invalidate."""
    totp: BlockingTotp
    """Codes of authenticator apps: enrol, verify, recovery codes."""
    sessions: BlockingSessions
    """Sessions: create, validate, rotate, list, revoke."""
    tokens: BlockingTokens
    """Tokens (JWT) that can be revoked: sign, verify, revoke."""
    links: BlockingLinks
    """Links for email: issue, verify, peek."""
    sender: Delivery
    """What becomes of messages: status callbacks."""
    admin: BlockingAdmin
    """Moving to another store: copy."""

    def __init__(self, native: Client) -> None:
        self._native = native
        self.codes = BlockingCodes(native)
        self.admin = BlockingAdmin(native)
        self.locks = BlockingLocks(native)
        self.idempotency = BlockingIdempotency(native)
        self.limits = BlockingLimits(native)
        self.cache = BlockingCache(native)
        self.totp = BlockingTotp(native)
        self.sessions = BlockingSessions(native)
        self.tokens = BlockingTokens(native)
        self.links = BlockingLinks(native)
        self.sender = Delivery(native)

    @classmethod
    def open(cls, url: str, **options: Unpack[Options]) -> Self:
        """Open the store at `url`, such as `memory:`, `sqlite:PATH` or `redis://…`.

        `fallback:FIRST|SECOND` names two stores, the second for when the first is down.

        Raises:
            Config: An option cannot work; the message says what to change.
            StoreUnavailable: The store did not answer.
        """
        return cls._connected(opening.from_options(url, options, waits=True))

    @classmethod
    def from_env(
        cls, *, sender: SendCallback | None = None, events: EventCallback | None = None
    ) -> Self:
        """Open what the environment names: see `oncecode.Oncecode.from_env`."""
        return cls._connected(opening.from_env(sender, events, waits=True))

    @property
    def mode(self) -> Literal["development", "production"]:
        """Whether it was opened for development or for production."""
        return "development" if self._native.is_development() else "production"

    def health(self) -> Health:
        """How the store is, now. A store that is down is an answer, not an error."""
        return cast("Health", self._native.health())

    def purge(self, *, limit: int = 1000) -> int:
        """Delete up to `limit` expired rows from SQL stores. Returns how many."""
        return cast("int", self._native.purge(limit))

    def close(self) -> None:
        """Release connections. Every later call raises `Closed`; closing twice is fine.

        With `send_in_background` it first waits for messages that are not sent yet, as long as one
        may take (`send_deadline_ms`), and for their events; those left over are given up as failed.
        """
        self._native.close()

    @classmethod
    def _connected(cls, native: Client) -> Self:
        native.connect()
        return cls(native)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
