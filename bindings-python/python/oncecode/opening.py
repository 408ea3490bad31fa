"""From what users write to a native client; the same for both clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._native import Client
from .callbacks import sending_in_thread, sending_on_loop, telling
from .options import check_url, encode, split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .options import EventCallback, SendCallback


def from_options(url: str, options: Mapping[str, object], *, waits: bool) -> Client:
    """A client on `url`, not yet connected."""
    plain, sender, events = split(options)
    return _client((check_url(url), encode(plain)), sender, events, waits)


def from_env(sender: SendCallback | None, events: EventCallback | None, *, waits: bool) -> Client:
    """A client as the environment says, not yet connected."""
    _, sender, events = split({"sender": sender, "events": events})
    return _client(None, sender, events, waits)


def _client(
    given: tuple[str, str] | None,
    sender: SendCallback | None,
    events: EventCallback | None,
    waits: bool,
) -> Client:
    sending = sending_in_thread if waits else sending_on_loop
    return Client(given, waits, sender and sending(sender), events and telling(events))
