"""Emails by a real mail server: `smtp://` with STARTTLS, and `smtps://`."""

import asyncio
import email
import email.policy
import ssl
import subprocess
import time
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

import oncecode

EMAIL = "ann@example.com"
FROM = "Acme <no-reply@acme.example>"


def certificate(folder, name, authority=None):
    """A certificate authority, or a server's certificate from one, for 127.0.0.1."""
    made_by = ["-CA", f"{authority}.crt", "-CAkey", f"{authority}.key"] if authority else []
    for_host = ["-addext", "basicConstraints=critical,CA:FALSE"] if authority else []
    for_host += ["-addext", "subjectAltName=IP:127.0.0.1"] if authority else []
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
    out = ["-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}"]
    command = ["openssl", "req", "-x509", *key, *out, *made_by, *for_host]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="session")
def authorities(tmp_path_factory):
    """A folder with ours.crt, foreign.crt, and server.crt from the first."""
    folder = tmp_path_factory.mktemp("authorities")
    certificate(folder, "ours")
    certificate(folder, "foreign")
    certificate(folder, "server", "ours")
    return folder


class Mailbox:
    """Keeps what comes in, and says what it is told to."""

    def __init__(self) -> None:
        self.letters: list[email.message.EmailMessage] = []
        self.users: list[str] = []
        self.recipient: list[str] = []
        """Answers to the next recipients, instead of yes."""
        self.at_message = None
        """Called with the server where a message has come in."""

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if self.recipient:
            return self.recipient.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 yes"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.letters.append(letter)
        if self.at_message is not None:
            await self.at_message(server)
        return "250 2.0.0 yes"

    def check(self, server, session, envelope, mechanism, login):
        self.users.append(login.login.decode())
        right = (login.login, login.password) == (b"ann", b"p@ss word")
        return AuthResult(success=right, handled=False)


class Conversation(SMTP):
    """One connection, which says when it is over."""

    def __init__(self, *values, **named) -> None:
        super().__init__(*values, **named)
        self.over = asyncio.Event()
        # Until TLS is there, nothing has begun.
        self.over.set()

    def connection_made(self, transport) -> None:
        self.over.clear()
        super().connection_made(transport)

    def connection_lost(self, error) -> None:
        super().connection_lost(error)
        self.over.set()

    async def end(self) -> None:
        if self.transport is not None:
            self.transport.abort()
        await asyncio.wait_for(self.over.wait(), 5)


@pytest.fixture
async def server(authorities):
    """Opens mail servers on free ports."""
    opened, held = [], []
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authorities / "server.crt", authorities / "server.key")

    async def start(kind: str = "starttls") -> SimpleNamespace:
        mailbox = Mailbox()
        how = {
            "starttls": {"tls_context": tls, "require_starttls": True, "auth_required": True},
            "smtps": {"auth_require_tls": False},
            "stripped": {"auth_require_tls": False},
        }[kind]

        def conversation() -> Conversation:
            held.append(Conversation(mailbox, authenticator=mailbox.check, **how))
            return held[-1]

        wrapped = tls if kind == "smtps" else None
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(conversation, "127.0.0.1", 0, ssl=wrapped)
        opened.append(listener)
        place = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"

        def url(password: str = "p@ss word", ca: str | None = "ours") -> str:
            scheme = "smtps" if kind == "smtps" else "smtp"
            trust = f"&ssl_ca_certs={quote(str(authorities / ca))}.crt" if ca else ""
            return f"{scheme}://ann:{quote(password)}@{place}?from={quote(FROM)}{trust}"

        return SimpleNamespace(mailbox=mailbox, url=url)

    yield start
    for listener in opened:
        listener.close()
    for conversation in held:
        await conversation.end()


@pytest.fixture
def opened(open_client, options):
    """A client that may issue once, to which a failure must not count."""
    policy = {"issue_limit": {"max": 1, "window_seconds": 900}}
    changed = {**options, "policy": policy, "app_name": "Acme", "breaker": False}
    return lambda sender, **more: open_client("memory:", **{**changed, "sender": sender, **more})


async def assert_nothing_counted(once, mailbox) -> None:
    assert await once.codes.peek(to=EMAIL, purpose="login") is None
    mailbox.letters.clear()
    sent = await once.codes.issue(to=EMAIL, purpose="login")
    (letter,) = mailbox.letters
    assert sent.code in letter.get_body(("plain",)).get_content()


@pytest.mark.parametrize("kind", ["starttls", "smtps"])
async def test_a_letter_comes_in_over_tls_from_who_logged_in(opened, server, kind):
    office = await server(kind)
    once = await opened(office.url())
    sent = await once.codes.issue(to="Ann@Example.com", purpose="login")
    (letter,) = office.mailbox.letters
    assert (letter["to"], letter["from"], letter["subject"]) == (EMAIL, FROM, "Your Acme code")
    assert [part.get_content_type() for part in letter.iter_parts()] == ["text/plain", "text/html"]
    for part in letter.iter_parts():
        assert sent.code in part.get_content()
    assert letter["message-id"].endswith("@acme.example>")
    assert office.mailbox.users == ["ann"]
    await once.codes.verify(to=EMAIL, purpose="login", code=sent.code)


async def test_a_server_whose_starttls_was_taken_away_hears_nothing(opened, server):
    office = await server("stripped")
    once = await opened(office.url())
    with pytest.raises(oncecode.Config, match="STARTTLS"):
        await once.codes.issue(to=EMAIL, purpose="login")
    assert (office.mailbox.letters, office.mailbox.users) == ([], [])


@pytest.mark.parametrize("kind", ["starttls", "smtps"])
@pytest.mark.parametrize("ca", ["foreign", None])
async def test_a_certificate_from_somebody_else_is_not_trusted(opened, server, kind, ca):
    office = await server(kind)
    once = await opened(office.url(ca=ca))
    with pytest.raises(oncecode.Config, match="ssl_ca_certs"):
        await once.codes.issue(to=EMAIL, purpose="login")
    assert (office.mailbox.letters, office.mailbox.users) == ([], [])


async def test_a_wrong_password_is_a_matter_of_configuration_and_not_told(opened, server):
    office = await server()
    once = await opened(office.url(password="hunter2"))
    with pytest.raises(oncecode.Config) as refused:
        await once.codes.issue(to=EMAIL, purpose="login")
    assert "hunter2" not in repr(refused.value)
    assert (office.mailbox.letters, office.mailbox.users) == ([], ["ann"])


@pytest.mark.parametrize(
    ("says", "kind", "tries"),
    [
        ("550 5.1.1 nobody is called ann@example.com", oncecode.Unreachable, 1),
        ("552 5.2.2 ann@example.com is full", oncecode.Unreachable, 1),
        ("553 5.1.3 ann@example.com is none", oncecode.InvalidEmail, 1),
        ("554 5.7.1 relay access denied", oncecode.DeliveryFailed, 1),
        ("450 4.7.1 greylisted", oncecode.DeliveryLimited, 3),
    ],
)
async def test_a_refused_recipient_is_typed_and_costs_nothing(opened, server, says, kind, tries):
    office = await server()
    once = await opened(office.url())
    office.mailbox.recipient = [says] * 3
    with pytest.raises(kind) as refused:
        await once.codes.issue(to=EMAIL, purpose="login")
    assert "ann@" not in repr(refused.value)
    assert len(office.mailbox.recipient) == 3 - tries
    office.mailbox.recipient = []
    await assert_nothing_counted(once, office.mailbox)


async def test_who_is_greylisted_for_a_moment_gets_one_letter(opened, server):
    office = await server()
    once = await opened(office.url())
    office.mailbox.recipient = ["450 4.7.1 greylisted"]
    sent = await once.codes.issue(to=EMAIL, purpose="login")
    (letter,) = office.mailbox.letters
    assert sent.code in letter.get_body(("plain",)).get_content()


async def test_a_server_that_is_too_slow_is_waited_for_no_longer_than_the_deadline(opened, server):
    office = await server()
    once = await opened(office.url(), send_deadline_ms=800)
    waited_for = asyncio.Event()

    async def slow(_) -> None:
        await waited_for.wait()

    office.mailbox.at_message = slow
    start = time.monotonic()
    with pytest.raises(oncecode.DeliveryFailed):
        await once.codes.issue(to=EMAIL, purpose="login")
    assert time.monotonic() - start < 5
    assert len(office.mailbox.letters) == 1
    waited_for.set()
    office.mailbox.at_message = None
    await assert_nothing_counted(once, office.mailbox)


async def test_a_message_whose_answer_was_lost_is_not_sent_again(opened, server):
    office = await server()
    second = []
    once = await opened([office.url(), second.append])

    async def drop(server) -> None:
        server.transport.abort()

    office.mailbox.at_message = drop
    with pytest.raises(oncecode.DeliveryFailed):
        await once.codes.issue(to=EMAIL, purpose="login")
    assert (len(office.mailbox.letters), second) == (1, [])
    office.mailbox.at_message = None
    await assert_nothing_counted(once, office.mailbox)


async def test_who_is_not_there_is_followed_by_the_next(opened, server):
    office = await server()
    absent = "smtp://127.0.0.1:9?from=a@acme.example"
    once = await opened([absent, office.url()])
    await once.codes.issue(to=EMAIL, purpose="login")
    assert len(office.mailbox.letters) == 1
