"""Who the proven addresses belong to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from oncecode.fastapi import ProvenAddress
from pydantic import BaseModel
from sqlalchemy import event, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from .models import KINDS, Base, DemoUser, User


class ShownUser(BaseModel):
    """A user as browsers see them: all that is in here, and nothing else."""

    id: str
    user_type: str
    email: str | None
    phone: str | None
    is_active: bool
    created_at: datetime


class Users:
    """The users in the database."""

    def __init__(self, url: str) -> None:
        self._engine = create_async_engine(url, pool_pre_ping=True, **_pool(url))
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine.sync_engine, "connect", _write_ahead)
        self._session = async_sessionmaker(self._engine, expire_on_commit=False)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Make the tables that are missing, and let the connections go at the end."""
        async with self._engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        try:
            yield
        finally:
            await self._engine.dispose()

    async def activate(self, proven: ProvenAddress) -> ShownUser:
        """The user of an address that was just proven: found or new, and active from now on.

        Whether an address has a user is asked here only, so nobody learns it who can't prove it.
        """
        kind = KINDS["demo" if proven.purpose == "signup-demo" else "live"]
        async with self._session() as session:
            try:
                return await _activate(session, kind, proven.identifier)
            except IntegrityError:
                # Somebody proved the same address at the same moment, by a code and a link, say:
                # now it has a user.
                await session.rollback()
                return await _activate(session, kind, proven.identifier)

    async def load(self, user_id: str) -> ShownUser | None:
        """The user of a session; of whoever was deactivated or deleted since then, nobody."""
        user_type, _, number = user_id.partition("-")
        async with self._session() as session:
            user: User | DemoUser | None = await session.get(KINDS[user_type], int(number))
            return _shown(user) if user is not None and user.is_active else None


def _pool(url: str) -> dict[str, Any]:
    # SQLite has one writer at a time: standing in line is faster than asking for its lock over
    # and over, as several connections would.
    return {"pool_size": 1, "max_overflow": 0} if url.startswith("sqlite") else {}


def _write_ahead(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


async def _activate(session: AsyncSession, kind: type[User | DemoUser], address: str) -> ShownUser:
    name = "email" if "@" in address else "phone"
    user: User | DemoUser | None = await session.scalar(
        select(kind).where(getattr(kind, name) == address)
    )
    if user is None:
        user = kind(**{name: address})
        session.add(user)
    now = datetime.now(UTC)
    if name == "email":
        user.email_verified_at = user.email_verified_at or now
    else:
        user.phone_verified_at = user.phone_verified_at or now
    user.is_active = True
    await session.flush()
    await session.refresh(user)
    await session.commit()
    return _shown(user)


def _shown(user: User | DemoUser) -> ShownUser:
    return ShownUser(
        # Sessions know one id for both tables.
        id=f"{user.user_type}-{user.id}",
        user_type=user.user_type,
        email=user.email,
        phone=user.phone,
        is_active=user.is_active,
        created_at=user.created_at,
    )
