"""`once.sessions`: create, validate, rotate, list, revoke. The two classes differ in `async`."""

from __future__ import annotations

from asyncio import Future
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from ._native import Client, NewSession, Session
    from .codes import JSON


class Sessions:
    """Sessions that can be listed and revoked, awaited."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    async def create(
        self,
        *,
        user_id: str,
        device: str | None = None,
        ip: str | None = None,
        data: JSON = None,
        ttl_seconds: float | None = None,
    ) -> NewSession:
        """Begin a session. The token is shown once, here.

        Where the user has as many sessions as they may, the one unused for longest ends.

        Args:
            user_id: Whose session: any text of 1 to 255 bytes.
            device: A label for the user to know it by, such as a User-Agent; cut at 256 bytes.
            ip: The address it begins from.
            data: Anything to get back from `validate`, at most 4096 bytes of JSON. Kept encrypted.
            ttl_seconds: A shorter absolute life than the option's.

        Raises:
            InvalidArgument: An argument cannot be.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.create_session(user_id, device, ip, data, ttl_seconds)
        return await answer if isinstance(answer, Future) else answer

    async def validate(self, token: str, *, ip: str | None = None) -> Session:
        """Give the session of a token. One round trip.

        At most once per `activity_seconds` a second one writes the activity (and `ip`).

        Raises:
            SessionNotFound: Expired, idle for too long, revoked, rotated, or no token of ours.
            InvalidArgument: `ip` is no address.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.validate_session(token, ip)
        return await answer if isinstance(answer, Future) else answer

    async def rotate(self, token: str) -> NewSession:
        """Give the session a new token.

        The old one is dead, or good for `rotation_grace_seconds` more.

        Raises:
            SessionNotFound: Not a live session's token, or it was rotated already.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.rotate_session(token)
        return await answer if isinstance(answer, Future) else answer

    async def list(self, user_id: str) -> list[Session]:
        """List a user's live sessions, the one used last first.

        Raises:
            InvalidArgument: An argument cannot be.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.list_sessions(user_id)
        return await answer if isinstance(answer, Future) else answer

    async def revoke(
        self,
        *,
        token: str | None = None,
        user_id: str | None = None,
        id: str | None = None,
    ) -> bool:
        """End one session, by its token or by its user and id; `False` if there was none.

        Raises:
            InvalidArgument: Neither is given.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.revoke_session(token, user_id, id)
        return await answer if isinstance(answer, Future) else answer

    async def revoke_all(self, user_id: str, *, except_: str | None = None) -> int:
        """End all sessions of a user, or all but `except_` (a token or id). Return how many.

        Raises:
            InvalidArgument: An argument cannot be.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.revoke_sessions(user_id, except_)
        return await answer if isinstance(answer, Future) else answer

    def cookie(self, token: str, *, max_age_seconds: float | None = None) -> str:
        """Give the value of a `Set-Cookie` header for a token.

        HttpOnly, SameSite=Lax, in production Secure and named `__Host-…`. It lasts for
        `max_age_seconds`, or as long as a session may.

        Raises:
            InvalidArgument: Not a token.
        """
        return self._native.session_cookie(token, max_age_seconds)

    def clear_cookie(self) -> str:
        """Give the value of a `Set-Cookie` header that removes the cookie."""
        return self._native.clear_session_cookie()

    def read_cookie(self, header: str | None) -> str | None:
        """Give the token in a `Cookie` header, if there is one."""
        return self._native.read_session_cookie(header or "")


class BlockingSessions:
    """The same, waited for. See `Sessions` for what the methods take, give and raise."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    def create(
        self,
        *,
        user_id: str,
        device: str | None = None,
        ip: str | None = None,
        data: JSON = None,
        ttl_seconds: float | None = None,
    ) -> NewSession:
        """Begin a session. The token is shown once, here."""
        return cast(
            "NewSession", self._native.create_session(user_id, device, ip, data, ttl_seconds)
        )

    def validate(self, token: str, *, ip: str | None = None) -> Session:
        """Give the session of a token. One round trip."""
        return cast("Session", self._native.validate_session(token, ip))

    def rotate(self, token: str) -> NewSession:
        """Give the session a new token."""
        return cast("NewSession", self._native.rotate_session(token))

    def list(self, user_id: str) -> list[Session]:
        """List a user's live sessions, the one used last first."""
        return cast("list[Session]", self._native.list_sessions(user_id))

    def revoke(
        self,
        *,
        token: str | None = None,
        user_id: str | None = None,
        id: str | None = None,
    ) -> bool:
        """End one session, by its token or by its user and id; `False` if there was none."""
        return cast("bool", self._native.revoke_session(token, user_id, id))

    def revoke_all(self, user_id: str, *, except_: str | None = None) -> int:
        """End all sessions of a user, or all but `except_` (a token or id). Return how many."""
        return cast("int", self._native.revoke_sessions(user_id, except_))

    def cookie(self, token: str, *, max_age_seconds: float | None = None) -> str:
        """Give the value of a `Set-Cookie` header for a token."""
        return self._native.session_cookie(token, max_age_seconds)

    def clear_cookie(self) -> str:
        """Give the value of a `Set-Cookie` header that removes the cookie."""
        return self._native.clear_session_cookie()

    def read_cookie(self, header: str | None) -> str | None:
        """Give the token in a `Cookie` header, if there is one."""
        return self._native.read_session_cookie(header or "")
