"""Senders by URL, by template, by callable, and several of them."""

import base64
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote

import pytest

import oncecode
from conftest import PHONE


class Gateway:
    """A provider's server on a free port: keeps what it is asked, answers as told."""

    def __init__(self) -> None:
        self.answer: tuple[int, str, dict[str, str]] = (201, '{"sid":"SM1","status":"queued"}', {})
        self.asked: list[tuple[str, str]] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                gateway.asked.append((self.path, body))
                status, text, headers = gateway.answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                """Nothing is printed."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def twilio(self) -> str:
        return f"twilio://AC1:12345@?from=+15551234567&base={quote(self.url, safe='')}"


@pytest.fixture
def gateway():
    gateway = Gateway()
    yield gateway
    gateway.close()


async def test_a_provider_by_its_url_is_asked_as_its_api_wants(open_client, options, gateway):
    once = await open_client("memory:", **{**options, "sender": gateway.twilio})
    sent = await once.codes.issue(to=PHONE, purpose="login")
    ((path, body),) = gateway.asked
    assert path == "/2010-04-01/Accounts/AC1/Messages.json"
    assert parse_qs(body)["To"] == [PHONE]
    assert sent.code in parse_qs(body)["Body"][0]


@pytest.mark.parametrize(
    ("url", "success", "path", "to"),
    [
        ("sendgrid://SG.t@?from=a@acme.example", (202, "", {}), "/v3/mail/send", "ann@example.com"),
        ("msg91://k@?template=T1", (200, '{"type":"success"}', {}), "/api/v5/flow/", PHONE),
    ],
)
async def test_a_providers_refusal_is_typed_and_costs_nothing(
    open_client, options, gateway, url, success, path, to
):
    sender = f"{url}&base={quote(gateway.url, safe='')}"
    once = await open_client("memory:", **{**options, "sender": sender, "breaker": False})
    gateway.answer = (401, '{"type":"error","message":"401"}', {})
    with pytest.raises(oncecode.Config):
        await once.codes.issue(to=to, purpose="login")
    assert await once.codes.peek(to=to, purpose="login") is None
    gateway.answer = success
    sent = await once.codes.issue(to=to, purpose="login")
    assert [asked[0] for asked in gateway.asked] == [path, path]
    assert sent.code in gateway.asked[1][1]


async def test_a_webhook_by_its_template_gets_what_it_names(open_client, options, gateway):
    webhook = {"url": gateway.url, "content_type": "application/json", "body": '{"c":"{code}"}'}
    once = await open_client("memory:", **{**options, "sender": webhook})
    sent = await once.codes.issue(to=PHONE, purpose="login")
    assert json.loads(gateway.asked[0][1]) == {"c": sent.code}


class NothingSent(Exception):
    not_sent = True


async def test_the_next_sends_where_the_first_surely_did_not(open_client, options, gateway):
    def no_credit(message):
        raise NothingSent

    got = []
    senders = [no_credit, gateway.twilio, got.append]
    once = await open_client("memory:", **{**options, "sender": senders})
    await once.codes.issue(to=PHONE, purpose="login")
    assert (len(gateway.asked), got) == (1, [])
    await once.codes.issue(to="ann@example.com", purpose="login")
    assert (len(gateway.asked), [message.to for message in got]) == (1, ["ann@example.com"])


async def test_an_exception_without_a_word_ends_the_list(open_client, options):
    def late(message):
        raise TimeoutError

    got = []
    once = await open_client("memory:", **{**options, "sender": [late, got.append]})
    with pytest.raises(oncecode.DeliveryFailed) as failed:
        await once.codes.issue(to=PHONE, purpose="login")
    assert isinstance(failed.value.__cause__, TimeoutError)
    assert got == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((400, '{"code":21610}', {}), oncecode.Unreachable),
        ((400, '{"code":21408}', {}), oncecode.RegionBlocked),
        ((401, '{"code":20003}', {}), oncecode.Config),
        ((429, '{"code":20429}', {"Retry-After": "30"}), oncecode.DeliveryLimited),
        ((500, "<html>", {}), oncecode.DeliveryFailed),
    ],
)
async def test_what_a_provider_refuses_is_typed_and_costs_nothing(
    open_client, options, gateway, answer, kind
):
    gateway.answer = answer
    changed = {**options, "sender": gateway.twilio, "breaker": False}
    once = await open_client("memory:", **changed)
    for _ in range(4):
        with pytest.raises(kind) as refused:
            await once.codes.issue(to=PHONE, purpose="login")
        assert refused.value.retry_after_seconds == (30 if answer[2] else None)
    assert await once.codes.peek(to=PHONE, purpose="login") is None


async def test_a_status_callback_is_believed_when_its_provider_signed_it(open_client, options):
    senders = ["none:", "twilio://AC1:12345@?from=+15551234567"]
    once = await open_client("memory:", **{**options, "sender": senders})
    url = "https://app.example/sms"
    body = b"MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30005"
    signed = f"{url}ErrorCode30005MessageSidSM1MessageStatusundelivered".encode()
    signature = base64.b64encode(hmac.digest(b"12345", signed, hashlib.sha1)).decode()
    headers = {"X-Twilio-Signature": signature}
    said = once.sender.status(url=url, headers=headers, body=body)
    assert (said.provider, said.message, said.state) == ("twilio", "SM1", "failed")
    assert (said.reason, said.provider_code) == ("UNREACHABLE", "30005")
    assert once.sender.status(url=url, headers=headers.items(), body=body).message == "SM1"
    with pytest.raises(oncecode.InvalidSignature):
        once.sender.status(url=url, headers=headers, body=body + b"0")
    with pytest.raises(oncecode.InvalidSignature):
        once.sender.status(url=url, headers={}, body=body)
    with pytest.raises(oncecode.InvalidArgument):
        once.sender.status(url=url, headers=[("a",)], body=body)


@pytest.mark.parametrize("sender", ["pigeon:", "twilio://AC1:hunter2@?frm=1", [], [1], {"url": 1}])
async def test_senders_that_cannot_be_are_config(options, sender):
    with pytest.raises(oncecode.Config) as refused:
        await oncecode.Oncecode.open("memory:", **{**options, "sender": sender})
    assert "hunter2" not in str(refused.value)
