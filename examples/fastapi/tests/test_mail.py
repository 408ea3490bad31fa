from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email import message_from_bytes
from email.policy import default

import httpx
from aiosmtpd.smtp import SMTP
from conftest import API, serving

from accounts.app import create_app
from accounts.settings import Settings

EMAIL = "ann@example.com"


class Mailbox:
    """What a real mail server took, or its refusal."""

    def __init__(self, answer: str = "250 OK") -> None:
        self.answer = answer
        self.taken: list = []

    async def handle_DATA(self, _server, _session, envelope) -> str:  # noqa: N802
        self.taken.append(message_from_bytes(envelope.content, policy=default))
        return self.answer


@asynccontextmanager
async def served_mail(mailbox: Mailbox) -> AsyncIterator[str]:
    """The URL of a mail server."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, loop=loop), "127.0.0.1", 0)
    async with server:
        yield f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def browser_of(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(create_app(settings)) as address,
        httpx.AsyncClient(base_url=address) as client,
    ):
        yield client


async def test_a_link_arrives_and_works(settings):
    mailbox = Mailbox()
    async with (
        served_mail(mailbox) as url,
        browser_of(replace(settings, smtp_url=url, mail_from="accounts@example.com")) as browser,
    ):
        asked = await browser.post(f"{API}/email/request", json={"email": EMAIL})
        assert asked.status_code == 200
        [mail] = mailbox.taken
        assert (mail["To"], mail["From"]) == (EMAIL, "accounts@example.com")
        [line] = [line for line in mail.get_content().splitlines() if line.startswith("http")]
        assert line.startswith(f"{settings.public_url}/verify-email?token=")
        token = httpx.URL(line).params["token"]
        done = await browser.post(f"{API}/email/verify", json={"token": token})
        assert done.json()["user"]["email"] == EMAIL


async def test_a_mail_server_that_refuses_costs_nothing(settings):
    async with (
        served_mail(Mailbox("451 try again later")) as url,
        browser_of(replace(settings, smtp_url=url)) as browser,
    ):
        # One more than the limit of an address: each is given back.
        for _ in range(6):
            refused = await browser.post(f"{API}/email/request", json={"email": EMAIL})
            assert (refused.status_code, refused.json()["code"]) == (502, "DELIVERY_FAILED")
