"""Who the proven addresses belong to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from oncecode.fastapi import ProvenAddress
from pydantic import BaseModel
from sqlalchemy import select
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
        self._engine = create_async_engine(url, pool_pre_ping=True)
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
            user = await _find(session, kind, proven.identifier)
            if user is None:
                user = await _add(session, kind, proven.identifier)
            now = datetime.now(UTC)
            if user.email == proven.identifier:
                user.email_verified_at = user.email_verified_at or now
            else:
                user.phone_verified_at = user.phone_verified_at or now
            user.is_active = True
            await session.commit()
            return _shown(user)

    async def load(self, user_id: str) -> ShownUser | None:
        """The user of a session; of whoever was deactivated or deleted since then, nobody."""
        user_type, _, number = user_id.partition("-")
        async with self._session() as session:
            user: User | DemoUser | None = await session.get(KINDS[user_type], int(number))
            return _shown(user) if user is not None and user.is_active else None


async def _find(
    session: AsyncSession, kind: type[User | DemoUser], address: str
) -> User | DemoUser | None:
    column = kind.email if "@" in address else kind.phone
    found: User | DemoUser | None = await session.scalar(select(kind).where(column == address))
    return found


async def _add(session: AsyncSession, kind: type[User | DemoUser], address: str) -> User | DemoUser:
    user = kind(**{"email" if "@" in address else "phone": address})
    session.add(user)
    try:
        await session.commit()
    except IntegrityError:
        # Somebody proved the same address at the same moment: a code and a link, say.
        await session.rollback()
        found = await _find(session, kind, address)
        if found is None:
            raise
        return found
    await session.refresh(user)
    return user


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
