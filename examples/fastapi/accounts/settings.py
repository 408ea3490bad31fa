"""What the environment says, read once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Settings:
    """The app's settings; the defaults are for development."""

    database_url: str = "sqlite+aiosqlite:///accounts.db"
    """Where users are: SQLite or PostgreSQL."""
    store: str = "sqlite:codes.db"
    """Where codes, sessions and limits are: any store of oncecode."""
    mode: Literal["development", "production"] = "development"
    secret: str | None = field(default=None, repr=False)
    sender: str | None = None
    """How codes are sent in production: a sender of oncecode, such as `twilio:`."""
    smtp_url: str | None = field(default=None, repr=False)
    """How links are emailed in production: `smtp://user:password@host:587`."""
    mail_from: str = "accounts@localhost"
    public_url: str = "http://localhost:8000"
    """Where people reach the app: links in emails begin with it."""
    trusted_proxies: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read the environment: README.md has the names."""
        database, default = env.get("DATABASE_URL"), cls()
        store = env.get("ONCECODE_STORE") or env.get("REDIS_URL")
        if store is None and database is not None and database.startswith("postgres"):
            store = database
        port = int(env.get("PORT", default.port))
        proxies = env.get("TRUSTED_PROXIES", "").split(",")
        return cls(
            database_url=_with_async_driver(database) if database else default.database_url,
            store=store or default.store,
            mode="development" if env.get("ONCECODE_MODE") == "development" else "production",
            secret=env.get("ONCECODE_SECRET"),
            sender=env.get("ONCECODE_SENDER"),
            smtp_url=env.get("SMTP_URL"),
            mail_from=env.get("MAIL_FROM", default.mail_from),
            public_url=env.get("PUBLIC_URL", f"http://localhost:{port}").rstrip("/"),
            trusted_proxies=tuple(filter(None, (proxy.strip() for proxy in proxies))),
            host=env.get("HOST", default.host),
            port=port,
        )


def _with_async_driver(url: str) -> str:
    """`postgres://…` as hosting companies write it, for SQLAlchemy's asyncio."""
    scheme, separator, rest = url.partition("://")
    driver = {
        "postgres": "postgresql+asyncpg",
        "postgresql": "postgresql+asyncpg",
        "sqlite": "sqlite+aiosqlite",
    }.get(scheme, scheme)
    return driver + separator + rest
