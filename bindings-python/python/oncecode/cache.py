"""`once.cache`: get, set, get_or_load, invalidate. For asyncio, and blocking."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable, cast

from ._native import Ticket

if TYPE_CHECKING:
    from typing_extensions import TypeAlias

    from ._native import Client
    from .codes import JSON

    Answer: TypeAlias = "tuple[Any, int, int]"


@dataclass(frozen=True, repr=False)
class Cached:
    """An entry of the cache."""

    value: Any
    """The value; `None`: it is known that there is none."""
    cached_at: datetime
    """When it was stored: an aware datetime in UTC."""
    cache_version: int
    """The form of the value, as `version` said."""


class Cache:
    """Values that are costly to make, kept for a while; awaited.

    Of many that miss at once, in any processes, one loads and the others wait for it. What was
    loaded before an invalidation is not stored after it.
    """

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    async def get(self, key: str, *, version: int = 1) -> Cached | None:
        """The entry, if it lives and has this version.

        Raises:
            InvalidArgument: The key is empty or longer than 1024 bytes.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.cache_get(key, version)
        return _entry(await answer if isinstance(answer, Future) else answer)

    async def set(
        self,
        key: str,
        value: JSON,
        *,
        ttl_seconds: float | None = None,
        negative_ttl_seconds: float | None = None,
        version: int = 1,
    ) -> None:
        """Store a value, or with `None` that there is none. Loads that began before don't count.

        Args:
            key: The name of the entry, 1 to 1024 bytes.
            value: At most 524 288 bytes of JSON. Stored encrypted.
            ttl_seconds: How long it lives, at most 29 days. Default 1 h.
            negative_ttl_seconds: How long it is remembered that there is none. Default 60.
            version: The form of the value: entries of another version count as none.

        Raises:
            InvalidArgument: An argument cannot be.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.cache_set(key, value, ttl_seconds, negative_ttl_seconds, version)
        if isinstance(answer, Future):
            await answer

    async def get_or_load(
        self,
        key: str,
        load: Callable[[], Awaitable[object]],
        *,
        ttl_seconds: float | None = None,
        negative_ttl_seconds: float | None = None,
        version: int = 1,
        lease_seconds: float | None = None,
        wait_seconds: float | None = None,
    ) -> Any:
        """The value, from the cache or else from `load`, which runs once for all that miss.

        `None` from `load` is remembered too. Without a store, every process loads for itself.

        Args:
            key: The name of the entry.
            load: Makes the value.
            ttl_seconds: As `set`.
            negative_ttl_seconds: As `set`.
            version: As `set`.
            lease_seconds: How long others leave the loading to one who has died. Default 10.
            wait_seconds: How long to wait for another's load before loading as well. Default 10.

        Raises:
            InvalidArgument: An argument cannot be, or what was loaded is no JSON.
        """
        arguments = (ttl_seconds, negative_ttl_seconds, version, lease_seconds, wait_seconds)
        answer = self._native.cache_fetch(key, *arguments)
        found = await answer if isinstance(answer, Future) else answer
        if not isinstance(found, Ticket):
            return found[0]
        try:
            filled = self._native.cache_fill(found, await load())
            return (await filled if isinstance(filled, Future) else filled)[0]
        finally:
            # Whatever happened, nobody need wait for this one any more.
            found.give_up()

    async def invalidate(self, key: str) -> bool:
        """Forget an entry, also one that is being loaded. `False`: there was none.

        Raises:
            StoreUnavailable: The old value may still be there.
        """
        answer = self._native.cache_invalidate(key)
        return await answer if isinstance(answer, Future) else answer


class BlockingCache:
    """Values that are costly to make, kept for a while; waited for. See `Cache`."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    def get(self, key: str, *, version: int = 1) -> Cached | None:
        """The entry, if it lives and has this version."""
        return _entry(cast("Answer | None", self._native.cache_get(key, version)))

    def set(
        self,
        key: str,
        value: JSON,
        *,
        ttl_seconds: float | None = None,
        negative_ttl_seconds: float | None = None,
        version: int = 1,
    ) -> None:
        """Store a value, or with `None` that there is none."""
        self._native.cache_set(key, value, ttl_seconds, negative_ttl_seconds, version)

    def get_or_load(
        self,
        key: str,
        load: Callable[[], object],
        *,
        ttl_seconds: float | None = None,
        negative_ttl_seconds: float | None = None,
        version: int = 1,
        lease_seconds: float | None = None,
        wait_seconds: float | None = None,
    ) -> Any:
        """The value, from the cache or else from `load`, which runs once for all that miss."""
        arguments = (ttl_seconds, negative_ttl_seconds, version, lease_seconds, wait_seconds)
        found = cast("Answer | Ticket", self._native.cache_fetch(key, *arguments))
        if not isinstance(found, Ticket):
            return found[0]
        try:
            return cast("Answer", self._native.cache_fill(found, load()))[0]
        finally:
            found.give_up()

    def invalidate(self, key: str) -> bool:
        """Forget an entry, also one that is being loaded. `False`: there was none."""
        return cast("bool", self._native.cache_invalidate(key))


def _entry(found: Answer | None) -> Cached | None:
    if found is None:
        return None
    value, at_ms, version = found
    return Cached(value, datetime.fromtimestamp(at_ms / 1000, timezone.utc), version)
