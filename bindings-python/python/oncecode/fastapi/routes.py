"""The endpoints, one contract with those of `oncecode/express`: tests/cases/http."""

# Annotations are needed as they are: some of the models are made here.
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Optional, Union

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from .._native import Verified
from ..asgi import Opened, bearer, client_ip, session_token
from ..asgi.caller import client_of
from ..errors import InvalidArgument, OncecodeError
from . import models
from .answers import ADDRESSES, address, given, iso, one_of, own, sent_answer, target_of
from .dependencies import claims_of, session_of
from .links import add_links
from .login import log_in
from .options import (
    LinkRoutes,
    LoadUser,
    Login,
    OnVerified,
    ProvenAddress,
    Settings,
    called,
    shown,
)
from .route import route_class

_CODES = ("otp", "code", "otp_code")
_FAILURES: dict[Union[int, str], dict[str, Any]] = {
    status: {"model": models.Failed} for status in (400, 401, 413, 415, 429, 500, 502, 503)
}


def router(
    once: Opened,
    *,
    on_verified: Optional[OnVerified] = None,
    login: Login = "session",
    token_in_body: bool = True,
    purposes: Sequence[str] = ("login",),
    user_types: Sequence[str] = (),
    fields: Sequence[str] = (),
    links: Optional[LinkRoutes] = None,
    load_user: Optional[LoadUser] = None,
) -> APIRouter:
    """A router with `/otp/request`, `/otp/verify`, `/otp/resend`, `/session` and `/logout`.

    It reads bodies by itself (JSON, at most 16 KiB), and answers errors by itself. No answer may be
    cached.

    Args:
        once: The client, or the `Lifespan` that opens it.
        on_verified: Finds or makes the user of a proven address; async or not. What it returns is
            shown in the answer as `user` and logged in; `None`: the address is proven, and nobody
            is logged in. Default: the address itself is the user.
        login: What a log-in is: a session and its cookie, a token (JWT), or nothing.
        token_in_body: Whether the answer names the session's token too, for clients other than
            browsers.
        purposes: What codes may be asked for; the first where a request does not say.
        user_types: `user_type` of `/signup/send-otp`, which makes the purpose `signup-TYPE`.
        fields: Fields of the app's own that requests may have beside ours.
        links: Links in emails: `/email/request` and `/email/verify`.
        load_user: The user of a session, for `/session`.

    Raises:
        Config: Options that cannot work.
    """
    settings = Settings(
        on_verified, login, token_in_body, purposes, user_types, fields, links, load_user
    )
    routes = APIRouter(route_class=route_class(once), tags=["oncecode"], responses=_FAILURES)
    _add_codes(routes, once, settings)
    if user_types:
        _add_sign_up(routes, once, settings)
    if links is not None:
        add_links(routes, once, settings, links)
    if login != "none":
        _add_sessions(routes, once, settings)
    return routes


def _add_codes(routes: APIRouter, once: Opened, settings: Settings) -> None:
    request_model = models.with_fields(models.RequestCode, settings.fields)
    resend_model = models.with_fields(models.ResendCode, settings.fields)
    verify_model = models.with_fields(models.VerifyCode, settings.fields)

    @routes.post("/otp/request", response_model=models.CodeSent)
    async def request_code(request: Request, body: request_model) -> JSONResponse:  # type: ignore[valid-type]
        said = given(body)
        to, purpose = target_of(said, settings)
        if to is None:
            raise InvalidArgument(f"one of {', '.join(ADDRESSES)} is needed")
        sent = await client_of(once).codes.issue(
            to=to,
            purpose=purpose,
            ip=await client_ip(once, request.scope),
            locale=said.get("locale"),
            data=own(said, settings) or None,
        )
        return JSONResponse(sent_answer(sent, "sent"))

    @routes.post("/otp/resend", response_model=models.CodeSent)
    async def resend_code(request: Request, body: resend_model) -> JSONResponse:  # type: ignore[valid-type]
        said = given(body)
        to, purpose = target_of(said, settings)
        sent = await client_of(once).codes.resend(
            to=to,
            id=said.get("id"),
            purpose=purpose,
            ip=await client_ip(once, request.scope),
            locale=said.get("locale"),
        )
        return JSONResponse(sent_answer(sent, "resent"))

    @routes.post("/otp/verify", response_model=models.Proven)
    async def verify_code(request: Request, body: verify_model) -> JSONResponse:  # type: ignore[valid-type]
        said = given(body)
        to, purpose = target_of(said, settings)
        return await _verified(once, settings, request, said, to, purpose)


def _add_sign_up(routes: APIRouter, once: Opened, settings: Settings) -> None:
    send_model = models.with_fields(models.SignUp, settings.fields)
    verify_model = models.with_fields(models.VerifySignUp, settings.fields)

    def target(said: Mapping[str, Any]) -> tuple[str, str]:
        if said["user_type"] not in settings.user_types:
            raise InvalidArgument(f"user_type must be one of {', '.join(settings.user_types)}")
        return address("email", said["email"]), f"signup-{said['user_type']}"

    @routes.post("/signup/send-otp", response_model=models.CodeSent)
    async def send_sign_up_code(request: Request, body: send_model) -> JSONResponse:  # type: ignore[valid-type]
        said = given(body)
        to, purpose = target(said)
        sent = await client_of(once).codes.issue(
            to=to,
            purpose=purpose,
            ip=await client_ip(once, request.scope),
            locale=said.get("locale"),
            data=own(said, settings) or None,
        )
        return JSONResponse(sent_answer(sent, "sent"))

    @routes.post("/signup/verify-otp", response_model=models.Proven)
    async def verify_sign_up_code(request: Request, body: verify_model) -> JSONResponse:  # type: ignore[valid-type]
        said = given(body)
        to, purpose = target(said)
        return await _verified(once, settings, request, said, to, purpose)


def _add_sessions(routes: APIRouter, once: Opened, settings: Settings) -> None:
    @routes.get("/session", response_model=models.LoggedIn)
    async def show_session(request: Request) -> JSONResponse:
        if settings.login == "session":
            session = await session_of(once, request)
            said = {
                "id": session.id,
                "userId": session.user_id,
                "createdAt": iso(session.created_at),
                "lastActiveAt": iso(session.last_active_at),
                "expiresAt": iso(session.expires_at),
            }
        else:
            claims = await claims_of(once, request)
            ends = datetime.fromtimestamp(claims["exp"], timezone.utc)
            said = {"userId": claims["sub"], "expiresAt": iso(ends)}
        load = settings.load_user
        user = None if load is None else await called(load, said["userId"])
        known = {} if user is None else {"user": shown(user)}
        return JSONResponse({"success": True, "session": said, **known})

    @routes.post("/logout", response_model=models.Answer)
    async def log_out(request: Request) -> JSONResponse:
        client, headers = client_of(once), {}
        if settings.login == "session":
            token = session_token(client, request.scope)
            if token is not None:
                await client.sessions.revoke(token=token)
            headers["set-cookie"] = client.sessions.clear_cookie()
        elif (token := bearer(request.scope)) is not None:
            try:
                await client.tokens.revoke(token)
            except OncecodeError as error:
                # Whoever is logged out already is so.
                if error.status != 401:
                    raise
        return JSONResponse({"success": True, "message": "Logged out"}, headers=headers)


async def _verified(
    once: Opened,
    settings: Settings,
    request: Request,
    said: Mapping[str, Any],
    to: Optional[str],
    purpose: str,
) -> JSONResponse:
    code = one_of(said, _CODES)
    if code is None:
        raise InvalidArgument(f"one of {', '.join(_CODES)} is needed")
    done: Verified = await client_of(once).codes.verify(
        to=to,
        id=said.get("id"),
        purpose=purpose,
        code=code[1],
        ip=await client_ip(once, request.scope),
    )
    proven = ProvenAddress(
        done.identifier, done.purpose, "code", done.data or {}, own(said, settings)
    )
    added, headers = await log_in(once, settings, settings.login, proven, request)
    answer = {"success": True, "message": "OTP verified successfully", "verified": True, **added}
    return JSONResponse(answer, headers=headers)
