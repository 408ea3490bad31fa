"""What endpoints depend on."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Annotated, Any, Callable, Optional

from fastapi import Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from .._native import Session
from ..asgi import Opened, bearer, client_ip, session_token
from ..asgi.caller import client_of
from ..errors import OncecodeError, SessionNotFound, TokenInvalid

# For the documentation: the token itself is read from the request.
_session = HTTPBearer(auto_error=False, scheme_name="Session", description="Or the cookie.")
_jwt = HTTPBearer(auto_error=False, scheme_name="Token", bearerFormat="JWT")
_Shown = Optional[HTTPAuthorizationCredentials]


async def session_of(once: Opened, request: Request) -> Session:
    """The live session of a request."""
    token = session_token(once, request.scope)
    if token is None:
        raise SessionNotFound("Authentication required")
    ip = await client_ip(once, request.scope)
    return await client_of(once).sessions.validate(token, ip=ip)


async def claims_of(once: Opened, request: Request) -> dict[str, Any]:
    """The claims of a request's token."""
    token = bearer(request.scope)
    if token is None:
        raise TokenInvalid("Authentication required")
    claims = await client_of(once).tokens.verify(token)
    if "sub" not in claims:
        raise TokenInvalid("the token names no user")
    return dict(claims)


def require_session(once: Opened) -> Callable[..., Awaitable[Session]]:
    """The live session, of the cookie or of `Authorization: Bearer`; without one 401."""

    async def dependency(request: Request, _: Annotated[_Shown, Security(_session)]) -> Session:
        return await session_of(once, request)

    return dependency


def optional_session(once: Opened) -> Callable[..., Awaitable[Optional[Session]]]:
    """The live session, or `None`. A store that is down is a 503 all the same."""

    async def dependency(
        request: Request, _: Annotated[_Shown, Security(_session)]
    ) -> Optional[Session]:
        try:
            return await session_of(once, request)
        except OncecodeError as error:
            if error.status != 401:
                raise
            return None

    return dependency


def require_token(once: Opened) -> Callable[..., Awaitable[dict[str, Any]]]:
    """The claims of the token (JWT) of `Authorization: Bearer`; `sub` is the user."""

    async def dependency(request: Request, _: Annotated[_Shown, Security(_jwt)]) -> dict[str, Any]:
        return await claims_of(once, request)

    return dependency


def rate_limit(
    once: Opened,
    limit: str,
    *,
    key: Optional[Callable[[Request], Optional[str]]] = None,
    ip: bool = True,
    cost: int = 1,
    skip_successful: bool = False,
) -> Callable[..., AsyncIterator[None]]:
    """Take from a limit of `once.limits` for each request; 429 when none is left.

    Args:
        once: The client, or the `Lifespan` that opens it.
        limit: The limit's name.
        key: Whom to count beside the IP address; `None` is not counted.
        ip: Whether the IP address counts; without it, a request needs a key.
        cost: How much a request takes.
        skip_successful: Give back what requests took that did not fail.
    """

    async def dependency(request: Request, response: Response) -> AsyncIterator[None]:
        limits = client_of(once).limits
        who = key(request) if key else None
        address = await client_ip(once, request.scope) if ip else None
        quota = await limits.hit(limit, key=who, ip=address, cost=cost)
        response.headers.update(quota.headers)
        yield
        if skip_successful and (response.status_code or 200) < 400:
            # What can't be given back is over with the window.
            with suppress(OncecodeError):
                await limits.refund(limit, key=who, ip=address, cost=cost)

    return dependency
