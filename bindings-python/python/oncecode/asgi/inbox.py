"""A page for developers that shows the messages which would have gone out."""

from __future__ import annotations

import html
import ipaddress
import re
from collections import deque
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from .. import client
from ..errors import Config
from .caller import Opened, client_of
from .messages import header, respond, respond_json

if TYPE_CHECKING:
    from .._native import Message
    from .messages import Receive, Scope, Send

_NAMES = re.compile(
    r"(localhost|([\w-]+\.)+localhost|127\.\d+\.\d+\.\d+|\[::1\]|testserver)(:\d+)?", re.IGNORECASE
)
_HEADERS = [
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    ),
]


@dataclass(frozen=True)
class InboxMessage:
    """A message that would have gone out."""

    at: str
    """When, in UTC, as ISO 8601."""
    to: str
    """Whom to."""
    text: str
    """What it says."""
    purpose: str | None = None
    """What it was for."""
    code: str | None = None
    """The code in it."""
    url: str | None = None
    """The link in it."""


class DevInbox:
    """Takes messages instead of sending them, and shows them: an ASGI app.

    For development only: it does not open in production. `/messages.json` has them for tests.

    ```python
    inbox = DevInbox()
    once = Lifespan("memory:", mode="development", sender=inbox.send)
    app.mount("/__oncecode", inbox.app(once))
    ```

    Args:
        keep: How many messages it keeps, the newest.
        remote: Whether other machines may read it, such as the host of a container.
    """

    def __init__(self, *, keep: int = 100, remote: bool = False) -> None:
        self._messages: deque[InboxMessage] = deque(maxlen=keep)
        self._remote = remote

    @property
    def messages(self) -> list[InboxMessage]:
        """The messages, the newest first."""
        return list(self._messages)

    def send(self, message: Message) -> None:
        """For the option `sender` of `Oncecode.open`."""
        code = message.code or None
        self._add(
            to=message.to, text=message.text, purpose=message.purpose, code=code, url=message.link
        )

    def send_link(self, *, to: str, url: str, **_: object) -> None:
        """For `send` of the router's `links`."""
        self._add(to=to, text="A link to verify the address.", url=url)

    def app(self, once: Opened) -> InboxApp:
        """The page, to be mounted at `/__oncecode`.

        Raises:
            Config: In production. With a `Lifespan` that is not open yet, the first request tells.
        """
        if isinstance(once, client.Oncecode):
            refuse_in_production(once)
        return InboxApp(self, once, remote=self._remote)

    def _add(
        self,
        *,
        to: str,
        text: str,
        purpose: str | None = None,
        code: str | None = None,
        url: str | None = None,
    ) -> None:
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._messages.appendleft(InboxMessage(at, to, text, purpose, code, url))


class InboxApp:
    """The inbox as an ASGI app."""

    def __init__(self, inbox: DevInbox, once: Opened, *, remote: bool) -> None:
        self._inbox = inbox
        self._once = once
        self._remote = remote

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            return
        refuse_in_production(client_of(self._once))
        # As if it were not there: for other machines, and for other names, by which a page on the
        # web could read it.
        path = scope["path"][len(scope.get("root_path", "")) :].rstrip("/")
        if not (self._remote or (_is_this_machine(scope) and _is_named_so(scope))):
            await respond_json(send, 404, {}, {"detail": "Not Found"})
        elif path.endswith("/messages.json"):
            messages = [
                {name: value for name, value in asdict(message).items() if value is not None}
                for message in self._inbox.messages
            ]
            await respond_json(send, 200, {"cache-control": "no-store"}, messages)
        elif path in ("", scope["path"].rstrip("/")):
            page = _page(self._inbox.messages).encode()
            await respond(send, 200, _HEADERS, page, "text/html; charset=utf-8")
        else:
            await respond_json(send, 404, {}, {"detail": "Not Found"})


def refuse_in_production(once: client.Oncecode) -> None:
    """The inbox shows codes."""
    if once.mode != "development":
        raise Config("the inbox shows codes: it mounts in development mode only")


def _is_this_machine(scope: Scope) -> bool:
    host = (scope.get("client") or ("127.0.0.1",))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # Of a test client, which is in this process.
        return bool(host == "testclient")
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _is_named_so(scope: Scope) -> bool:
    return _NAMES.fullmatch(header(scope, "host") or "") is not None


_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.25rem; margin: 0 } header p, .empty, time { color: GrayText }
article { border: 1px solid color-mix(in srgb, currentColor 20%, transparent) }
article { border-radius: .5rem; padding: 1rem; margin: 1rem 0 }
.code { font: 600 1.75rem/1.2 ui-monospace, monospace; letter-spacing: .15em; margin: .5rem 0 }
.top { display: flex; justify-content: space-between; gap: 1rem; flex-wrap: wrap }
p { margin: .25rem 0 } p, b { overflow-wrap: anywhere }"""

_EMPTY = '<p class="empty">Nothing was sent yet. Ask for a code, and it appears here.</p>'


def _page(messages: list[InboxMessage]) -> str:
    """The page. It has no script; it loads itself again every 3 seconds."""
    articles = "\n".join(_article(message) for message in messages) or _EMPTY
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>oncecode inbox</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="3"><meta name="robots" content="noindex">
<style>{_STYLE}</style></head>
<body><header><h1>oncecode inbox</h1><p>What would have gone out. Development only.</p></header>
<main>{articles}</main></body></html>"""


def _article(message: InboxMessage) -> str:
    to, text = html.escape(message.to), html.escape(message.text)
    purpose = html.escape(message.purpose or "link")
    time = f'<time datetime="{message.at}">{message.at[11:19]}</time>'
    code = f'<p class="code">{html.escape(message.code)}</p>' if message.code else ""
    return (
        f'<article><div class="top"><b>{to}</b><span>{purpose} {time}</span></div>'
        f"{code}<p>{text}</p>{_link(message.url)}</article>"
    )


def _link(url: str | None) -> str:
    if url is None:
        return ""
    safe = html.escape(url)
    is_web = re.match(r"https?:", url, re.IGNORECASE)
    return f'<p><a href="{safe}" rel="noreferrer">{safe}</a></p>' if is_web else f"<p>{safe}</p>"
