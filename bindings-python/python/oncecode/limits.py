"""`once.limits`: define, hit, peek, refund, reset. The two classes differ in `async` only."""

from __future__ import annotations

import functools
from asyncio import Future
from typing import TYPE_CHECKING, Callable, Literal, TypedDict, TypeVar, cast

from .options import encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from typing_extensions import ParamSpec, Unpack

    from ._native import Client, Quota

    P = ParamSpec("P")
    R = TypeVar("R")


class LimitPart(TypedDict, total=False):
    """At most `max` per `window_seconds`."""

    max: int
    """How much, 1 to 1 000 000."""
    window_seconds: float
    """Per how many seconds, 0.1 to 31 622 400 (366 days)."""
    algorithm: Literal["fixed", "sliding", "bucket"]
    """A window that begins with its first hit (default), one that remembers the share of the one
    before, or a bucket that refills evenly (GCRA)."""


class LimitDefinition(LimitPart, total=False):
    """A named limit: `max` and `window_seconds`, or several in `limits` that all must have room."""

    limits: Sequence[LimitPart]
    """Several limits, 1 to 8, instead of one."""
    outage: Literal["local", "open", "closed"]
    """While the store is out of reach: each process counts for itself (default), everything passes,
    or nothing does."""


class Limits:
    """Rate limits, awaited."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    async def hit(
        self, limit: str, *, key: str | None = None, ip: str | None = None, cost: int = 1
    ) -> Quota:
        """Take the cost from every limit of that name, or nothing from any. One round trip.

        Args:
            limit: `auth`, `email`, `search`, `purchase`, `api`, or one that was defined.
            key: Who is limited, such as a user id: 1 to 1024 bytes.
            ip: An IP address that is limited (IPv6: its /64). With both, each is counted.
            cost: How much it takes, from 1.

        Raises:
            RateLimited: See `retry_after_seconds` and `headers`.
            InvalidArgument: An unknown name, or a cost above the maximum.
            StoreUnavailable: An outage, where the limit is `closed` then.
        """
        answer = self._native.hit(limit, key, ip, cost)
        return await answer if isinstance(answer, Future) else answer

    async def peek(self, limit: str, *, key: str | None = None, ip: str | None = None) -> Quota:
        """What a hit would find. Takes nothing. Raises as `hit`, without `RateLimited`."""
        answer = self._native.peek_limit(limit, key, ip)
        return await answer if isinstance(answer, Future) else answer

    async def refund(
        self, limit: str, *, key: str | None = None, ip: str | None = None, cost: int = 1
    ) -> None:
        """Give back what a hit took, for what then came to nothing.

        Such as a message that was not sent, or a request that failed. What is over by now stays as
        it is. Raises as `hit`, without `RateLimited`.
        """
        answer = self._native.refund(limit, key, ip, cost)
        if isinstance(answer, Future):
            await answer

    async def reset(self, limit: str, *, key: str | None = None, ip: str | None = None) -> None:
        """Forget what was taken by exactly this `key` or `ip`.

        Raises:
            InvalidArgument: An unknown name.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.reset_limit(limit, key, ip)
        if isinstance(answer, Future):
            await answer

    async def define(self, name: str, **definition: Unpack[LimitDefinition]) -> None:
        """Define a limit for this process, or define it anew. Limits in the options need no call.

        Raises:
            Config: It cannot work.
        """
        answer = self._native.define_limit(name, encode(definition))
        if isinstance(answer, Future):
            await answer

    async def client_ip(self, remote: str, forwarded_for: str | None = None) -> str:
        """The address of whoever sent a request.

        That is the connection's own, or what the proxies in the option `trusted_proxies` say in
        `X-Forwarded-For`, read from right to left.

        Raises:
            InvalidArgument: `remote` is no address.
        """
        answer = self._native.client_ip(remote, forwarded_for)
        return await answer if isinstance(answer, Future) else answer

    def limit(
        self,
        name: str,
        *,
        key: Callable[P, str] | None = None,
        ip: Callable[P, str] | None = None,
        cost: int = 1,
    ) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
        """Decorate an async function: each call takes from the limit before it runs.

        `key` and `ip` say who calls, given the arguments of the call.

        ```python
        @once.limits.limit("search", key=lambda user, words: user.id)
        async def search(user, words): ...
        ```
        """

        def decorate(action: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
            @functools.wraps(action)
            async def limited(*args: P.args, **kwargs: P.kwargs) -> R:
                who = key and key(*args, **kwargs)
                await self.hit(name, key=who, ip=ip and ip(*args, **kwargs), cost=cost)
                return await action(*args, **kwargs)

            return limited

        return decorate


class BlockingLimits:
    """Rate limits, waited for. See `Limits` for what the methods take, give and raise."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    def hit(
        self, limit: str, *, key: str | None = None, ip: str | None = None, cost: int = 1
    ) -> Quota:
        """Take the cost from every limit of that name, or nothing from any."""
        return cast("Quota", self._native.hit(limit, key, ip, cost))

    def peek(self, limit: str, *, key: str | None = None, ip: str | None = None) -> Quota:
        """What a hit would find."""
        return cast("Quota", self._native.peek_limit(limit, key, ip))

    def refund(
        self, limit: str, *, key: str | None = None, ip: str | None = None, cost: int = 1
    ) -> None:
        """Give back what a hit took, for what then came to nothing."""
        self._native.refund(limit, key, ip, cost)

    def reset(self, limit: str, *, key: str | None = None, ip: str | None = None) -> None:
        """Forget what was taken by exactly this `key` or `ip`."""
        self._native.reset_limit(limit, key, ip)

    def define(self, name: str, **definition: Unpack[LimitDefinition]) -> None:
        """Define a limit for this process, or define it anew."""
        self._native.define_limit(name, encode(definition))

    def client_ip(self, remote: str, forwarded_for: str | None = None) -> str:
        """The address of whoever sent a request."""
        return cast("str", self._native.client_ip(remote, forwarded_for))

    def limit(
        self,
        name: str,
        *,
        key: Callable[P, str] | None = None,
        ip: Callable[P, str] | None = None,
        cost: int = 1,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorate a function: each call takes from the limit before it runs."""

        def decorate(action: Callable[P, R]) -> Callable[P, R]:
            @functools.wraps(action)
            def limited(*args: P.args, **kwargs: P.kwargs) -> R:
                who = key and key(*args, **kwargs)
                self.hit(name, key=who, ip=ip and ip(*args, **kwargs), cost=cost)
                return action(*args, **kwargs)

            return limited

        return decorate
