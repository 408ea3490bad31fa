"""Links in emails, by SMTP."""

from __future__ import annotations

import smtplib
import ssl
from datetime import datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

SECONDS = 10


class Mail:
    """Sends links.

    Args:
        url: `smtp://user:password@host:587` (STARTTLS), or `smtps://…:465`. Without a user, as to a
            relay on the same machine, nothing is encrypted.
        sender: Whom the email is from.
    """

    def __init__(self, url: str, sender: str) -> None:
        self._server = urlsplit(url)
        self._sender = sender

    def send_link(self, *, to: str, url: str, expires_at: datetime, **_: Any) -> None:
        """Send one; whatever it raises, the answer is `DELIVERY_FAILED`."""
        message = EmailMessage()
        message["From"], message["To"] = self._sender, to
        message["Subject"] = "Confirm your email address"
        message.set_content(
            f"Open this page to confirm your email address and sign in:\n\n{url}\n\n"
            f"It works once, until {expires_at:%d %B, %H:%M} UTC.\n"
            "If you did not ask for it, ignore it.\n"
        )
        with self._connected() as server:
            server.send_message(message)

    def _connected(self) -> smtplib.SMTP:
        host, secure = self._server.hostname or "localhost", ssl.create_default_context()
        if self._server.scheme == "smtps":
            port = self._server.port or 465
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=secure)
        else:
            server = smtplib.SMTP(host, self._server.port or 25, timeout=SECONDS)
        if self._server.username is not None:
            if self._server.scheme != "smtps":
                server.starttls(context=secure)
            server.login(unquote(self._server.username), unquote(self._server.password or ""))
        return server
