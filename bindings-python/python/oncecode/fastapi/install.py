"""What an app answers to errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi.responses import JSONResponse

from ..asgi.errors import answer_of
from ..errors import OncecodeError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

    from ..asgi import Opened


def install(app: FastAPI, once: Opened) -> None:
    """Let the app answer errors as the router does, by the error's own status and headers.

    Those of oncecode, such as what dependencies raise, and all that nobody catches: 500, which in
    production says nothing of what went wrong.
    """

    async def handle(_: Request, error: Exception) -> JSONResponse:
        return error_response(once, error)

    app.add_exception_handler(OncecodeError, handle)
    app.add_exception_handler(Exception, handle)


def error_response(once: Opened, error: Exception) -> JSONResponse:
    """The answer to a request that failed."""
    status, headers, body = answer_of(once, error)
    return JSONResponse(body, status, headers)
