"""A route that reads bodies by our rules and answers errors by itself."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from typing import Any, Callable

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from ..asgi import Opened, Unreadable
from ..errors import InvalidArgument, OncecodeError
from .install import error_response

_MOST_BYTES = 16 * 1024


def route_class(once: Opened) -> type[APIRoute]:
    """The class of the router's routes."""

    class Route(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            serve = super().get_route_handler()

            async def handle(request: Request) -> Response:
                try:
                    if request.method == "POST":
                        needed = self.body_field is not None
                        await _read(request, needed=needed)
                    response = await serve(request)
                except OncecodeError as error:
                    return error_response(once, error)
                except RequestValidationError as error:
                    return error_response(once, InvalidArgument(_said(error)))
                response.headers["cache-control"] = "no-store"
                return response

            return handle

    return Route


async def _read(request: Request, *, needed: bool) -> None:
    """Read the body, so that FastAPI finds it read."""
    length = request.headers.get("content-length", "")
    chunked = "transfer-encoding" in request.headers
    if not chunked and length in ("", "0"):
        if needed:
            raise Unreadable(400)
        request._body = b""
        return
    if not _is_json(request):
        raise Unreadable(415)
    if length.isdigit() and int(length) > _MOST_BYTES:
        raise Unreadable(413)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise Unreadable(413)
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable(400) from None
    if not isinstance(said, dict):
        raise Unreadable(400)
    request._body, request._json = body, said


def _is_json(request: Request) -> bool:
    kind, *rest = (
        part.strip() for part in request.headers.get("content-type", "").lower().split(";")
    )
    charsets = [part[8:].replace('"', "") for part in rest if part.startswith("charset=")]
    coding = request.headers.get("content-encoding", "identity")
    is_utf8 = not charsets or charsets[0] in ("utf-8", "utf8")
    return kind == "application/json" and coding == "identity" and is_utf8


def _said(error: RequestValidationError) -> str:
    """What is wrong first, without what was sent."""
    first = error.errors()[0]
    if first["type"] == "extra_forbidden":
        return "there is an unknown field"
    name = str(first["loc"][-1])
    return f"{name} must be a string" if first["type"] != "missing" else f"{name} is missing"
