"""Who sent a request, and with which token."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Protocol, Union

from .. import client
from .messages import header

if TYPE_CHECKING:
    from typing_extensions import TypeAlias

    from .messages import Scope

_LOOPBACK = "127.0.0.1"
_BEARER = re.compile(r"Bearer +(\S+) *", re.IGNORECASE)


class Opener(Protocol):
    """Has a client, from the app's start on."""

    @property
    def client(self) -> client.Oncecode:
        """The client."""
        ...


Opened: TypeAlias = Union[client.Oncecode, Opener]
"""A client, or what opens one when the app starts."""


def client_of(once: Opened) -> client.Oncecode:
    """The open client."""
    return once if isinstance(once, client.Oncecode) else once.client


async def client_ip(once: Opened, scope: Scope) -> str:
    """The address of whoever sent a request.

    Proxies are believed only where the client's option `trusted_proxies` names them. What has no
    address, such as a Unix socket or a test client, counts as this machine.
    """
    host = (scope.get("client") or (_LOOPBACK,))[0].partition("%")[0]
    try:
        ipaddress.ip_address(host)
    except ValueError:
        host = _LOOPBACK
    return await client_of(once).limits.client_ip(host, header(scope, "x-forwarded-for"))


def bearer(scope: Scope) -> str | None:
    """The token of the `Authorization` header."""
    found = _BEARER.fullmatch(header(scope, "authorization") or "")
    return found[1] if found else None


def session_token(once: Opened, scope: Scope) -> str | None:
    """The session's token: of the `Authorization` header, or else of the cookie."""
    return bearer(scope) or client_of(once).sessions.read_cookie(header(scope, "cookie"))
