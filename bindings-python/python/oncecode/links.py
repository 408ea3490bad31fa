"""`once.links`: issue, send, verify, peek. The two classes differ in `async` only."""

from __future__ import annotations

from asyncio import Future
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from ._native import Client, Followed, Link
    from .codes import JSON


class Links:
    """Links that prove an address, awaited."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    async def verify(self, *, token: str, purpose: str, to: str | None = None) -> Followed:
        """Accept a link, once (as often as it comes where the option `stateless` says so).

        Call it from a POST: mail scanners follow links, and a GET that used them up would leave the
        reader with none.

        Args:
            token: The token of the link.
            purpose: As given at issue.
            to: The address it must be for, where that is known.

        Raises:
            LinkExpired: Its time is over.
            LinkInvalid: Used, altered, for another address or purpose, or not ours.
            InvalidEmail, InvalidPhone, InvalidArgument: An argument cannot be.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.verify_link(token, purpose, to)
        return await answer if isinstance(answer, Future) else answer

    async def peek(self, *, token: str, purpose: str, to: str | None = None) -> Followed:
        """Tell whether `verify` would accept it, without using it up: for a GET.

        Raises:
            OncecodeError: As `verify`.
        """
        answer = self._native.peek_link(token, purpose, to)
        return await answer if isinstance(answer, Future) else answer

    async def send(
        self,
        *,
        to: str,
        purpose: str,
        url: str,
        data: JSON = None,
        ttl_seconds: float | None = None,
        locale: str | None = None,
    ) -> Link:
        """Send a new link by the option `sender`, in the words of the option `messages`.

        Nothing is stored; limit it by `once.limits`, as the adapters do.

        Args:
            to: An email address or a phone number, in any usual spelling.
            purpose: What the link is for, such as `verify-email`: 1 to 64 letters, digits, `_-.:`.
            url: The page that the link leads to. The token takes the place of `{token}`, or else is
                added to the query as `token`.
            data: Anything to get back, at most 2048 bytes of JSON. Who has the link can read it.
            ttl_seconds: A life of its own, at most 7 days.
            locale: The message's BCP 47 locale.

        Raises:
            InvalidEmail, InvalidPhone, InvalidArgument: An argument cannot be.
            DeliveryFailed: The sender failed.
        """
        answer = self._native.send_link(to, purpose, data, url, ttl_seconds, locale)
        return await answer if isinstance(answer, Future) else answer

    def issue(
        self,
        *,
        to: str,
        purpose: str,
        data: JSON = None,
        url: str | None = None,
        ttl_seconds: float | None = None,
    ) -> Link:
        """Make a new link. Nothing is stored or sent, and there is nothing to await.

        Args:
            to: An email address or a phone number, in any usual spelling.
            purpose: What the link is for, such as `verify-email`: 1 to 64 letters, digits, `_-.:`.
            data: Anything to get back, at most 2048 bytes of JSON. Who has the link can read it.
            url: The page that the link leads to. The token takes the place of `{token}`, or else is
                added to the query as `token`.
            ttl_seconds: A life of its own, at most 7 days.

        Raises:
            InvalidEmail, InvalidPhone, InvalidArgument: An argument cannot be.
        """
        return self._native.issue_link(to, purpose, data, url, ttl_seconds)


class BlockingLinks:
    """The same, waited for. See `Links` for what the methods take, give and raise."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    def verify(self, *, token: str, purpose: str, to: str | None = None) -> Followed:
        """Accept a link, once (as often as it comes where the option `stateless` says so)."""
        return cast("Followed", self._native.verify_link(token, purpose, to))

    def peek(self, *, token: str, purpose: str, to: str | None = None) -> Followed:
        """Tell whether `verify` would accept it, without using it up: for a GET."""
        return cast("Followed", self._native.peek_link(token, purpose, to))

    def send(
        self,
        *,
        to: str,
        purpose: str,
        url: str,
        data: JSON = None,
        ttl_seconds: float | None = None,
        locale: str | None = None,
    ) -> Link:
        """Send a new link by the option `sender`, in the words of the option `messages`."""
        return cast("Link", self._native.send_link(to, purpose, data, url, ttl_seconds, locale))

    def issue(
        self,
        *,
        to: str,
        purpose: str,
        data: JSON = None,
        url: str | None = None,
        ttl_seconds: float | None = None,
    ) -> Link:
        """Make a new link. Nothing is stored or sent, and there is nothing to await."""
        return self._native.issue_link(to, purpose, data, url, ttl_seconds)
