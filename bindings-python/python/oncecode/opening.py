"""From what users write to a native client; the same for both clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._native import Client
from .callbacks import choosing, sending_in_thread, sending_on_loop, telling
from .options import check_url, encode, split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .options import EventCallback, SendCallback


def from_options(url: str, options: Mapping[str, object], *, waits: bool) -> Client:
    """A client on `url`, not yet connected."""
    plain, senders, events = split(options)
    background = plain.get("send_in_background") not in (None, False)
    return _client((check_url(url), encode(plain)), senders, events, waits, background)


def from_env(sender: SendCallback | None, events: EventCallback | None, *, waits: bool) -> Client:
    """A client as the environment says, not yet connected."""
    _, senders, events = split({"sender": sender, "events": events})
    return _client(None, senders, events, waits, background=False)


def _client(
    given: tuple[str, str] | None,
    senders: list[SendCallback],
    events: EventCallback | None,
    waits: bool,
    background: bool,
) -> Client:
    sending = sending_in_thread if waits else sending_on_loop
    send = choosing(senders, sending, background) if senders else None
    return Client(given, waits, send, len(senders), events and telling(events))
