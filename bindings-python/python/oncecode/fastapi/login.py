"""Logging in whoever has proven an address."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..asgi import client_ip, session_token
from ..asgi.caller import client_of
from ..errors import OncecodeError
from .options import called, id_of, shown

if TYPE_CHECKING:
    from fastapi import Request

    from ..asgi import Opened
    from .options import Login, ProvenAddress, Settings


async def log_in(
    once: Opened, settings: Settings, login: Login, proven: ProvenAddress, request: Request
) -> tuple[dict[str, Any], dict[str, str]]:
    """Ask the app who that is, and log them in; what to add to the answer, and its headers.

    Always with a new token, never with one that the browser brought.
    """
    client = client_of(once)
    found = await called(settings.on_verified or _itself, proven)
    if found is None:
        return {}, {}
    user = shown(found)
    user_id = id_of(user)
    if login == "none":
        return {"user": user}, {}
    if login == "token":
        return {"token": await client.tokens.sign({"sub": user_id}), "user": user}, {}

    before = session_token(client, request.scope)
    device, ip = request.headers.get("user-agent"), await client_ip(client, request.scope)
    new = await client.sessions.create(user_id=user_id, device=device, ip=ip)
    if before is not None:
        # Should that fail, it is the one the user knew, and expires.
        with suppress(OncecodeError):
            await client.sessions.revoke(token=before)
    token = {"token": new.token} if settings.token_in_body else {}
    return {**token, "user": user}, {"set-cookie": client.sessions.cookie(new.token)}


async def _itself(proven: ProvenAddress) -> dict[str, Any]:
    kind = "email" if "@" in proven.identifier else "phoneNumber"
    return {"id": proven.identifier, kind: proven.identifier}
