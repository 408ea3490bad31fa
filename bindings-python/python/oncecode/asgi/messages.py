"""What ASGI hands around."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from typing_extensions import TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


def header(scope: Scope, name: str) -> str | None:
    """A header; of several with the name all, in their order."""
    wanted = name.lower().encode()
    found = [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == wanted]
    joint = "; " if wanted == b"cookie" else ", "
    return joint.join(found) if found else None


async def respond(
    send: Send, status: int, headers: Iterable[tuple[str, str]], body: bytes, content_type: str
) -> None:
    """Send a whole answer."""
    said = [("content-type", content_type), ("content-length", str(len(body))), *headers]
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in said]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def respond_json(
    send: Send, status: int, headers: Mapping[str, str], content: object
) -> None:
    """Send JSON."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    await respond(send, status, headers.items(), body, "application/json")
