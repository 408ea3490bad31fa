"""What locks and claims have in common: a lease, and somebody to tell when it is lost."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, Future
from typing import TYPE_CHECKING

from .errors import LeaseLost

if TYPE_CHECKING:
    from ._native import Client
    from ._native import Held as Handle


class Held:
    """A lease on something, held by this process."""

    __slots__ = ("__weakref__", "_handle", "_native")

    _what = "the lease"

    def __init__(self, native: Client, handle: Handle) -> None:
        self._native = native
        self._handle = handle

    @property
    def token(self) -> str:
        """Proves the ownership, from any process."""
        return self._handle.token

    @property
    def fence(self) -> int:
        """The fencing number: higher than that of every holder before."""
        return self._handle.fence

    @property
    def remaining_seconds(self) -> float:
        """How much longer it may be relied on, by the monotonic clock; 0 once it is not held."""
        return self._handle.remaining_seconds

    @property
    def lost(self) -> bool:
        """Whether the lease ran out or passed to somebody else."""
        return self._handle.lost

    def check(self) -> None:
        """Raise `LeaseLost` unless it may still be relied on."""
        if self.remaining_seconds == 0:
            raise self._loss()

    def _loss(self) -> LeaseLost:
        return LeaseLost(
            f"{self._what} is no longer yours: its lease ran out, or somebody else has it"
        )

    def __repr__(self) -> str:
        seconds = round(self.remaining_seconds, 3)
        return f"<{type(self).__name__} fence={self.fence} remaining_seconds={seconds}>"


class CancelWhenLost:
    """Cancels the task in its block when the lease is lost, and then raises `LeaseLost`."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._task: asyncio.Task[object] | None = None
        self._over = self._cancelled = self._lost = False
        self._requests = 0

    def begin(self) -> None:
        """Watch from now on."""
        self._task = task = asyncio.current_task()
        # Python 3.11 and newer count who asked for a cancellation.
        self._requests = task.cancelling() if hasattr(task, "cancelling") and task else 0
        ended = self._held._native.ended(self._held._handle)
        if isinstance(ended, Future):
            ended.add_done_callback(self._ended)

    def stop(self) -> None:
        """Watch no more."""
        self._over = True
        self._lost = self._held.lost

    def end(self, exception: BaseException | None) -> None:
        """Raise if it was lost until `stop`. `exception` is what the block ended with."""
        if self._cancelled and self._task:
            ours = isinstance(exception, CancelledError)
            if hasattr(self._task, "uncancel"):
                # Somebody else may have cancelled the task as well; that goes on.
                ours = self._task.uncancel() <= self._requests and ours
            if ours:
                raise self._held._loss() from exception
        elif exception is None and self._lost:
            raise self._held._loss()

    def _ended(self, ended: Future[bool]) -> None:
        if self._over or self._task is None or ended.cancelled() or ended.exception():
            return
        if ended.result():
            self._cancelled = True
            self._task.cancel()
