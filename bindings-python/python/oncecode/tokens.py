"""`once.tokens`: sign, verify, revoke. The two classes differ in `async` only."""

from __future__ import annotations

from asyncio import Future
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._native import Client
    from .codes import JSON


class Tokens:
    """JSON Web Tokens that can be revoked, awaited."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    async def sign(self, claims: Mapping[str, JSON], *, ttl_seconds: float | None = None) -> str:
        """Sign a token with these claims.

        `iat`, `exp`, `jti`, and `iss` and `aud` where options name them, are added. With `sub`, the
        user, it is bound to the user's version, which is one round trip. Anybody who has the token
        can read its claims.

        Raises:
            InvalidArgument: Claims or a life that cannot be.
            Config: All keys are public.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.sign_token(claims, ttl_seconds)
        return await answer if isinstance(answer, Future) else answer

    async def verify(self, token: str) -> dict[str, Any]:
        """Give the claims of a token that we signed, for us, now, and that was not revoked.

        Raises:
            TokenExpired: Its time is over.
            TokenRevoked: It was revoked; by another process, it takes up to `cache_seconds`.
            TokenInvalid: Anything else is wrong with it.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.verify_token(token)
        return await answer if isinstance(answer, Future) else answer

    async def revoke(self, token: str) -> bool:
        """Revoke one token until it expires; `False` if it has expired already.

        Raises:
            TokenInvalid: It is not a token of a known key.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.revoke_token(token)
        return await answer if isinstance(answer, Future) else answer

    async def revoke_all(self, user_id: str) -> None:
        """Revoke all tokens of a user (`sub`) that are signed by now.

        Raises:
            InvalidArgument: An argument cannot be.
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.revoke_tokens(user_id)
        if isinstance(answer, Future):
            await answer

    async def revoke_everybody(self) -> None:
        """Revoke everybody's tokens that are signed by now.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        answer = self._native.revoke_everybodys_tokens()
        if isinstance(answer, Future):
            await answer

    def sign_stateless(
        self, claims: Mapping[str, JSON], *, ttl_seconds: float | None = None
    ) -> str:
        """Sign without the user's version: no store, nothing to await.

        Such a token is revoked with its user's by the second in which it was signed.

        Raises:
            InvalidArgument: Claims or a life that cannot be.
            Config: All keys are public.
        """
        return self._native.sign_token_stateless(claims, ttl_seconds)

    def verify_stateless(self, token: str) -> dict[str, Any]:
        """Verify without regard to revocations: no store, nothing to await.

        Raises:
            TokenExpired: Its time is over.
            TokenInvalid: Anything else is wrong with it.
        """
        return self._native.verify_token_stateless(token)

    def jwks(self) -> dict[str, Any]:
        """Give the public keys, to be served as `/.well-known/jwks.json`; no shared secrets."""
        return self._native.token_jwks()


class BlockingTokens:
    """The same, waited for. See `Tokens` for what the methods take, give and raise."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    def sign(self, claims: Mapping[str, JSON], *, ttl_seconds: float | None = None) -> str:
        """Sign a token with these claims."""
        return cast("str", self._native.sign_token(claims, ttl_seconds))

    def verify(self, token: str) -> dict[str, Any]:
        """Give the claims of a token that we signed, for us, now, and that was not revoked."""
        return cast("dict[str, Any]", self._native.verify_token(token))

    def revoke(self, token: str) -> bool:
        """Revoke one token until it expires; `False` if it has expired already."""
        return cast("bool", self._native.revoke_token(token))

    def revoke_all(self, user_id: str) -> None:
        """Revoke all tokens of a user (`sub`) that are signed by now."""
        self._native.revoke_tokens(user_id)

    def revoke_everybody(self) -> None:
        """Revoke everybody's tokens that are signed by now."""
        self._native.revoke_everybodys_tokens()

    def sign_stateless(
        self, claims: Mapping[str, JSON], *, ttl_seconds: float | None = None
    ) -> str:
        """Sign without the user's version: no store, nothing to await."""
        return self._native.sign_token_stateless(claims, ttl_seconds)

    def verify_stateless(self, token: str) -> dict[str, Any]:
        """Verify without regard to revocations: no store, nothing to await."""
        return self._native.verify_token_stateless(token)

    def jwks(self) -> dict[str, Any]:
        """Give the public keys, to be served as `/.well-known/jwks.json`; no shared secrets."""
        return self._native.token_jwks()
