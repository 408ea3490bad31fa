"""The options of a router."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any, Callable, Literal, Optional, TypedDict, Union

from fastapi.concurrency import run_in_threadpool
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel
from typing_extensions import Required, TypeAlias

from ..callbacks import is_async
from ..errors import Config

User: TypeAlias = Union[Mapping[str, Any], BaseModel, Any]
"""A user as the answer shows them, with an `id`: a mapping, a Pydantic model or a dataclass.
Everything in it goes to the browser."""


@dataclass(frozen=True)
class ProvenAddress:
    """An address that somebody has just proven to be theirs."""

    identifier: str
    """The phone number or email address, normalised."""
    purpose: str
    """What the code or link was for."""
    by: Literal["code", "link"]
    """By a code, or by a link in an email."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The app's own `fields` of the request for the code or link."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """The app's own `fields` of this request."""


OnVerified: TypeAlias = Callable[[ProvenAddress], Union[Optional[User], Awaitable[Optional[User]]]]
LoadUser: TypeAlias = Callable[[str], Union[Optional[User], Awaitable[Optional[User]]]]
Login: TypeAlias = Literal["session", "token", "none"]


class LinkRoutes(TypedDict, total=False):
    """How links reach people."""

    url: Required[str]
    """The page that links lead to, with `token` in its query, or with the token for `{token}`; it
    posts it to `/email/verify`."""
    send: Callable[..., object]
    """Sends the email, called with `to`, `url`, `data` and `expires_at`; async or not. What it
    raises is answered with `DELIVERY_FAILED`, and the limit gives back what it took. Default: the
    client's `sender` sends it."""
    purpose: str
    """What links are for. Default `verify-email`."""
    login: bool
    """Whether a link logs in. Default: it proves an address only."""
    limit: str
    """The limit of `once.limits` per address and per IP address. Default `email`."""


RESERVED = {
    "to", "phoneNumber", "phone", "email", "otp", "code", "otp_code", "id", "purpose", "locale",
    "type", "token", "user_type",
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """The options of a router."""

    on_verified: OnVerified | None
    login: Login
    token_in_body: bool
    purposes: Sequence[str]
    user_types: Sequence[str]
    fields: Sequence[str]
    links: LinkRoutes | None
    load_user: LoadUser | None

    def __post_init__(self) -> None:
        if self.login not in ("session", "token", "none"):
            raise Config("login must be 'session', 'token' or 'none'")
        if not self.purposes:
            raise Config("purposes must not be empty")
        if RESERVED & set(self.fields):
            raise Config(f"fields must not be of {', '.join(sorted(RESERVED))}")
        if self.links is not None and "url" not in self.links:
            raise Config("links need `url`, the page they lead to")
        if self.links is not None and not callable(self.links.get("send", print)):
            raise Config("links: `send` must be a callable")


async def called(function: Callable[..., Any], *args: object, **kwargs: object) -> Any:
    """Call the app's function; one that is not async must not hold the others up."""
    if is_async(function):
        return await function(*args, **kwargs)
    return await run_in_threadpool(function, *args, **kwargs)


def shown(user: User) -> dict[str, Any]:
    """A user as JSON."""
    if is_dataclass(user) and not isinstance(user, type):
        user = asdict(user)
    if not isinstance(user, (Mapping, BaseModel)):
        # Of any other object, nobody said that the browser may see all of it.
        raise Config("a user must be a mapping, a Pydantic model or a dataclass, with an `id`")
    encoded = jsonable_encoder(user)
    return dict(encoded)


def id_of(user: Mapping[str, Any]) -> str:
    """The `id` of a user."""
    found = user.get("id")
    if isinstance(found, bool) or not isinstance(found, (str, int)) or found == "":
        raise Config("a user must have an `id`, a string or a whole number")
    return str(found)
