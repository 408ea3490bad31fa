"""The options of `Oncecode.open`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Callable, Literal, TypedDict, cast

from ._native import Event, Message
from .callbacks import is_async
from .errors import Config

if TYPE_CHECKING:
    from typing_extensions import Required, TypeAlias

    from .limits import LimitDefinition

SendCallback: TypeAlias = Callable[[Message], object]
"""Sends a message; async or not. What it raises fails the delivery, what it returns is ignored.

In a list, an exception with the attribute `not_sent = True` says that nothing was sent, so that the
next may."""

EventCallback: TypeAlias = Callable[[Event], object]
"""Told what happened. It must be quick; what it raises is logged."""


class Webhook(TypedDict, total=False):
    """How a gateway is asked.

    `{to}`, `{digits}` (`to` without its `+`), `{text}`, `{code}`, `{link}`, `{subject}`, `{html}`,
    `{id}`, `{purpose}`, `{locale}`, `{minutes}` and `{key}` (the same for every try of one message)
    are filled in, escaped for the place where they stand.
    """

    url: Required[str]
    """`https://…`; `http://…` for a gateway nearby. Placeholders may stand in path and query."""
    method: str
    """Default `POST`."""
    headers: Mapping[str, str]
    """Such as `{"Authorization": "Bearer …"}`."""
    body: str
    """Default: JSON of all there is. Of `GET`: none."""
    content_type: str
    """`application/json` (default), `application/x-www-form-urlencoded`, `text/xml` or
    `text/plain`: how what stands in the body is escaped."""
    serves: Literal["phone", "email"]
    """What it serves; default both."""
    expect: str
    """What the body of a successful answer holds, for gateways that answer 200 to everything."""
    idempotent: bool
    """Whether it knows a message by the header `Idempotency-Key`: then it is asked again where its
    answer was lost."""


class Limit(TypedDict):
    """So many per so many seconds."""

    max: int
    """From 1 to 65535."""
    window_seconds: float
    """Above 0, at most 30 days."""


class Breaker(TypedDict, total=False):
    """When a store that does not answer is left alone."""

    failures: int
    """Outages in a row after which it opens; calls that fail together count as one. Default 5."""
    probe_interval_ms: float
    """Between its opening and the first probe. Default 1000."""
    max_probe_interval_ms: float
    """What the interval grows to, doubled by each probe that fails. Default 5000."""


class Policy(TypedDict, total=False):
    """Rules for codes; what is absent keeps its default. `False` or `None` switches a limit off."""

    code_length: int
    """Characters in a code, 4 to 10. Default 6."""
    code_alphabet: Literal["digits", "letters"]
    """What codes are made of; the letters leave out look-alikes. Default digits."""
    ttl_seconds: float
    """Life of a code. Default 600."""
    max_attempts: int
    """Codes compared with one challenge, 1 to 100. Default 5."""
    cooldown_seconds: float
    """Between two issues for an address. Default 60."""
    issue_limit: Limit | Literal[False] | None
    """Issues per address. Default 3 per 900 s."""
    verify_limit: Limit | Literal[False] | None
    """Comparisons per address. Default 10 per 900 s."""
    failure_budget: Limit | Literal[False] | None
    """Wrong codes per address over all its challenges. Default 30 per 24 h."""
    ip_issue_limit: Limit | Literal[False] | None
    """Issues per IP address (IPv6: per /64). Default 30 per 900 s."""
    ip_verify_limit: Limit | Literal[False] | None
    """Verifications per IP address (IPv6: per /64). Default 100 per 900 s."""
    resend: Literal["rotate", "keep"]
    """What `resend` does: a new code (default), or the same for half its life."""


class TestCodes(TypedDict, total=False):
    """Fixed codes for testers and app-store reviewers."""

    codes: Required[Mapping[str, str]]
    """The code of each phone number or email address. Nothing is sent to them; every other rule
    holds for them as well. A purpose whose codes have another length or alphabet is served as
    ever."""
    until: Required[str]
    """When it ends: an RFC 3339 date and time, or a date, which is the last day in UTC. At most
    366 days ahead."""
    allow_in_production: Sequence[str]
    """Those of them that are meant for production as well, each by name. Without it, production
    refuses to start."""


class SessionOptions(TypedDict, total=False):
    """Rules for sessions; what is absent keeps its default."""

    ttl_seconds: float
    """The absolute life of a session. Default 30 days."""
    idle_seconds: float
    """A session that is not used for so long ends. Default: none but the absolute life."""
    activity_seconds: float
    """Activity is written at most once in so many seconds. Default 60."""
    rotation_grace_seconds: float
    """For so long after a rotation the old token is still good. Default 0, at most 300."""
    max_per_user: int
    """Sessions a user may have, 1 to 200. Default 50."""
    cookie_name: str
    """The cookie's name; production puts `__Host-` before it. Default `session`."""


class SecretKey(TypedDict, total=False):
    """HS256: at least 32 bytes."""

    secret: Required[str]
    kid: str


class PemKey(TypedDict, total=False):
    """PKCS #8 or PKCS #1, private or public: P-256, Ed25519 or RSA."""

    pem: Required[str]
    kid: str


class JwkKey(TypedDict, total=False):
    """A JSON Web Key, private or public."""

    jwk: Required[Mapping[str, object]]
    kid: str


class UsersOptions(TypedDict, total=False):
    """Your own table of users, whose column says which version a user's tokens must have."""

    url: str
    """The database: `postgres://…`, `mysql://…` or `sqlite:PATH`.
    Default: the store's, where that is one of these."""
    table: str
    """The table, with its schema (MySQL: its database) before a dot if need be. Default `users`."""
    id_column: str
    """The column that tokens name in `sub`: whole numbers, text or UUIDs, and unique.
    Default `id`."""
    version_column: str
    """The column of the version: `integer` or `bigint`. Default `token_version`."""
    cache_seconds: float
    """For so long the store may go on with what it was told of a version: so late is seen what
    you change by SQL of your own. Default 60, at most 3600; 0 asks the table each time a process
    does not know."""


class TokenOptions(TypedDict, total=False):
    """Keys and rules for tokens; what is absent keeps its default."""

    keys: Sequence[str | SecretKey | PemKey | JwkKey]
    """At most 16; a text is an HS256 secret. The first that can sign signs, all verify.
    Default: HS256 keys derived from `secret`."""
    issuer: str
    """Written as `iss` and demanded when verifying. Default: none."""
    audience: str
    """Written as `aud` and demanded when verifying. Without it, tokens for one are refused."""
    ttl_seconds: float
    """Life of a token. Default 900, at most 29 days."""
    leeway_seconds: float
    """How far clocks may differ when `exp` and `nbf` are checked. Default 0, at most 600."""
    cache_seconds: float
    """For how long a process may go on with what it knows of revocations. Default 5."""
    cache_entries: int
    """Of how many users at most. Default 10 000."""
    users: UsersOptions
    """Your own table of users, where it has a column of token versions. Default: versions are
    kept in the store."""


class LinkOptions(TypedDict, total=False):
    """Rules for links; what is absent keeps its default."""

    ttl_seconds: float
    """Life of a link. Default 24 hours, at most 7 days."""
    stateless: bool
    """Verify needs no store, and accepts a link as often as it comes. Default false."""


class LinkTemplates(TypedDict, total=False):
    """Templates of messages with a link; what is absent keeps its default."""

    sms: str | None
    """What a phone gets, with `{link}`."""
    subject: str | None
    """An email's subject."""
    text: str | None
    """An email's text, with `{link}`. The HTML is made from it, unless `html` is given."""
    html: str | None
    """An email's HTML, with `{link}`, for which `text` must be there too."""


class MessageTemplates(TypedDict, total=False):
    """Templates of a purpose in a language; what is absent keeps its default.

    `{code}`, `{app}`, `{minutes}` (a number) and `{duration}` (such as `10 minutes`) are filled in.
    """

    sms: str | None
    """What a phone gets, with `{code}`."""
    subject: str | None
    """An email's subject."""
    text: str | None
    """An email's text, with `{code}`. The HTML is made from it, unless `html` is given."""
    html: str | None
    """An email's HTML, with `{code}`, for which `text` must be there too."""
    link: LinkTemplates
    """The same for `once.links`, with `{link}` instead of `{code}`."""


class Background(TypedDict, total=False):
    """How messages are sent in the background."""

    capacity: int
    """Messages that wait or are being sent, 1 to 100 000; one more is refused with
    `DELIVERY_FAILED`. Default 1000."""
    concurrency: int
    """Messages being sent at once, 1 to 1000. Default 16."""


class Purge(TypedDict, total=False):
    """How expired rows are deleted in the background. It keeps no process alive."""

    interval_seconds: float
    """How often, give or take half, so that many processes do not do it at once. Default 300."""
    batch: int
    """Rows deleted by one statement; one follows another until all is done. Default 1000."""


class Options(TypedDict, total=False):
    """The options of `Oncecode.open`, all optional; `None` is as good as absent."""

    secret: str | list[str] | None
    """Keys all digests: at least 32 bytes, from `openssl rand -base64 32`. Required in production.
    A list, newest first, rotates."""
    index_secret: str | None
    """Names addresses in keys; must stay the same across rotations. Default: the last secret."""
    mode: Literal["production", "development"] | None
    """Production (default), or development: `console:` sends and `issue` returns the code."""
    policy: Policy | None
    """Rules for codes."""
    purposes: Mapping[str, Policy] | None
    """Rules that differ for some purposes, by purpose."""
    test_codes: TestCodes | None
    """Codes that are known beforehand, for listed identifiers. Default: none."""
    limits: Mapping[str, LimitDefinition] | None
    """Named limits for `once.limits`, by name, beside the presets or instead of them."""
    rate_limits: bool | None
    """`False` lets every hit of `once.limits` pass. Default true."""
    trusted_proxies: Sequence[str] | None
    """The proxies whose `X-Forwarded-For` is believed: addresses, networks such as `10.0.0.0/8`,
    and `loopback`, `linklocal`, `uniquelocal` (private networks). Default: none."""
    sessions: SessionOptions | None
    """Rules for sessions."""
    tokens: TokenOptions | None
    """Keys and rules for tokens (JWT)."""
    links: LinkOptions | None
    """Rules for links."""
    sender: str | Webhook | SendCallback | Sequence[str | Webhook | SendCallback] | None
    """Who sends: `twilio:` or `msg91:` (phones), `sendgrid:`, `smtp://…` or `smtps://…` (emails),
    `webhook+https://…`, `console:` or `none:` (these two in development only), a webhook by its
    template, or a callable. Of a list, the first that serves an address sends, and the next where
    it surely did not: docs/senders.md.

    An async callable runs on the event loop of the call, any other in the loop's default executor;
    both in a copy of the caller's context. With the blocking client it is called in the calling
    thread. What isn't done after `send_deadline_ms` counts as failed."""
    events: EventCallback | None
    """Told of every event. Default: `logging.getLogger("oncecode")` at INFO."""
    app_name: str | None
    """The app's name in messages."""
    messages: Mapping[str, Mapping[str, MessageTemplates]] | None
    """Templates of your own for messages, by purpose (`"*"` for all) and BCP 47 locale."""
    locale: str | None
    """The BCP 47 locale of messages for which none was asked, or that has none. Default `en`."""
    domain: str | Sequence[str] | None
    """The site that codes in SMS are bound to, such as `example.com`: browsers fill them in there.
    A list names the page's site and that of its frame which asks for the code."""
    default_region: str | None
    """ISO 3166-1 alpha-2 region of phone numbers written without a country code."""
    key_prefix: str | None
    """Separates apps that share a store. Default `oncecode`."""
    readable_keys: bool | None
    """Keep addresses legible in keys, for debugging. Not in production."""
    deadline_ms: float | None
    """The bound of every store call, connecting included. Default 250."""
    breaker: Breaker | bool | None
    """When a store that does not answer is left alone. On by default; `False` switches it off."""
    send_deadline_ms: float | None
    """The bound of sending a message. Default 10 000."""
    send_in_background: Background | bool | None
    """Sends beside the operation, which does not wait for it: the result is an event, and `close`
    waits for what is under way. Off by default."""
    table_prefix: str | None
    """SQL stores: what table names begin with. Default `oncecode_`."""
    schema: str | None
    """PostgreSQL: the schema of the tables. Default: the connection's own. Not for MySQL."""
    max_connections: int | None
    """SQL stores: connections at most. Default 10."""
    purge: Purge | bool | None
    """SQL stores: deleting expired rows in the background; `False` switches it off."""


def check_url(url: object) -> str:
    """The URL, if it is a string that Rust can hold."""
    if not isinstance(url, str):
        raise Config(f"url must be a string such as 'memory:', not {type(url).__name__}")
    _encode("url", url)
    return url


def split(
    options: Mapping[str, object],
) -> tuple[dict[str, object], list[SendCallback], EventCallback | None]:
    """Options as the core reads them, and apart from them the callables."""
    plain = {name: value for name, value in options.items() if value is not None}
    for name in _MAPPINGS & plain.keys():
        if not isinstance(plain[name], Mapping):
            raise Config(f"{name} must be {_EXPECTED[name]}, not {type(plain[name]).__name__}")
    senders = _senders(plain)
    events = plain.pop("events", None)
    if events is not None and (not callable(events) or is_async(events)):
        raise Config(f"events must be a callable that is not async, not {type(events).__name__}")
    return plain, senders, cast("EventCallback | None", events)


def _senders(plain: dict[str, object]) -> list[SendCallback]:
    """The callables, for which the core gets their places."""
    given = plain.get("sender")
    if callable(given):
        del plain["sender"]
        return [given]
    found: list[SendCallback] = []
    if isinstance(given, (list, tuple)):
        named: list[object] = []
        for one in given:
            if callable(one):
                named.append(f"callback:{len(found)}")
                found.append(one)
            else:
                named.append(one)
        plain["sender"] = named
    return found


def encode(options: Mapping[str, object]) -> str:
    """JSON. What can't be expressed in it is refused here, by name; the rest by the core."""
    fields = (
        f"{_encode('option', name)}:{_encode(name, value)}" for name, value in options.items()
    )
    return "{" + ",".join(fields) + "}"


def _encode(name: str, value: object) -> str:
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:
        raise Config(f"{name} must be valid Unicode; it holds a lone surrogate") from None
    except (TypeError, ValueError, RecursionError):
        # Without the cause, whose message may repeat a secret.
        raise Config(f"{name} must be {_EXPECTED.get(name, 'JSON')}") from None
    return text


_MAPPINGS = {
    "limits",
    "links",
    "messages",
    "policy",
    "purposes",
    "sessions",
    "test_codes",
    "tokens",
}
_EXPECTED = {
    "secret": "a string or a list of strings, newest first",
    "index_secret": "a string",
    "limits": "a dict of definitions",
    "links": "a dict of rules",
    "messages": "a dict of purposes, each a dict of locales",
    "policy": "a dict of rules",
    "purposes": "a dict of policies",
    "sessions": "a dict of rules",
    "test_codes": "a dict with codes and until",
    "tokens": "a dict of rules and keys",
    "sender": "a URL such as 'twilio:', a webhook, a callable, or a list of those",
}
