"""The app: oncecode's router on the users table, one endpoint of our own, and the pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from oncecode import Session, SessionNotFound
from oncecode.fastapi import DevInbox, Lifespan, install, rate_limit, require_session, router

from .mail import Mail
from .pages import add_pages
from .settings import Settings
from .users import ShownUser, Users

API = "/api/v1/users"


def create_app(settings: Settings) -> FastAPI:
    """The app as the settings want it."""
    users, inbox = Users(settings.database_url), DevInbox()
    once = Lifespan(settings.store, **_options(settings, inbox))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with users.opened(), once(app):
            yield

    app = FastAPI(title="Accounts", lifespan=lifespan)
    install(app, once)
    app.include_router(
        router(
            once,
            on_verified=users.activate,
            load_user=users.load,
            user_types=["live", "demo"],
            links=_links(settings, inbox),
            # Browsers have the cookie, which no script can read.
            token_in_body=False,
        ),
        prefix=API,
    )

    @app.get(f"{API}/me", dependencies=[Depends(rate_limit(once, "api"))], tags=["accounts"])
    async def me(session: Annotated[Session, Depends(require_session(once))]) -> ShownUser:
        """Whoever is logged in: an endpoint of the app's own, closed to everybody else."""
        user = await users.load(session.user_id)
        if user is None:
            raise SessionNotFound("Authentication required")
        return user

    add_pages(app)
    if settings.mode == "development":
        app.mount("/__oncecode", inbox.app(once))
    return app


def _options(settings: Settings, inbox: DevInbox) -> dict[str, Any]:
    sender = settings.sender or (inbox.send if settings.mode == "development" else None)
    options = {
        "mode": settings.mode,
        "app_name": "Accounts",
        "policy": {"issue_limit": {"max": 3, "window_seconds": 300}},
        "trusted_proxies": list(settings.trusted_proxies),
        "secret": settings.secret,
        "sender": sender,
    }
    return {name: value for name, value in options.items() if value is not None}


def _links(settings: Settings, inbox: DevInbox) -> Any:
    """Links need a way to send them: in production a mail server."""
    if settings.smtp_url is not None:
        send: Any = Mail(settings.smtp_url, settings.mail_from).send_link
    elif settings.mode == "development":
        send = inbox.send_link
    else:
        return None
    return {"url": f"{settings.public_url}/verify-email", "send": send, "login": True}
