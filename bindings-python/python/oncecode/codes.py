"""`once.codes`: issue, verify, resend, cancel, peek. The two classes differ in `async` only."""

from __future__ import annotations

from asyncio import Future
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import TypeAlias

    from ._native import Client, Peek, Sent, Verified

    JSON: TypeAlias = bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"] | None


class Codes:
    """One-time codes, awaited.

    Every operation that was begun runs to its end, even if its awaiting is cancelled.
    """

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    async def issue(
        self,
        *,
        to: str,
        purpose: str,
        ip: str | None = None,
        locale: str | None = None,
        data: JSON = None,
    ) -> Sent:
        """Send a new code. An older one of the same address and purpose is dead from then on.

        Args:
            to: A phone number or an email address, in any usual spelling.
            purpose: What the code is for, such as `login`: 1 to 64 letters, digits, `_-.:`.
            ip: The user's IP address, for the limits per address.
            locale: The message's BCP 47 locale.
            data: Anything to get back from `verify`, at most 8192 bytes of JSON. Stored encrypted.

        Raises:
            InvalidPhone, InvalidEmail, InvalidArgument: An argument cannot be.
            Cooldown, RateLimited, TooManyAttempts: Not now; see `retry_after_seconds`.
            DeliveryFailed: Nothing was sent and nothing counted.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.issue(to, purpose, ip, locale, data)
        return await answer if isinstance(answer, Future) else answer

    async def verify(
        self,
        *,
        to: str | None = None,
        id: str | None = None,
        purpose: str,
        code: str,
        ip: str | None = None,
    ) -> Verified:
        """Accept the right code, once.

        Args:
            to: The address that the code was sent to; or `id`; or both.
            id: The challenge id from `issue`: binds the code to whoever asked for it.
            purpose: As given at issue.
            code: What the user typed. Spaces, dashes and other scripts' digits are understood.
            ip: The user's IP address, for the limits per address.

        Raises:
            WrongCode: See `attempts_left`.
            CodeNotFound: Never issued, expired, cancelled, used, or another `id`.
            TooManyAttempts, RateLimited: Nothing was compared; see `retry_after_seconds`.
            InvalidCode: Not a code's length and alphabet; nothing was counted.
            InvalidPhone, InvalidEmail, InvalidArgument: An argument cannot be.
            StoreUnavailable: The store did not answer. Nothing was accepted.
        """
        answer = self._native.verify(to, id, purpose, code, ip)
        return await answer if isinstance(answer, Future) else answer

    async def resend(
        self,
        *,
        to: str | None = None,
        id: str | None = None,
        purpose: str,
        ip: str | None = None,
        locale: str | None = None,
    ) -> Sent:
        """Send again: a new code, or the same where the policy says `keep`; with the same data.

        With `to`, it works without a live code as well, like `issue`.

        Raises:
            CodeNotFound: `id` names no live challenge.
            OncecodeError: As `issue`.
        """
        answer = self._native.resend(to, id, purpose, ip, locale)
        return await answer if isinstance(answer, Future) else answer

    async def cancel(
        self,
        *,
        to: str | None = None,
        id: str | None = None,
        purpose: str,
    ) -> bool:
        """Kill the live code; `False` if there was none. Cooldown and quota stay as they are.

        Raises:
            InvalidPhone, InvalidEmail, InvalidArgument: An argument cannot be.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.cancel(to, id, purpose)
        return await answer if isinstance(answer, Future) else answer

    async def peek(
        self,
        *,
        to: str | None = None,
        id: str | None = None,
        purpose: str,
    ) -> Peek | None:
        """What is live, or `None`. Changes nothing.

        Raises:
            InvalidPhone, InvalidEmail, InvalidArgument: An argument cannot be.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.peek(to, id, purpose)
        return await answer if isinstance(answer, Future) else answer


class BlockingCodes:
    """One-time codes, waited for. See `Codes` for what the methods take, give and raise."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    def issue(
        self,
        *,
        to: str,
        purpose: str,
        ip: str | None = None,
        locale: str | None = None,
        data: JSON = None,
    ) -> Sent:
        """Send a new code."""
        return cast("Sent", self._native.issue(to, purpose, ip, locale, data))

    def verify(
        self,
        *,
        to: str | None = None,
        id: str | None = None,
        purpose: str,
        code: str,
        ip: str | None = None,
    ) -> Verified:
        """Accept the right code, once."""
        return cast("Verified", self._native.verify(to, id, purpose, code, ip))

    def resend(
        self,
        *,
        to: str | None = None,
        id: str | None = None,
        purpose: str,
        ip: str | None = None,
        locale: str | None = None,
    ) -> Sent:
        """Send again: a new code, or the same where the policy says `keep`."""
        return cast("Sent", self._native.resend(to, id, purpose, ip, locale))

    def cancel(
        self,
        *,
        to: str | None = None,
        id: str | None = None,
        purpose: str,
    ) -> bool:
        """Kill the live code; `False` if there was none."""
        return cast("bool", self._native.cancel(to, id, purpose))

    def peek(
        self,
        *,
        to: str | None = None,
        id: str | None = None,
        purpose: str,
    ) -> Peek | None:
        """What is live, or `None`."""
        return cast("Peek | None", self._native.peek(to, id, purpose))
