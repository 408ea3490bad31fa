"""A sender of the app's own."""

import asyncio
import contextvars
import queue
import subprocess
import sys
import threading

import pytest

import oncecode
from conftest import PHONE
from oncecode import blocking

request_id = contextvars.ContextVar("request_id", default="nobody's")


async def test_a_message_has_everything_a_gateway_needs(open_client, options):
    messages = []
    options.update(sender=messages.append, app_name="Acme")
    once = await open_client("memory:", **options)
    sent = await once.codes.issue(to=PHONE, purpose="login", locale="de-AT")
    (message,) = messages
    assert (message.to, message.purpose, message.code) == (PHONE, "login", sent.code)
    assert (message.id, message.locale, message.expires_in_seconds) == (sent.id, "de-AT", 600)
    assert sent.code in message.text
    assert "Acme" in message.text


async def test_a_message_shows_neither_code_nor_address(open_client, options):
    messages = []
    once = await open_client("memory:", **{**options, "sender": messages.append})
    sent = await once.codes.issue(to=PHONE, purpose="login")
    shown = f"{messages[0]!r} {messages[0]}"
    assert sent.code not in shown
    assert PHONE not in shown
    assert "login" in shown


class Broken(Exception):
    pass


async def test_a_sender_that_raises_fails_the_delivery_and_costs_nothing(
    store, open_client, options
):
    gateway = {"works": False}

    def send(message):
        if not gateway["works"]:
            raise Broken("gateway")

    once = await open_client(store, **{**options, "sender": send})
    for _ in range(5):  # more often than the limit of issues
        with pytest.raises(oncecode.DeliveryFailed) as failed:
            await once.codes.issue(to=PHONE, purpose="login")
        assert isinstance(failed.value.__cause__, Broken)
    assert await once.codes.peek(to=PHONE, purpose="login") is None
    gateway["works"] = True
    sent = await once.codes.issue(to=PHONE, purpose="login")
    await once.codes.verify(to=PHONE, purpose="login", code=sent.code)


async def test_an_async_sender_is_awaited_in_both_forms(open_client, options):
    sent_to = []

    async def send(message):
        await asyncio.sleep(0)
        sent_to.append(message.to)

    once = await open_client("memory:", **{**options, "sender": send})
    await once.codes.issue(to=PHONE, purpose="login")
    assert sent_to == [PHONE]


class Gateway:
    """Callable objects are callables too."""

    def __init__(self):
        self.sent = 0

    async def __call__(self, message):
        await asyncio.sleep(0)
        self.sent += 1


async def test_any_kind_of_callable_will_do(open_client, options):
    gateway = Gateway()
    for sender in (gateway, lambda message: gateway(message), gateway.__call__):
        once = await open_client("memory:", **{**options, "sender": sender})
        await once.codes.issue(to=PHONE, purpose="login")
    assert gateway.sent == 3


async def test_a_sender_that_takes_too_long_fails_the_delivery(options):
    release = asyncio.Event()

    async def send(message):
        await release.wait()

    options.update(sender=send, send_deadline_ms=20)
    async with await oncecode.Oncecode.open("memory:", **options) as once:
        with pytest.raises(oncecode.DeliveryFailed, match="in time") as failed:
            await once.codes.issue(to=PHONE, purpose="login")
        assert failed.value.__cause__ is None
        assert await once.codes.peek(to=PHONE, purpose="login") is None
        release.set()


async def test_an_async_sender_runs_on_the_callers_loop_in_the_callers_context(store, options):
    seen = []

    async def send(message):
        seen.append((asyncio.get_running_loop(), request_id.get(), threading.get_ident()))

    async with await oncecode.Oncecode.open(store, **{**options, "sender": send}) as once:

        async def serve(name, to):
            request_id.set(name)
            await once.codes.issue(to=to, purpose="login")

        await asyncio.gather(serve("one", "a@example.com"), serve("two", "b@example.com"))
    here = (asyncio.get_running_loop(), threading.get_ident())
    assert {(loop, thread) for loop, _, thread in seen} == {here}
    assert {name for _, name, _ in seen} == {"one", "two"}


async def test_any_other_sender_leaves_the_loop_free_and_keeps_the_context(options):
    seen = []

    def send(message):
        seen.append((threading.get_ident(), request_id.get()))

    async with await oncecode.Oncecode.open("memory:", **{**options, "sender": send}) as once:
        request_id.set("mine")
        await once.codes.issue(to=PHONE, purpose="login")
    ((thread, name),) = seen
    assert thread != threading.get_ident()
    assert name == "mine"


def test_the_blocking_form_calls_the_sender_in_the_calling_thread(options):
    seen = []

    def send(message):
        seen.append((threading.get_ident(), request_id.get()))

    with blocking.Oncecode.open("memory:", **{**options, "sender": send}) as once:
        token = request_id.set("mine")
        once.codes.issue(to=PHONE, purpose="login")
        request_id.reset(token)
    assert seen == [(threading.get_ident(), "mine")]


async def test_a_cancelled_caller_still_gets_its_message_sent(options):
    started, release, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def send(message):
        started.set()
        await release.wait()
        finished.set()

    async with await oncecode.Oncecode.open("memory:", **{**options, "sender": send}) as once:
        task = asyncio.create_task(once.codes.issue(to=PHONE, purpose="login"))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
        await finished.wait()
        assert await once.codes.peek(to=PHONE, purpose="login") is not None


async def test_two_sends_at_once_send_one_message(store, open_client, options):
    messages = []
    once = await open_client(store, **{**options, "sender": messages.append})
    calls = (once.codes.issue(to=PHONE, purpose="login") for _ in range(2))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {oncecode.Sent, oncecode.Cooldown}
    assert len(messages) == 1


async def test_in_the_background_nobody_waits_for_the_sender_and_close_does(open_client, options):
    gate, sent, events = threading.Event(), [], []

    def send(message):
        assert gate.wait(10)
        sent.append(message.to)

    told = {"sender": send, "events": lambda event: events.append(event.name)}
    background = {"capacity": 3, "concurrency": 2}
    once = await open_client("memory:", **{**options, **told, "send_in_background": background})
    addresses = [f"{name}@example.com" for name in ("ann", "ben", "cy")]
    codes = [(await once.codes.issue(to=to, purpose="login")).code for to in addresses]
    with pytest.raises(oncecode.DeliveryFailed):
        await once.codes.issue(to=PHONE, purpose="login")
    assert sent == []
    await once.codes.verify(to=addresses[0], purpose="login", code=codes[0])
    gate.set()
    await once.close()
    assert sorted(sent) == addresses
    assert events.count("LOGIN_OTP_CREATED") == 3


async def test_a_sender_that_raises_in_the_background_is_logged_and_costs_nothing(
    open_client, options, caplog
):
    def send(message):
        raise Broken("gateway")

    heard = queue.SimpleQueue()
    told = {"sender": send, "events": lambda event: heard.put(event.name)}
    once = await open_client("memory:", **{**options, **told, "send_in_background": True})
    to = "ann@example.com"
    for _ in range(4):
        await once.codes.issue(to=to, purpose="login")
        name = await asyncio.to_thread(heard.get, timeout=10)
        assert name == "LOGIN_OTP_DELIVERY_FAILED"
        assert await once.codes.peek(to=to, purpose="login") is None
    await once.close()
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [Broken] * 4


def test_who_has_closed_a_blocking_client_has_heard_of_everything_that_was_sent(options):
    closed, heard = threading.Event(), []

    def tell(event):
        # Nothing but the end of close() ends this early.
        heard.append((event.name, closed.wait(0.3)))

    told = {"sender": lambda message: None, "events": tell, "send_in_background": True}
    once = blocking.Oncecode.open("memory:", **{**options, **told})
    once.codes.issue(to="ann@example.com", purpose="login")
    once.close()
    closed.set()
    assert heard == [("LOGIN_OTP_CREATED", False)]


def test_a_callback_of_what_is_sent_in_the_background_may_close_the_client(options):
    closed = threading.Event()

    def tell(event):
        once.close()
        closed.set()

    told = {"sender": lambda message: None, "events": tell, "send_in_background": True}
    once = blocking.Oncecode.open("memory:", **{**options, **told})
    once.codes.issue(to="ann@example.com", purpose="login")
    assert closed.wait(10)
    with pytest.raises(oncecode.Closed):
        once.codes.issue(to="ben@example.com", purpose="login")


def test_the_interpreter_waits_for_what_the_blocking_client_sends_in_the_background():
    program = """
import time
from oncecode.blocking import Oncecode

def send(message):
    time.sleep(0.1)
    print("sent", flush=True)

once = Oncecode.open("memory:", mode="development", sender=send, send_in_background=True)
once.codes.issue(to="ann@example.com", purpose="login")
print("issued", flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.split(), done.stderr) == (["issued", "sent"], "")
