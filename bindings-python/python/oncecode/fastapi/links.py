"""`/email/request` and `/email/verify`, of which the GET only looks: mail scanners follow links."""

from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from ..asgi import Opened, client_ip
from ..asgi.caller import client_of
from ..errors import DeliveryFailed, OncecodeError
from . import models
from .answers import address, given, own, seconds_to
from .login import log_in
from .options import LinkRoutes, ProvenAddress, Settings, called


def add_links(routes: APIRouter, once: Opened, settings: Settings, links: LinkRoutes) -> None:
    """Add the endpoints."""
    purpose = links.get("purpose", "verify-email")
    request_model = models.with_fields(models.RequestLink, settings.fields)
    verify_model = models.with_fields(models.VerifyLink, settings.fields)

    @routes.post("/email/request", response_model=models.LinkSent)
    async def request_link(request: Request, body: request_model) -> JSONResponse:  # type: ignore[valid-type]
        said, client = given(body), client_of(once)
        to, data = address("email", said["email"]), own(said, settings)
        wanted: dict[str, Any] = {
            "to": to,
            "purpose": purpose,
            "data": data or None,
            "url": links["url"],
        }
        link, send = client.links.issue(**wanted), links.get("send")
        # The address in the one spelling that all of its spellings have.
        identifier = (await client.links.peek(token=link.token, purpose=purpose)).identifier
        limit, ip = links.get("limit", "email"), await client_ip(client, request.scope)
        quota = await client.limits.hit(limit, key=identifier, ip=ip)
        try:
            if send is None:
                link = await client.links.send(**wanted, locale=said.get("locale"))
            else:
                expires_at = link.expires_at
                await called(send, to=identifier, url=link.url, data=data, expires_at=expires_at)
        except Exception as cause:
            with suppress(OncecodeError):
                await client.limits.refund(limit, key=identifier, ip=ip)
            if send is None:
                raise
            raise DeliveryFailed("the email could not be sent") from cause
        answer = {
            "success": True,
            "message": "Verification email sent",
            "expiresIn": seconds_to(link.expires_at),
        }
        if client.mode == "development":
            answer["link"] = link.url
        return JSONResponse(answer, headers=quota.headers)

    @routes.get("/email/verify", response_model=models.Proven)
    async def look_at_link(token: str) -> JSONResponse:
        await client_of(once).links.peek(token=token, purpose=purpose)
        answer = {"success": True, "message": "The link is valid", "verified": False}
        # The token is in this page's address.
        return JSONResponse(answer, headers={"referrer-policy": "no-referrer"})

    @routes.post("/email/verify", response_model=models.Proven)
    async def verify_link(request: Request, body: verify_model) -> JSONResponse:  # type: ignore[valid-type]
        said = given(body)
        to = address("email", said["email"]) if "email" in said else None
        done = await client_of(once).links.verify(token=said["token"], purpose=purpose, to=to)
        proven = ProvenAddress(
            done.identifier, purpose, "link", done.data or {}, own(said, settings)
        )
        login = settings.login if links.get("login", False) else "none"
        added, headers = await log_in(once, settings, login, proven, request)
        answer = {"success": True, "message": "Email verified successfully", "verified": True}
        return JSONResponse({**answer, **added}, headers=headers)
