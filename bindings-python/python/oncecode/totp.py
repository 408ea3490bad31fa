"""`once.totp`: authenticator apps' codes, and recovery codes.

Only `verify` and `verify_recovery` ask the store; the others are plain functions in both clients.
"""

from __future__ import annotations

import time
from asyncio import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from .errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from typing_extensions import TypeAlias

    from ._native import Client

Algorithm: TypeAlias = "Literal['SHA1', 'SHA256', 'SHA512']"


@dataclass(frozen=True, repr=False)
class Enrolment:
    """What a user scans."""

    secret: str
    """Base32. Store it encrypted: it is as good as a password."""
    uri: str
    """The `otpauth://` URI, for `qr_svg` and `qr_png`."""


@dataclass(frozen=True, repr=False)
class RecoveryCodes:
    """Codes for when the phone is lost."""

    codes: list[str]
    """To be shown once: ten letters and digits each, such as `4TKQP-7XGRM`."""
    hashes: list[str]
    """To be stored with the user; worth nothing without the client's secret."""


class TotpAccepted(NamedTuple):
    """A code was right, for the first time."""

    step: int
    """The time step or counter of the code. The next counter is one higher."""
    drift: int
    """Steps that the user's clock is ahead (or, negative, behind), or the counter ahead."""


class _Plain:
    """What both clients have."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    def enrol(
        self,
        *,
        issuer: str,
        account: str,
        algorithm: Algorithm = "SHA1",
        digits: int = 6,
        period_seconds: int = 30,
    ) -> Enrolment:
        """Make a new secret, and the URI that authenticator apps scan.

        Args:
            issuer: Your app's name, without colons.
            account: The user's name in it, without colons.
            algorithm: Many apps know SHA-1 only, which is sound in an HMAC.
            digits: 6 to 8.
            period_seconds: 10 to 300.

        Raises:
            InvalidArgument: An argument cannot be.
        """
        given = (_text("issuer", issuer), _text("account", account))
        made = self._native.totp_enrol(*given, _otp(algorithm, digits, period_seconds))
        return Enrolment(*made)

    def uri(
        self,
        *,
        secret: str,
        issuer: str,
        account: str,
        algorithm: Algorithm = "SHA1",
        digits: int = 6,
        period_seconds: int = 30,
    ) -> str:
        """The URI for a secret that exists already."""
        given = (_text("secret", secret), _text("issuer", issuer), _text("account", account))
        return self._native.totp_uri(*given, _otp(algorithm, digits, period_seconds))

    def qr_svg(self, text: str) -> str:
        """A text such as the URI as a QR code in SVG."""
        return self._native.qr_svg(_text("text", text))

    def qr_png(self, text: str, *, scale: int = 8) -> bytes:
        """A text such as the URI as a QR code in PNG, `scale` pixels (1 to 64) a square."""
        return self._native.qr_png(_text("text", text), _whole("scale", scale))

    def code(
        self,
        *,
        secret: str,
        at: datetime | None = None,
        counter: int | None = None,
        algorithm: Algorithm = "SHA1",
        digits: int = 6,
        period_seconds: int = 30,
    ) -> str:
        """The code of a moment (default: now), or of a counter (RFC 4226)."""
        otp = _otp(algorithm, digits, period_seconds)
        return self._native.totp_code(_text("secret", secret), _ms(at), _counter(counter), otp)

    def check(
        self,
        *,
        secret: str,
        code: str,
        at: datetime | None = None,
        window: int = 1,
        counter: int | None = None,
        algorithm: Algorithm = "SHA1",
        digits: int = 6,
        period_seconds: int = 30,
    ) -> int | None:
        """For which step a code is right, or `None`. It may have been used before: see `verify`."""
        typed = _typed("check", secret, code, window, counter)
        return self._native.totp_check(typed, _ms(at), _otp(algorithm, digits, period_seconds))

    def recovery_codes(self, *, user: str, count: int = 10) -> RecoveryCodes:
        """Make `count` (1 to 100) recovery codes for a user."""
        return RecoveryCodes(*self._native.recovery_codes(user, count))


class Totp(_Plain):
    """Codes of authenticator apps, each accepted once by any process."""

    __slots__ = ()

    async def verify(
        self,
        *,
        user: str,
        secret: str,
        code: str,
        window: int = 1,
        counter: int | None = None,
        algorithm: Algorithm = "SHA1",
        digits: int = 6,
        period_seconds: int = 30,
    ) -> TotpAccepted:
        """Accept the right code, once.

        Args:
            user: Whose code it is, such as the user's id: 1 to 1024 bytes.
            secret: The user's secret in base32.
            code: What the user typed. Spaces, dashes and other scripts' digits are understood.
            window: Steps before and after the present one that count as well, 0 to 10; with a
                counter, how far ahead of it to look.
            counter: RFC 4226: the counter that is expected next.
            algorithm: As at `enrol`.
            digits: As at `enrol`.
            period_seconds: As at `enrol`.

        Raises:
            WrongCode: See `attempts_left`.
            CodeNotFound: A right code that was used, or is older than one that was.
            TooManyAttempts: The failure budget is spent; see `retry_after_seconds`.
            InvalidCode, InvalidArgument: An argument cannot be.
            StoreUnavailable: The store did not answer. Nothing was accepted.
        """
        typed = _typed(user, secret, code, window, counter)
        answer = self._native.totp_verify(typed, _otp(algorithm, digits, period_seconds))
        return TotpAccepted(*(await answer if isinstance(answer, Future) else answer))

    async def verify_recovery(self, *, user: str, code: str, hashes: Iterable[str]) -> str:
        """Accept a recovery code, once; gives the one of `hashes` that you must now delete.

        The store remembers for 30 days that it was used.

        Raises:
            WrongCode: See `attempts_left`; the failure budget is that of `verify`.
            CodeNotFound: It was used.
            OncecodeError: As `verify`.
        """
        answer = self._native.verify_recovery(user, code, _hashes(hashes))
        return await answer if isinstance(answer, Future) else answer


class BlockingTotp(_Plain):
    """Codes of authenticator apps, each accepted once. See `Totp`."""

    __slots__ = ()

    def verify(
        self,
        *,
        user: str,
        secret: str,
        code: str,
        window: int = 1,
        counter: int | None = None,
        algorithm: Algorithm = "SHA1",
        digits: int = 6,
        period_seconds: int = 30,
    ) -> TotpAccepted:
        """Accept the right code, once."""
        typed = _typed(user, secret, code, window, counter)
        answer = self._native.totp_verify(typed, _otp(algorithm, digits, period_seconds))
        return TotpAccepted(*cast("tuple[int, int]", answer))

    def verify_recovery(self, *, user: str, code: str, hashes: Iterable[str]) -> str:
        """Accept a recovery code, once; gives the one of `hashes` that you must now delete."""
        return cast("str", self._native.verify_recovery(user, code, _hashes(hashes)))


def _otp(algorithm: object, digits: object, period: object) -> tuple[str, int, int]:
    given = (_text("algorithm", algorithm), _whole("digits", digits))
    return (*given, _whole("period_seconds", period))


def _typed(
    user: object, secret: object, code: object, window: object, counter: object
) -> tuple[str, str, str, int, int | None]:
    texts = (_text("user", user), _text("secret", secret), _text("code", code))
    return (*texts, _whole("window", window), _counter(counter))


def _hashes(given: Iterable[str]) -> list[str]:
    if isinstance(given, str):
        raise InvalidArgument("hashes must be a list of strings, not one string")
    return [_text("a hash", each) for each in given]


def _counter(given: object) -> int | None:
    return None if given is None else _whole("counter", given, most=2**53)


def _ms(at: datetime | None) -> int:
    seconds = time.time() if at is None else at.timestamp()
    if seconds < 0:
        raise InvalidArgument("at must not be before 1970")
    return int(seconds * 1000)


def _whole(name: str, given: object, most: int = 2**32 - 1) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= most:
        raise InvalidArgument(f"{name} must be a whole number from 0 to {most}")
    return given


def _text(name: str, given: object) -> str:
    if not isinstance(given, str):
        raise InvalidArgument(f"{name} must be a string, not {type(given).__name__}")
    try:
        given.encode()
    except UnicodeEncodeError:
        message = f"{name} must be valid Unicode; it holds a lone surrogate"
        raise InvalidArgument(message) from None
    return given
