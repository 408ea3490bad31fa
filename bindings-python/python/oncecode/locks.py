"""`once.locks`: acquire, try_acquire, hold, extend, release. For asyncio, and blocking."""

from __future__ import annotations

from asyncio import Future
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from .errors import OncecodeError
from .held import CancelWhenLost, Held

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from ._native import Client
    from ._native import Held as Handle


class Lock(Held):
    """A lock that is held. Release it, or use `async with`.

    One that is forgotten is free when its lease ends.
    """

    __slots__ = ()

    _what = "the lock"

    async def extend(self, *, ttl_seconds: float) -> None:
        """Have the lease end `ttl_seconds` from now. Extensions of one lock wait for each other.

        Raises:
            LeaseLost: The lock was lost.
            InvalidArgument: Such a lease cannot be.
            StoreUnavailable: The store may have done it or not: the lock is held until the old
                end or the new one, whichever is earlier.
        """
        answer = self._native.extend_held(self._handle, ttl_seconds)
        if isinstance(answer, Future):
            await answer

    async def release(self) -> bool:
        """Give the lock back. `False`: it was lost, or released before.

        Raises:
            StoreUnavailable: The lock is free when its lease ends.
        """
        answer = self._native.release_held(self._handle)
        return await answer if isinstance(answer, Future) else answer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A store out of reach forgets the lock when its lease ends; what the block came to counts.
        with suppress(OncecodeError):
            await self.release()


class Holding:
    """`async with once.locks.hold(…) as lock:`; see `Locks.hold`."""

    __slots__ = ("_arguments", "_lock", "_locks", "_watch")

    def __init__(self, locks: Locks, arguments: tuple[str, float, float | None, bool]) -> None:
        self._locks = locks
        self._arguments = arguments

    async def __aenter__(self) -> Lock:
        name, ttl, wait, renew = self._arguments
        self._lock = await self._locks.acquire(
            name, ttl_seconds=ttl, wait_seconds=wait, renew=renew
        )
        self._watch = CancelWhenLost(self._lock)
        self._watch.begin()
        return self._lock

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._watch.stop()
        await self._lock.__aexit__(kind, exception, traceback)
        self._watch.end(exception)


class Locks:
    """Locks across processes, awaited.

    A holder that dies is out of the way when its lease ends. A holder that is only slow is told of
    the loss, and what it writes to should refuse a `lock.fence` below the highest it has seen.
    """

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    async def acquire(
        self,
        name: str,
        *,
        ttl_seconds: float,
        wait_seconds: float | None = None,
        renew: bool = False,
    ) -> Lock:
        """Wait for the lock.

        Args:
            name: What is locked, 1 to 1024 bytes.
            ttl_seconds: The lease: 0.01 s to 7 days.
            wait_seconds: How long to wait for another holder. Default 10.
            renew: Renew the lease while the lock is held; it then ends `ttl_seconds` after the
                process dies.

        Raises:
            Locked: The wait is over; see `retry_after_seconds`.
            InvalidArgument: An argument cannot be.
            StoreUnavailable: The store did not answer, or only when the lease was over.
        """
        answer = self._native.acquire(name, ttl_seconds, wait_seconds, renew)
        return Lock(self._native, await answer if isinstance(answer, Future) else answer)

    async def try_acquire(
        self, name: str, *, ttl_seconds: float, renew: bool = False
    ) -> Lock | None:
        """The lock if it is free, else `None`. Does not wait.

        Raises:
            InvalidArgument: An argument cannot be.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.try_acquire(name, ttl_seconds, renew)
        handle = await answer if isinstance(answer, Future) else answer
        return None if handle is None else Lock(self._native, handle)

    def hold(
        self,
        name: str,
        *,
        ttl_seconds: float,
        wait_seconds: float | None = None,
        renew: bool = True,
    ) -> Holding:
        """`async with once.locks.hold("report", ttl_seconds=30) as lock:` runs under the lock.

        The lease is renewed. If it is lost all the same, the task is cancelled where it waits, and
        the block raises `LeaseLost`.

        Raises:
            OncecodeError: As `acquire`.
            LeaseLost: The lock was lost before the block came to its end.
        """
        return Holding(self, (name, ttl_seconds, wait_seconds, renew))

    async def extend(self, name: str, *, token: str, ttl_seconds: float) -> None:
        """Extend a lock that is known by its token, such as another process's.

        Raises:
            LeaseLost: It is not held with this token any more. A lost lock is never created anew.
        """
        answer = self._native.extend(name, token, ttl_seconds)
        if isinstance(answer, Future):
            await answer

    async def release(self, name: str, *, token: str) -> bool:
        """Release a lock that is known by its token. `False`: it was not held with it any more."""
        answer = self._native.release(name, token)
        return await answer if isinstance(answer, Future) else answer


class BlockingLock(Held):
    """A lock that is held. Release it, or use `with`. Ask `lost` or `check()` before you write."""

    __slots__ = ()

    _what = "the lock"

    def extend(self, *, ttl_seconds: float) -> None:
        """Have the lease end `ttl_seconds` from now."""
        self._native.extend_held(self._handle, ttl_seconds)

    def release(self) -> bool:
        """Give the lock back. `False`: it was lost, or released before."""
        return cast("bool", self._native.release_held(self._handle))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        lost = self.lost or self.remaining_seconds == 0
        with suppress(OncecodeError):
            self.release()
        if lost and exception is None:
            raise self._loss()


class BlockingLocks:
    """Locks across processes, waited for. See `Locks` for what the methods take and raise."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    def acquire(
        self,
        name: str,
        *,
        ttl_seconds: float,
        wait_seconds: float | None = None,
        renew: bool = False,
    ) -> BlockingLock:
        """Wait for the lock."""
        handle = self._native.acquire(name, ttl_seconds, wait_seconds, renew)
        return BlockingLock(self._native, cast("Handle", handle))

    def try_acquire(
        self, name: str, *, ttl_seconds: float, renew: bool = False
    ) -> BlockingLock | None:
        """The lock if it is free, else `None`. Does not wait."""
        handle = cast("Handle | None", self._native.try_acquire(name, ttl_seconds, renew))
        return None if handle is None else BlockingLock(self._native, handle)

    def hold(
        self,
        name: str,
        *,
        ttl_seconds: float,
        wait_seconds: float | None = None,
        renew: bool = True,
    ) -> BlockingLock:
        """`with once.locks.hold("report", ttl_seconds=30) as lock:` runs under the lock.

        Raises `LeaseLost` at the end of the block when the lock was lost in it.
        """
        return self.acquire(name, ttl_seconds=ttl_seconds, wait_seconds=wait_seconds, renew=renew)

    def extend(self, name: str, *, token: str, ttl_seconds: float) -> None:
        """Extend a lock that is known by its token."""
        self._native.extend(name, token, ttl_seconds)

    def release(self, name: str, *, token: str) -> bool:
        """Release a lock that is known by its token. `False`: it was not held with it any more."""
        return cast("bool", self._native.release(name, token))
