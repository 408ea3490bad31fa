"""The native module. Private: import from `oncecode`."""

from asyncio import Future
from collections.abc import Callable
from contextvars import Context
from datetime import datetime
from typing import Any, Literal, final

__all__ = [
    "Client",
    "DeliveryStatus",
    "Event",
    "Followed",
    "Health",
    "Held",
    "Link",
    "Message",
    "NewSession",
    "Peek",
    "Quota",
    "Reply",
    "Sent",
    "Session",
    "Ticket",
    "Verified",
    "error_table",
]

@final
class Client:
    def __new__(
        cls,
        given: tuple[str, str] | None,
        waits: bool,
        send: Callable[[Message, Reply, Any, int], None] | None,
        sends: int,
        tell: Callable[[Event, Context | None], None] | None,
    ) -> Client: ...
    def connect(self) -> Future[None] | None: ...
    def health(self) -> Health | Future[Health]: ...
    def is_development(self) -> bool: ...
    def delivery_status(
        self, url: str, headers: list[tuple[str, str]], body: bytes
    ) -> DeliveryStatus: ...
    def purge(self, limit: int) -> int | Future[int]: ...
    def close(self) -> Future[None] | None: ...
    def issue(
        self, to: str, purpose: str, ip: str | None, locale: str | None, data: object
    ) -> Sent | Future[Sent]: ...
    def verify(
        self, to: str | None, id: str | None, purpose: str, code: str, ip: str | None
    ) -> Verified | Future[Verified]: ...
    def resend(
        self, to: str | None, id: str | None, purpose: str, ip: str | None, locale: str | None
    ) -> Sent | Future[Sent]: ...
    def copy(
        self, to: str, batch: int, resume_from: str | None, keep: bool
    ) -> dict[str, Any] | Future[dict[str, Any]]: ...
    def cancel(self, to: str | None, id: str | None, purpose: str) -> bool | Future[bool]: ...
    def peek(
        self, to: str | None, id: str | None, purpose: str
    ) -> Peek | Future[Peek | None] | None: ...
    def acquire(
        self, name: str, ttl_seconds: float, wait_seconds: float | None, renew: bool
    ) -> Held | Future[Held]: ...
    def try_acquire(
        self, name: str, ttl_seconds: float, renew: bool
    ) -> Held | Future[Held | None] | None: ...
    def extend(self, name: str, token: str, ttl_seconds: float) -> Future[None] | None: ...
    def release(self, name: str, token: str) -> bool | Future[bool]: ...
    def ended(self, held: Held) -> bool | Future[bool]: ...
    def extend_held(self, held: Held, ttl_seconds: float) -> Future[None] | None: ...
    def release_held(self, held: Held) -> bool | Future[bool]: ...
    def complete_held(self, held: Held, reply: object) -> Future[None] | None: ...
    def begin(
        self,
        scope: str,
        key: str,
        fingerprint: object,
        lease_seconds: float | None,
        retention_seconds: float | None,
        wait_seconds: float | None,
        renew: bool,
    ) -> tuple[Held | None, Any] | Future[tuple[Held | None, Any]]: ...
    def complete(self, scope: str, key: str, token: str, reply: object) -> Future[None] | None: ...
    def abandon(self, scope: str, key: str, token: str) -> bool | Future[bool]: ...
    def hit(
        self, limit: str, key: str | None, ip: str | None, cost: int
    ) -> Quota | Future[Quota]: ...
    def peek_limit(self, limit: str, key: str | None, ip: str | None) -> Quota | Future[Quota]: ...
    def refund(
        self, limit: str, key: str | None, ip: str | None, cost: int
    ) -> Future[None] | None: ...
    def reset_limit(self, limit: str, key: str | None, ip: str | None) -> Future[None] | None: ...
    def define_limit(self, name: str, definition: str) -> Future[None] | None: ...
    def client_ip(self, remote: str, forwarded_for: str | None) -> str | Future[str]: ...
    def cache_get(
        self, key: str, version: int
    ) -> tuple[Any, int, int] | Future[tuple[Any, int, int] | None] | None: ...
    def cache_set(
        self,
        key: str,
        value: object,
        ttl_seconds: float | None,
        negative_ttl_seconds: float | None,
        version: int,
    ) -> Future[None] | None: ...
    def cache_fetch(
        self,
        key: str,
        ttl_seconds: float | None,
        negative_ttl_seconds: float | None,
        version: int,
        lease_seconds: float | None,
        wait_seconds: float | None,
    ) -> tuple[Any, int, int] | Ticket | Future[tuple[Any, int, int] | Ticket]: ...
    def cache_fill(
        self, ticket: Ticket, value: object
    ) -> tuple[Any, int, int] | Future[tuple[Any, int, int]]: ...
    def cache_invalidate(self, key: str) -> bool | Future[bool]: ...
    def totp_enrol(
        self, issuer: str, account: str, otp: tuple[str | None, int, int]
    ) -> tuple[str, str]: ...
    def totp_uri(
        self, secret: str, issuer: str, account: str, otp: tuple[str | None, int, int]
    ) -> str: ...
    def qr_svg(self, text: str) -> str: ...
    def qr_png(self, text: str, scale: int) -> bytes: ...
    def totp_code(
        self, secret: str, at_ms: int, counter: int | None, otp: tuple[str | None, int, int]
    ) -> str: ...
    def totp_check(
        self,
        typed: tuple[str, str, str, int, int | None],
        at_ms: int,
        otp: tuple[str | None, int, int],
    ) -> int | None: ...
    def totp_verify(
        self, typed: tuple[str, str, str, int, int | None], otp: tuple[str | None, int, int]
    ) -> tuple[int, int] | Future[tuple[int, int]]: ...
    def recovery_codes(self, user: str, count: int) -> tuple[list[str], list[str]]: ...
    def verify_recovery(self, user: str, code: str, hashes: list[str]) -> str | Future[str]: ...
    def create_session(
        self,
        user_id: str,
        device: str | None,
        ip: str | None,
        data: object,
        ttl_seconds: float | None,
    ) -> NewSession | Future[NewSession]: ...
    def validate_session(self, token: str, ip: str | None) -> Session | Future[Session]: ...
    def rotate_session(self, token: str) -> NewSession | Future[NewSession]: ...
    def list_sessions(self, user_id: str) -> list[Session] | Future[list[Session]]: ...
    def revoke_session(
        self, token: str | None, user_id: str | None, id: str | None
    ) -> bool | Future[bool]: ...
    def revoke_sessions(self, user_id: str, except_: str | None) -> int | Future[int]: ...
    def session_cookie(self, token: str, max_age_seconds: float | None) -> str: ...
    def clear_session_cookie(self) -> str: ...
    def read_session_cookie(self, header: str) -> str | None: ...
    def sign_token(self, claims: object, ttl_seconds: float | None) -> str | Future[str]: ...
    def verify_token(self, token: str) -> dict[str, Any] | Future[dict[str, Any]]: ...
    def sign_token_stateless(self, claims: object, ttl_seconds: float | None) -> str: ...
    def verify_token_stateless(self, token: str) -> dict[str, Any]: ...
    def revoke_token(self, token: str) -> bool | Future[bool]: ...
    def revoke_tokens(self, user_id: str) -> Future[None] | None: ...
    def revoke_everybodys_tokens(self) -> Future[None] | None: ...
    def token_jwks(self) -> dict[str, Any]: ...
    def issue_link(
        self,
        to: str,
        purpose: str,
        data: object,
        url: str | None,
        ttl_seconds: float | None,
    ) -> Link: ...
    def send_link(
        self,
        to: str,
        purpose: str,
        data: object,
        url: str | None,
        ttl_seconds: float | None,
        locale: str | None,
    ) -> Link | Future[Link]: ...
    def verify_link(
        self, token: str, purpose: str, to: str | None
    ) -> Followed | Future[Followed]: ...
    def peek_link(
        self, token: str, purpose: str, to: str | None
    ) -> Followed | Future[Followed]: ...

@final
class Ticket:
    def give_up(self) -> None: ...

@final
class Held:
    @property
    def token(self) -> str: ...
    @property
    def fence(self) -> int: ...
    @property
    def remaining_seconds(self) -> float: ...
    @property
    def lost(self) -> bool: ...

@final
class Sent:
    """A code is on its way."""

    @property
    def id(self) -> str:
        """The challenge id: give it to the browser to bind the code to it."""
    @property
    def expires_at(self) -> datetime:
        """When the code expires: an aware datetime in UTC."""
    @property
    def resend_at(self) -> datetime:
        """When the next code may be asked for: an aware datetime in UTC."""
    @property
    def attempts_left(self) -> int:
        """Wrong codes that may still be tried."""
    @property
    def code(self) -> str | None:
        """The code, in development mode only; `None` in production."""

@final
class Verified:
    """The code was right."""

    @property
    def identifier(self) -> str:
        """The address that is now proven, normalised."""
    @property
    def purpose(self) -> str:
        """The purpose."""
    @property
    def data(self) -> Any:
        """What was given at issue."""

@final
class Peek:
    """A live challenge, without its code."""

    @property
    def id(self) -> str:
        """The challenge id."""
    @property
    def expires_at(self) -> datetime:
        """When the code expires: an aware datetime in UTC."""
    @property
    def resend_at(self) -> datetime:
        """When the next code may be asked for: an aware datetime in UTC."""
    @property
    def attempts_left(self) -> int:
        """Wrong codes that may still be tried."""

@final
class Quota:
    """What is left of a limit."""

    @property
    def limit(self) -> str:
        """The limit's name."""
    @property
    def allowed(self) -> bool:
        """Whether a hit passes. Always true in what `hit` gives."""
    @property
    def max(self) -> int:
        """The maximum of the strictest window."""
    @property
    def remaining(self) -> int:
        """What may still be taken now."""
    @property
    def resets_in_seconds(self) -> float:
        """Until all of it is there again, in seconds."""
    @property
    def degraded(self) -> bool:
        """The store was out of reach: this is the limit's policy for an outage."""
    @property
    def headers(self) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit`, for the HTTP response."""

@final
class Session:
    """A live session, without its token."""

    @property
    def id(self) -> str:
        """Names it for listing and revoking; proves nothing."""
    @property
    def user_id(self) -> str:
        """Whose it is."""
    @property
    def device(self) -> str | None:
        """The label given at its begin."""
    @property
    def ip(self) -> str | None:
        """The address of its begin, or of the last activity that was written with one."""
    @property
    def data(self) -> Any:
        """What was given at its begin."""
    @property
    def created_at(self) -> datetime:
        """When it began: an aware datetime in UTC."""
    @property
    def last_active_at(self) -> datetime:
        """When it was last used, exact to `activity_seconds`: an aware datetime in UTC."""
    @property
    def expires_at(self) -> datetime:
        """When it ends if it is not used any more: an aware datetime in UTC."""

@final
class NewSession:
    """A session that began, or goes on under another token."""

    @property
    def token(self) -> str:
        """86 characters, safe in a cookie or header. It can't be had again."""
    @property
    def session(self) -> Session:
        """The session."""

@final
class Link:
    """A link to be sent."""

    @property
    def token(self) -> str:
        """What `verify` takes."""
    @property
    def url(self) -> str | None:
        """The page with the token in its query, where a page was given."""
    @property
    def expires_at(self) -> datetime:
        """When it expires: an aware datetime in UTC."""

@final
class Followed:
    """The link was right."""

    @property
    def identifier(self) -> str:
        """The address that is now proven, normalised."""
    @property
    def purpose(self) -> str:
        """The purpose."""
    @property
    def data(self) -> Any:
        """What was given at issue."""

@final
class Message:
    """A message that carries a code or a link, for the callback `sender`."""

    @property
    def to(self) -> str:
        """Whom to send to: a phone number in E.164 form or an email address."""
    @property
    def purpose(self) -> str:
        """What the code is for."""
    @property
    def code(self) -> str:
        """The code; empty where there is a link instead."""
    @property
    def link(self) -> str | None:
        """The link, of `once.links.send`."""
    @property
    def subject(self) -> str:
        """The subject, for emails."""
    @property
    def text(self) -> str:
        """The text to send, code or link included."""
    @property
    def html(self) -> str | None:
        """The same as HTML, for emails alone."""
    @property
    def segments(self) -> int | None:
        """How many SMS the text takes, for phones alone."""
    @property
    def id(self) -> str:
        """The challenge id: the same for a code that is sent again. Of a link, its own."""
    @property
    def locale(self) -> str | None:
        """The BCP 47 locale that was asked for, if any."""
    @property
    def expires_in_seconds(self) -> int:
        """The life the code or link has left, in whole seconds."""

@final
class Event:
    """Something that happened, for the callback `events`."""

    @property
    def name(self) -> str:
        """The stable name, such as `SIGNUP_OTP_VERIFIED`; of the store `STORE_DOWN`, `STORE_UP`."""
    @property
    def kind(
        self,
    ) -> Literal[
        "CREATED",
        "ISSUE_REFUSED",
        "DELIVERY_FAILED",
        "VERIFIED",
        "VERIFICATION_FAILED",
        "CANCELLED",
        "STORE_DOWN",
        "STORE_UP",
    ]:
        """What happened, without the purpose."""
    @property
    def purpose(self) -> str | None:
        """The purpose, as given; `None` for what concerns the store."""
    @property
    def store(self) -> str | None:
        """The scheme of the store's URL, such as `redis`, for what concerns the store."""
    @property
    def identifier(self) -> str | None:
        """The masked address; `None` where only a challenge id was known."""
    @property
    def reason(self) -> str | None:
        """Why it was refused or failed: an error code such as `WRONG_CODE`."""
    @property
    def attempts_left(self) -> int | None:
        """Attempts left, where that is known."""
    @property
    def at(self) -> datetime:
        """When: an aware datetime in UTC."""

@final
class DeliveryStatus:
    """What became of a message: the answer of `once.sender.status`."""

    @property
    def provider(self) -> str:
        """Who says so: `twilio`."""
    @property
    def message(self) -> str:
        """What the provider calls the message."""
    @property
    def state(self) -> Literal["queued", "sent", "delivered", "failed", "unknown"]:
        """How far it came: the provider has it, the carrier, the user; or the user will not."""
    @property
    def reason(self) -> str | None:
        """Why it failed, where the provider's reason is one of ours, such as `UNREACHABLE`."""
    @property
    def provider_code(self) -> str | None:
        """The provider's own number for it."""

@final
class Health:
    """How the store is: the answer of `once.health()`. It holds no secret and no address."""

    @property
    def ok(self) -> bool:
        """Whether the store answered, and would do its work."""
    @property
    def store(self) -> str:
        """The scheme of the store's URL, such as `redis`."""
    @property
    def breaker(self) -> Literal["closed", "open", "half_open"] | None:
        """What the circuit breaker does; `None` where there is none.

        `closed`: it lets calls through. `open`: it refuses them. `half_open`: it refuses them while
        one finds out whether the store is back. Of a store of several servers the worst of theirs,
        so that it may be open while `ok`.
        """
    @property
    def since(self) -> datetime | None:
        """Since when calls go through, or do not; `None` without a breaker."""
    @property
    def latency_ms(self) -> float | None:
        """How long the store took to answer, in milliseconds; `None` where it did not."""
    @property
    def error(self) -> str | None:
        """Why it is not `ok`: an error code.

        Usually `STORE_UNAVAILABLE`; `CONFIG` where the store does not allow what is needed.
        """
    @property
    def clock_skew_ms(self) -> int | None:
        """By how many milliseconds this machine's clock is ahead of the store's (negative: behind).

        `None` where the store uses this machine's, or did not tell.
        """
    @property
    def warnings(self) -> list[str]:
        """What endangers the codes: a sentence each, for whoever runs the app."""

@final
class Reply:
    def sent(self) -> None: ...
    def failed(self, exception: BaseException) -> None: ...

def error_table() -> list[tuple[str, str, int, bool, bool]]: ...
