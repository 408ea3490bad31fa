"""One-time codes done right, once.

`Oncecode` issues codes to phone numbers and email addresses and verifies each exactly once, with
attempt limits, cooldowns, rate limits and failure budgets that hold under any number of concurrent
callers, on the store you have: memory, SQLite, PostgreSQL, MariaDB or Redis. `oncecode.blocking` is
the same without an event loop.

>>> import asyncio, oncecode
>>> async def main():
...     async with await oncecode.Oncecode.open("memory:", mode="development") as once:
...         sent = await once.codes.issue(to="+1 415 867 5309", purpose="login")
...         done = await once.codes.verify(to="+14158675309", purpose="login", code=sent.code)
...         print(done.identifier)
>>> asyncio.run(main())
+14158675309
"""

from . import blocking, errors
from ._native import (
    DeliveryStatus,
    Event,
    Followed,
    Health,
    Link,
    Message,
    NewSession,
    Peek,
    Quota,
    Sent,
    Session,
    Verified,
)
from .admin import Admin, BlockingAdmin, Copied
from .cache import BlockingCache, Cache, Cached
from .client import Oncecode
from .codes import BlockingCodes, Codes
from .delivery import Delivery
from .errors import (
    Closed,
    CodeNotFound,
    Config,
    Cooldown,
    DeliveryFailed,
    DeliveryLimited,
    Fault,
    IdempotencyMismatch,
    InProgress,
    Internal,
    InvalidArgument,
    InvalidCode,
    InvalidEmail,
    InvalidPhone,
    InvalidSignature,
    LeaseLost,
    LinkExpired,
    LinkInvalid,
    Locked,
    OncecodeError,
    RateLimited,
    Refused,
    RegionBlocked,
    SessionNotFound,
    StoreUnavailable,
    TokenExpired,
    TokenInvalid,
    TokenRevoked,
    TooManyAttempts,
    Unreachable,
    WrongCode,
)
from .idempotency import BlockingClaim, BlockingIdempotency, Claim, Idempotency, Reply
from .limits import BlockingLimits, LimitDefinition, LimitPart, Limits
from .links import BlockingLinks, Links
from .locks import BlockingLock, BlockingLocks, Lock, Locks
from .options import (
    Background,
    Breaker,
    EventCallback,
    Limit,
    LinkOptions,
    LinkTemplates,
    MessageTemplates,
    Options,
    Policy,
    Purge,
    SendCallback,
    SessionOptions,
    TestCodes,
    TokenOptions,
    UsersOptions,
    Webhook,
)
from .sessions import BlockingSessions, Sessions
from .tokens import BlockingTokens, Tokens
from .totp import BlockingTotp, Enrolment, RecoveryCodes, Totp, TotpAccepted

__all__ = [
    "Admin",
    "Background",
    "BlockingAdmin",
    "BlockingCache",
    "BlockingClaim",
    "BlockingCodes",
    "BlockingIdempotency",
    "BlockingLimits",
    "BlockingLinks",
    "BlockingLock",
    "BlockingLocks",
    "BlockingSessions",
    "BlockingTokens",
    "BlockingTotp",
    "Breaker",
    "Cache",
    "Cached",
    "Claim",
    "Closed",
    "CodeNotFound",
    "Codes",
    "Config",
    "Cooldown",
    "Copied",
    "Delivery",
    "DeliveryFailed",
    "DeliveryLimited",
    "DeliveryStatus",
    "Enrolment",
    "Event",
    "EventCallback",
    "Fault",
    "Followed",
    "Health",
    "Idempotency",
    "IdempotencyMismatch",
    "InProgress",
    "Internal",
    "InvalidArgument",
    "InvalidCode",
    "InvalidEmail",
    "InvalidPhone",
    "InvalidSignature",
    "LeaseLost",
    "Limit",
    "LimitDefinition",
    "LimitPart",
    "Limits",
    "Link",
    "LinkExpired",
    "LinkInvalid",
    "LinkOptions",
    "LinkTemplates",
    "Links",
    "Lock",
    "Locked",
    "Locks",
    "Message",
    "MessageTemplates",
    "NewSession",
    "Oncecode",
    "OncecodeError",
    "Options",
    "Peek",
    "Policy",
    "Purge",
    "Quota",
    "RateLimited",
    "RecoveryCodes",
    "Refused",
    "RegionBlocked",
    "Reply",
    "SendCallback",
    "Sent",
    "Session",
    "SessionNotFound",
    "SessionOptions",
    "Sessions",
    "StoreUnavailable",
    "TestCodes",
    "TokenExpired",
    "TokenInvalid",
    "TokenOptions",
    "TokenRevoked",
    "Tokens",
    "TooManyAttempts",
    "Totp",
    "TotpAccepted",
    "Unreachable",
    "UsersOptions",
    "Verified",
    "Webhook",
    "WrongCode",
    "blocking",
    "errors",
]
