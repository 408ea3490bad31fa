"""The tables of users. Codes have no table here: oncecode keeps them."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import DateTime, String, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables."""


class Account:
    """What the two kinds of users have in common."""

    user_type: ClassVar[str]

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str | None] = mapped_column(String(255), unique=True)
    phone: Mapped[str | None] = mapped_column(String(16), unique=True)
    is_active: Mapped[bool] = mapped_column(default=False)
    """False for who registered and has not proven an address yet."""
    email_verified_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    phone_verified_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class User(Account, Base):
    """A live user."""

    __tablename__ = "users"
    user_type = "live"


class DemoUser(Account, Base):
    """A demo user: the same address may have a live account as well."""

    __tablename__ = "demo_users"
    user_type = "demo"


KINDS: dict[str, type[User | DemoUser]] = {kind.user_type: kind for kind in (User, DemoUser)}
