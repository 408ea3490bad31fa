"""`once.idempotency`: run, idempotent, begin, complete, abandon. For asyncio, and blocking."""

from __future__ import annotations

import functools
import json
from asyncio import Future
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, TypedDict, TypeVar, cast

from .errors import OncecodeError
from .held import CancelWhenLost, Held

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, TypeAlias, Unpack

    from ._native import Client
    from ._native import Held as Handle
    from .codes import JSON

    P = ParamSpec("P")
    Answer: TypeAlias = "tuple[Handle | None, Any]"

T = TypeVar("T")


class IdempotencyOptions(TypedDict, total=False):
    """How keys are kept; what is absent or `None` keeps its default."""

    lease_seconds: float | None
    """How long a dead process blocks the key: 0.01 s to 7 days. Default 30."""
    renew: bool
    """Renew the lease while the claim is held. Default `True`."""
    retention_seconds: float | None
    """How long the reply is kept, at most 30 days. Default 24 h."""
    wait_seconds: float | None
    """How long to wait for the reply while somebody else works on it. Default 0."""


@dataclass(frozen=True, repr=False)
class Reply:
    """What the work came to, as JSON has it."""

    value: Any
    """What was completed."""
    replayed: bool = True
    """Whether it was done before."""


class Claim(Held):
    """The right to do the work.

    One that is forgotten is not renewed any more, and the key is free when its lease ends.
    """

    __slots__ = ()

    _what = "the claim"
    replayed = False

    async def complete(self, reply: JSON = None) -> None:
        """Keep the reply, at most 65 536 bytes of JSON, encrypted.

        Also after the lease, if nobody else has begun.

        Raises:
            LeaseLost: Somebody else has begun or completed: their reply counts.
            InvalidArgument: It is too large; the key is done all the same, without it.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.complete_held(self._handle, reply)
        if isinstance(answer, Future):
            await answer

    async def abandon(self) -> bool:
        """Free the key at once, as if it had never begun. `False`: it was lost or ended before.

        Raises:
            StoreUnavailable: The key is free when the lease ends.
        """
        answer = self._native.release_held(self._handle)
        return await answer if isinstance(answer, Future) else answer


class Idempotency:
    """Work that is done once for each key, and its reply replayed; awaited."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    async def run(
        self,
        work: Callable[[Claim], Awaitable[object]],
        *,
        scope: str,
        key: str,
        fingerprint: JSON = None,
        **options: Unpack[IdempotencyOptions],
    ) -> Reply:
        """Run `work` unless it was done before; then replay its reply.

        What `work` raises frees the key at once. When the lease is lost, `work` is cancelled.

        Raises:
            OncecodeError: As `begin` and `Claim.complete`.
            LeaseLost: The claim was lost while `work` ran.
        """
        claim = await self.begin(scope=scope, key=key, fingerprint=fingerprint, **options)
        if isinstance(claim, Reply):
            return claim
        value = cast("JSON", await _attempt(claim, work))
        await claim.complete(value)
        return Reply(json.loads(json.dumps(value)), replayed=False)

    def idempotent(
        self,
        *,
        key: Callable[P, str],
        scope: str | Callable[P, str],
        fingerprint: Callable[P, JSON] | None = None,
        **options: Unpack[IdempotencyOptions],
    ) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
        """Decorate an async function: it runs once for each key and gives the same value again.

        ```python
        @once.idempotency.idempotent(scope=lambda order: order.user, key=lambda order: order.id)
        async def charge(order): ...
        ```

        Args:
            key: The idempotency key, from the function's arguments.
            scope: Whose key it is: a string, or from the function's arguments.
            fingerprint: What was asked, from the function's arguments.
            options: How keys are kept.
        """

        def decorate(work: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
            @functools.wraps(work)
            async def once(*args: P.args, **kwargs: P.kwargs) -> T:
                reply = await self.run(
                    lambda _: work(*args, **kwargs),
                    scope=scope(*args, **kwargs) if callable(scope) else scope,
                    key=key(*args, **kwargs),
                    fingerprint=fingerprint(*args, **kwargs) if fingerprint else None,
                    **options,
                )
                return cast("T", reply.value)

            return once

        return decorate

    async def begin(
        self,
        *,
        scope: str,
        key: str,
        fingerprint: JSON = None,
        **options: Unpack[IdempotencyOptions],
    ) -> Claim | Reply:
        """Claim the key, or give what was completed under it; `replayed` tells which.

        Args:
            scope: Whose key it is, such as a user's id or `stripe`: 1 to 1024 bytes. Nobody is
                shown the reply of another scope.
            key: The idempotency key: 1 to 1024 bytes.
            fingerprint: What was asked, such as the body. Another one with this key is refused.
            options: How keys are kept.

        Raises:
            InProgress: Another works on it; see `retry_after_seconds`.
            IdempotencyMismatch: The fingerprint is another.
            InvalidArgument: An argument cannot be, or the reply was too large to be kept.
            StoreUnavailable: The store did not answer. The work must not be done.
        """
        answer = _begin(self._native, scope, key, fingerprint, options)
        handle, value = await answer if isinstance(answer, Future) else answer
        return Reply(value) if handle is None else Claim(self._native, handle)

    async def complete(self, *, scope: str, key: str, token: str, reply: JSON = None) -> None:
        """Complete a claim that is known by its token. Raises as `Claim.complete`."""
        answer = self._native.complete(scope, key, token, reply)
        if isinstance(answer, Future):
            await answer

    async def abandon(self, *, scope: str, key: str, token: str) -> bool:
        """Abandon a claim that is known by its token. `False`: it was lost or ended before."""
        answer = self._native.abandon(scope, key, token)
        return await answer if isinstance(answer, Future) else answer


class BlockingClaim(Held):
    """The right to do the work. See `Claim`; ask `lost` or `check()` before you write."""

    __slots__ = ()

    _what = "the claim"
    replayed = False

    def complete(self, reply: JSON = None) -> None:
        """Keep the reply, at most 65 536 bytes of JSON, encrypted."""
        self._native.complete_held(self._handle, reply)

    def abandon(self) -> bool:
        """Free the key at once, as if it had never begun. `False`: it was lost or ended before."""
        return cast("bool", self._native.release_held(self._handle))


class BlockingIdempotency:
    """Work that is done once for each key; waited for. See `Idempotency`."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    def run(
        self,
        work: Callable[[BlockingClaim], object],
        *,
        scope: str,
        key: str,
        fingerprint: JSON = None,
        **options: Unpack[IdempotencyOptions],
    ) -> Reply:
        """Run `work` unless it was done before; then replay its reply."""
        claim = self.begin(scope=scope, key=key, fingerprint=fingerprint, **options)
        if isinstance(claim, Reply):
            return claim
        try:
            value = cast("JSON", work(claim))
        except BaseException:
            with suppress(OncecodeError):
                claim.abandon()
            raise
        claim.complete(value)
        return Reply(json.loads(json.dumps(value)), replayed=False)

    def idempotent(
        self,
        *,
        key: Callable[P, str],
        scope: str | Callable[P, str],
        fingerprint: Callable[P, JSON] | None = None,
        **options: Unpack[IdempotencyOptions],
    ) -> Callable[[Callable[P, T]], Callable[P, T]]:
        """Decorate a function: it runs once for each key and gives the same value again."""

        def decorate(work: Callable[P, T]) -> Callable[P, T]:
            @functools.wraps(work)
            def once(*args: P.args, **kwargs: P.kwargs) -> T:
                reply = self.run(
                    lambda _: work(*args, **kwargs),
                    scope=scope(*args, **kwargs) if callable(scope) else scope,
                    key=key(*args, **kwargs),
                    fingerprint=fingerprint(*args, **kwargs) if fingerprint else None,
                    **options,
                )
                return cast("T", reply.value)

            return once

        return decorate

    def begin(
        self,
        *,
        scope: str,
        key: str,
        fingerprint: JSON = None,
        **options: Unpack[IdempotencyOptions],
    ) -> BlockingClaim | Reply:
        """Claim the key, or give what was completed under it; `replayed` tells which."""
        answer = _begin(self._native, scope, key, fingerprint, options)
        handle, value = cast("Answer", answer)
        return Reply(value) if handle is None else BlockingClaim(self._native, handle)

    def complete(self, *, scope: str, key: str, token: str, reply: JSON = None) -> None:
        """Complete a claim that is known by its token."""
        self._native.complete(scope, key, token, reply)

    def abandon(self, *, scope: str, key: str, token: str) -> bool:
        """Abandon a claim that is known by its token. `False`: it was lost or ended before."""
        return cast("bool", self._native.abandon(scope, key, token))


def _begin(
    native: Client, scope: str, key: str, fingerprint: JSON, options: IdempotencyOptions
) -> Answer | Future[Answer]:
    unknown = options.keys() - IdempotencyOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"unexpected keyword arguments: {', '.join(sorted(unknown))}")
    return native.begin(
        scope,
        key,
        fingerprint,
        options.get("lease_seconds"),
        options.get("retention_seconds"),
        options.get("wait_seconds"),
        options.get("renew", True),
    )


async def _attempt(claim: Claim, work: Callable[[Claim], Awaitable[object]]) -> object:
    watch = CancelWhenLost(claim)
    watch.begin()
    try:
        value = await work(claim)
    except BaseException as exception:
        # The work's own exception is what the caller must see; the lease frees the key as well.
        watch.stop()
        watch.end(exception)
        with suppress(OncecodeError):
            await claim.abandon()
        raise
    watch.stop()
    watch.end(None)
    return value
