"""The pages: plain HTML, CSS and JavaScript, without anything to build."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

FOLDER = Path(__file__).parent / "web"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    # The token of a link is in the page's address.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def add_pages(app: FastAPI) -> None:
    """Add `/`, `/signup` and `/verify-email`. Serving a page changes nothing."""

    @app.get("/", include_in_schema=False)
    @app.get("/signup", include_in_schema=False)
    async def sign_in() -> FileResponse:
        return FileResponse(FOLDER / "index.html", headers=HEADERS)

    @app.get("/verify-email", include_in_schema=False)
    async def verify_email() -> FileResponse:
        return FileResponse(FOLDER / "verify-email.html", headers=HEADERS)

    app.mount("/static", StaticFiles(directory=FOLDER), name="static")
