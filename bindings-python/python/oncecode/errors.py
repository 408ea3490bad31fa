"""What operations raise.

```text
OncecodeError
├── Refused             the rules say no; asking again unchanged will not help
│   ├── WrongCode          401
│   ├── CodeNotFound       401
│   ├── TooManyAttempts    429
│   ├── Cooldown           429, retryable
│   ├── RateLimited        429, retryable
│   ├── InvalidPhone       400
│   ├── InvalidEmail       400
│   ├── InvalidCode        400
│   ├── InvalidArgument    400
│   ├── Locked             409, retryable
│   ├── LeaseLost          409
│   ├── InProgress         409, retryable
│   ├── IdempotencyMismatch 422
│   ├── SessionNotFound    401
│   ├── TokenInvalid       401
│   ├── TokenExpired       401
│   ├── TokenRevoked       401
│   ├── LinkInvalid        400
│   ├── LinkExpired        400
│   ├── Unreachable        422
│   ├── RegionBlocked      422
│   └── InvalidSignature   403
└── Fault               something is broken or out of reach
    ├── StoreUnavailable   503, retryable
    ├── DeliveryFailed     502, retryable
    ├── DeliveryLimited    503, retryable
    ├── Config             500
    ├── Closed             500
    └── Internal           500
```

No message holds a code, a secret or a whole address.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


class OncecodeError(Exception):
    """Whatever an operation raises is one of these."""

    code: ClassVar[str]
    """The stable code, `UPPER_SNAKE`, the same in Rust, Node.js and Python."""
    status: ClassVar[int]
    """The HTTP status to answer with."""
    retryable: ClassVar[bool] = False
    """Whether the same call may succeed later with nothing changed."""

    retry_after_seconds: int | None
    """How long to wait before the same call can succeed, in whole seconds, rounded up."""
    attempts_left: int | None
    """How many codes may still be tried; for `WrongCode` and `TooManyAttempts`."""
    headers: Mapping[str, str] = MappingProxyType({})
    """Headers of an HTTP response with this error: `Retry-After`, and what a limit says."""

    def __init__(
        self,
        message: str = "",
        retry_after_seconds: int | None = None,
        attempts_left: int | None = None,
    ) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.attempts_left = attempts_left


class Refused(OncecodeError):
    """The rules say no: a wrong code, a cooldown, an invalid number."""


class Fault(OncecodeError):
    """Something is broken or out of reach: the store, the provider, the configuration."""


class WrongCode(Refused):
    """The code is not the one that was sent; `attempts_left` says how many tries remain."""

    code = "WRONG_CODE"
    status = 401


class CodeNotFound(Refused):
    """No live code: never issued, expired, cancelled or used. Deliberately one answer for all."""

    code = "CODE_NOT_FOUND"
    status = 401


class TooManyAttempts(Refused):
    """The attempts of this code, or the failure budget of this address, are spent."""

    code = "TOO_MANY_ATTEMPTS"
    status = 429


class Cooldown(Refused):
    """A code went out a moment ago; `retry_after_seconds` says when the next may."""

    code = "COOLDOWN"
    status = 429
    retryable = True


class RateLimited(Refused):
    """A limit per address or IP address is reached."""

    code = "RATE_LIMITED"
    status = 429
    retryable = True


class InvalidPhone(Refused):
    """Not a phone number that exists in its numbering plan."""

    code = "INVALID_PHONE"
    status = 400


class InvalidEmail(Refused):
    """Not an email address."""

    code = "INVALID_EMAIL"
    status = 400


class InvalidCode(Refused):
    """Not a code of the configured length and alphabet. No attempt was counted."""

    code = "INVALID_CODE"
    status = 400


class InvalidArgument(Refused):
    """Some other argument is missing, too long or of the wrong type."""

    code = "INVALID_ARGUMENT"
    status = 400


class Locked(Refused):
    """Somebody else holds the lock; its lease ends after `retry_after_seconds` at the latest."""

    code = "LOCKED"
    status = 409
    retryable = True


class LeaseLost(Refused):
    """The lock or claim is no longer the caller's: its lease ran out, or somebody else has it."""

    code = "LEASE_LOST"
    status = 409


class InProgress(Refused):
    """Somebody works on the same idempotency key; `retry_after_seconds` says when it is free."""

    code = "IN_PROGRESS"
    status = 409
    retryable = True


class IdempotencyMismatch(Refused):
    """The idempotency key was used for another request."""

    code = "IDEMPOTENCY_MISMATCH"
    status = 422


class SessionNotFound(Refused):
    """No live session: expired, idle for too long, revoked, rotated, or no token of ours."""

    code = "SESSION_NOT_FOUND"
    status = 401


class TokenInvalid(Refused):
    """Not a token of a known key, altered, not for us, not yet valid, or refused by its form."""

    code = "TOKEN_INVALID"
    status = 401


class TokenExpired(Refused):
    """The token was good and its time is over."""

    code = "TOKEN_EXPIRED"
    status = 401


class TokenRevoked(Refused):
    """The token was revoked, by itself or with all of its user's or everybody's."""

    code = "TOKEN_REVOKED"
    status = 401


class LinkInvalid(Refused):
    """Not a link of ours, altered, used, or for another address or purpose."""

    code = "LINK_INVALID"
    status = 400


class LinkExpired(Refused):
    """The link was good and its time is over."""

    code = "LINK_EXPIRED"
    status = 400


class StoreUnavailable(Fault):
    """The store did not answer in time or refused. Nothing was accepted."""

    code = "STORE_UNAVAILABLE"
    status = 503
    retryable = True


class DeliveryFailed(Fault):
    """The message could not be sent; cooldown and quota were given back.

    `__cause__` is what a sender of your own raised.
    """

    code = "DELIVERY_FAILED"
    status = 502
    retryable = True


class Unreachable(Refused):
    """The address exists and cannot be reached: a landline, a full mailbox, a user who opted out.

    Cooldown and quota were given back.
    """

    code = "UNREACHABLE"
    status = 422


class RegionBlocked(Refused):
    """The provider's account may not send to that country. Cooldown and quota were given back."""

    code = "REGION_BLOCKED"
    status = 422


class DeliveryLimited(Fault):
    """The provider takes no more messages for now, or too many wait to be sent.

    Cooldown and quota were given back.
    """

    code = "DELIVERY_LIMITED"
    status = 503
    retryable = True


class InvalidSignature(Refused):
    """Not signed by the provider whose callback it claims to be."""

    code = "INVALID_SIGNATURE"
    status = 403


class Config(Fault):
    """The options or the environment cannot work; the message says what to change."""

    code = "CONFIG"
    status = 500


class Closed(Fault):
    """The client was closed."""

    code = "CLOSED"
    status = 500


class Internal(Fault):
    """A bug in oncecode. Please report it."""

    code = "INTERNAL"
    status = 500
