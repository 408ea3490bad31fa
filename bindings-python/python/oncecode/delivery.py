"""`once.sender`: what becomes of messages. Nothing here waits, so both clients have the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from .errors import InvalidArgument

if TYPE_CHECKING:
    from ._native import Client, DeliveryStatus


class Delivery:
    """What becomes of messages."""

    __slots__ = ("_native",)

    def __init__(self, native: Client) -> None:
        self._native = native

    def status(
        self,
        *,
        url: str,
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        body: bytes,
    ) -> DeliveryStatus:
        """Tell what a provider's status callback says, if the provider signed it.

        ```python
        @app.post("/sms/status", status_code=204)
        async def status(request: Request) -> None:
            url = PUBLIC_URL + request.url.path
            said = once.sender.status(url=url, headers=request.headers, body=await request.body())
        ```

        Args:
            url: The whole URL as it was given to the provider; behind a proxy that is not what the
                server sees.
            headers: All of them; names in any case.
            body: Byte for byte, before any parser.

        Raises:
            InvalidSignature: It is from none of the client's providers.
            InvalidArgument, Closed: As everywhere.
        """
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        try:
            named = [(name, value) for name, value in pairs]
            return self._native.delivery_status(url, named, body)
        except (TypeError, ValueError, UnicodeEncodeError):
            raise InvalidArgument("url must be text, headers pairs of text, body bytes") from None
