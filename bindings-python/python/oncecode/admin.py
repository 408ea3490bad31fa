"""Moving everything to another store."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Callable, cast

from .errors import InvalidArgument

if TYPE_CHECKING:
    from typing_extensions import TypeAlias

    from ._native import Client


@dataclass(frozen=True)
class Copied:
    """How far a copy is, or what came of it."""

    challenges: int = 0
    """Challenges, budgets included, that are now in the other store."""
    values: int = 0
    """Values and counters that are now in the other store."""
    known: int = 0
    """Skipped: the other store had it before, or has something newer of the name."""
    expired: int = 0
    """Skipped: nothing of its life was left."""
    unreadable: int = 0
    """Skipped: under our prefix, but not ours, or without an end."""
    refused: int = 0
    """Skipped: the other store cannot keep it, say for so long."""
    total: int | None = None
    """About how many things there were in all, where the store can tell."""
    cursor: str | None = None
    """Where to go on; `None` when all is done."""

    def _plus(self, batch: dict[str, Any]) -> Copied:
        counts = ("challenges", "values", "known", "expired", "unreadable", "refused")
        sums = {name: getattr(self, name) + batch[name] for name in counts}
        total = batch["total"] if self.total is None else self.total
        return replace(self, **sums, total=total, cursor=batch["cursor"])


Progress: TypeAlias = "Callable[[Copied], Awaitable[object] | object]"


class Admin:
    """Moving everything to another store."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    async def copy(
        self,
        *,
        to: str,
        batch: int = 500,
        resume_from: str | None = None,
        keep: bool = False,
        progress: Progress | None = None,
    ) -> Copied:
        """Move all challenges, values and counters of this client's `key_prefix` to `to`.

        They keep the life that they have left, attempts, cooldowns and budgets. Each is taken out
        of use here before it is put into use there, so that no code is accepted twice; apps use
        `moving:NEW|OLD` meanwhile and notice nothing. Interrupted, it goes on from the last
        `cursor`, or begins anew: nothing comes twice, and what was used up is not revived.

        Args:
            to: The other store's URL.
            batch: How many things are listed at a time, from 1 to 10 000.
            resume_from: The `cursor` that an interrupted copy told last.
            keep: Leave everything in this store as well. Only for a store that no app uses: what
                is used up in one of the two would be live in the other.
            progress: Told after every batch, async or not. What it raises ends the copy there.

        Raises:
            Config: The other store cannot be opened, or this one not be moved from.
            InvalidArgument: The cursor is another store's.
            StoreUnavailable: One of them stopped to answer; go on from the last cursor.
        """
        _check(progress)
        so_far = Copied(cursor=resume_from)
        while True:
            answer = self._native.copy(to, batch, so_far.cursor, keep)
            so_far = so_far._plus(await answer if isinstance(answer, Future) else answer)
            if progress is not None:
                told = progress(so_far)
                if isawaitable(told):
                    await told
            if so_far.cursor is None:
                return so_far


class BlockingAdmin:
    """Moving everything to another store, waited for. See `Admin`."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    def copy(
        self,
        *,
        to: str,
        batch: int = 500,
        resume_from: str | None = None,
        keep: bool = False,
        progress: Callable[[Copied], object] | None = None,
    ) -> Copied:
        """Move everything to the store `to`."""
        _check(progress)
        so_far = Copied(cursor=resume_from)
        while True:
            answer = self._native.copy(to, batch, so_far.cursor, keep)
            so_far = so_far._plus(cast("dict[str, Any]", answer))
            if progress is not None:
                progress(so_far)
            if so_far.cursor is None:
                return so_far


def _check(progress: object) -> None:
    if progress is not None and not callable(progress):
        raise InvalidArgument(f"progress must be a callable, not {type(progress).__name__}")
